"""The table of an experiment: a row for each point of its grid, mean ± standard deviation over seeds (and starts) of final values.

A point's values of one quantity are those of all its runs that did not diverge. The spread has two significant digits, the mean as
many decimals; a single value has four significant digits.
"""
import re

import numpy

from . import style
from .general import free_axes
from .reading import number
from .series import group

# Dataset below final/, its heading, what is best (None: nothing is).
QUANTITIES = (
    ("average_loss", "average loss", min), ("loss", "loss", min),
    ("average_full_precision_loss", "average full-precision loss", min), ("full_precision_loss", "full-precision loss", min),
    ("train_loss", "training-set loss", min), ("train_accuracy", "training accuracy", max),
    ("test_loss", "test loss", min), ("test_accuracy", "test accuracy", max), ("best_test_accuracy", "best test accuracy", max),
    ("averaged_test_accuracy", "test accuracy, averaged weights", max), ("gradient_norm_ratio", "norm ratio", None),
    ("share_global", "at global minimum", max), ("share_spurious", "at spurious minimum", min),
    ("compression/train_loss", "training loss, quantized", min), ("compression/test_loss", "test loss, quantized", min),
    ("compression/train_accuracy", "training accuracy, quantized", max), ("compression/test_accuracy", "test accuracy, quantized", max),
    ("compression/compression_ratio", "compression ratio", None),
)


EQUAL = 1e-9  # a relative spread below this is rounding
FIGURE_SPACE, POINT_SPACE = "\u2007", "\u2008"


class Table:
    """heads, of which the first `axes` are axes; rows of texts; best[row][column]; note: what ± is over."""

    def __init__(self, heads, axes, rows, best, note):
        self.heads, self.axes, self.rows, self.best, self.note = heads, axes, rows, best, note


def axis_heads(axes):
    """weights.quantizer -> weights, workers.count -> workers, optimizer.learning_rate -> learning rate, reference.activations.ste ->
    from ste; the whole key where two would read alike."""
    def short_of(axis):
        parts = axis.split(".")
        last = parts[-2] if len(parts) > 1 and parts[-1] in ("quantizer", "kind", "set", "count") else parts[-1]
        return ("from " if parts[0] == "reference" else "") + last.replace("_", " ")
    short = [short_of(a) for a in axes]
    return [s if short.count(s) == 1 else a for s, a in zip(short, axes)]


def axis_text(key, value):
    if value == "-":
        return "–"
    if key.endswith(".quantizer"):
        return style.quantizer(value)
    return str(value) if number(value) is None else f"{number(value):.6g}"


def sample_text(sample):
    """(mean, spread) as texts: ("1.734", "0.012"), with powers of ten where numbers are very small or large; no spread of one value."""
    if not sample.size:
        return "", ""
    mean, spread = sample.mean(), sample.std(ddof=1) if sample.size > 1 else 0.0
    if spread < EQUAL * abs(mean):
        spread = 0.0
    largest = max(abs(mean), spread)
    if largest and not 1e-3 <= largest < 1e6:
        return f"{mean:.2g}", f"{spread:.1g}" if spread else ""
    if not spread:
        return f"{mean:.4g}" if mean else "0", ""
    decimals = max(0, min(9, 1 - int(f"{spread:e}".split("e")[1])))
    return f"{mean:.{decimals}f}", f"{spread:.{decimals}f}"


def padded(texts):
    """Decimal points below each other, where digits are of one width: blanks as wide as the digits (and the point) that are missing."""
    parts = [text.partition(".") for text in texts]
    before, after = (max((len(p[i]) for p in parts), default=0) for i in (0, 2))
    point = any(p[1] for p in parts)
    return [FIGURE_SPACE * (before - len(b)) + b + (p or POINT_SPACE * point) + a + FIGURE_SPACE * (after - len(a)) if b else ""
            for b, p, a in parts]


