"""One HTML page of several experiments: figure, table of final values, settings and provenance of each.

Nothing is loaded from elsewhere: figures are data URIs, the style sheet (page.css) stands in the page, there is no script.
"""
import base64
import html
import io
import os
import re
from collections import Counter

from . import style
from .reading import DataError
from .series import rank
from .table import table

DPI = 150
COLOURS = 128  # of a figure: a third of the bytes, and no eye tells the difference
MANY = 12      # names in a list before "and … more"
escape = html.escape

PROVENANCE = (("CPU", "cpu"), ("instructions", "simd"), ("BLAS kernel", "blas_kernel"), ("ranks", "ranks"), ("host", "host"),
              ("compiler", "compiler"), ("flags", "compiler_flags"), ("MPI", "mpi_version"), ("OpenBLAS", "openblas_version"),
              ("oneDNN", "onednn_version"), ("HDF5", "hdf5_version"), ("environment", "environment"))


def several(items, most=MANY):
    items = list(items)
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")


def plural(count, word):
    return f"{count} {word}{'' if count == 1 else 's'}"


# The figure ----------------------------------------------------------------------------------------------------------------------
def image(figure):
    """(data URI, width, height) of a PNG of few colours, without the title and the sentences, which the page says."""
    from PIL import Image
    whole, small = io.BytesIO(), io.BytesIO()
    figure.canvas.draw()  # places everything before the heading goes
    for words in figure.heading:
        words.set_visible(False)
    figure.savefig(whole, dpi=DPI, format="png", bbox_inches="tight", pad_inches=.08)
    pixels = Image.open(whole).convert("RGB").quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    pixels.save(small, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode(), *pixels.size


def spoken(label):
    """A label without TeX and line breaks."""
    for tex, sign in ((r"\sqrt", "√"), (r"\pi", "π"), (r"\Delta", "Δ"), (r"\,", " "), (r"\leq", "≤")):
        label = label.replace(tex, sign)
    return " ".join(re.sub(r"[${}\\]", "", label).split())


def panel_text(ax):
    """(a) Training loss: average loss [loss] over iteration; the words of an empty panel; "" where there is nothing to say."""
    title, x, y = (spoken(t) for t in (ax.get_title(loc="left") or ax.get_title(), ax.get_xlabel(), ax.get_ylabel()))
    if not ax.axison:
        return spoken(ax.texts[0].get_text()) if ax.texts else title
    drawn = f"{y} over {x}" if x and y else y or x
    return f"{title}: {drawn}" if title and drawn else title or drawn


def alternative_text(figure, results):
    """What a figure shows to who cannot see it: its panels with their axes, and whose curves are in them."""
    panels = [p for p in map(panel_text, figure.axes) if p]
    curves = [spoken(h.get_text()) for legend in figure.legends for h in legend.get_texts()]
    parts = [f"Figure of {results.experiment or 'the results'}: {spoken(figure.title)}."]
    if panels:
        parts.append(f"{plural(len(panels), 'panel')}: " + "; ".join(panels[:MANY]) + ("; and others like them" if len(panels) > MANY else "") + ".")
    if curves:
        parts.append(f"Shown are {several(curves)}.")
    return " ".join(parts)


def figure_part(results, name, draw):
    """The figure with what the data say, or why there is none; and its own title."""
    try:
        figure = draw(results)
    except DataError as error:
        return f"<p>No figure: {escape(str(error))}</p>", ""
    try:
        uri, width, height = image(figure)
    finally:
        style.pyplot.close(figure)
    said = "".join(f"<p>{escape(spoken(sentence))}</p>" for sentence in figure.sentences)
    text = getattr(figure, "table", "")
    return (f'<figure><div class="plate" role="region" tabindex="0" aria-label="Figure of {escape(name)}">'
            f'<img src="{uri}" width="{width}" height="{height}" alt="{escape(alternative_text(figure, results))}"></div>'
            + (f"<figcaption>{said}</figcaption>" if said else "") + "</figure>\n"
            + (f"<details><summary><h3>The figure’s own table</h3></summary>\n{scrolling_text(text, 'Table of the figure')}</details>\n" if text else ""),
            spoken(figure.title))


def scrolling_text(text, label):
    return f'<pre tabindex="0" role="region" aria-label="{escape(label)}">{escape(text)}</pre>\n'


# The table -----------------------------------------------------------------------------------------------------------------------
def cell(tag, text, axis=False, best=False, scope=""):
    classes = " ".join(c for c, on in (("axis", axis), ("best", best)) if on)
    return (f"<{tag}" + (f' class="{classes}"' if classes else "") + (f' scope="{scope}"' if scope else "") + f">{escape(text)}"
            + ('<span class="unseen"> (best)</span>' if best else "") + f"</{tag}>")


def table_part(results, name):
    made = table(results)
    if len(made.heads) == made.axes:
        return "<p>No final values.</p>\n"
    marked = any(any(row) for row in made.best)
    caption = f"{name}, at the end of the runs: {made.note}" + ("; the best of a column is marked" if marked else "") + "."
    head = "".join(cell("th", h, j < max(1, made.axes), scope="col") for j, h in enumerate(made.heads))
    rows = []
    for texts, best in zip(made.rows, made.best):
        cells = [cell("th", t, True, scope="row") if j == 0 and made.axes else cell("td", t, j < made.axes, b)
                 for j, (t, b) in enumerate(zip(texts, best))]
        rows.append("<tr>" + "".join(cells) + "</tr>")
    return (f'<div class="scroll" role="region" tabindex="0" aria-label="Final values of {escape(name)}"><table>\n<caption><span>{escape(caption)}</span></caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table></div>\n")


# Settings and provenance ---------------------------------------------------------------------------------------------------------
def settings_text(results):
    """Every effective key in the form of an experiment file, with all values that it has among the runs."""
    keys = list(dict.fromkeys(key for run in results.runs for key in run.keys if "." in key))
    sections = {}
    for key in keys:
        found = sorted({str(run.key(key)) for run in results.runs} - {"-"}, key=rank)
        if found:
            section, name = key.split(".", 1)
            sections.setdefault(section, []).append(f"{name} = {', '.join(found)}")
    return "\n\n".join("\n".join([f"[{section}]", *lines]) for section, lines in sections.items()) + "\n"


def settings_part(results):
    axes = several([a for a in results.axes] or ["none"])
    return ("<details><summary><h3>Settings</h3></summary>\n"
            f"<p>Every key that has a meaning here, with all its values among the runs. Axes: {escape(axes)}.</p>\n"
            + scrolling_text(settings_text(results), "Settings") + "</details>\n")


def counted(found):
    """The values, each with the number of its runs if there are several values."""
    count = Counter(found)
    return several((v if len(count) == 1 else f"{v} ({n} runs)" if n > 1 else f"{v} (1 run)" for v, n in count.most_common()), 8)


def attribute(run, name):
    value = run.provenance.get(name, "")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def duration(seconds):
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s"


def provenance_items(results):
    runs = results.runs
    status = Counter(str(run.keys.get("status", "unknown")) for run in runs)
    yield "file", os.path.basename(results.path.rstrip("/"))
    yield "runs", f"{len(runs)}: " + ", ".join(f"{n} {s}" for s, n in status.most_common())
    yield "qsweep", counted(f"{attribute(r, 'version') or 'unknown version'}, commit {r.commit or 'unknown'}" for r in runs)
    started = sorted(filter(None, (attribute(r, "start_utc") for r in runs)))
    if started:
        yield "started", started[0] + (f" to {started[-1]}" if started[-1] != started[0] else "")
    seconds = [run.seconds for run in runs if run.seconds is not None]
    if seconds:
        yield "time", f"{duration(sum(seconds))} in all" + (f", {duration(min(seconds))} to {duration(max(seconds))} a run" if len(seconds) > 1 else "")
    for label, name in PROVENANCE:
        found = [attribute(run, name) for run in runs]
        if any(found):
            yield label, counted(f or "none" for f in found)
    for line in dict.fromkeys(attribute(run, "command_line") for run in runs):
        if line:
            yield "command", line
    yield "run ids", several((run.id for run in runs), 200)


def provenance_part(results):
    items = list(provenance_items(results))
    commands = [value for label, value in items if label == "command"]
    listed = [(label, escape(value)) for label, value in items if label != "command"]
    if commands:
        listed.insert(-1, ("commands" if len(commands) > 1 else "command", "<br>".join(f"<code>{escape(c)}</code>" for c in commands)))
    rows = "".join(f"<dt>{escape(label)}</dt><dd>{value}</dd>\n" for label, value in listed)
    return f"<details><summary><h3>Provenance</h3></summary>\n<dl>\n{rows}</dl></details>\n"


# The page ------------------------------------------------------------------------------------------------------------------------
def anchors(every):
    """A name that can be linked to for each file; two of one experiment are told apart by a number."""
    names = []
    for results in every:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", results.experiment or os.path.basename(results.path)) or "results"
        names.append(plain if plain not in names else f"{plain}-{sum(n.startswith(plain) for n in names) + 1}")
    return names


def section(results, anchor, draw):
    """(section, title of its figure)"""
    name = results.experiment or os.path.basename(results.path)
    drawn, title = figure_part(results, name, draw)
    return (f'<section id="{anchor}" aria-labelledby="{anchor}-name">\n<h2 id="{anchor}-name">{escape(name)}</h2>\n'
            + (f'<p class="muted">{escape(title)}</p>\n' if title else "") + drawn
            + "<h3>Final values</h3>\n" + table_part(results, name) + settings_part(results) + provenance_part(results) + "</section>\n"), title


def page(every, draw):
    """The page as text; draw(results) gives a figure that frame.finish has finished."""
    names = anchors(every)
    sections = [section(results, name, draw) for results, name in zip(every, names)]
    contents = "".join(
        f'<li><a href="#{anchor}">{escape(results.experiment or os.path.basename(results.path))}</a>'
        f"<span>{escape(title or 'no figure')} · {plural(len(results.runs), 'run')}</span></li>\n"
        for results, anchor, (_, title) in zip(every, names, sections))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.css"), encoding="utf-8") as file:
        css = file.read()
    runs = sum(len(results.runs) for results in every)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>qsweep: {escape(several((r.experiment or 'results' for r in every), 3))}</title>
<style>
{css}</style>
</head>
<body>
<a class="skip" href="#results">To the results</a>
<header>
<h1>Results of qsweep</h1>
<p class="muted">{plural(len(every), 'experiment')}, {plural(runs, 'run')}: figures, final values, settings, provenance.</p>
<nav aria-label="Experiments"><ol>
{contents}</ol></nav>
</header>
<main id="results">
{''.join(s for s, _ in sections)}</main>
<footer><p>Written by <code>scripts/report.py</code> from {escape(several((os.path.basename(r.path.rstrip('/')) for r in every), 40))}.</p></footer>
</body>
</html>
"""
