"""Training of a network over weight and gradient quantizers: loss, test accuracy, and the table of final accuracies.

One column for each weight quantizer, one colour and line style for each gradient quantizer (or the other way round), and in every
panel, for comparison, the network trained in full precision as a thin grey line. Below, the table of final accuracies; figure.table
holds it as text.
"""
import numpy

from . import frame, style
from .series import choose, finals, group, mean, values

AXES = ("weights.quantizer", "gradients.quantizer", "gradients.clip")


def gradients_of(runs):
    """[(name, {(quantizer, clip)})] in order; clip "-" and "none" of one quantizer are the same gradient."""
    found = {}
    for (quantizer, clip), members in group(runs, *AXES[1:]):
        found.setdefault(style.gradients(members[0]), set()).add((quantizer, clip))
    return list(found.items())


def members_of(runs, weight, pairs):
    return [r for r in runs if r.key(AXES[0]) == weight and (r.key(AXES[1]), r.key(AXES[2])) in pairs]


def look_of(gradients):
    """Name -> (colour, line style): by quantizer if each occurs once, else by place in the list."""
    quantizers = [sorted(pairs)[0][0] for _, pairs in gradients]
    keys = quantizers if len(set(quantizers)) == len(quantizers) else [name for name, _ in gradients]
    colour, line = style.colours(keys), style.line_styles(keys)
    colour.update({key: "black" for key, quantizer in zip(keys, quantizers) if quantizer == "fp"})
    return {name: (colour.get(key, style.GREY), line[key]) for (name, _), key in zip(gradients, keys)}


class Panels:
    """Which runs one panel shows, and how its lines look: a panel for each weight quantizer with a line for each gradient, or the
    other way round."""

    def __init__(self, runs, by_weight):
        self.runs, self.by_weight = runs, by_weight
        self.weights, self.gradients = values(runs, AXES[0]), gradients_of(runs)
        if by_weight:
            self.panels = [(f"W({style.quantizer(w)})", w) for w in self.weights]
            self.lines = self.gradients
            self.look = look_of(self.gradients)
        else:
            self.panels = self.gradients
            self.lines = [(f"W({style.quantizer(w)})", w) for w in self.weights]
            colour = style.colours(self.weights)
            self.look = {f"W({style.quantizer(w)})": (colour[w], style.DASHES[i % len(style.DASHES)]) for i, w in enumerate(self.weights)}

    def members(self, panel, line):
        weight, pairs = (panel, line) if self.by_weight else (line, panel)
        return members_of(self.runs, weight, pairs)

    def is_full(self, panel):
        return panel == "fp" if self.by_weight else ("fp", "-") in panel or ("fp", "none") in panel


def full_precision(runs):
    return [r for r in runs if r.key(AXES[0]) == "fp" and r.key(AXES[1]) == "fp"]


def curves_row(axes, panels, name, results):
    """The curve in every panel, on common axes."""
    reference = mean(full_precision(panels.runs), name)
    drawn = False
    for ax, (_, panel) in zip(axes, panels.panels):
        if reference is not None and not panels.is_full(panel):
            ax.plot(reference.x, reference.mean, color=style.GREY, lw=.8)
        for label, line in panels.lines:
            style.draw_mean(ax, mean(panels.members(panel, line), name), *panels.look[label])
        drawn = drawn or bool(ax.get_lines())
        ax.set_xlabel(results.label("evaluation_iteration" if name.endswith("test_accuracy") else "iteration"))
    if not drawn:
        for ax in axes:
            style.empty(ax, f"no {name}\nin this file")
        return
    axes[0].set_ylabel(style.balanced(results.label(name)))
    if max(style.span(ax, "y") for ax in axes) > style.WIDE_LOSS:
        style.logarithmic(axes[0], "y")
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)


def cell_text(found, diverged, digits=2):
    """Mean ± half the range over seeds; why there is none."""
    if not found.size:
        return "diverged" if diverged else "–"
    return f"{found.mean():.{digits}f}" + (f" ± {(found.max() - found.min()) / 2:.{digits}f}" if found.size > 1 else "")


def table_of(rows, columns, cell, name):
    """(texts [rows][columns], means) of the final values of `name`; cell(row, column) gives the runs."""
    texts, level = [], numpy.full((len(rows), len(columns)), numpy.nan)
    for i, row in enumerate(rows):
        texts.append([])
        for j, column in enumerate(columns):
            members = cell(row, column)
            found = finals(members, name)
            level[i, j] = found.mean() if found.size else numpy.nan
            texts[i].append(cell_text(found, any(r.diverged for r in members)))
    return texts, level


