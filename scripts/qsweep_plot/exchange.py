"""What one exchange takes, topology by topology, beside MPI_Allreduce of floats; and weak scaling on a simulated cluster."""
import numpy

from . import frame, general, style

ORDER = ("allreduce", "server", "sharded")
COLOURS = dict(zip(ORDER, style.CATEGORICAL))
PARTS = {"-": ("up",), style.DASHED: ("up", "down")}
NAMES = {"-": "gradients: scale, quantize, pack, send, unpack", style.DASHED: "and quantized weights on the way back"}


def topology(run):
    return run.key("workers.exchange")


def seconds(run, parts):
    return sum(run.arrays["bench/" + part] for part in parts)


def measured(results):
    """The runs of a file that qsweep_bench or the simulator wrote."""
    return [run for run in results.runs if any(name.startswith("bench/") for name in run.arrays)]


def exchange(results):
    if not measured(results):
        return general.general(results)
    runs = sorted(results.runs, key=lambda run: ORDER.index(topology(run)))
    first = runs[0]
    x, floats = first.arrays["bench/elements"], first.arrays["bench/floats"]
    figure, ((time, ratio, size),) = frame.canvas(1, 3, height=3.9)
    time.plot(x, floats, color="black", marker=".", lw=2)
    for run in runs:
        for dash, parts in PARTS.items():
            time.plot(x, seconds(run, parts), color=COLOURS[topology(run)], ls=dash)
            ratio.plot(x, seconds(run, parts) / floats, color=COLOURS[topology(run)], ls=dash)
        size.plot(x, run.arrays["bench/bytes"] / (4 * x), color=COLOURS[topology(run)], ls=style.DASHED)
    style.panel(time, "a", "Time of one exchange", "elements", "time [s]")
    style.panel(ratio, "b", "Over that of floats", "elements", "time, times MPI_Allreduce of floats")
    style.panel(size, "c", "Bytes, both ways", "elements", "bytes of the busiest rank, over 4 for each element")
    ratio.axhline(1, color="black", lw=1)
    size.axhline(1, color="black", lw=1)
    for ax in (time, ratio, size):
        ax.set_xscale("log", base=2)
        style.logarithmic(ax, "y")
    handles = style.colour_key({"MPI_Allreduce of floats": "black", **COLOURS}, str)
    handles += [style.Line2D([], [], color="#333333", ls=dash, label=label) for dash, label in NAMES.items()]
    gradients, weights = style.quantizer(first.key("gradients.quantizer")), style.quantizer(first.key("weights.quantizer"))
    last = {topology(run): (seconds(run, ("up",)) / floats)[-1] for run in runs}
    sentence = (f"{first.key('workers.count')} ranks, one worker each; {first.key('network')}; gradients {gradients}, weights {weights}. "
                f"At 2^{numpy.log2(x[-1]):.0f} elements, gradients alone: "
                + ", ".join(f"{name} {value:.2f}" for name, value in last.items()) + " times floats.")
    return frame.finish(figure, results, "one exchange against MPI_Allreduce of floats", [sentence], handles, band=False)


def bits_name(bits):
    return "FP" if bits == 32 else f"SQ{bits:g}"


def cluster(results):
    """Weak scaling: efficiency T(1)/T(P) over ranks, a line for each topology and width, a panel for each network."""
    if not measured(results):
        return general.general(results)
    networks = sorted({float(run.key("network.bandwidth")) for run in results.runs})
    figure, (panels,) = frame.canvas(1, len(networks), width=6.2 * len(networks), height=4.2)
    widths = sorted({int(run.key("gradient_bits")) for run in results.runs})
    dashes = dict(zip(widths, [style.DASHES[i] for i in (0, 2, 3, 4, 5)]))
    colours = {**COLOURS, "floats": "black"}
    widest = 0
    for ax, letter, network in zip(panels, "abcdef", networks):
        for run in [r for r in results.runs if float(r.key("network.bandwidth")) == network]:
            ranks, efficiency, only = (run.arrays["bench/" + n] for n in ("ranks", "efficiency", "sizes_only"))
            widest = max(widest, ranks.max())
            line, = ax.plot(ranks, efficiency, color=colours[topology(run)], ls=dashes[int(run.key("gradient_bits"))])
            for mask, face in ((only == 0, line.get_color()), (only == 1, "white")):
                ax.plot(ranks[mask], efficiency[mask], ls="none", marker="o", ms=5, color=line.get_color(), mfc=face)
        ax.axhline(1, color=style.GREY, lw=.8)
        ax.set_ylim(0, 1.06)
        style.panel(ax, letter, f"{network:g} Gbit/s", None, "weak-scaling efficiency, T(1) / T(P)")
        style.value_axis(ax, sorted(set(ranks)), "ranks P, one worker and one node each")
    first = results.runs[0]
    handles = style.colour_key({name: colours[name] for name in colours if any(topology(r) == name for r in results.runs)},
                               lambda name: {"floats": "MPI_Allreduce of floats"}.get(name, name))
    handles += [style.Line2D([], [], color="#333333", ls=dashes[w], label=bits_name(w)) for w in widths]
    handles += [style.Line2D([], [], color="#333333", marker="o", ls="none", label="real codes"),
                style.Line2D([], [], color="#333333", marker="o", mfc="white", ls="none", label="messages of the same sizes only")]
    sentence = (f"Simulated (SimGrid SMPI): {first.key('model')}, {first.key('elements')} parameters, {first.key('batch')} samples on each "
                f"rank; computing {float(first.key('compute')):.3g} s and quantizing as measured on one rank; weights "
                f"{style.quantizer(first.key('weights.quantizer'))}; latency {first.key('network.latency')} for each link; no overlap "
                "of computing and communicating.")
    return frame.finish(figure, results, f"weak scaling to {widest:g} ranks on a simulated cluster", [sentence], handles, band=False)
