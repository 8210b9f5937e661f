"""Runs that differ only in their seed, as one series: grouping, means with their spread, iterations to a level.

mean over seeds at iteration t, for t up to the shortest run;  band: smallest to largest seed at t.
A run that went on longer than the others is kept as a tail of its own: a mean over changing runs would jump.
Diverged runs are never part of a mean.
"""
import re
from collections import Counter

import numpy

from .reading import number

FIRST = {"-": 0, "fp": 1, "none": 1, "false": 1}


def rank(value):
    """Order of axis values: full precision and none first, then numbers, then quantizers by kind and bits, then names."""
    if str(value) in FIRST:
        return (0, FIRST[str(value)], "")
    if number(value) is not None:
        return (1, number(value), "")
    bits = re.fullmatch(r"([a-z]+)(\d*)", str(value))
    kind = {"lab": (2, 1), "lat": (2, 1.5), "laq": (2, 2), "sq": (2, 2), "log": (3, 2)}.get(bits.group(1)) if bits else None
    if kind:
        return (kind[0], float(bits.group(2) or kind[1]), "")
    return (4, 0, str(value))


def values(runs, key):
    """The values of a key among runs, in order."""
    return sorted({run.key(key) for run in runs}, key=rank)


def group(runs, *keys):
    """Runs by their values of keys: [(values, runs)], ordered by rank."""
    found = {}
    for run in runs:
        found.setdefault(tuple(run.key(k) for k in keys), []).append(run)
    return sorted(found.items(), key=lambda item: [rank(v) for v in item[0]])


def determined(runs, key, by):
    """True if key has one value wherever the keys `by` are equal: an axis that advances together with them."""
    return all(len({r.key(key) for r in members}) == 1 for _, members in group(runs, *by))


def choose(results, *handled, apart=None):
    """(runs of the figure, [(label, runs)] to keep apart, note): one value of every axis that the figure has no place for.

    Kept is the value with most runs; `apart` = {key: value} names a value that is kept apart whenever there is another.
    """
    runs, extras, fixed = list(results.runs), [], []
    for key in results.axes:
        if key in handled or determined(runs, key, handled):
            continue
        count = Counter(run.key(key) for run in runs)
        literal = (apart or {}).get(key)
        main = min(count, key=lambda v: (literal is not None and number(v) == literal, -count[v], rank(v)))
        for value in sorted(set(count) - {main}, key=rank):
            extras.append((f"{key} = {value}", [r for r in runs if r.key(key) == value]))
        runs = [r for r in runs if r.key(key) == main]
        fixed.append(f"{key} = {main}")
    note = f"means of the runs with {', '.join(fixed)}; {len(results.runs) - len(runs)} others are in no mean" if fixed else ""
    return runs, extras, note


def common_grid(grids):
    """Iterations that all runs recorded, if those are most; else all of them. Interpolating a convex curve would lift it."""
    shared = grids[0]
    for other in grids[1:]:
        shared = numpy.intersect1d(shared, other)
    return shared if 2 * shared.size >= min(g.size for g in grids) else numpy.unique(numpy.concatenate(grids))


class Mean:
    """Mean, smallest and largest value over seeds at x; tails: the rest of longer runs; single: runs in it."""

    def __init__(self, curves):
        last = min(curve.x[-1] for curve in curves)
        first = max(curve.x[0] for curve in curves)
        grid = common_grid([curve.x for curve in curves])
        grid = grid[(grid >= first) & (grid <= last)]
        if grid.size == 0:  # one ends before another begins: each is a tail
            grid = numpy.array([last])
        table = numpy.array([numpy.interp(grid, curve.x, curve.y) for curve in curves])
        self.x, self.mean, self.low, self.high = grid, table.mean(0), table.min(0), table.max(0)
        self.tails = [(c.x[c.x >= last], c.y[c.x >= last]) for c in curves if (c.x > last).any()]
        self.runs = len(curves)


def mean(runs, name, part="curves"):
    """Mean of a curve over the runs that did not diverge, or None."""
    curves = [c for c in (run.curve(name, part) for run in runs if not run.diverged) if c is not None]
    return Mean(curves) if curves else None


def finals(runs, name):
    """Last values of the runs that have one."""
    found = numpy.array([run.final(name) for run in runs], dtype=float)
    return found[numpy.isfinite(found)]


def iterations_to(curve, level):
    """Iteration from which the curve stays at or below level, interpolated between recorded points; NaN if it does not end there.

    Staying, not first touching: the average of the first few mini-batches is noise and may dip anywhere.
    """
    above = numpy.flatnonzero(~(curve.y <= level))
    if above.size == 0:
        return float(curve.x[0])
    i = above[-1] + 1
    if i == curve.y.size:
        return numpy.nan
    share = (curve.y[i - 1] - level) / (curve.y[i - 1] - curve.y[i])
    return float(curve.x[i - 1] + share * (curve.x[i] - curve.x[i - 1]))


def mean_over_run(run, name):
    """Average of a curve over a run's recorded iterations; NaN without it."""
    curve = run.curve(name)
    return float(curve.y.mean()) if curve is not None and not run.diverged else numpy.nan


def paired(first, second, keys):
    """[(run of first, run of second)] that agree in keys and did not diverge: same data, same initial weights."""
    partner = {tuple(r.key(k) for k in keys): r for r in second if not r.diverged}
    return [(r, partner[tuple(r.key(k) for k in keys)]) for r in first
            if not r.diverged and tuple(r.key(k) for k in keys) in partner]
