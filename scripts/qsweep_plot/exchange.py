"""What one exchange takes, topology by topology, beside MPI_Allreduce of floats."""
import numpy

from . import frame, style

ORDER = ("allreduce", "server", "sharded")
COLOURS = dict(zip(ORDER, style.CATEGORICAL))
PARTS = {"-": ("up",), style.DASHED: ("up", "down")}
NAMES = {"-": "gradients: scale, quantize, pack, send, unpack", style.DASHED: "and quantized weights on the way back"}


def topology(run):
    return run.key("workers.exchange")


def seconds(run, parts):
    return sum(run.arrays["bench/" + part] for part in parts)


def exchange(results):
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
