"""Figures over the dimension d: Figure 3(a) of Hou, Zhang, Kwok 2019 (linear model), 3(b) (one hidden layer of d units) and 3(c)
(Cifarnet with d filters in each convolution).

Theorem 2: the convergence term of the average regret grows by the factor √((1+√(2d−1))/2·Δ_g + 1), from c/√T to factor·c/√T; the
same level is thus guaranteed after factor² as many iterations: a ratio of two upper bounds, drawn beside the measured ratio.
"""
import numpy

from . import frame, style
from .reading import number
from .series import choose, finals, group, iterations_to, mean, mean_over_run, paired, values

AXES = ("model.dimension", "gradients.quantizer")
WITHIN = .10  # "reached": within 10 % of the final level
BOUNDS = (("u1", style.DASHED, "bound U1 (proved)"), ("printed", style.DOTTED, "bound as printed (not proved)"))


def slowdown_factor(run):
    """Theorem 2's factor on the convergence term, as printed: the file's constant, or its formula."""
    stored = run.constant("slow_down_printed")
    d, delta = number(run.key("model.dimension")), style.resolution(run.key("gradients.quantizer"))
    if stored is not None and numpy.isfinite(stored):
        return stored
    return numpy.sqrt((1 + numpy.sqrt(2 * d - 1)) / 2 * delta + 1) if d and delta is not None else numpy.nan


class Grid:
    """Runs by d and gradient quantizer, with one colour for each d and one line style for each quantizer."""

    def __init__(self, results, apart=None):
        self.runs, self.extras, self.note = choose(results, *AXES, apart=apart)
        self.cells = group(self.runs, *AXES)
        self.dimensions, self.quantizers = values(self.runs, AXES[0]), values(self.runs, AXES[1])
        self.colour, self.line = style.colours(self.dimensions), style.line_styles(self.quantizers)

    def cell(self, d, quantizer):
        return next((runs for key, runs in self.cells if key == (d, quantizer)), [])

    def draw(self, ax, name):
        for (d, quantizer), runs in self.cells:
            style.draw_mean(ax, mean(runs, name), self.colour[d], self.line[quantizer])

    def over_d(self, ax, sample, quantizers=None):
        """sample(runs of one cell) -> one number for each seed, drawn against d; a line for each quantizer."""
        markers = dict(zip(self.quantizers, style.MARKERS))
        for quantizer in quantizers or self.quantizers:
            style.draw_points(ax, [number(d) for d in self.dimensions], [sample(self.cell(d, quantizer)) for d in self.dimensions],
                              style.SHADES.get(quantizer, style.GREY), self.line[quantizer], markers.get(quantizer, "o"),
                              label=f"G({style.quantizer(quantizer)})")
        style.value_axis(ax, [number(d) for d in self.dimensions], "dimension d")

    def legend(self):
        name = {q: style.run_name(runs[0]) for (_, q), runs in self.cells}
        return style.colour_key(self.colour, lambda d: f"d = {d}") + style.style_key(self.line, lambda q: name[q])


def levels(grid, name):
    """d -> the level that counts as reached: 10 % above the highest final level at that d (Theorem 2: the gradients share it)."""
    found = {}
    for d in grid.dimensions:
        last = [finals(grid.cell(d, q), name).mean() for q in grid.quantizers if finals(grid.cell(d, q), name).size]
        found[d] = (1 + WITHIN) * max(last) if last else numpy.nan
    return found


def time_to_level(run, name, level):
    """Iterations until a run's curve is at its d's level; NaN if it never is, or diverged."""
    curve = None if run.diverged else run.curve(name)
    return iterations_to(curve, level[run.key(AXES[0])]) if curve else numpy.nan


def regret_panel(ax, grid, results):
    """Average regret below its bounds. Only the last quantizer's are drawn: others lie close to them."""
    for (d, quantizer), runs in grid.cells:
        style.draw_mean(ax, mean(runs, "average_regret"), grid.colour[d], grid.line[quantizer])
        for bound, dash, _ in BOUNDS:
            line = mean(runs, bound, "bound")
            if line is not None and quantizer == grid.quantizers[-1]:
                ax.plot(line.x, line.mean, color=grid.colour[d], ls=dash, lw=1.1)
    if not ax.get_lines():
        return style.empty(ax, "no average_regret in this file")
    style.logarithmic(ax, "x")
    style.logarithmic(ax, "y")
    style.panel(ax, "c", f"Average regret; bounds for G({style.quantizer(grid.quantizers[-1])})", results.label("iteration"),
                results.label("average_regret"))