def draw_table(ax, texts, level, row_names, column_names, title):
    """A table as a panel, shaded from lowest to highest; the best of each column is bold."""
    if not numpy.isfinite(level).any():
        return style.empty(ax, "nothing for " + title)
    low, high = numpy.nanmin(level), numpy.nanmax(level)
    shade = style.pyplot.cm.Blues(numpy.nan_to_num(.03 + .42 * (level - low) / (high - low if high > low else 1)))
    shade[~numpy.isfinite(level)] = (.95, .95, .95, 1)
    ax.imshow(shade, aspect="auto")
    best = [numpy.nanargmax(column) if numpy.isfinite(column).any() else -1 for column in level.T]
    for i, row in enumerate(texts):
        for j, words in enumerate(row):
            ax.text(j, i, words, ha="center", va="center", fontsize=9 if len(column_names) < 8 else 7.5,
                    weight="bold" if best[j] == i and len(texts) > 1 else "normal")
    ax.set_xticks(range(len(column_names)), column_names)
    ax.set_yticks(range(len(row_names)), row_names)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_title(title + (", mean ± half the range over seeds" if any("±" in words for row in texts for words in row) else ""))
    return None


def plain_table(title, texts, row_names, column_names):
    """The same table as text."""
    lines = [["", *column_names]] + [[name, *row] for name, row in zip(row_names, texts)]
    widths = [max(len(line[j]) for line in lines) for j in range(len(lines[0]))]
    return title + "\n" + "\n".join("  ".join(word.rjust(width) if j else word.ljust(width) for j, (word, width) in enumerate(zip(line, widths)))
                                     .rstrip() for line in lines) + "\n"


def evaluated_often(runs):
    """Whether there is a curve of accuracy; runs that were evaluated at their end alone are in the table."""
    return any(len(curve.x) > 1 for curve in (run.curve("test_accuracy") for run in runs) if curve)


def bits_figure(results, by_weight, title):
    """Curves of loss and accuracy above the tables of final accuracies."""
    runs, _, note = choose(results, *AXES)
    panels = Panels(runs, by_weight)
    loss_name = "average_loss" if "average_loss" in results.names() else "loss"
    accuracies = [n for n in ("test_accuracy", "averaged_test_accuracy") if n in results.names()] or ["test_accuracy"]
    columns, table_height = len(panels.panels), .9 + .27 * len(panels.gradients)
    curves = [loss_name] + ["test_accuracy"] * evaluated_often(runs)
    heights = (2.7,) * len(curves) + (table_height,) * len(accuracies)
    figure = style.pyplot.figure(figsize=(min(18, max(7, 2.5 * columns)), sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    for row, name in enumerate(curves):
        axes = [figure.add_subplot(grid[row, 0])]
        axes += [figure.add_subplot(grid[row, j], sharex=axes[0], sharey=axes[0]) for j in range(1, columns)]
        curves_row(axes, panels, name, results)
        for ax, (label, _) in zip(axes, panels.panels if row == 0 else []):
            ax.set_title(label)
    row_names, column_names = [name for name, _ in panels.gradients], [f"W({style.quantizer(w)})" for w in panels.weights]
    words = []
    for i, name in enumerate(accuracies):
        texts, level = table_of(panels.gradients, panels.weights, lambda row, column: members_of(runs, column, row[1]), name)
        label = "Final " + results.label(name)
        draw_table(figure.add_subplot(grid[len(curves) + i, :]), texts, level, row_names, column_names, label)
        words.append(plain_table(label, texts, row_names, column_names))
    figure.table = "\n".join(words)
    handles = [style.Line2D([], [], color=colour, ls=line, lw=2, label=name) for name, (colour, line) in panels.look.items()]
    if len(panels.panels) > 1 and full_precision(runs):
        handles.append(style.Line2D([], [], color=style.GREY, lw=.8, label="W(FP)-G(FP)"))
    return frame.finish(figure, results, title, order_sentences(panels, loss_name), handles, note)


def order_sentences(panels, name):
    """For each gradient, the weight quantizers from the highest final loss to the lowest; for each weight, the gradients."""
    ends = {(w, g): finals(members_of(panels.runs, w, pairs), name) for w in panels.weights for g, pairs in panels.gradients}

    def chain(items):
        known = sorted([(ends[key].mean(), label) for label, key in items if ends[key].size], reverse=True)
        return " > ".join(f"{label} {value:.3f}" for value, label in known) if len(known) > 1 else ""
    if panels.by_weight:
        chains = [(f"W({style.quantizer(w)})", chain([(g, (w, g)) for g, _ in panels.gradients])) for w in panels.weights]
    else:
        chains = [(g, chain([(f"W({style.quantizer(w)})", (w, g)) for w in panels.weights])) for g, _ in panels.gradients]
    return [f"Final average loss with {label}: {words}." for label, words in chains if words]


def mlp_mnist(results):
    return bits_figure(results, True, "training loss and test accuracy by weight and gradient quantizer")


def weight_bits(results):
    return bits_figure(results, False, "bits of the weights (Figure 4, Table 1)")


def gradient_bits(results):
    return bits_figure(results, True, "bits of the gradients (Figure 5, Table 1)")
