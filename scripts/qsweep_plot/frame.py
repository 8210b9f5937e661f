"""The frame of a figure: its panels, and around them the title, what the data say, the legend, and where it comes from."""
import os
import textwrap

from . import style
from .reading import number
from .series import values


BANDS = "bands: smallest to largest seed"
BANDS_AND_POINTS = BANDS + "; small points: seeds"


def canvas(rows, columns, width=None, height=3.4, **grid):
    figure, axes = style.pyplot.subplots(rows, columns, figsize=(width or 4.4 * columns, height * rows), squeeze=False,
                                         layout="constrained", **grid)
    return figure, axes


def footer(results, band):
    """Where the figure comes from, and what is not in it."""
    seeds = values(results.runs, "run.seed")
    commits = sorted({run.commit for run in results.runs if run.commit})
    parts = [f"commit {', '.join(commits)}" if commits else "commit unknown",
             f"{len(results.runs)} run{'s' * (len(results.runs) != 1)}, {len(seeds)} seed{'s' * (len(seeds) != 1)}"]
    if band and len(seeds) > 1:
        parts.append(band)
    unfinished = sum(run.unfinished for run in results.runs)
    if unfinished:
        parts.append(f"{unfinished} not finished")
    lost = [run for run in results.runs if run.diverged]
    if lost:
        parts.append(f"{len(lost)} diverged, in no mean: " + diverged_names(results, lost))
    parts.append(os.path.basename(results.path.rstrip("/")))
    return "  ·  ".join(parts)


def diverged_names(results, lost, most=10):
    """W(LAB)-G(SQ2), d = 64 (seeds 1, 3; iteration 200); …"""
    found = {}
    for run in lost:
        rest = [style.setting(a, run.key(a)) for a in results.axes if not a.endswith(".quantizer") and a != "gradients.clip"]
        found.setdefault(", ".join([style.run_name(run)] + [r for r in rest if r]), []).append(run)
    names = []
    for name, runs in sorted(found.items()):
        runs.sort(key=lambda run: str(run.key("run.seed")))
        at = sorted({int(run.keys["diverged_iteration"]) for run in runs if number(run.keys.get("diverged_iteration")) is not None})
        when = "" if not at else f"; iteration {at[0]}" + (f" to {at[-1]}" if len(at) > 1 else "")
        names.append(f"{name} (seed{'s' * (len(runs) > 1)} {', '.join(str(r.key('run.seed')) for r in runs)}{when})")
    return "; ".join(names[:most]) + (f"; and {len(names) - most} more settings" if len(names) > most else "")


def finish(figure, results, title, sentences=(), handles=(), note="", band=BANDS_AND_POINTS):
    """Title, what the data say, legend above the panels; footer below: the figure grows by what they need, so nothing overlaps."""
    figure.title, figure.sentences = title, [s for s in sentences if s]  # for pages that say both beside the figure (page.py)
    width, height = figure.get_size_inches()
    lines = [line for s in sentences if s for line in textwrap.wrap(s, int(width * 13.6))]
    foot = textwrap.wrap(footer(results, band) + (f"  ·  {note}" if note else ""), int(width * 17))
    columns, rows = legend_shape(handles, width)
    top = .42 + .19 * len(lines) + (.2 * rows + .08 if rows else 0)
    bottom = .12 + .15 * len(foot)
    total = height + top + bottom
    figure.set_size_inches(width, total)
    figure.get_layout_engine().set(rect=(.01, bottom / total, .98, height / total), w_pad=.1, h_pad=.08)
    left = .15 / width
    figure.text(left, 1 - .12 / total, results.experiment or "results", weight="bold", fontsize=12.5, va="top")
    figure.canvas.draw_idle()
    head = figure.texts[-1].get_window_extent(figure.canvas.get_renderer())
    room = width - head.x1 / figure.dpi - .3
    figure.text(head.x1 / figure.bbox.width + .12 / width, 1 - .12 / total, title,
                fontsize=min(12.5, 12.5 * room / (.093 * len(title))), va="top")
    for i, line in enumerate(lines):
        figure.text(left, 1 - (.40 + .19 * i) / total, line, va="top", color="#333333")
    figure.heading = list(figure.texts)
    if rows:
        figure.legend(handles=list(handles), ncol=columns, loc="upper left",
                      bbox_to_anchor=(.11 / width, 1 - (.36 + .19 * len(lines)) / total),
                      handlelength=2.6, columnspacing=1.8, borderaxespad=.3)
    for i, line in enumerate(reversed(foot)):
        figure.text(left, (.07 + .15 * i) / total, line, fontsize=7, color=style.GREY, va="bottom")
    return figure


def legend_shape(handles, width):
    if not handles:
        return 0, 0
    widths = [.62 + .078 * len(h.get_label()) for h in handles]
    if sum(widths) < width - .2:
        return len(handles), 1
    columns = min(len(handles), max(1, int((width - .2) / max(widths))))
    return columns, -(-len(handles) // columns)
