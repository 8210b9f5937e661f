"""Modelled speed-up over one worker, P·T_compute/T_iteration, from one measured profile: Figure 8.

Source: Hou, Zhang, Kwok 2019, section 4.3; the performance model is that of Wen et al. 2017 (src/exchange/network.h).
"""
import numpy

from . import frame, general, style


def name_of(bits):
    return "FP" if bits == 32 else f"SQ{bits:g}"


def colour_of(bits):
    return style.SHADES["fp" if bits == 32 else f"sq{bits:g}"]


def speedup_alexnet(results):
    run = results.runs[0]
    if "network/speed_up" not in run.arrays:  # no network was modelled
        return general.general(results)
    networks, ranks, bits = (run.arrays["network/" + n] for n in ("bandwidth", "ranks", "gradient_bits"))
    speed, time = run.arrays["network/speed_up"], run.arrays["network/communication_time"]
    compute = float(run.arrays["network/compute_time"])
    source = "measured" if run.key("network.compute_time") in ("-", "measured") else "given"
    figure, (panels,) = frame.canvas(1, len(networks) + 1, width=4.6 * (len(networks) + 1), height=4.0)
    for i, (ax, network) in enumerate(zip(panels, networks)):
        for j, width in enumerate(bits):
            ax.plot(ranks, speed[i, j], color=colour_of(width), marker=style.MARKERS[j % len(style.MARKERS)], ms=5, label=name_of(width))
        ax.plot(ranks, ranks, color=style.GREY, lw=.8, ls=style.DOTTED, label="linear")
        style.panel(ax, "abcdef"[i], f"{network:g} Gbit/s Ethernet", None, "speed-up over one worker")
        style.value_axis(ax, list(ranks), "workers P")
        style.logarithmic(ax, "y")
        ax.set_ylim(.8, 1.15 * ranks.max())
        ax.legend(loc="upper left")
    last = panels[len(networks)]
    groups = numpy.arange(len(networks))
    floor, top = time[:, :, -1].min() / 2, max(time[:, :, -1].max(), compute)  # bars of a logarithmic axis stand on something
    for j, width in enumerate(bits):
        last.bar(groups + (j - (len(bits) - 1) / 2) * .2, time[:, j, -1] - floor, .18, bottom=floor, color=colour_of(width), label=name_of(width))
    last.axhline(compute, color="black", lw=1, ls=style.DASHED, label=f"computing, {source}")
    last.set_xticks(groups)
    last.set_xticklabels([f"{n:g} Gbit/s" for n in networks])
    last.grid(axis="x", visible=False)
    style.panel(last, "abcdef"[len(networks)], f"Communication of one iteration, P = {ranks[-1]:g}", None, "time [s]")
    style.logarithmic(last, "y")
    last.set_ylim(floor, 12 * top)
    last.legend(loc="upper right", ncols=2)
    sentences = [f"Assumed: {run.attributes['network/iteration_time'].get('assumptions', 'not stored')}. Latency between nodes "
                 + ", ".join(f"{1e6 * v:g}" for v in sorted(set(run.arrays["network/latency"]))) + " µs.",
                 f"{source.capitalize()}: T_compute = {compute:.3g} s, forward and backward of {run.key('workers.batch')} images"
                 f"{' on one core' if source == 'measured' else ''}. Weights: "
                 f"{style.quantizer(run.key('weights.quantizer'))}.",
                 compared(networks, ranks, bits, speed)]
    return frame.finish(figure, results, "modelled speed-up of AlexNet (Figure 8)", sentences, (), band=False)


def compared(networks, ranks, bits, speed):
    """What the figure says: the gain over FP at the largest P, network by network; the narrowest width on the slow one, FP on the fast."""
    full = list(bits).index(32)
    narrow = int(numpy.argmin(bits))
    gains = ", ".join(f"×{speed[i, narrow, -1] / speed[i, full, -1]:.2f} at {n:g} Gbit/s" for i, n in enumerate(networks))
    text = f"At P = {ranks[-1]:g}, {name_of(bits[narrow])} over FP: {gains}"
    if len(networks) > 1:
        text += (f"; {name_of(bits[narrow])} at {networks[0]:g} Gbit/s is ×{speed[0, narrow, -1]:.1f}, "
                 f"FP at {networks[-1]:g} Gbit/s ×{speed[-1, full, -1]:.1f}")
    return text + "."
