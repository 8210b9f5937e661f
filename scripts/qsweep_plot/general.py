"""The figure of any experiment: its curves, colour for the first axis, line style for the second, small multiples for the rest."""
from itertools import product

from . import frame, style
from .reading import DataError
from .series import determined, group, mean, rank, values

PANELS = 9
LOSSES = ("average_loss", "loss")


def free_axes(results):
    """The axes without those that advance together with an earlier one."""
    axes = []
    for axis in results.axes:
        if not axes or not determined(results.runs, axis, axes):
            axes.append(axis)
    return axes


def main_curve(results):
    """(name, part) of what to draw: the average loss if there is one, else any curve over iterations, else one over mu steps."""
    def drawable(name, part="curves"):
        return any(run.curve(name, part) for run in results.runs)
    names = [n for n in (*LOSSES, *results.names()) if not n.endswith("iteration") and drawable(n)]
    if names:
        return names[0], "curves"
    others = sorted({path.split("/", 1)[1] for run in results.runs for path in run.arrays if path.startswith("compression/")})
    others = [n for n in others if n != "mu_step" and drawable(n, "compression")]
    if not others:
        raise DataError(f"{results.path}: holds no curves to draw")
    return next((n for n in others if "loss" in n), others[0]), "compression"


class Series:
    """Runs that differ only in their seed, with their place: panel, colour value, style value."""

    def __init__(self, runs, colour, style_value, panel):
        self.runs, self.colour, self.style, self.panel = runs, colour, style_value, panel


def arrange(results, axes):
    """(series, panels): the third and further axes are small multiples, or join the line style if they are more than PANELS."""
    first, second, rest = axes[:1], axes[1:2], axes[2:]
    combinations = len({tuple(r.key(k) for k in rest) for r in results.runs})
    if combinations > PANELS:
        second, rest = axes[1:], []
    series = []
    for key, runs in group(results.runs, *axes):
        at = dict(zip(axes, key))
        series.append(Series(runs, at[first[0]] if first else "", tuple((k, at[k]) for k in second),
                             tuple((k, at[k]) for k in rest)))
    return series, existing_panels(results, rest)


def existing_panels(results, rest):
    existing = {tuple((k, r.key(k)) for k in rest) for r in results.runs}
    wanted = [tuple(zip(rest, c)) for c in product(*(values(results.runs, k) for k in rest))]
    return [w for w in wanted if w in existing]


def words(pairs):
    return ", ".join(filter(None, (style.setting(k, v) for k, v in pairs))) or "–"


def draw_bounds(ax, series, colour, line_of):
    """The sharpest bound of each series, or the printed one: thin, in its colour and style."""
    for s in series:
        line = mean(s.runs, "u1", "bound") or mean(s.runs, "printed", "bound")
        if line is not None:
            ax.plot(line.x, line.mean, color=colour[s.colour], ls=line_of[s.style], lw=.7)


def draw_ends(ax, series, curve, part, colour, styles):
    """Values of runs that have one alone, by style: a small point for each seed, a large one for their mean."""
    at = {s: i for i, s in enumerate(styles)}
    shown = sorted({s.colour for s in series}, key=rank)
    for s in series:
        found = [c.y[-1] for c in (r.curve(curve, part) for r in s.runs if not r.diverged) if c is not None]
        shift = .1 * (shown.index(s.colour) - (len(shown) - 1) / 2)  # colours beside each other
        style.draw_points(ax, [at[s.style] + shift], [found], colour[s.colour])
    ax.set_xticks(range(len(styles)), [words(s).replace(", ", "\n") for s in styles])
    ax.set_xlim(-.5, len(styles) - .5)


def rows_of(results, name, part):
    """[(curve, part, title)]: the main curve; regret with its bounds; test accuracy. Each where the file has it."""
    rows = [(name, part)]
    if any(run.arrays.get("bound/u1") is not None or run.arrays.get("bound/printed") is not None for run in results.runs):
        rows.append(("average_regret", "curves"))
    rows.append(("test_accuracy", "curves"))
    return [rows[0]] + [r for r in rows[1:] if r[0] != name and any(run.curve(r[0], r[1]) for run in results.runs)]


