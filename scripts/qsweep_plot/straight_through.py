"""The two-layer model with binary activation: Figure 1, Algorithm 1 on the population, where starts end, the identity's instability.

Descent is judged on starts whose ‖w‖ stays at 0.1 or more, as the theory needs it away from 0; the others are counted.
Source: Yin et al. 2019, "Understanding straight-through estimator in training activation quantized neural nets".
"""
import math

import numpy

from . import frame, style
from .reading import number
from .series import values

ESTIMATORS = {"identity": ("identity", "#D55E00"), "relu": ("ReLU", "#0072B2"), "clipped_relu": ("clipped ReLU", "#009E73")}
STE, ROWS, START = "activations.ste", "model.rows", "problem.start"
LEAST_NORM, RISE = .1, 1e-9
ENDS = {"global": "#009E73", "mirrored": "#56B4E9", "saddle": "#E69F00", "spurious": "#D55E00", "none": "#BBBBBB"}
MEDIAN, LOW, HIGH = 2, 1, 3  # columns of curves/quantiles: 0, .1, .5, .9, 1


def name_of(run):
    return ESTIMATORS.get(run.key(STE), (run.key(STE), style.GREY))[0]


def colour_of(run):
    return ESTIMATORS.get(run.key(STE), ("", style.GREY))[1]


def by_estimator(runs):
    return sorted(runs, key=lambda run: list(ESTIMATORS).index(run.key(STE)) if run.key(STE) in ESTIMATORS else 9)


def handles(runs):
    seen = {}
    for run in by_estimator(runs):
        seen.setdefault(name_of(run), style.Line2D([], [], color=colour_of(run), label=name_of(run)))
    return list(seen.values())


def draw_starts(ax, run, name):
    """Median over starts and the band of 80 % of them; the mean where the file has no quantiles."""
    x, quantiles, mean = run.arrays.get("curves/iteration"), run.arrays.get(f"curves/quantiles/{name}"), run.arrays.get(f"curves/{name}")
    if x is None or (quantiles is None and mean is None):
        return
    if quantiles is None:
        ax.plot(x, mean, color=colour_of(run))
        return
    ax.plot(x, quantiles[:, MEDIAN], color=colour_of(run))
    ax.fill_between(x, quantiles[:, LOW], quantiles[:, HIGH], color=colour_of(run), alpha=.13, lw=0)


def log_from_second_point(ax, runs):
    """A logarithmic axis of iterations that begins at the second recorded point: before it nothing is known."""
    ax.set_xscale("log")
    seconds = [run.arrays["curves/iteration"][1] for run in runs if run.arrays.get("curves/iteration", numpy.array([])).size > 1]
    if not seconds:
        return
    ax.set_xlim(left=min(seconds))
    tops = [path.vertices[path.vertices[:, 0] >= min(seconds), 1].max() for band in ax.collections for path in band.get_paths()]
    tops += [max(y for x, y in zip(line.get_xdata(), line.get_ydata()) if x >= min(seconds)) for line in ax.get_lines()]
    ax.set_ylim(0, 1.05 * max(tops))


def final(run, name):
    return run.arrays.get("final/" + name, numpy.array([]))


# Figure 1 ------------------------------------------------------------------------------------------------------------------------
def upward_share(losses):
    """Of the total variation of a curve the part that goes up."""
    steps = numpy.diff(losses, axis=0)
    return numpy.maximum(steps, 0).sum(0) / numpy.abs(steps).sum(0)


