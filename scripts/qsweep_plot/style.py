"""How figures look: names of settings, colours, line styles, axes. frame.py draws what is around the panels.

Colour carries the first axis, line style the second. Ordered axes (d, N, bits, c) run from dark to light along viridis, which stays
in order for colour-blind readers and in print; full precision is black. Unordered ones take the Okabe-Ito palette.
"""
import re
import textwrap

import matplotlib.pyplot as pyplot
import numpy
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from .reading import number
from .series import Mean, values

SYMBOLS = {"model.dimension": "d", "workers.count": "N", "workers.batch": "B", "gradients.clip": "c",
           "optimizer.learning_rate": "η",
           "run.seed": "seed", "run.iterations": "T"}
CATEGORICAL = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8C6BB1"]
FULL_PRECISION = ("fp", "none", "-")
DASHES = ["-", "-.", (0, (5, 1.6)), ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)), (0, (8, 3)), (0, (3, 1.2)), (0, (1, 2.5)),
          (0, (8, 2, 3, 2))]
STYLES = {"fp": DASHES[0], **{f"sq{bits}": DASHES[bits - 1] for bits in range(2, 9)}}  # a quantizer looks the same in every figure
GREY = "#777777"
SHADES = {"fp": "#404040", **{f"sq{bits}": CATEGORICAL[(bits - 2) % len(CATEGORICAL)]
                              for bits in range(2, 9)}}  # where d or N is the x axis
MARKERS = "os^Dvphd"
DASHED, DOTTED = (0, (3, 1.5)), (0, (1, 1.4))  # what theory says: dashed, or dotted for a second statement
WIDE = 10 ** 1.5  # a positive quantity that spans more than this is drawn on a logarithmic axis
WIDE_LOSS = 4     # the same for average losses, whose late differences are small

pyplot.rcParams.update({"font.size": 9.5, "axes.titlesize": 10, "axes.labelsize": 9.5, "legend.fontsize": 8.5,
                        "xtick.labelsize": 8.5,
                        "ytick.labelsize": 8.5, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
                        "grid.color": "#e4e4e4", "grid.linewidth": .6, "axes.axisbelow": True, "lines.linewidth": 1.6,
                        "axes.titlelocation": "left", "legend.frameon": False, "font.family": "DejaVu Sans"})


# Names ---------------------------------------------------------------------------------------------------------------------------
def quantizer(name):
    """fp -> FP, sq2 -> SQ2, log3 -> LAQ3-log: as the paper writes them."""
    log = re.fullmatch(r"log(\d+)", str(name))
    return f"LAQ{log.group(1)}-log" if log else str(name).upper()


def shown(value):
    as_number = number(value)
    return f"{as_number:g}" if as_number is not None else str(value)


def setting(key, value):
    """One setting as a reader says it: d = 64, c = 3, no clipping, SQ2; empty where it has no meaning."""
    if value == "-":
        return ""
    if key.endswith(".quantizer"):
        return f"{'W' if key.startswith('weights') else 'G'}({quantizer(value)})"
    if key == "gradients.clip":
        return "no clipping" if value == "none" else f"c = {shown(value)}"
    return f"{SYMBOLS.get(key, key)} = {shown(value)}"


def gradients(run):
    """G(SQ2), or G(SQ2, c = 3) if its gradients are clipped."""
    clip = number(run.key("gradients.clip"))
    return f"G({quantizer(run.key('gradients.quantizer'))}" + (f", c = {clip:g})" if clip is not None else ")")


def run_name(run):
    """W(LAQ3)-G(SQ2), as in the paper."""
    return f"W({quantizer(run.key('weights.quantizer'))})-{gradients(run)}"


def resolution(name):
    """Δ, the distance of levels in units of the scale: 2 for LAB, 1/k with k = 2^(m-1) - 1, 0 for full precision; else None."""
    if name == "fp":
        return 0.0
    if name in ("lab", "lat"):
        return 2.0 if name == "lab" else 1.0
    bits = re.fullmatch(r"(?:laq|sq)(\d+)", str(name))
    return 1.0 / (2 ** (int(bits.group(1)) - 1) - 1) if bits and int(bits.group(1)) > 1 else None


def resolution_name(name):
    delta = resolution(name)
    return "" if delta is None else f"{delta:g}" if delta in (0, 1, 2) else f"1/{round(1 / delta)}"


# Colours and line styles ---------------------------------------------------------------------------------------------------------
def ordered(axis_values):
    return all(number(v) is not None or v in FULL_PRECISION or resolution(v) is not None for v in axis_values)


def colours(axis_values):
    """Value -> colour. Full precision (or no clipping) is black, and leaves the scale to the others."""
    if not ordered(axis_values) and len(axis_values) <= len(CATEGORICAL):
        return dict(zip(axis_values, CATEGORICAL))
    scale = [v for v in axis_values if v not in FULL_PRECISION]
    lightest = .55 if len(scale) <= 2 else .8  # yellow is unreadable on white
    steps = numpy.linspace(.02, lightest, len(scale)) if len(scale) > 1 else [.25]
    return {**{v: "black" for v in axis_values if v in FULL_PRECISION}, **dict(zip(scale, (pyplot.cm.viridis(s) for s in steps)))}


def line_styles(axis_values):
    if all(v in STYLES for v in axis_values):
        return {v: STYLES[v] for v in axis_values}
    return {v: DASHES[i % len(DASHES)] for i, v in enumerate(axis_values)}


