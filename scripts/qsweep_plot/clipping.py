"""Clipping of gradients at c standard deviations: loss, norm ratio and final level for each c.

Proposition 2:  E‖Q(Clip(g))‖² / E‖g‖² ≤ √(2/π)·c·Δ_g + 1                          (g normal; free of d)
Proposition 1:  E‖Q(g)‖² / ‖g‖² ≤ (1+√(2d−1))/2·Δ_g + 1                            (no clipping)
Proposition 3:  E‖Clip(g) − g‖² / E‖g‖² = √(2/π)·F(c),
                F(c) = −c·exp(−c²/2) + √(π/2)·(1+c²)·(1 − erf(c/√2));   Theorem 3's floor is proportional to √F(c)
Source: Hou, Zhang, Kwok 2019, section 3.3; F in closed form.
"""
import math

import numpy

from . import frame, style
from .reading import number
from .series import choose, finals, group, mean, mean_over_run, rank, values

AXES = ("gradients.clip", "gradients.quantizer", "model.dimension")


def clipping_loss(c):
    """F(c); 0 without clipping."""
    return -c * math.exp(-c * c / 2) + math.sqrt(math.pi / 2) * (1 + c * c) * (1 - math.erf(c / math.sqrt(2)))


def relative_error(c):
    """√(E‖Clip(g) − g‖² / E‖g‖²) of normal gradients."""
    return math.sqrt(max(0.0, math.sqrt(2 / math.pi) * clipping_loss(c))) if c is not None else 0.0


def ratio_limit(c, delta, d):
    """Proposition 2 if clipped, else Proposition 1; NaN where unknown."""
    if delta is None or (c is None and d is None):
        return numpy.nan
    return math.sqrt(2 / math.pi) * c * delta + 1 if c is not None else (1 + math.sqrt(2 * d - 1)) / 2 * delta + 1


def order(clip):
    """Smallest c first, no clipping after the largest, full precision ("-") last."""
    c = number(clip)
    return (0, c) if c is not None else (1, 0) if clip == "none" else (2, 0)


class Series:
    """Runs of one (c, gradient quantizer), with a colour for c; a full-precision gradient is black, no clipping red."""

    def __init__(self, clip, quantizer, runs, colour, line):
        self.clip, self.quantizer, self.runs, self.colour, self.line = clip, quantizer, runs, colour, line
        self.c, self.full = number(clip), quantizer == "fp"
        self.delta = style.resolution(quantizer)

    def name(self, several):
        if self.full:
            return "G(FP)" if self.c is None else f"G(FP), c = {self.c:g}"
        clip = "no clipping" if self.c is None else f"c = {self.c:g}"
        return f"{clip}, G({style.quantizer(self.quantizer)})" if several else clip


def series_of(runs):
    clips = sorted({r.key(AXES[0]) for r in runs if number(r.key(AXES[0])) is not None}, key=rank)
    colour = {**style.colours(clips), "none": "#D55E00", "-": "black"}
    line = style.line_styles(values(runs, AXES[1]))
    found = [Series(clip, q, members, "black" if q == "fp" and number(clip) is None else colour[clip], line[q])
             for (clip, q), members in group(runs, *AXES[:2])]
    return sorted(found, key=lambda s: (s.full, order(s.clip), rank(s.quantizer)))


def clipping_linear(results):
    runs, extras, note = choose(results, *AXES)
    dimensions = values(runs, AXES[2])
    largest = [r for r in runs if r.key(AXES[2]) == dimensions[-1]]
    figure, ((loss, ratio, level),) = frame.canvas(1, 3, height=4.0)
    several = len({r.key(AXES[1]) for r in runs if r.key(AXES[1]) != "fp"}) > 1
    at = f", d = {dimensions[-1]}" if number(dimensions[-1]) is not None else ""
    handles = []
    for s in series_of(largest):
        style.draw_mean(loss, mean(s.runs, "average_loss"), s.colour, s.line)
        handles.append(style.Line2D([], [], color=s.colour, ls=s.line, lw=2, label=s.name(several)))
    apart = style.draw_apart(loss, [(label, [r for r in e if r.key(AXES[2]) == dimensions[-1]]) for label, e in extras],
                             "average_loss")
    if loss.get_lines():
        style.panel(loss, "a", "Average training loss" + at, results.label("iteration"), results.label("average_loss"))
        style.logarithmic(loss, "x")
        style.log_if_wide(loss, "y", style.WIDE_LOSS)
        if apart:
            loss.legend(loc="best")
    else:
        style.empty(loss, "no average_loss in this file")
    if len([d for d in dimensions if number(d)]) > 1:
        ratio_over_d(ratio, runs, dimensions)
    else:
        ratio_over_c(ratio, [s for s in series_of(runs) if not s.full], number(dimensions[-1]), several)
    if ratio.get_lines():
        style.panel(ratio, "b", "Norm ratio, mean over the run", None, results.label("gradient_norm_ratio"))
        if style.span(ratio, "y") > 4:
            style.logarithmic(ratio, "y")
            ratio.set_ylim(top=6 * ratio.get_ylim()[1])  # room for the legend above the steepest line
        ratio.legend(loc="upper left" if ratio.get_yscale() == "log" else "best")
    else:
        style.empty(ratio, "no gradient_norm_ratio in this file")
    level_panel(level, runs, dimensions, several, results)
    return frame.finish(figure, results, "loss, norm ratio and final level against the clipping factor c",
                        [sentence(largest, several)],
                        handles, note)


