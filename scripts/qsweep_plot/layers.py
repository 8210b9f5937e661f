"""Gradients layer by layer: Figures 6 and 7 of Hou, Zhang, Kwok 2019.

6(a) how the elements of each layer's gradient are spread, in its standard deviations σ, beside a normal density; 6(b) the norm ratio of
each layer, mean over the run; 6(c) training loss for each clipping factor c; 7 the same for c = 3 and the bits of the gradient.
"""
import numpy

from . import frame, style
from .clipping import series_of
from .reading import number
from .series import choose, finals, mean, values

AXES = ("gradients.clip", "gradients.quantizer", "model.dimension")


def layer_names(runs, path):
    return next((r.attributes[path]["layers"] for r in runs if "layers" in r.attributes.get(path, {})), [])


def histogram(run, wanted=None):
    """(iteration, counts [layers, bins], edges in σ) of the last histogram, or of the first at or after an iteration; None without."""
    path = "curves/gradient_histogram"
    if path not in run.arrays or not run.arrays[path].size:
        return None
    iterations = run.arrays["curves/histogram_iteration"]
    at = len(iterations) - 1 if wanted is None else min(numpy.searchsorted(iterations, wanted), len(iterations) - 1)
    counts, how = run.arrays[path][at], run.attributes[path]
    return int(iterations[at]), counts, how["first_edge"] + how["bin_width"] * numpy.arange(counts.shape[1] + 1)


def histogram_panel(ax, runs, results):
    """Density of each layer's gradient elements of an unclipped run, on a logarithmic axis, where a normal density is a parabola."""
    unclipped = [r for r in runs if r.key(AXES[0]) == "none" and r.key(AXES[1]) != "fp"] or runs
    found = next((h for h in (histogram(r) for r in unclipped) if h), None)
    if not found:
        return style.empty(ax, "no gradient_histogram in this file (run.histograms)")
    iteration, counts, edges = found
    centre, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    names = layer_names(runs, "curves/gradient_histogram")
    for i, row in enumerate(counts):
        density = row / row.sum() / width
        seen = density > 0
        ax.plot(centre[seen], density[seen], color=style.CATEGORICAL[i % len(style.CATEGORICAL)], lw=1.2, label=names[i] if i < len(names) else f"layer {i + 1}")
    normal = numpy.exp(-centre ** 2 / 2) / numpy.sqrt(2 * numpy.pi)
    ax.plot(centre, normal, color="black", ls=style.DASHED, lw=1.2, label="normal")
    ax.set_yscale("log")
    ax.set_ylim(1e-7, 20)
    ax.set_xlim(edges[0], edges[-1])
    style.panel(ax, "a", f"Elements of each layer's gradient, t = {iteration}", "element in standard deviations σ of its layer", "density")
    ax.legend(loc="upper right", ncol=2)
    return None


def layer_ratios(run):
    """Mean over the recorded iterations of each layer's norm ratio."""
    stored = run.arrays.get("curves/gradient_norm_ratio_layers")
    return stored.mean(0) if stored is not None and stored.ndim == 2 and not run.diverged else None


def ratio_panel(ax, series, runs, results):
    """A group of bars for each layer, a bar for each c; the largest and smallest seed as a line."""
    names = layer_names(runs, "curves/gradient_norm_ratio_layers")
    shown = [(s, [x for x in (layer_ratios(r) for r in s.runs) if x is not None]) for s in series if not s.full]
    shown = [(s, numpy.array(x)) for s, x in shown if x]
    if not shown or not names:
        return style.empty(ax, "no gradient_norm_ratio_layers in this file")
    share = .8 / len(shown)
    for i, (s, ratio) in enumerate(shown):
        x = numpy.arange(len(names)) + (i - (len(shown) - 1) / 2) * share
        ax.bar(x, ratio.mean(0), share * .92, color=s.colour)
        ax.vlines(x, ratio.min(0), ratio.max(0), color="black", lw=.8)
    ax.axhline(1, color="black", lw=.8)
    ax.set_xticks(range(len(names)), names)
    ax.grid(axis="x", visible=False)
    style.panel(ax, "b", "Norm ratio of each layer, mean over the run", None, results.label("gradient_norm_ratio"))
    return None


def loss_panel(ax, letter, title, series, results):
    for s in series:
        style.draw_mean(ax, mean(s.runs, "average_loss"), s.colour, s.line)
    if not ax.get_lines():
        return style.empty(ax, "no average_loss in this file")
    style.panel(ax, letter, title, results.label("iteration"), results.label("average_loss"))
    style.logarithmic(ax, "x")
    style.log_if_wide(ax, "y", style.WIDE_LOSS)
    return None


def by_bits(runs):
    """Series of the runs clipped at the largest c, and of full precision, coloured by quantizer."""
    clips = [c for c in values(runs, AXES[0]) if number(c) is not None]
    kept = [r for r in runs if r.key(AXES[1]) == "fp" or (clips and r.key(AXES[0]) == clips[-1])]
    series = series_of(kept)
    colour = style.colours(values(kept, AXES[1]))
    for s in series:
        s.colour = colour[s.quantizer]
    return series, clips[-1] if clips else None


def clipping_cifarnet(results):
    runs, _, note = choose(results, *AXES)
    quantizers = [q for q in values(runs, AXES[1]) if q != "fp"]
    factors = [r for r in runs if r.key(AXES[1]) in ("fp", *quantizers[:1])]
    series = series_of(factors)
    bits, c = by_bits(runs)
    figure, ((spread, ratio), (loss, loss_bits)) = frame.canvas(2, 2, width=11)
    histogram_panel(spread, runs, results)
    ratio_panel(ratio, series, runs, results)
    loss_panel(loss, "c", f"Training loss, {style.quantizer(quantizers[0])}" if quantizers else "Training loss", series, results)
    loss_panel(loss_bits, "d", f"Training loss, c = {number(c):g}" if c else "Training loss", bits, results)
    for ax, shown in ((loss, series), (loss_bits, bits)):
        if ax.get_lines():
            ax.legend(handles=[style.Line2D([], [], color=s.colour, ls=s.line, label=s.name(ax is loss_bits)) for s in shown], loc="best")
    return frame.finish(figure, results, "clipping the gradients at c standard deviations (Figures 6 and 7)",
                        sentences(series, bits, c), [style.Line2D([], [], color=s.colour, lw=4, label=s.name(False)) for s in series if not s.full], note)


def sentences(series, bits, c):
    """Final losses and accuracies over c, and over bits at the largest c."""
    def told(shown, several):
        ends = [(s.name(several), finals(s.runs, "average_loss"), finals(s.runs, "test_accuracy")) for s in shown]
        return ", ".join(f"{name}: {loss.mean():.3f}" + (f" ({accuracy.mean():.1f} %)" if accuracy.size else "") for name, loss, accuracy in ends if loss.size)
    lines = []
    if len(series) > 1:
        lines.append("Final average loss (test accuracy) by c: " + told(series, False) + ".")
    if len(bits) > 1 and c:
        lines.append(f"By bits at c = {number(c):g}: " + told(bits, True) + ".")
    return lines