def figure1(results):
    runs = sorted((r for r in results.runs if "curves/line/loss" in r.arrays), key=lambda r: number(r.key("data.samples")) or math.inf)
    figure, axes = frame.canvas(1, max(1, len(runs)), height=3.6, sharey=True)
    sentences = []
    for ax, letter, run in zip(axes[0], "abcdefg", runs):
        eta, loss = run.arrays["curves/line/learning_rate"], run.arrays["curves/line/loss"]
        colour = colour_of(run)
        ax.fill_between(eta, *numpy.quantile(loss, (.1, .9), axis=1), color=colour, alpha=.13, lw=0)
        for draw in range(1, min(4, loss.shape[1])):
            ax.plot(eta, loss[:, draw], color=colour, lw=.6, alpha=.6)
        ax.plot(eta, loss[:, 0], color=colour)
        style.panel(ax, letter, f"N = {run.key('data.samples')}", results.label("line/learning_rate"), results.label("line/loss") if ax is axes[0][0] else None)
        share, fall = upward_share(loss), loss[0] - loss[-1]
        sentences.append(f"N = {run.key('data.samples')}: {share.mean():.3f} ± {share.std():.3f} of the variation is upward; the loss falls by {fall.mean():.2f}"
                         f" over the range, in {numpy.mean(fall > 0):.0%} of the draws.")
    if not runs:
        style.empty(axes[0][0], "no curves/line in this file")
    else:
        axes[0][0].set_ylim(0, 1.1 * max(numpy.quantile(r.arrays["curves/line/loss"][0], .9) for r in runs))  # single draws may begin above
    lines = [style.Line2D([], [], color="#0072B2", label="one draw of the samples"), style.Line2D([], [], color="#0072B2", lw=.6, label="three more"),
             style.Line2D([], [], color="#0072B2", lw=6, alpha=.2, label="80 % of the draws")]
    return frame.finish(figure, results, "loss of N samples after one coarse gradient step of size η", sentences, lines)


# Algorithm 1 on the population ---------------------------------------------------------------------------------------------------
class Verdict:
    """Starts with ‖w‖ ≥ LEAST_NORM throughout are judged; in how many the loss rose, of these and of the others; where all ended."""

    def __init__(self, runs):
        least, rise, end = (numpy.concatenate([final(r, name) for r in runs]) for name in ("least_w_norm", "largest_rise", "critical_point"))
        kept = least >= LEAST_NORM
        self.starts, self.judged, self.others = len(end), kept.sum(), (~kept).sum()
        self.rose, self.others_rose = (rise[kept] > RISE).sum(), (rise[~kept] > RISE).sum()
        self.best, self.spurious = numpy.isin(end, (1, 2)).sum(), (end == 3).sum()

    def text(self):
        return f"the loss rose in {self.rose} of {self.judged} starts with ‖w‖ ≥ {LEAST_NORM} throughout, in {self.others_rose} of {self.others} others"


def population_descent(results):
    rows = values(results.runs, ROWS)
    sweeps = [(s, t) for s, t in (("random", "random starts"), ("theorem2", "starts of Theorem 2")) if any(r.key(START) == s for r in results.runs)]
    figure, axes = frame.canvas(max(1, len(sweeps)), max(1, len(rows)), height=2.9)
    sentences, letters = [], iter("abcdefghijklmnop")
    for line, (start, title) in zip(axes, sweeps):
        here = by_estimator([r for r in results.runs if r.key(START) == start])
        for ax, m in zip(line, rows):
            for run in (r for r in here if r.key(ROWS) == m):
                draw_starts(ax, run, "loss")
            style.panel(ax, next(letters), f"m = {m}, {title}", results.label("iteration"), "loss, median and 80 % of starts" if ax is line[0] else None)
            log_from_second_point(ax, here)
            if start == "theorem2":
                ax.set_yscale("log")
                ax.set_ylim(1e-12, None)
        for estimator in ESTIMATORS:
            runs = [r for r in here if r.key(STE) == estimator]
            if runs and all(final(r, "least_w_norm").size for r in runs):
                sentences.append(f"{title[0].upper()}{title[1:]}, {ESTIMATORS[estimator][0]}: {Verdict(runs).text()}; {Verdict(runs).best} of all ended at a global minimum, {Verdict(runs).spurious} at a spurious one.")
    return frame.finish(figure, results, "Algorithm 1 on the population", sentences, handles(results.runs))


