"""Networks with quantized activations (Yin et al. 2019): Table 1, sigma itself (Figure 3), and the two instability figures (2 and 4).

The training loss of an epoch is the mean over its mini-batches, exactly: t·A(t) is the sum of all losses up to t where A is the curve
average_loss, so a difference of two such sums over an epoch is that epoch's. The table is also given as text (figure.table).
"""
import numpy
from matplotlib.ticker import MaxNLocator

from . import frame, style
from .reading import number

ESTIMATORS = ("identity", "relu", "clipped_relu")
NAMES = {"identity": "identity", "relu": "ReLU", "clipped_relu": "clipped ReLU", "-": "–"}
COLOURS = {"identity": "#D55E00", "relu": "#0072B2", "clipped_relu": "#009E73", "-": "black"}
NETWORKS = {"lenet5": "LeNet-5", "vgg11": "VGG-11", "resnet20": "ResNet-20"}

# Table 1 as printed: training loss and best validation accuracy [%].
PAPER = {
    ("lenet5", 2): {"identity": (2.6e-2, 98.49), "relu": (5.1e-3, 99.24), "clipped_relu": (5.4e-3, 99.23)},
    ("lenet5", 4): {"identity": (6.0e-3, 98.98), "relu": (9.0e-4, 99.32), "clipped_relu": (8.8e-4, 99.24)},
    ("vgg11", 2): {"identity": (0.19, 86.58), "relu": (0.10, 88.69), "clipped_relu": (0.02, 90.92)},
    ("vgg11", 4): {"identity": (3.1e-2, 90.19), "relu": (1.5e-3, 92.01), "clipped_relu": (1.3e-3, 92.08)},
    ("resnet20", 2): {"identity": (1.56, 46.52), "relu": (1.50, 48.05), "clipped_relu": (0.24, 88.39)},
    ("resnet20", 4): {"identity": (1.38, 54.16), "relu": (0.25, 86.59), "clipped_relu": (0.04, 91.24)},
}
EPOCHS = {"lenet5": 50, "vgg11": 200, "resnet20": 200}  # of the paper's protocol


# Runs ----------------------------------------------------------------------------------------------------------------------------
def bits_of(run):
    return int(number(run.key("activations.bits")) or 0)


def epochs_of(run):
    """Evaluation times in epochs, or None without evaluations."""
    curve = run.curve("test_accuracy")
    if curve is None:
        return None
    total, epochs = number(run.keys.get("iterations")) or curve.x[-1], number(run.key("run.epochs")) or 0
    return curve.x * epochs / total if epochs > 0 else curve.x


def shortened(runs, kind):
    """How many of the paper's epochs the quantized networks were trained, and their float network where it differs; "" for all of them."""
    def longest(quantized):
        return max((number(r.key("run.epochs")) or 0 for r in runs if r.key("model.kind") == kind and (bits_of(r) > 0) == quantized), default=0)

    epochs, float_epochs = longest(True), longest(False)
    text = f"{NETWORKS[kind]} {epochs:g} of {EPOCHS[kind]}" + (f", its float network {float_epochs:g}" if float_epochs not in (0, epochs) else "")
    return text if min(epochs, float_epochs or epochs) < EPOCHS[kind] else ""


def epoch_losses(run):
    """Mean training loss between one evaluation and the next: an epoch's, where each epoch's end is evaluated."""
    average, accuracy = run.curve("average_loss"), run.curve("test_accuracy")
    if average is None or accuracy is None:
        return None
    ends = numpy.concatenate(([0.0], accuracy.x))
    sums = numpy.interp(ends, numpy.concatenate(([0.0], average.x)), numpy.concatenate(([0.0], average.x * average.y)))
    return numpy.diff(sums) / numpy.diff(ends)


def last_loss(run):
    losses = epoch_losses(run)
    return numpy.nan if run.diverged or losses is None else float(losses[-1])


def members(runs, kind, bits, estimator):
    found = [r for r in runs if r.key("model.kind") == kind and bits_of(r) == bits]
    return [r for r in found if bits == 0 or r.key("activations.ste") == estimator]


def loss_digits(loss):
    """As the paper writes losses: 1.56, 2.6e-02."""
    return ".2f" if loss >= .1 else ".1e"