def slowdown_panel(ax, grid, reached):
    """Iterations over those with full-precision gradients, seed by seed, against the ratio that Theorem 2's bounds give."""
    ratios = {}
    for quantizer in [q for q in grid.quantizers if q != "fp"]:
        for d in grid.dimensions:
            pairs = paired(grid.cell(d, quantizer), grid.cell(d, "fp"), ("run.seed",))
            found = [reached(a) / reached(b) for a, b in pairs]
            ratios[quantizer, d] = [ratio for ratio in found if numpy.isfinite(ratio)]
        style.draw_points(ax, [number(d) for d in grid.dimensions], [ratios[quantizer, d] for d in grid.dimensions],
                          style.SHADES.get(quantizer, style.GREY), grid.line[quantizer], "s",
                          label=f"measured, G({style.quantizer(quantizer)})")
        limit = [slowdown_factor(runs[0]) ** 2 if (runs := grid.cell(d, quantizer)) else numpy.nan for d in grid.dimensions]
        ax.plot([number(d) for d in grid.dimensions], limit, color=style.SHADES.get(quantizer, style.GREY), ls=style.DASHED, lw=1.2,
                marker=".",
                label=f"ratio of Theorem 2's bounds, G({style.quantizer(quantizer)})")
    if not ax.get_lines():
        style.empty(ax, "needs runs with full-precision and with quantized gradients")
        return ratios
    ax.set_yscale("log")
    style.logarithmic(ax, "y")
    style.value_axis(ax, [number(d) for d in grid.dimensions], "dimension d")
    style.panel(ax, "f", "Slow-down by quantized gradients", None, "iterations, over those of G(FP)")
    ax.legend(loc="best")
    return ratios


def dimension_linear(results):
    grid = Grid(results)
    figure, ((loss, weights_loss, regret), (final, steps, slow)) = frame.canvas(2, 3)
    for ax, letter, name, title in ((loss, "a", "average_loss", "Average training loss, quantized weights"),
                                    (weights_loss, "b", "average_full_precision_loss",
                                     "Average training loss, full-precision weights")):
        grid.draw(ax, name)
        apart = style.draw_apart(ax, grid.extras, name)
        if not ax.get_lines():
            style.empty(ax, f"no {name} in this file")
            continue
        style.panel(ax, letter, title, results.label("iteration"), results.label(name))
        style.logarithmic(ax, "x")
        style.log_if_wide(ax, "y", style.WIDE_LOSS)
        if apart:
            ax.legend(loc="best")
    regret_panel(regret, grid, results)

    grid.over_d(final, lambda runs: finals(runs, "average_loss"))
    style.panel(final, "d", "Final level", None, "final " + results.label("average_loss"))
    style.log_if_wide(final, "y", style.WIDE_LOSS)
    level = levels(grid, "average_loss")

    def reached(run):
        return time_to_level(run, "average_loss", level)
    grid.over_d(steps, lambda runs: [reached(run) for run in runs])
    style.panel(steps, "e", f"Iterations to within {WITHIN:.0%} of the final level", None, "iterations")
    if steps.get_lines():
        style.logarithmic(steps, "y")
    for ax in (final, steps):
        ax.legend(loc="best") if ax.get_lines() else style.empty(ax, "no average_loss in this file")
    ratios = slowdown_panel(slow, grid, reached)
    return frame.finish(figure, results, "average training loss against dimension d (Figure 3a)", [slowdown_sentence(grid, ratios)],
                        grid.legend() + bound_key(results), grid.note)


def bound_key(results):
    return [style.Line2D([], [], color="#333333", ls=dash, lw=1.1, label=label) for name, dash, label in BOUNDS
            if any(run.curve(name, "bound") for run in results.runs)]


def slowdown_sentence(grid, ratios):
    parts = []
    for quantizer in [q for q in grid.quantizers if q != "fp"]:
        found = [f"×{numpy.mean(ratios[quantizer, d]):.2f} at d = {d} "
                 f"(bounds: ×{slowdown_factor(grid.cell(d, quantizer)[0]) ** 2:.1f})"
                 for d in grid.dimensions if ratios.get((quantizer, d))]
        if found:
            shown = found if len(found) <= 4 else [found[0], found[-1]]
            parts.append(f"Iterations to the same level, G({style.quantizer(quantizer)}) over G(FP): " + ", ".join(shown) + ".")
    return " ".join(parts)


def gaps(grid, quantizer, name="average_loss"):
    """d -> gap of the running averages, quantized − full-precision gradients, seed by seed at their last common iteration."""
    found = {}
    for d in grid.dimensions:
        pairs = [(a.curve(name), b.curve(name)) for a, b in paired(grid.cell(d, quantizer), grid.cell(d, "fp"), ("run.seed",))]
        found[d] = numpy.array([numpy.interp(t, a.x, a.y) - numpy.interp(t, b.x, b.y)
                                for a, b in pairs if a and b for t in [min(a.x[-1], b.x[-1])]])
    return found