# Where starts end ----------------------------------------------------------------------------------------------------------------
def basin_counts(results):
    runs = sorted(by_estimator(results.runs), key=lambda r: number(r.key("problem.w_norm")) or 0)
    figure, (bars, curves) = (lambda f, a: (f, a[0]))(*frame.canvas(1, 2, width=11.5, height=3.9))
    for i, run in enumerate(runs):
        below = 0.0
        for end, colour in ENDS.items():
            share = float(final(run, "share_" + end)) if final(run, "share_" + end).size else 0.0
            bars.bar(i, share, bottom=below, color=colour, width=.7)
            if share > 4:
                bars.text(i, below + share / 2, f"{share:.3g}", ha="center", va="center", fontsize=8, color="white" if end != "none" else "black")
            below += share
    bars.set_xticks(range(len(runs)))
    bars.set_xticklabels([f"{name_of(r)}\n‖w⁰‖ = {r.key('problem.w_norm')}" for r in runs], fontsize=7.5)
    bars.grid(axis="x", visible=False)
    style.panel(bars, "a", "Where the starts end", None, "starts [%]")
    norms = values(runs, "problem.w_norm")
    lines = dict(zip(norms, style.DASHES))
    for run in runs:
        curve = run.curve("loss")
        if curve:
            curves.plot(curve.x, curve.y, color=colour_of(run), ls=lines[run.key("problem.w_norm")])
    style.panel(curves, "b", "Mean loss over the starts", results.label("iteration"), results.label("loss"))
    log_from_second_point(curves, runs)
    sentences = [f"{name_of(run)}, ‖w⁰‖ = {run.key('problem.w_norm')}: w passed through 0 in {(final(run, 'passes') > 0).sum()} starts; {Verdict([run]).text()}."
                 for run in runs if final(run, "passes").size]
    keys = [style.Line2D([], [], color=colour, lw=6, label={"none": "at none", "saddle": "saddle"}.get(end, f"{end} minimum")) for end, colour in ENDS.items()
            if any(final(r, "share_" + end).size and float(final(r, "share_" + end)) > 0 for r in runs)]
    keys += handles(runs) + style.style_key(lines, lambda n: f"‖w⁰‖ = {n}")
    return frame.finish(figure, results, "where random starts end, by estimator", sentences, keys)


# The identity next to a spurious minimum -----------------------------------------------------------------------------------------
def drift(target):
    """N₉ = 2(m−1)S²/(√(2π)(m+1)²), the norm of the identity's coarse gradient at the spurious minimum (Lemma 9)."""
    m, total = len(target), sum(target)
    return 2 * (m - 1) * total ** 2 / (math.sqrt(2 * math.pi) * (m + 1) ** 2)


def instability_toy(results):
    figure, axes = frame.canvas(1, 3, height=3.6)
    runs, sentences = by_estimator(results.runs), []
    for ax, letter, name, title in zip(axes[0], "abc", ("loss", "theta", "w_norm"), ("Loss", "Angle between w and w*", "Norm of w")):
        for run in runs:
            curve = run.curve(name)
            if curve:
                chatters = run.key(STE) == "identity"
                ax.plot(curve.x, curve.y, color=colour_of(run), lw=.7 if chatters else 2, ls="--" if run.key(STE) == "clipped_relu" else "-")
        style.panel(ax, letter, title, results.label("iteration"), results.label(name))
    for run in runs:
        target = [number(x) for x in run.key("problem.target").split()]
        passes, rise = final(run, "passes"), final(run, "largest_rise")
        if not passes.size:
            continue
        text = f"{name_of(run)}: " + (f"w passes through 0 {passes[0]:.0f} times" if passes[0] else "w never passes through 0")
        text += f"; the loss rises by up to {rise[0]:.2g} in one step." if rise[0] > RISE else "; the loss falls in every step."
        if run.key(STE) == "identity" and None not in target:
            predicted = number(run.key("problem.w_norm")) / (number(run.key("optimizer.learning_rate")) * drift(target))
            text += f" First at t = {final(run, 'first_pass')[0]:.0f}; predicted ‖w⁰‖/(ηN₉) = {predicted:.0f}."
            for ax in axes[0]:
                ax.axvline(predicted, color=style.GREY, ls=style.DASHED, lw=1)
        sentences.append(text)
    keys = handles(runs) + [style.Line2D([], [], color=style.GREY, ls=style.DASHED, lw=1, label="predicted passage through 0")]
    return frame.finish(figure, results, "estimators next to a spurious minimum", sentences, keys)