def spread(found, digits):
    """Mean ± half the range. digits: a format, or what gives the one of the mean."""
    found = numpy.array(found, float)
    found = found[numpy.isfinite(found)]
    if found.size == 0:
        return "–"
    if callable(digits):
        digits = digits(found.mean())
    text = f"{found.mean():{digits}}"
    return text + (f" ± {(found.max() - found.min()) / 2:{digits}}" if found.size > 1 else "")


# Table 1 -------------------------------------------------------------------------------------------------------------------------
HEADS = ("network", "bits", "estimator", "training loss", "best accuracy [%]", "last accuracy [%]", "paper: loss", "paper: accuracy [%]")


def label_of(run):
    """What tells apart runs of one network and bit width beside the estimator: α and one more batch norm."""
    extra = ["α " + run.key("activations.alpha")] if run.key("activations.alpha") not in ("-", "published") else []
    return (", ".join(extra + (["norm after sums"] if run.key("model.sum_norm") == "plain" else [])))


def rows_of(results):
    rows = []
    for kind in NETWORKS:
        for bits in sorted({bits_of(r) for r in results.runs if r.key("model.kind") == kind}):
            for extra in sorted({label_of(r) for r in results.runs if r.key("model.kind") == kind and bits_of(r) == bits}):
                for estimator in ESTIMATORS if bits else ("-",):
                    runs = [r for r in members(results.runs, kind, bits, estimator) if label_of(r) == extra]
                    if not runs:
                        continue
                    loss, accuracy = PAPER.get((kind, bits), {}).get(estimator, (None, None)) if not extra else (None, None)
                    rows.append((NETWORKS[kind], str(bits) if bits else "float", NAMES[estimator] + (f" ({extra})" if extra else ""),
                                 spread([last_loss(r) for r in runs], loss_digits), spread([r.final("best_test_accuracy") for r in runs], ".2f"),
                                 spread([r.final("test_accuracy") for r in runs], ".2f"),
                                 "–" if loss is None else f"{loss:{loss_digits(loss)}}", "–" if accuracy is None else f"{accuracy:.2f}"))
    return rows


def heads_of(rows):
    """The columns that a table needs: without the paper's, where it printed none of these."""
    printed = any(row[6:] != ("–", "–") for row in rows)
    return HEADS if printed else HEADS[:6]


def note(rows):
    return "± half the range over seeds" if any("±" in cell for row in rows for cell in row) else ""


def text_table(rows):
    heads = heads_of(rows)
    widths = [max(len(row[i]) for row in [heads] + rows) for i in range(len(heads))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [heads] + rows]
    return "\n".join(lines) + "\n" + note(rows) + "\n" * bool(note(rows))


def draw_table(ax, rows):
    if not rows:
        return style.empty(ax, "no run of LeNet-5, VGG-11 or ResNet-20 in this file")
    ax.set_axis_off()
    heads = heads_of(rows)
    table = ax.table(cellText=[list(row[:len(heads)]) for row in rows], colLabels=[h.replace("paper: ", "paper:\n") for h in heads],
                     loc="center", cellLoc="left", colWidths=[.11, .06, .2, .15, .15, .15, .09, .11][:len(heads)])
    ax.set_title(note(rows), fontsize=9, loc="right", pad=0)
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    for (i, _), cell in table.get_celld().items():
        cell.set_edgecolor("#e4e4e4")
        cell.set_height(1 / (len(rows) + 2) * (1.8 if i == 0 else 1))
        cell.PAD = .04
        if i == 0:
            cell.set_text_props(weight="bold")
    return None


def draw_sigma(ax, results):
    """Figure 3: sigma of the fewest bits in the file beside the clipped ReLU that gives its surrogate derivative."""
    runs = [r for r in results.runs if bits_of(r) and number(r.keys.get("activation_alpha"))]
    if not runs:
        return style.empty(ax, "no quantized activations\nin this file")
    run = min(runs, key=bits_of)
    alpha, top = number(run.keys["activation_alpha"]), 2 ** bits_of(run) - 1
    x = numpy.linspace(-alpha, (top + 1) * alpha, 2001)
    steps = numpy.floor(x / alpha + .5) if run.key("activations.type") == "nearest" else numpy.ceil(x / alpha)
    sigma = alpha * numpy.clip(steps, 0, top)
    sigma[1:][numpy.diff(sigma) > 0] = numpy.nan  # a jump is no line
    ax.plot(x, sigma, color="black", lw=2, label="σ(x)")
    ax.plot(x, numpy.clip(x, 0, top * alpha), color=COLOURS["clipped_relu"], lw=1, ls=style.DASHED, label="clipped ReLU")
    ax.set_xticks([j * alpha for j in range(top + 1)], ["0", "α"] + [f"{j}α" for j in range(2, top + 1)])
    ax.set_yticks([j * alpha for j in range(top + 1)], ["0", "α"] + [f"{j}α" for j in range(2, top + 1)])
    ax.legend(loc="upper left")
    style.panel(ax, "", f"σ of {bits_of(run)} bits, α = {alpha:.4g}", "x")
    return None