def ratio_over_c(ax, series, d, several):
    """Measured ratio beside its proposition, for each c."""
    measured = [(s, [mean_over_run(r, "gradient_norm_ratio") for r in s.runs]) for s in series]
    measured = [(s, m) for s, m in measured if numpy.isfinite(m).any()]
    for i, (s, sample) in enumerate(measured):
        style.draw_points(ax, [i], [sample], s.colour, "none", "o")
        limit = ratio_limit(s.c, s.delta, d)
        if numpy.isfinite(limit):
            ax.plot([i - .28, i + .28], [limit] * 2, color=s.colour, ls=style.DASHED if s.c is not None else style.DOTTED, lw=1.8)
    if measured:
        ax.set_xticks(range(len(measured)))
        ax.set_xticklabels([s.name(several).replace(", ", "\n") for s, _ in measured])
        ax.set_xlim(-.6, len(measured) - .4)
        legend_lines(ax)


def ratio_over_d(ax, runs, dimensions):
    """Measured ratio over d, a line for each c, with Proposition 2 (level) and Proposition 1 (growing) dashed."""
    numbers = [number(d) for d in dimensions]
    for s in series_of(runs):
        if s.full:
            continue
        sample = [[mean_over_run(r, "gradient_norm_ratio") for r in s.runs if r.key(AXES[2]) == d] for d in dimensions]
        style.draw_points(ax, numbers, sample, s.colour, s.line)
        ax.plot(numbers, [ratio_limit(s.c, s.delta, d) for d in numbers], color=s.colour, lw=1.3,
                ls=style.DASHED if s.c is not None else style.DOTTED)
    style.value_axis(ax, numbers, "dimension d")
    if ax.get_lines():
        legend_lines(ax)


def legend_lines(ax):
    for dash, label in ((style.DASHED, r"Proposition 2, at most: $\sqrt{2/\pi}\,c\,\Delta_g + 1$"),
                        (style.DOTTED, "Proposition 1, at most (no clipping)")):
        ax.plot([], [], color=".3", ls=dash, lw=1.3, label=label)
    ax.plot([], [], color=".3", marker="o", ls="none", ms=5, label="measured")


def level_panel(ax, runs, dimensions, several, results):
    """Final loss against the relative clipping error √(√(2/π)·F(c)), to which Theorem 3's floor is proportional.

    With several d each is over the level of full-precision gradients at that d, if the file has them: d moves the level most."""
    markers = dict(zip(dimensions, style.MARKERS))
    full = {d: finals([r for r in runs if r.key(AXES[2]) == d and r.key(AXES[1]) == "fp"], "average_loss") for d in dimensions}
    relative = len(dimensions) > 1 and all(found.size for found in full.values())
    for d in dimensions:
        unit = full[d].mean() if relative else 1.0
        for s in series_of([r for r in runs if r.key(AXES[2]) == d]):
            sample = finals(s.runs, "average_loss") / unit
            if sample.size and not s.full:
                style.draw_points(ax, [relative_error(s.c)], [sample], s.colour, "none", markers.get(d, "o"))
            elif sample.size and not (relative and d != dimensions[0]):
                ax.axhline(sample.mean(), color="black", lw=1, ls="-", zorder=1)
                ax.annotate("G(FP)", (.6, sample.mean()), (0, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
                            ha="center", fontsize=8)
    if not ax.get_lines():
        return style.empty(ax, "no final average_loss in this file")
    style.panel(ax, "c", "Final level against the clipping error", r"relative clipping error, $\sqrt{\sqrt{2/\pi}\,F(c)}$",
                "final " + results.label("average_loss") + (", over that of G(FP)" if relative else ""))
    ax.margins(x=.12, y=.14)
    if len(dimensions) > 1:
        ax.legend(handles=[style.Line2D([], [], color=".3", marker=markers.get(d, "o"), ls="none", label=f"d = {d}")
                           for d in dimensions],
                  loc="best")
    style.log_if_wide(ax, "y", style.WIDE_LOSS)
    return None


def sentence(runs, several):
    """How far the measured ratios stay below Proposition 2, and which c ends lowest."""
    series = [s for s in series_of(runs) if not s.full]
    shares = [numpy.nanmean(m) / ratio_limit(s.c, s.delta, None) for s in series if s.c is not None
              for m in [[mean_over_run(r, "gradient_norm_ratio") for r in s.runs]] if numpy.isfinite(m).any()]
    ends = [(finals(s.runs, "average_loss").mean(), s.name(several)) for s in series if finals(s.runs, "average_loss").size]
    parts = []
    if shares and numpy.isfinite(shares).all():
        worst = max(shares)
        parts.append(f"Clipped, the norm ratio is {'at most' if worst <= 1 else 'up to'} {worst:.0%} of Proposition 2's limit"
                     + ("." if worst <= 1 else ", above it: its assumption of normal gradients does not hold."))
    if len(ends) > 1:
        parts.append(f"The lowest final level is reached with {min(ends)[1]} ({min(ends)[0]:.3g}), the highest with {max(ends)[1]} "
                     f"({max(ends)[0]:.3g}).")
    return " ".join(parts)
