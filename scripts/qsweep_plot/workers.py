"""Weak scaling: the same mini-batch on each of N workers.

Remark 1: with independent gradients the convergence term falls as 1/√(TN), so the iterations to a level fall as 1/N.
Source: Hou, Zhang, Kwok 2019, Remark 1.
"""
import numpy

from . import frame, style
from .network import draw_table, plain_table, table_of
from .reading import number
from .series import choose, finals, group, iterations_to, mean, values

AXES = ("workers.count", "gradients.quantizer", "gradients.clip")
SATURATED = 1.3  # times the iterations that 1/N predicts from the smallest N


def target_level(runs, name):
    """A level that all completed runs reach: 2 % above the highest of their final values."""
    ends = [c.y[-1] for c in (r.curve(name) for r in runs if not r.diverged) if c]
    return 1.02 * max(ends) if ends else numpy.nan


def gradient_series(runs):
    """[(name, runs)] by gradient quantizer and clipping."""
    return [(style.gradients(members[0]), members) for _, members in group(runs, *AXES[1:])]


def shades_of(series):
    """Name -> colour: the quantizer's own if each occurs once, else by place in the list."""
    quantizers = [members[0].key(AXES[1]) for _, members in series]
    if len(set(quantizers)) == len(quantizers):
        return {label: style.SHADES.get(q, style.GREY) for (label, _), q in zip(series, quantizers)}
    return {label: style.CATEGORICAL[i % len(style.CATEGORICAL)] for i, (label, _) in enumerate(series)}


def steps_to_target(members, counts, name, target):
    """N -> iterations to the target, seed by seed."""
    found = {}
    for count in counts:
        curves = [r.curve(name) for r in members if r.key(AXES[0]) == count and not r.diverged]
        times = numpy.array([iterations_to(c, target) for c in curves if c])
        found[count] = times[numpy.isfinite(times)]
    return found


def saturation(steps):
    """What the steps say against 1/N: (sentence, largest N that still follows)."""
    known = [(number(n), s.mean()) for n, s in steps.items() if s.size and number(n)]
    if len(known) < 2:
        return ""
    first_n, first = known[0]
    follows = first_n
    for n, t in known[1:]:
        if t > SATURATED * first * first_n / n:
            gain = max(first / s for _, s in known)
            return (f"follows 1/N up to N = {follows:g}; from N = {n:g} on it takes more than {SATURATED:g} times the predicted "
                    f"iterations (largest speed-up ×{gain:.3g} of ×{known[-1][0] / first_n:g})")
        follows = n
    return f"follows 1/N up to N = {follows:g} (speed-up ×{first / known[-1][1]:.3g} of ×{known[-1][0] / first_n:g})"