def draw_runs(ax, runs, colour, ys, **line):
    """Runs that differ in nothing but their seed: a thin line for each, a thick one for their mean where they have the same epochs."""
    curves = [(epochs_of(r), ys(r)) for r in runs if not r.diverged]
    curves = [(x, y) for x, y in curves if x is not None and y is not None]
    for x, y in curves:
        ax.plot(x, y, **{"marker": "o" if len(x) == 1 else None, "ms": 4, **line, "color": colour, "lw": .7 if len(curves) > 1 else 1.6})
    if len(curves) > 1 and len({len(x) for x, _ in curves}) == 1:
        ax.plot(curves[0][0], numpy.mean([y for _, y in curves], 0), color=colour, lw=1.8, **line)


def accuracy_of(run):
    curve = run.curve("test_accuracy")
    return None if curve is None else curve.y


def markers_of(runs):
    """label_of() -> a marker, where there is more than one; the runs with the published settings have none."""
    labels = sorted({label_of(r) for r in runs} - {""})
    return {"": None, **dict(zip(labels, style.MARKERS))}


def draw_accuracies(ax, runs, colour, marker_of, **line):
    for label, marker in marker_of.items():
        mark = {"marker": marker, "ms": 4.5} if marker else {}
        draw_runs(ax, [r for r in runs if label_of(r) == label], colour, accuracy_of, **line, **mark)


