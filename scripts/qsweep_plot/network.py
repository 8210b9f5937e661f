"""Training of a network over weight and gradient quantizers: loss, test accuracy, and the table of final accuracies.

One column for each weight quantizer, one colour and line style for each gradient quantizer, and in every panel, for comparison, the
network trained in full precision as a thin grey line. The table below has the same columns.
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


def curves_row(axes, runs, weights, gradients, look, name, results):
    """The curve in one panel for each weight quantizer, on common axes."""
    reference = mean([r for r in runs if r.key(AXES[0]) == "fp" and r.key(AXES[1]) == "fp"], name)
    drawn = False
    for ax, weight in zip(axes, weights):
        if reference is not None and weight != "fp":
            ax.plot(reference.x, reference.mean, color=style.GREY, lw=.8)
        for label, pairs in gradients:
            style.draw_mean(ax, mean(members_of(runs, weight, pairs), name), *look[label])
        drawn = drawn or bool(ax.get_lines())
        ax.set_xlabel(results.label("evaluation_iteration" if name == "test_accuracy" else "iteration"))
    if not drawn:
        for ax in axes:
            style.empty(ax, f"no {name}\nin this file")
        return
    axes[0].set_ylabel(style.balanced(results.label(name)))
    if max(style.span(ax, "y") for ax in axes) > style.WIDE_LOSS:
        style.logarithmic(axes[0], "y")
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)


def accuracy_table(ax, runs, weights, gradients, name, label):
    """Rows: gradients; columns: weights; mean ± half the range over seeds; shaded from lowest to highest."""
    texts, level = {}, numpy.full((len(gradients), len(weights)), numpy.nan)
    for i, (_, pairs) in enumerate(gradients):
        for j, weight in enumerate(weights):
            members = members_of(runs, weight, pairs)
            found = finals(members, name)
            if found.size:
                level[i, j] = found.mean()
                texts[i, j] = f"{found.mean():.2f}" + (f" ± {(found.max() - found.min()) / 2:.2f}" if found.size > 1 else "")
            else:
                texts[i, j] = "diverged" if any(r.diverged for r in members) else "–"
    if not numpy.isfinite(level).any():
        return style.empty(ax, f"no final {name} in this file")
    low, high = numpy.nanmin(level), numpy.nanmax(level)
    shade = style.pyplot.cm.Blues(numpy.nan_to_num(.03 + .42 * (level - low) / (high - low if high > low else 1)))
    shade[~numpy.isfinite(level)] = (.95, .95, .95, 1)
    ax.imshow(shade, aspect="auto")
    for (i, j), words in texts.items():
        ax.text(j, i, words, ha="center", va="center", fontsize=9 if len(weights) < 8 else 7.5)
    ax.set_xticks(range(len(weights)), [f"W({style.quantizer(w)})" for w in weights])
    ax.set_yticks(range(len(gradients)), [name for name, _ in gradients])
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_title(f"Final {label}" + (", mean ± half the range over seeds" if any("±" in t for t in texts.values()) else ""))
    return None


def mlp_mnist(results):
    runs, _, note = choose(results, *AXES)
    weights, gradients = values(runs, AXES[0]), gradients_of(runs)
    look = look_of(gradients)
    loss_name = "average_loss" if "average_loss" in results.names() else "loss"
    columns, table_height = len(weights), .9 + .27 * len(gradients)
    figure = style.pyplot.figure(figsize=(min(18, max(7, 2.5 * columns)), 5.4 + table_height), layout="constrained")
    grid = figure.add_gridspec(3, columns, height_ratios=(2.7, 2.7, table_height))
    for row, name in enumerate((loss_name, "test_accuracy")):
        axes = [figure.add_subplot(grid[row, 0])]
        axes += [figure.add_subplot(grid[row, j], sharex=axes[0], sharey=axes[0]) for j in range(1, columns)]
        curves_row(axes, runs, weights, gradients, look, name, results)
        for ax, weight in zip(axes, weights if row == 0 else []):
            ax.set_title(f"W({style.quantizer(weight)})")
    accuracy_table(figure.add_subplot(grid[2, :]), runs, weights, gradients, "test_accuracy", results.label("test_accuracy"))
    handles = [style.Line2D([], [], color=colour, ls=line, lw=2, label=name) for name, (colour, line) in look.items()]
    if any(w != "fp" for w in weights) and any(r.key(AXES[0]) == "fp" and r.key(AXES[1]) == "fp" for r in runs):
        handles.append(style.Line2D([], [], color=style.GREY, lw=.8, label="W(FP)-G(FP)"))
    return frame.finish(figure, results, "training loss and test accuracy by weight and gradient quantizer", (), handles, note)
