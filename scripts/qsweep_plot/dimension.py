"""Figures over the dimension d: Figure 3(a) of Hou, Zhang, Kwok 2019 (linear model) and 3(b) (one hidden layer of d units).

Theorem 2: the convergence term of the average regret grows by the factor √((1+√(2d−1))/2·Δ_g + 1), from c/√T to factor·c/√T; the same level
is thus reached after at most factor² as many iterations.
"""
import numpy

from . import style
from .reading import number
from .series import choose, finals, group, iterations_to, mean, mean_over_run, paired, values

AXES = ("model.dimension", "gradients.quantizer")
WITHIN = .10  # "reached": within 10 % of the final level


def slowdown_factor(run):
    """Theorem 2's factor on the convergence term: the file's constant, or its formula."""
    stored = run.constant("predicted_slowdown")
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
        markers = dict(zip(self.quantizers, "os^Dvphd"))
        for i, quantizer in enumerate(quantizers or self.quantizers):
            grey = ".25" if quantizer == "fp" else style.CATEGORICAL[(self.quantizers.index(quantizer) - 1) % len(style.CATEGORICAL)]
            style.draw_points(ax, [number(d) for d in self.dimensions], [sample(self.cell(d, quantizer)) for d in self.dimensions], grey,
                              self.line[quantizer], markers.get(quantizer, "o"), label=f"G({style.quantizer(quantizer)})")
        style.value_axis(ax, [number(d) for d in self.dimensions], "dimension d")

    def legend(self):
        name = {q: style.run_name(runs[0]) for (_, q), runs in self.cells}
        return style.colour_key(self.colour, lambda d: f"d = {d}") + style.style_key(self.line, lambda q: name[q])


def levels(grid, name):
    """d -> the level that counts as reached: 10 % above the highest final level among the gradients at that d (they share it by Theorem 2)."""
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
    """Average regret and, dashed, the sharpest bound that is proved for the run (U1); dotted, the printed one."""
    for (d, quantizer), runs in grid.cells:
        style.draw_mean(ax, mean(runs, "average_regret"), grid.colour[d], grid.line[quantizer])
        for bound, dash, width in (("u1", (0, (3, 1.5)), 1.1), ("printed", (0, (1, 1.5)), 1.1)):
            line = mean(runs, bound, "bound")
            if line is not None and quantizer == grid.quantizers[-1]:
                ax.plot(line.x, line.mean, color=grid.colour[d], ls=dash, lw=width, alpha=.9)
    if not ax.get_lines():
        return style.empty(ax, "no average_regret in this file")
    style.logarithmic(ax, "x")
    style.logarithmic(ax, "y")
    style.panel(ax, "c", f"Regret below its bounds (for G({style.quantizer(grid.quantizers[-1])}))", results.label("iteration"),
                results.label("average_regret"))
    ax.legend(handles=[style.Line2D([], [], color=".3", ls=(0, (3, 1.5)), lw=1.1, label="bound U1 (Theorems 1, 2, as run)"),
                       style.Line2D([], [], color=".3", ls=(0, (1, 1.5)), lw=1.1, label="bound as printed")], loc="best")