def column_texts(samples):
    means, spreads = zip(*map(sample_text, samples))
    if any("e" in text for text in means + spreads):
        return [m + (f" ± {s}" if s else "") for m, s in zip(means, spreads)]
    if not any(spreads):
        decimals = max(len(m.partition(".")[2]) for m in means)
        means = [f"{float(m):.{decimals}f}" if m else "" for m in means]
    blank = max(map(len, padded(spreads)), default=0)
    return [m + (f" ± {s}" if s else FIGURE_SPACE * (blank + 3) * bool(blank)) if m else "" for m, s in zip(padded(means), padded(spreads))]


def values_of(runs, name):
    found = [run.arrays.get("final/" + name) for run in runs if not run.diverged]
    found = numpy.concatenate([numpy.ravel(f) for f in found if f is not None] or [numpy.array([])])
    return found[numpy.isfinite(found)]


def unit_of(results, name):
    """ [%]; nothing for numbers, and for losses, whose heading says it."""
    unit = re.search(r"\[([^\]]*)\]$", results.label(name, "final"))
    return f" [{unit.group(1)}]" if unit and unit.group(1) != "loss" else ""


def divergence(runs):
    lost = [run for run in runs if run.diverged]
    at = sorted({int(number(r.keys["diverged_iteration"])) for r in lost if number(r.keys.get("diverged_iteration")) is not None})
    when = "" if not at else f" at t = {at[0]}" + (f" to {at[-1]}" if len(at) > 1 else "")
    return f"{len(lost)} of {len(runs)} diverged{when}" if lost else ""


def columns_of(results, points):
    """[(heading, samples, best)] of the quantities that any point has; without those that repeat an earlier column."""
    columns = []
    for name, heading, best in QUANTITIES:
        samples = [values_of(runs, name) for _, runs in points]
        texts = column_texts(samples)
        nothing = name.startswith("share_") and not any(s.any() for s in samples)  # no start ended anywhere
        if any(texts) and not nothing and texts not in [c[3] for c in columns]:
            columns.append((heading + unit_of(results, name), samples, best, texts))
    return columns


def problem_of(run):
    """Runs of another dimension of the linear model are of another problem: no better or worse than these."""
    return run.key("model.dimension") if run.key("model.kind") == "linear" else ""


def best_of(samples, best, problems):
    """The points that share the best mean of their problem; none if all of it do."""
    means = [s.mean() if s.size else numpy.nan for s in samples]
    known = {p: [m for m, other in zip(means, problems) if other == p and numpy.isfinite(m)] for p in problems}
    return [best is not None and len(set(known[p])) > 1 and m == best(known[p]) for m, p in zip(means, problems)]


def spread_note(points):
    seeds = sorted({len(runs) for _, runs in points})
    starts = any(r.arrays["final/loss"].size > 1 for _, runs in points for r in runs if "final/loss" in r.arrays)
    over = [f"{seeds[0]} seeds" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"] if seeds[-1] > 1 else []
    over += ["starts"] if starts else []
    return "mean ± standard deviation over " + " and ".join(over) if over else "one run for each row"


def table(results):
    axes = free_axes(results)
    points = group(results.runs, *axes)
    columns = columns_of(results, points)
    heads = axis_heads(axes) + [heading for heading, *_ in columns]
    problems = [problem_of(runs[0]) for _, runs in points]
    marks = [best_of(samples, best, problems) for _, samples, best, _ in columns]
    lost = [divergence(runs) for _, runs in points]
    rows = [[axis_text(a, v) for a, v in zip(axes, key)] + [c[3][i] or "–" for c in columns] for i, (key, _) in enumerate(points)]
    if any(lost):
        heads, rows = heads + ["diverged"], [row + [l or "none"] for row, l in zip(rows, lost)]
    best = [[False] * len(axes) + [m[i] for m in marks] + [False] * any(map(bool, lost)) for i in range(len(points))]
    return Table(heads, len(axes), rows, best, spread_note(points))