def general(results):
    axes = free_axes(results)
    name, part = main_curve(results)
    series, panels = arrange(results, axes)
    colour = style.colours(values(results.runs, axes[0]) if axes else [""])
    styles = list(dict.fromkeys(s.style for s in series))
    line = dict(zip(styles, style.line_styles([p[0][1] if len(p) == 1 else p for p in styles]).values()))
    quantities = rows_of(results, name, part)
    ends = {c for c, p in quantities if all(len(found.x) == 1 for found in (r.curve(c, p) for r in results.runs) if found)}
    figure, grid = layout(len(panels), len(quantities))
    for q, (curve, curve_part) in enumerate(quantities):
        for p, place in enumerate(panels):
            ax = grid[q][p]
            here = [s for s in series if s.panel == place]
            if curve in ends:
                draw_ends(ax, here, curve, curve_part, colour, styles)
            else:
                for s in here:
                    style.draw_mean(ax, mean(s.runs, curve, curve_part), colour[s.colour], line[s.style])
            if curve == "average_regret":
                draw_bounds(ax, here, colour, line)
            dress(ax, results, curve, curve_part, words(place) if place else "", curve in ends)
        align(grid[q][:len(panels)])
    handles = style.colour_key(colour, lambda v: words([(axes[0], v)])) if axes else []
    if len(axes) > 1:
        handles += style.style_key(line, words)
    if "average_regret" in [c for c, _ in quantities]:
        handles.append(style.Line2D([], [], color=".3", lw=.7, label="thin: bound on the average regret, of the same run"))
    title = style.run_name(results.runs[0]) if len(results.runs) == 1 else "by " + (", ".join(axes) or "run.seed")
    return frame.finish(figure, results, title, (), handles, band=frame.BANDS)


def layout(panels, quantities):
    """Axes [quantity][panel]: quantities beside each other for a single panel, else a block of rows for each."""
    if panels == 1:
        figure, axes = frame.canvas(1, quantities, width=max(7, 5 * quantities), height=4)
        return figure, [[axes[0][q]] for q in range(quantities)]
    columns = panels if panels < 5 else 3
    rows = -(-panels // columns)
    figure, axes = frame.canvas(rows * quantities, columns, width=max(3.4, 13.2 / columns) * columns,
                                height=3.2 if rows * quantities < 4 else 2.7)
    blocks = [[axes[q * rows + p // columns][p % columns] for p in range(rows * columns)] for q in range(quantities)]
    for block in blocks:
        for ax in block[panels:]:
            ax.set_axis_off()
    return figure, blocks


def align(axes):
    """One y range for the panels of a quantity, so that they compare; labels only where they differ."""
    axes = [ax for ax in axes if ax.get_lines()]
    limits = [ax.get_ylim() for ax in axes]
    if len(axes) < 2:
        return
    scale = "log" if any(ax.get_yscale() == "log" for ax in axes) and all(low > 0 for low, _ in limits) else "linear"
    for ax in axes:
        ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        if scale == "log":
            style.logarithmic(ax, "y")
        if ax.get_subplotspec().colspan.start > 0:
            ax.set_ylabel("")


def dress(ax, results, curve, part, title, end):
    if not ax.get_lines():
        return style.empty(ax, (title + ": " if title else "") + f"no {curve} (diverged, or not recorded)")
    x_name = "mu_step" if part == "compression" else "evaluation_iteration" if curve.startswith("test_") else "iteration"
    style.panel(ax, "", title, None if end else results.label(x_name, part), results.label(curve, part))
    if end:
        return None
    if curve == "average_regret" or all(r.key("model.kind") == "linear" for r in results.runs):
        style.log_if_wide(ax, "x")
    style.log_if_wide(ax, "y")
    return None