def slowdown_panel(ax, grid, reached):
    """Iterations with quantized gradients over iterations with full precision, seed by seed, against Theorem 2's factor²."""
    ratios = {}
    for quantizer in [q for q in grid.quantizers if q != "fp"]:
        for d in grid.dimensions:
            pairs = paired(grid.cell(d, quantizer), grid.cell(d, "fp"), ("run.seed",))
            found = [reached(a) / reached(b) for a, b in pairs]
            ratios[quantizer, d] = [ratio for ratio in found if numpy.isfinite(ratio)]
        style.draw_points(ax, [number(d) for d in grid.dimensions], [ratios[quantizer, d] or [numpy.nan] for d in grid.dimensions],
                          "#0072B2", grid.line[quantizer], "s", label=f"measured, G({style.quantizer(quantizer)})")
        limit = [slowdown_factor(runs[0]) ** 2 if (runs := grid.cell(d, quantizer)) else numpy.nan for d in grid.dimensions]
        ax.plot([number(d) for d in grid.dimensions], limit, color="#D55E00", ls=(0, (3, 1.5)), marker="_", ms=9,
                label=f"Theorem 2, at most: G({style.quantizer(quantizer)})")
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
    figure, ((loss, weights_loss, regret), (final, steps, slow)) = style.canvas(2, 3)
    for ax, letter, name, title in ((loss, "a", "average_loss", "Average training loss, quantized weights"),
                                    (weights_loss, "b", "average_full_precision_loss", "Average training loss, full-precision weights")):
        grid.draw(ax, name)
        apart = style.draw_apart(ax, grid.extras, name)
        if not ax.get_lines():
            style.empty(ax, f"no {name} in this file")
            continue
        style.panel(ax, letter, title, results.label("iteration"), results.label(name))
        style.logarithmic(ax, "x")
        style.log_if_wide(ax, "y")
        if apart:
            ax.legend(loc="best")
    regret_panel(regret, grid, results)

    grid.over_d(final, lambda runs: finals(runs, "average_loss"))
    style.panel(final, "d", "Final level", None, "final " + results.label("average_loss"))
    style.log_if_wide(final, "y")
    level = levels(grid, "average_loss")

    def reached(run):
        return time_to_level(run, "average_loss", level)
    grid.over_d(steps, lambda runs: [reached(run) for run in runs])
    style.panel(steps, "e", f"Iterations to within {WITHIN:.0%} of the final level", None, results.label("iteration"))
    if steps.get_lines():
        style.logarithmic(steps, "y")
    for ax in (final, steps):
        ax.legend(loc="best") if ax.get_lines() else style.empty(ax, "no average_loss in this file")
    ratios = slowdown_panel(slow, grid, reached)
    return style.finish(figure, results, "average training loss against dimension d (Figure 3a)", [slowdown_sentence(grid, ratios)],
                        grid.legend(), grid.note)


def slowdown_sentence(grid, ratios):
    parts = []
    for quantizer in [q for q in grid.quantizers if q != "fp"]:
        found = [f"×{numpy.mean(ratios[quantizer, d]):.2f} at d = {d} (Theorem 2: at most ×{slowdown_factor(grid.cell(d, quantizer)[0]) ** 2:.1f})"
                 for d in grid.dimensions if ratios.get((quantizer, d))]
        if found:
            shown = found if len(found) <= 4 else [found[0], found[-1]]
            parts.append(f"G({style.quantizer(quantizer)}) needs " + ", ".join(shown) + " of the iterations of G(FP).")
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
    return f"{name} {trend}: {slope:+.2g} ± {error:.1g} for each doubling of d (mean ± standard error); {values_text}."


def dimension_mlp(results):
    grid = Grid(results, apart={"optimizer.learning_rate": .1})
    figure, ((loss, ratio, gap_axis),) = style.canvas(1, 3, height=3.9)
    grid.draw(loss, "average_loss")
    apart = style.draw_apart(loss, grid.extras, "average_loss")
    if loss.get_lines():
        style.panel(loss, "a", "Training loss", results.label("iteration"), results.label("average_loss"))
        style.log_if_wide(loss, "y")
        if apart:
            loss.legend(loc="best")
    else:
        style.empty(loss, "no average_loss in this file")
    grid.over_d(ratio, lambda runs: [mean_over_run(r, "gradient_norm_ratio") for r in runs], [q for q in grid.quantizers if q != "fp"] or None)
    if ratio.get_lines():
        style.panel(ratio, "b", "Norm ratio of the gradients, mean over the run", None, results.label("gradient_norm_ratio"))
        ratio.legend(loc="best")
    else:
        style.empty(ratio, "no gradient_norm_ratio in this file")
    sentences = gap_panel(gap_axis, grid, results)
    return style.finish(figure, results, "training loss against hidden units d (Figure 3b)", sentences, grid.legend(), grid.note)


def gap_panel(ax, grid, results):
    sentences = []
    for i, quantizer in enumerate(q for q in grid.quantizers if q != "fp"):
        gap = gaps(grid, quantizer)
        if any(found.size for found in gap.values()):
            style.draw_points(ax, [number(d) for d in gap], list(gap.values()), style.CATEGORICAL[i % 8], grid.line[quantizer], "s",
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