def table1(results):
    rows = rows_of(results)
    marker_of = markers_of(results.runs)
    kinds = [k for k in NETWORKS if any(r.key("model.kind") == k for r in results.runs)]
    panels = [(kind, bits) for kind in kinds for bits in sorted({bits_of(r) for r in results.runs if r.key("model.kind") == kind} - {0})]
    columns = len(panels) + 1
    figure = style.pyplot.figure(figsize=(max(11.5, 3.8 * columns), 3.4 + .27 * (len(rows) + 2)), layout="constrained")
    grid = figure.add_gridspec(2, columns, height_ratios=(3.4, .27 * (len(rows) + 2)))
    for column, (kind, bits) in enumerate(panels):
        ax = figure.add_subplot(grid[0, column])
        draw_accuracies(ax, members(results.runs, kind, 0, "-"), COLOURS["-"], marker_of, ls=style.DOTTED)
        for estimator in ESTIMATORS:
            draw_accuracies(ax, members(results.runs, kind, bits, estimator), COLOURS[estimator], marker_of)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
        style.panel(ax, "abcdefgh"[column], f"{NETWORKS[kind]}, {bits} bits", "epoch", results.label("test_accuracy"))
        seen = numpy.concatenate([line.get_ydata() for line in ax.get_lines()] or [numpy.array([])])
        if seen.size:  # the first epochs would flatten the rest; the second half of each line is seen in any case
            ends = min(min(y[len(y) // 2:]) for y in (line.get_ydata() for line in ax.get_lines()))
            margin = .02 * (seen.max() - seen.min()) + .05
            ax.set_ylim(min(max(seen.min(), seen.max() - 3 * (seen.max() - numpy.median(seen)) - 1), ends - margin), seen.max() + margin)
    draw_sigma(figure.add_subplot(grid[0, len(panels)]), results)
    draw_table(figure.add_subplot(grid[1, :]), rows)
    handles = [style.Line2D([], [], color=COLOURS[e], lw=2, label=NAMES[e]) for e in ESTIMATORS]
    handles.append(style.Line2D([], [], color="black", ls=style.DOTTED, lw=2, label="float network"))
    handles += [style.Line2D([], [], color=style.GREY, ls="none", marker=m, ms=5, label=label) for label, m in marker_of.items() if m]
    short = [text for text in (shortened(results.runs, kind) for kind in kinds) if text]
    limited = any(number(r.key("data.limit")) for r in results.runs)
    notes = []
    if short or limited:
        notes.append(f"Reduced: epochs {', '.join(short) or 'in full'}{'; part of the training set' if limited else ''}. Only the order of the estimators can be compared.")
    figure.table = text_table(rows) + "".join(note + "\n" for note in notes)
    title = "straight-through estimators, " + ("beyond " if len(marker_of) > 1 else "") + "Table 1 of Yin et al. 2019"
    return frame.finish(figure, results, title, notes, handles, band=False)


# Figures 2 and 4 -----------------------------------------------------------------------------------------------------------------
def start_of(run, results):
    """The run of this file whose weights this one starts from, or None."""
    words = str(run.key("model.initial")).split()
    if len(words) != 2 or words[0] != "reference":
        return None
    return next((r for r in results.runs if r.id == words[1]), None)


def instability(results, title, paper):
    """Training loss and accuracy of the runs that begin at a quantized network; its own final values at epoch 0. paper: [(loss, accuracy, name)]."""
    figure, axes = frame.canvas(1, 2, width=11, height=4.2)
    handles, looks = [], (("-", "#D55E00"), ("-", "#0072B2"), ("-", "#009E73"), ("-", "#CC79A7"))
    sentences, found = [], {}
    for run in results.runs:
        start = start_of(run, results)
        if start is not None and bits_of(start):
            found.setdefault((run.key("activations.ste"), start.key("activations.ste"), run.key("optimizer.schedule")), []).append((run, start))
    for ((own, origin, schedule), pairs), (line, colour) in zip(sorted(found.items()), looks):
        name = f"{NAMES[own]} from {NAMES[origin]}" + (" (control)" if own == origin else "")
        handles.append(style.Line2D([], [], color=colour, ls=line, lw=2, label=name))
        for ax, ys, level in ((axes[0, 0], epoch_losses, last_loss), (axes[0, 1], accuracy_of, lambda r: r.final("test_accuracy"))):
            draw_runs(ax, [run for run, _ in pairs], colour, ys, ls=line)
            ax.plot([0], [numpy.mean([level(start) for _, start in pairs])], color=colour, marker="D", ms=6, ls="none", clip_on=False, zorder=5)
        ends = [(start.final("test_accuracy"), run.final("test_accuracy")) for run, start in pairs]
        sentences.append(f"{name}: accuracy {numpy.mean([a for a, _ in ends]):.2f} % at the start, {numpy.mean([b for _, b in ends]):.2f} % at the end.")
        milestones = [m for m in str(pairs[0][0].key("optimizer.milestones")).split() if "/" in m] if schedule == "step" else []
        for milestone in milestones:
            part, whole = (float(v) for v in milestone.split("/"))
            for ax in axes[0]:
                ax.axvline(part / whole * number(pairs[0][0].key("run.epochs")), color="#bbbbbb", lw=.8, zorder=0)
    if not found:
        for ax in axes[0]:
            style.empty(ax, "no run of this file starts\nfrom a quantized network of it")
    else:
        for ax, letter, name, y, column in ((axes[0, 0], "a", "training loss", "mean loss of the epoch's mini-batches", 0), (axes[0, 1], "b", "test accuracy", results.label("test_accuracy"), 1)):
            style.panel(ax, letter, name, "epoch", y)
            for value in paper:
                ax.axhline(value[column], color=style.GREY, ls=style.DOTTED, lw=.9)
                ax.text(1, value[column], value[2], color=style.GREY, fontsize=7.5, ha="right", va="bottom", transform=ax.get_yaxis_transform())
        handles.append(style.Line2D([], [], color="#333333", marker="D", ms=5, ls="none", label="the network it starts from"))
        sentences.append("Grey verticals: the rate changes." if any(ax.get_lines() for ax in axes[0]) and any(k[2] == "step" for k in found) else "")
    return frame.finish(figure, results, title, sentences, handles, band=False)


def instability_identity(results):
    return instability(results, "the identity estimator leaves good minima, Figure 2 of Yin et al. 2019",
                       [(1.53, 47.48, "paper, from clipped ReLU"), (1.48, 49.73, "paper, from ReLU")])


def instability_relu(results):
    return instability(results, "ReLU leaves a minimum of clipped ReLU, Figure 4 of Yin et al. 2019", [(.84, 71.9, "paper, ReLU")])
