"""Final average loss over weight and gradient resolution: a heat map, and the same values as lines over bits."""
import numpy

from . import frame, style
from .series import choose, finals, group, values

AXES = ("weights.quantizer", "gradients.quantizer")


def table_of(runs, name, rows, columns):
    """(mean over seeds [rows, columns], NaN where no run completed; half the range over seeds; text of cells without a value)."""
    mean, spread = numpy.full((len(rows), len(columns)), numpy.nan), numpy.zeros((len(rows), len(columns)))
    reason = {}
    for (row, column), members in group(runs, *AXES):
        i, j = rows.index(row), columns.index(column)
        found = finals(members, name)
        if found.size:
            mean[i, j], spread[i, j] = found.mean(), (found.max() - found.min()) / 2
        else:
            reason[i, j] = "diverged" if any(run.diverged for run in members) else "no value"
    return mean, spread, reason


def heat_map(ax, figure, mean, spread, reason, rows, columns, label):
    """Values with as many digits as tell neighbouring cells apart; white on dark, black on light."""
    finite = mean[numpy.isfinite(mean)]
    if not finite.size:
        return style.empty(ax, "no run of the grid has a final value")
    wide = finite.min() > 0 and finite.max() / finite.min() > style.WIDE_LOSS
    scale = style.pyplot.matplotlib.colors.LogNorm if wide else style.pyplot.matplotlib.colors.Normalize
    norm = scale(finite.min(), finite.max() if finite.max() > finite.min() else finite.min() + 1e-12)
    image = ax.imshow(mean, norm=norm, cmap="viridis_r", aspect="auto")
    size = min(9, 62 / max(len(rows), len(columns)))
    for i in range(len(rows)):
        for j in range(len(columns)):
            known = numpy.isfinite(mean[i, j])
            shade = norm(mean[i, j]) if known else 0
            ax.text(j, i, f"{mean[i, j]:#.3g}" if known else reason.get((i, j), "–"), ha="center",
                    va="bottom" if spread[i, j] else "center",
                    fontsize=size if known else size * .8, color="white" if shade > .42 else "black")
            if spread[i, j]:
                ax.text(j, i + .04, f"± {spread[i, j]:.1g}", ha="center", va="top", fontsize=size * .72,
                        color="white" if shade > .42 else "#333333")
    ticks(ax, ax.yaxis, rows, "weights", "Δ_w")
    ticks(ax, ax.xaxis, columns, "gradients", "Δ_g")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    bar = figure.colorbar(image, ax=ax, pad=.015, fraction=.045)
    bar.outline.set_visible(False)
    if wide:
        style.logarithmic(bar.ax, "y")
    bar.set_label(label)


def ticks(ax, axis, names, what, delta):
    axis.set_ticks(range(len(names)))
    separator = "\n" if axis is ax.xaxis else "  "
    resolutions = [style.resolution_name(n) for n in names]
    axis.set_ticklabels([style.quantizer(n) + (separator + r if r else "") for n, r in zip(names, resolutions)])
    axis.set_label_text(f"quantizer of the {what}, with its resolution {delta[0]}$_{delta[2]}$")


def line_panel(ax, mean, names, lines, label_axis, key):
    """One line for each entry of `lines` over the quantizers `names`, from few bits to full precision on the right."""
    order = [i for i, n in enumerate(names) if n != "fp"] + [i for i, n in enumerate(names) if n == "fp"]
    colour = style.colours(lines)
    for j, line in enumerate(lines):
        ax.plot(range(len(order)), mean[order, j], color=colour[line], marker="o", ms=4, label=f"{key}({style.quantizer(line)})")
    ax.set_xticks(range(len(order)))
    ax.set_xticklabels([style.quantizer(names[i]) for i in order], rotation=0 if len(order) < 7 else 30)
    ax.set_xlabel(label_axis)
    style.log_if_wide(ax, "y", style.WIDE_LOSS)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), handlelength=1.4, borderaxespad=.2)


def resolution_linear(results):
    name = "average_loss"
    runs, _, note = choose(results, *AXES)
    rows, columns = values(runs, AXES[0]), values(runs, AXES[1])
    mean, spread, reason = table_of(runs, name, rows, columns)
    height = max(5.6, .52 * len(rows) + 1.6)
    figure = style.pyplot.figure(figsize=(13, height), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.45, 1))
    heat, over_weights, over_gradients = (figure.add_subplot(grid[place]) for place in (numpy.s_[:, 0], (0, 1), (1, 1)))
    label = "final " + results.label(name)
    heat_map(heat, figure, mean, spread, reason, rows, columns, label)
    style.panel(heat, "a", "Mean over seeds" + (" ± half the range" if spread.any() else ""))
    line_panel(over_weights, mean, rows, columns, "weight quantizer", "G")
    style.panel(over_weights, "b", "Over weight bits", None, label)
    line_panel(over_gradients, mean.T, columns, rows, "gradient quantizer", "W")
    style.panel(over_gradients, "c", "Over gradient bits", None, label)
    return frame.finish(figure, results, "final loss against weight and gradient resolution", [sentence(mean, rows, columns)], (),
                        note, band=False)


def sentence(mean, rows, columns):
    """Which of the two resolutions moves the loss more."""
    if not numpy.isfinite(mean).any() or min(mean.shape) < 2:
        return ""

    def ratio(table):
        full = [r[numpy.isfinite(r)] for r in table]
        full = [r.max() / r.min() for r in full if r.size > 1 and r.min() > 0]
        return max(full) if full else numpy.nan

    by_weights, by_gradients = ratio(mean.T), ratio(mean)
    if not numpy.isfinite(by_weights + by_gradients):
        return ""
    return (f"Highest over lowest final loss: up to ×{by_weights:.3g} among weight quantizers (gradients fixed), "
            f"up to ×{by_gradients:.3g} among gradient quantizers (weights fixed).")