def colour_key(colour_of, label):
    return [Line2D([], [], color=colour, lw=3.5, label=label(value)) for value, colour in colour_of.items()]


def style_key(style_of, label):
    return [Line2D([], [], color="#333333", ls=style, label=label(value)) for value, style in style_of.items()]


# Lines and points ----------------------------------------------------------------------------------------------------------------
def draw_mean(ax, series: Mean, colour, style="-", **line):
    """Mean over seeds, its band, and thin tails of runs that went on longer."""
    if series is None:
        return
    marker = "o" if len(series.x) == 1 else None
    ax.plot(series.x, series.mean, color=colour, ls=style, marker=marker, ms=4, **line)
    if series.runs > 1:
        ax.fill_between(series.x, series.low, series.high, color=colour, alpha=.16, lw=0)
    for x, y in series.tails:
        ax.plot(x, y, color=colour, ls=style, lw=.6, alpha=.7)


def draw_points(ax, x, samples, colour, style="-", marker="o", label=None):
    """A small point for each seed, a line through the means; empty samples are left out."""
    kept = [(a, s) for a, s in ((a, numpy.asarray(s, float)) for a, s in zip(x, samples)) if numpy.isfinite(s).any()]
    if not kept:
        return
    ax.plot([a for a, _ in kept], [numpy.nanmean(s) for _, s in kept], color=colour, ls=style, marker=marker, ms=6, label=label,
            zorder=3)
    aside = ax.transData + ScaledTranslation(6 / 72, 0, ax.figure.dpi_scale_trans)  # seeds stand right of their mean
    for a, s in kept:
        if len(s) > 1:
            ax.plot([a] * len(s), s, color=colour, ls="none", marker=marker, ms=2.6, mew=0, alpha=.75, zorder=4, transform=aside)
            ax.update_datalim([(a, v) for v in s if numpy.isfinite(v)])
    ax.autoscale_view()


def draw_apart(ax, extras, name):
    """Runs that belong to no mean: thin grey, labelled at their end. Returns whether there were any."""
    drawn = False
    for label, runs in extras:
        named = False
        for run in runs:
            curve = run.curve(name)
            if curve is None or run.diverged:
                continue
            ax.plot(curve.x, curve.y, color=GREY, lw=.7, alpha=.8, zorder=1, label=None if named else f"{label}, kept apart")
            named = drawn = True
    return drawn


# Axes ----------------------------------------------------------------------------------------------------------------------------
def plain(value, _=None):
    return f"{value:g}" if 1e-4 <= abs(value) < 1e5 or value == 0 else f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-")


def logarithmic(ax, axis):
    """A logarithmic axis with ticks that read as plain numbers; 2 and 5 are labelled where it spans few decades."""
    low, high = (ax.get_xlim if axis == "x" else ax.get_ylim)()
    (ax.set_xscale if axis == "x" else ax.set_yscale)("log", nonpositive="mask")
    this = ax.xaxis if axis == "x" else ax.yaxis
    low, high = (ax.get_xlim if axis == "x" else ax.get_ylim)()
    decades = numpy.log10(high / low) if low > 0 and numpy.isfinite(high / low) else 9
    if decades < 3.2:
        this.set_major_locator(LogLocator(subs=(1, 2, 5) if decades > 1.3 else (1, 1.5, 2, 3, 4, 5, 7) if decades < .6
                                          else (1, 2, 3, 5, 7)))
        this.set_major_formatter(FuncFormatter(plain))
        this.set_minor_formatter(NullFormatter())


def span(ax, axis):
    """Largest over smallest value among the lines; 0 if one is not positive."""
    seen = [numpy.asarray(line.get_xdata() if axis == "x" else line.get_ydata(), float) for line in ax.get_lines()]
    seen = numpy.concatenate(seen) if seen else numpy.array([])
    seen = seen[numpy.isfinite(seen)]
    return seen.max() / seen.min() if seen.size and seen.min() > 0 else 0


def log_if_wide(ax, axes="xy", wide=WIDE):
    for axis in axes:
        if span(ax, axis) > wide:
            logarithmic(ax, axis)


def value_axis(ax, numbers, label, logarithm=True):
    """An x axis over the few numbers of a grid axis: a tick at each (at most 10), logarithmic if they span much."""
    numbers = sorted(n for n in numbers if n is not None)
    ax.set_xlabel(label)
    if not numbers:
        return
    if logarithm and numbers[0] > 0 and numbers[-1] / numbers[0] > 3:
        ax.set_xscale("log")
        ax.set_xlim(numbers[0] / 1.25, numbers[-1] * 1.25)
    ax.xaxis.set_major_locator(FixedLocator(numbers[::max(1, len(numbers) // 10 + (len(numbers) > 10))]))
    ax.xaxis.set_major_formatter(FuncFormatter(plain))
    ax.xaxis.set_minor_locator(NullLocator())


def panel(ax, letter, title, x_label=None, y_label=None):
    ax.set_title(f"({letter})  {title}" if letter else title)
    if x_label:
        ax.set_xlabel(x_label)
    if y_label:
        ax.set_ylabel(balanced(y_label))


def balanced(label, width=36):
    """A long label on lines of about equal length."""
    lines = textwrap.wrap(label, width)
    return "\n".join(textwrap.wrap(label, len(label) // len(lines) + 5)) if len(lines) > 1 else label


def empty(ax, reason):
    """A panel without data says why."""
    ax.set_axis_off()
    ax.text(.5, .5, reason, ha="center", va="center", color=GREY, transform=ax.transAxes, wrap=True)