def workers_linear(results):
    name = "average_loss"
    runs, extras, note = choose(results, *AXES)
    counts = values(runs, AXES[0])
    colour, series = style.colours(counts), gradient_series(runs)
    lines = dict(zip([label for label, _ in series], style.line_styles([label for label, _ in series]).values()))
    shades = shades_of(series)
    target = target_level(runs, name)
    figure, ((loss, steps_axis, level),) = frame.canvas(1, 3, height=4.0)
    for label, members in series:
        for count in counts:
            style.draw_mean(loss, mean([r for r in members if r.key(AXES[0]) == count], name), colour[count], lines[label])
    style.draw_apart(loss, extras, name)
    if not loss.get_lines():
        for ax in (loss, steps_axis, level):
            style.empty(ax, "no average_loss in this file")
        return frame.finish(figure, results, "scaling with the number of workers N", (), (), note)
    style.panel(loss, "a", "Average training loss", results.label("iteration"), results.label(name))
    style.logarithmic(loss, "x")
    style.log_if_wide(loss, "y", style.WIDE_LOSS)
    loss.axhline(target, color=style.GREY, lw=.9, ls=(0, (3, 2)))
    loss.annotate(f"target {target:.3g}", (.01, target), (0, -10), xycoords=("axes fraction", "data"),
                  textcoords="offset points", fontsize=8, color=style.GREY)
    sentences = [f"Target: an average loss of {target:.3g}, 2 % above the highest of the runs' final values: all reach it."]
    numbers = [number(c) for c in counts]
    for i, (label, members) in enumerate(series):
        steps = steps_to_target(members, counts, name, target)
        shade = shades[label]
        style.draw_points(steps_axis, numbers, list(steps.values()), shade, lines[label], style.MARKERS[i % len(style.MARKERS)],
                          label)
        known = [(number(n), s.mean()) for n, s in steps.items() if s.size]
        if known:
            steps_axis.plot(numbers, [known[0][0] * known[0][1] / n for n in numbers], color=shade, lw=.9, ls=style.DOTTED)
        verdict = saturation(steps)
        sentences.append(f"{label} {verdict}." if verdict else "")
        style.draw_points(level, numbers, [finals([r for r in members if r.key(AXES[0]) == c], name) for c in counts], shade,
                          lines[label],
                          style.MARKERS[i % len(style.MARKERS)], label)
    steps_axis.plot([], [], color=".3", lw=.9, ls=style.DOTTED, label="1/N (Remark 1)")
    style.panel(steps_axis, "b", f"Iterations to {target:.3g}", None, "iterations")
    style.logarithmic(steps_axis, "y")
    style.panel(level, "c", "Final level", None, "final " + results.label(name))
    if not level.get_lines():
        style.empty(level, f"no final {name} in this file")
    for ax in (a for a in (steps_axis, level) if a.get_lines()):
        style.value_axis(ax, numbers, "workers N")
        ax.legend(loc="best")
    handles = style.colour_key(colour, lambda n: f"N = {n}") + style.style_key(lines, lambda label: label)
    return frame.finish(figure, results, "scaling with the number of workers N", sentences, handles, note)


def workers_cifarnet(results):
    """Training loss over samples seen, accuracy over N, and Table 2 as a panel and as text."""
    runs, _, note = choose(results, *AXES)
    counts, series = values(runs, AXES[0]), gradient_series(runs)
    lines = dict(zip([label for label, _ in series], style.line_styles([label for label, _ in series]).values()))
    shades = shades_of(series)
    height = .9 + .27 * len(series)
    figure = style.pyplot.figure(figsize=(11, 3.4 + height), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(3.4, height))
    loss, level = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    numbers = [number(c) for c in counts]
    for i, (label, members) in enumerate(series):
        cells = [[r for r in members if r.key(AXES[0]) == c] for c in counts]
        look = (shades[label], lines[label], style.MARKERS[i % len(style.MARKERS)], label)
        style.draw_points(loss, numbers, [finals(cell, "average_loss") for cell in cells], *look)
        style.draw_points(level, numbers, [finals(cell, "test_accuracy") for cell in cells], *look)
    for ax, letter, title, name in ((loss, "a", "Final average loss", "average_loss"), (level, "b", "Final test accuracy", "test_accuracy")):
        if not ax.get_lines():
            style.empty(ax, f"no final {name} in this file")
            continue
        style.panel(ax, letter, title, None, "final " + results.label(name))
        style.value_axis(ax, numbers, "workers N")
    handles = [style.Line2D([], [], color=shades[label], ls=lines[label], lw=2, label=label) for label, _ in series]
    texts, means = table_of(series, counts, lambda row, count: [r for r in row[1] if r.key(AXES[0]) == count], "test_accuracy")
    title, rows, columns = "Final " + results.label("test_accuracy"), [label for label, _ in series], [f"N = {c}" for c in counts]
    draw_table(figure.add_subplot(grid[1, :]), texts, means, rows, columns, title)
    figure.table = plain_table(title, texts, rows, columns)
    return frame.finish(figure, results, "workers, the same epochs for every N (Table 2)", (), handles, note)