def trend_sentence(quantizer, gap):
    """Whether the gap grows with d: the slope of gap against log2 d over all seeds is more than two standard errors from zero."""
    points = [(numpy.log2(number(d)), g) for d, found in gap.items() if number(d) for g in found]
    means = [found.mean() for found in gap.values() if found.size]
    name = f"The gap {style.quantizer(quantizer)} − FP"
    if len(means) < 2:
        return ""
    seeds = min(found.size for found in gap.values() if found.size)
    values_text = ", ".join(f"{found.mean():+.3g}" + (f" ± {found.std(ddof=1):.1g}" if found.size > 1 else "") + f" at d = {d}"
                            for d, found in gap.items() if found.size)
    if seeds < 2:
        steps = numpy.diff(means)
        trend = "grows with d" if (steps > 0).all() else "shrinks with d" if (steps < 0).all() else "is not monotone in d"
        return f"{name} {trend} (one seed, so no spread): {values_text}."
    x, y = numpy.array(points).T
    x = x - x.mean()
    slope = (x * y).sum() / (x * x).sum()
    error = numpy.sqrt(((y - y.mean() - slope * x) ** 2).sum() / (len(y) - 2) / (x * x).sum())
    trend = "grows with d" if slope > 2 * error else "shrinks with d" if slope < -2 * error else "shows no clear trend in d"
    return (f"{name} {trend}: {slope:+.2g} ± {error:.1g} for each doubling of d (slope ± standard error). "
            f"Gap (mean ± standard deviation over seeds): {values_text}.")


def dimension_mlp(results):
    return over_width(results, "training loss against hidden units d (Figure 3b)")


def dimension_cifarnet(results):
    return over_width(results, "training loss against filters d of each convolution (Figure 3c)")


def over_width(results, title):
    """Training loss, norm ratio and the gap to full-precision gradients over the width d of a network."""
    grid = Grid(results, apart={"optimizer.learning_rate": .1})
    if grid.extras:
        figure, ((loss, ratio), (gap_axis, literal)) = frame.canvas(2, 2)
        literal_panel(literal, grid, results)
    else:
        figure, ((loss, ratio, gap_axis),) = frame.canvas(1, 3, height=3.9)
    grid.draw(loss, "average_loss")
    if loss.get_lines():
        style.panel(loss, "a", "Training loss", results.label("iteration"), results.label("average_loss"))
        style.logarithmic(loss, "x")
        style.log_if_wide(loss, "y", style.WIDE_LOSS)
    else:
        style.empty(loss, "no average_loss in this file")
    grid.over_d(ratio, lambda runs: [mean_over_run(r, "gradient_norm_ratio") for r in runs],
                [q for q in grid.quantizers if q != "fp"] or None)
    if ratio.get_lines():
        style.panel(ratio, "b", "Norm ratio of the gradients, mean over the run", None, results.label("gradient_norm_ratio"))
        ratio.legend(loc="best")
    else:
        style.empty(ratio, "no gradient_norm_ratio in this file")
    sentences = gap_panel(gap_axis, grid, results)
    return frame.finish(figure, results, title, sentences, grid.legend(), grid.note)


def literal_panel(ax, grid, results):
    """Runs of another learning rate, each by itself: their losses are of another size and belong to no mean."""
    if not style.draw_apart(ax, grid.extras, "average_loss"):
        return style.empty(ax, "the extra runs diverged")
    style.logarithmic(ax, "x")
    style.logarithmic(ax, "y")
    style.panel(ax, "d", "Another learning rate, run by run", results.label("iteration"), results.label("average_loss"))
    ax.legend(loc="best")
    return None


def gap_panel(ax, grid, results):
    sentences = []
    for quantizer in [q for q in grid.quantizers if q != "fp"]:
        gap = gaps(grid, quantizer)
        if any(found.size for found in gap.values()):
            style.draw_points(ax, [number(d) for d in gap], list(gap.values()), style.SHADES.get(quantizer, style.GREY),
                              grid.line[quantizer], "s",
                              f"{style.quantizer(quantizer)} − FP")
            sentences.append(trend_sentence(quantizer, gap))
    if not ax.get_lines():
        style.empty(ax, "needs runs with full-precision and with quantized gradients")
        return sentences
    ax.axhline(0, color=".3", lw=.8)
    style.value_axis(ax, [number(d) for d in grid.dimensions], "dimension d")
    style.panel(ax, "c", "Loss gap to full-precision gradients", None, "gap in " + results.label("average_loss"))
    ax.legend(loc="best")
    return sentences
