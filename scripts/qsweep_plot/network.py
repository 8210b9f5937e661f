"""Training of a network over weight and gradient quantizers: loss, test accuracy, and the table of final accuracies."""
import numpy

from . import style
from .reading import number
from .series import choose, finals, group, mean, rank, values

AXES = ("weights.quantizer", "gradients.quantizer", "gradients.clip")


def columns_of(runs):
    """[(name, (quantizer, clip))] of the gradients; clip "-" and "none" of one quantizer are one column."""
    found = {}
    for (quantizer, clip), members in group(runs, *AXES[1:]):
        found.setdefault(style.gradients(members[0]), []).append((quantizer, clip))
    return sorted(found.items(), key=lambda item: ([rank(q) for q, _ in item[1]][0], number(item[1][0][1]) or 0))


def members_of(runs, weight, pairs):
    return [r for r in runs if r.key(AXES[0]) == weight and (r.key(AXES[1]), r.key(AXES[2])) in pairs]


def accuracy_table(ax, runs, weights, columns, name, label):
    """Rows: weights; columns: gradients; mean ± half the range over seeds; shaded from lowest to highest."""
    texts, shares = [], numpy.full((len(weights), len(columns)), numpy.nan)
    for i, weight in enumerate(weights):
        row = []
        for j, (_, pairs) in enumerate(columns):
            members = members_of(runs, weight, pairs)
            found = finals(members, name)
            if found.size:
                shares[i, j] = found.mean()
                row.append(f"{found.mean():.2f}" + (f"\n± {(found.max() - found.min()) / 2:.2f}" if found.size > 1 else ""))
            else:
                row.append("diverged" if any(r.diverged for r in members) else "–")
        texts.append(row)
    if not numpy.isfinite(shares).any():
        return style.empty(ax, f"no final {name} in this file")
    low, high = numpy.nanmin(shares), numpy.nanmax(shares)
    shade = style.pyplot.cm.Blues(.05 + .45 * (shares - low) / (high - low if high > low else 1))
    shade[~numpy.isfinite(shares)] = (.95, .95, .95, 1)
    ax.imshow(shade, aspect="auto")
    for i, row in enumerate(texts):
        for j, words in enumerate(row):
            ax.text(j, i, words, ha="center", va="center", fontsize=min(9, 54 / max(len(columns), len(weights))), linespacing=1.25)
    ax.set_xticks(range(len(columns)))
    ax.set_xticklabels([name.replace(", ", "\n") for name, _ in columns], rotation=0 if len(columns) < 5 else 25)
    ax.set_yticks(range(len(weights)))
    ax.set_yticklabels([f"W({style.quantizer(w)})" for w in weights])
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    style.panel(ax, "c", f"Final {label}" + (", mean ± half the range" if "±" in str(texts) else ""))
    return None


def mlp_mnist(results):
    runs, extras, note = choose(results, *AXES)
    weights, columns = values(runs, AXES[0]), columns_of(runs)
    colour = style.colours(weights)
    lines = {name: style.DASHES[i % len(style.DASHES)] for i, (name, _) in enumerate(columns)}
    loss_name = "average_loss" if "average_loss" in results.names() else "loss"
    figure, ((loss, accuracy, table),) = style.canvas(1, 3, height=max(4.0, 1.2 + .5 * len(weights)))
    for ax, letter, name, title in ((loss, "a", loss_name, "Training loss"), (accuracy, "b", "test_accuracy", "Test accuracy")):
        for weight in weights:
            for label, pairs in columns:
                style.draw_mean(ax, mean(members_of(runs, weight, pairs), name), colour[weight], lines[label])
        apart = style.draw_apart(ax, extras, name)
        if not ax.get_lines():
            style.empty(ax, f"no {name} in this file")
            continue
        x_name = "evaluation_iteration" if name == "test_accuracy" else "iteration"
        style.panel(ax, letter, title, results.label(x_name), results.label(name))
        style.log_if_wide(ax, "y")
        if apart:
            ax.legend(loc="best")
    accuracy_table(table, runs, weights, columns, "test_accuracy", results.label("test_accuracy"))
    handles = style.colour_key(colour, lambda w: f"W({style.quantizer(w)})") + style.style_key(lines, lambda name: name)
    return style.finish(figure, results, "training loss and test accuracy by weight and gradient quantizer", (), handles, note)
