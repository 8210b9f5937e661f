"""Learning-compression: tables of losses and errors, and what happens over the μ steps.

Everything is of the quantized network Δ(Θ) with the biases of the moment, unless it says reference: the network that direct
compression (DC), iterated direct compression (iDC) and learning-compression (LC) start from. The control is the reference trained on
with LC's budget and no penalty, then compressed directly.
"""
import functools

import numpy

from . import frame, style
from .reading import number
from .series import group, mean, rank, values

METHODS = {"direct_compression": "DC", "iterated_direct_compression": "iDC", "learning_compression": "LC", "control": "control",
           "binary_connect": "BinaryConnect", "distributed": "reference"}
LOOK = {"DC": ("#777777", ":"), "iDC": ("#D55E00", "--"), "LC": ("#0072B2", "-"), "control": ("#009E73", "-."),
        "BinaryConnect": ("#CC79A7", "-"), "reference": ("black", ":")}


def method(run):
    name = run.key("experiment.method")
    return "control" if name == "learning_compression" and run.key("compression.penalty") == "none" else name


def short(run):
    return METHODS.get(method(run), method(run))


def compressed(results):
    return [r for r in results.runs if "compression/train_loss" in r.arrays]


def needs_steps(figure_of):
    """A figure of μ steps says so where a file has none."""
    @functools.wraps(figure_of)
    def drawn(results):
        if any(not run.diverged for run in compressed(results)):
            return figure_of(results)
        return nothing_compressed(results)
    return drawn


def nothing_compressed(results):
    figure, axes = frame.canvas(1, 1, width=7)
    style.empty(axes[0][0], "no μ steps in this file")
    return frame.finish(figure, results, "quantized networks")


def codebook(run):
    """K = 4, {−a, a}, … : what the weights may be."""
    kind = run.key("compression.codebook")
    names = {"binary": "{−1, 1}", "scaled_binary": "{−a, a}", "ternary": "{−1, 0, 1}", "scaled_ternary": "{−a, 0, a}"}
    if kind in names:
        return names[kind]
    if kind == "powers_of_two":
        return f"powers of two, C = {run.key('compression.smallest_power')}"
    if kind in ("fixed", "scaled"):
        return ("a·" if kind == "scaled" else "") + "{" + run.key("compression.values").replace(" ", ", ").replace("-", "−") + "}"
    if kind == "-":
        return "{−1, 1}" if number(run.key("compression.bound")) == 1 else "{−H, H}"
    return f"K = {run.key('compression.size')}" + (", exact" if kind == "kmeans_exact" else "")


def order(run):
    kinds = ("kmeans", "kmeans_exact", "scaled_binary", "scaled_ternary", "scaled", "binary", "ternary", "powers_of_two", "fixed")
    kind = run.key("compression.codebook")
    return (kinds.index(kind) if kind in kinds else len(kinds), number(run.key("compression.size")) or 0,
            number(run.key("compression.smallest_power")) or 0, run.key("compression.values"))


def last(runs, name):
    """Last values of a curve over μ steps, one for each run."""
    found = numpy.array([run.arrays["compression/" + name][-1] for run in runs if "compression/" + name in run.arrays and not run.diverged])
    return found[numpy.isfinite(found)]


def first(runs, name):
    """What the references have: full-precision values before anything was compressed; of each reference once, however many start there."""
    found = numpy.array([value for _, value in sorted({(str(run.key("run.seed")), run.arrays["compression/" + name][0]) for run in runs if "compression/" + name in run.arrays})])
    return found[numpy.isfinite(found)]


def ratio(runs):
    found = [run.arrays["final/compression/compression_ratio"] for run in runs if "final/compression/compression_ratio" in run.arrays]
    return float(found[0]) if found else numpy.nan


def cell(found, digits=2):
    if not len(found):
        return "–"
    spread = f" ± {(found.max() - found.min()) / 2:.{digits}f}" if len(found) > 1 else ""
    return f"{found.mean():.{digits}f}{spread}"


def in_the_end(results):
    several = len({run.key("run.seed") for run in results.runs}) > 1
    return "In the end" + (", mean ± half the range over seeds" if several else "")


def table(ax, headings, rows, title):
    """Rows of text on alternating ground."""
    ax.set_axis_off()
    ax.set_title(title)
    longest = [max(len(str(row[j])) for row in [headings, *rows]) + 4 for j in range(len(headings))]
    drawn = ax.table(cellText=[[str(c) for c in row] for row in rows], colLabels=headings, loc="upper center", cellLoc="center", bbox=(0, 0, 1, 1), colWidths=longest)
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(8)
    for (i, j), box in drawn.get_celld().items():
        box.set_linewidth(0)
        if i > 0 and j == 0 and rows[i - 1][0] in LOOK:  # a method has the colour of its lines
            box.set_text_props(color=LOOK[rows[i - 1][0]][0], weight="bold")
        box.set_facecolor("#dfe7ef" if i == 0 else "#f5f5f5" if i % 2 else "white")


def network_rows(runs):
    """One row for each method and codebook: log10 of the training loss, errors on both sets, compression ratio."""
    rows = []
    if runs:
        rows.append(["reference", "float32", cell(numpy.log10(first(runs, "full_precision_train_loss"))), cell(100 - first(runs, "full_precision_train_accuracy")),
                     cell(100 - first(runs, "full_precision_test_accuracy")), "1"])
    controls = [r for r in runs if method(r) == "control"]
    if controls:
        rows.append(["control", "float32", cell(numpy.log10(last(controls, "full_precision_train_loss"))), cell(100 - last(controls, "full_precision_train_accuracy")),
                     cell(100 - last(controls, "full_precision_test_accuracy")), "1"])
    for book in sorted({(order(r), codebook(r)) for r in runs}):
        for name in ("DC", "iDC", "LC", "control"):
            members = [r for r in runs if codebook(r) == book[1] and short(r) == name]
            if members:
                rows.append([name, book[1], cell(numpy.log10(last(members, "train_loss"))), cell(100 - last(members, "train_accuracy")), cell(100 - last(members, "test_accuracy")),
                             f"{ratio(members):.2f}"])
    return rows


HEADINGS = ["method", "codebook", "log10 training loss", "training error [%]", "test error [%]", "compression ratio"]


def over_steps(ax, runs, name, x_label="μ step", scale=1, transform=None):
    """A curve over μ steps for each method; DC is a level."""
    for label in ("DC", "iDC", "control", "LC"):
        series = mean([r for r in runs if short(r) == label], name, "compression")
        if series is None:
            continue
        colour, line = LOOK[label]
        change = transform or (lambda y: y)
        if label == "DC":
            ax.axhline(change(series.mean)[0], color=colour, ls=line, label=label)
            continue
        ax.plot(scale * series.x, change(series.mean), color=colour, ls=line, label=label)
        if series.runs > 1:
            ax.fill_between(scale * series.x, change(series.low), change(series.high), color=colour, alpha=.16, lw=0)
    ax.set_xlabel(x_label)


def density_panel(ax, run, codebook_index, title):
    """How the weights of one codebook lie at first, in the middle, and in the end; its entries as marks below."""
    counts = run.arrays.get("compression/density")
    limits = run.arrays.get("compression/density_limit")
    if counts is None or limits is None:
        return style.empty(ax, "no densities\nin this file")
    bins = counts.shape[2]
    x = (numpy.arange(bins) + .5) / bins * 2 * limits[codebook_index] - limits[codebook_index]
    steps = sorted({0, counts.shape[0] // 2, counts.shape[0] - 1})
    for step, colour in zip(steps, style.pyplot.cm.viridis(numpy.linspace(0, .8, len(steps)))):
        share = counts[step, codebook_index] / counts[step, codebook_index].sum() / (x[1] - x[0])
        ax.plot(x, share, color=colour, label=f"μ step {step}" if step else "reference", drawstyle="steps-mid", lw=1.2)
    entries = run.arrays["compression/codebook"][-1, codebook_index]
    ax.plot(entries, numpy.zeros(len(entries)), ls="none", marker="^", color="black", ms=5, clip_on=False, zorder=5, label="codebook")
    ax.set_yscale("symlog", linthresh=1)
    ax.set_ylim(bottom=0)
    style.panel(ax, "", title, "weight", "density")
    ax.legend()
    return None


def handles_of(runs):
    present = [label for label in ("DC", "iDC", "LC", "control") if any(short(r) == label for r in runs)]
    return [style.Line2D([], [], color=LOOK[p][0], ls=LOOK[p][1], lw=2, label=p) for p in present]


def some(runs, name="LC", size=None):
    found = [r for r in runs if short(r) == name and (size is None or r.key("compression.size") == size)]
    return sorted(found, key=lambda r: rank(r.key("run.seed")))[0] if found else None


@needs_steps
def superresolution(results):
    """Loss against the μ step, the density of the weights, and the table of losses, for each K."""
    runs, sizes = compressed(results), values(compressed(results), "compression.size")
    rows = [["reference", "float32", cell(first(runs, "full_precision_train_loss"), 3), cell(first(runs, "full_precision_test_loss"), 3), "1"]]
    for size in sizes:
        for label in ("DC", "iDC", "LC"):
            members = [r for r in runs if short(r) == label and r.key("compression.size") == size]
            if members:
                rows.append([label, f"K = {size}", cell(last(members, "train_loss"), 3), cell(last(members, "test_loss"), 3), f"{ratio(members):.2f}"])
    figure = style.pyplot.figure(figsize=(max(8, 4.4 * len(sizes)), 6.4 + .24 * len(rows)), layout="constrained")
    grid = figure.add_gridspec(3, len(sizes), height_ratios=(3.2, 3.2, .5 + .24 * len(rows)))
    for j, size in enumerate(sizes):
        ax = figure.add_subplot(grid[0, j])
        over_steps(ax, [r for r in runs if r.key("compression.size") == size], "train_loss")
        style.panel(ax, "", f"K = {size}", None, results.label("train_loss", "compression") if j == 0 else None)
        run = some(runs, size=size)
        ax = figure.add_subplot(grid[1, j])
        style.empty(ax, "no LC run") if run is None else density_panel(ax, run, 0, f"K = {size}: weights of LC")
    table(figure.add_subplot(grid[2, :]), ["method", "codebook", "training loss", "test loss", "compression ratio"], rows, in_the_end(results))
    return frame.finish(figure, results, "linear regression with quantized weights", (), handles_of(runs), band=frame.BANDS)


@needs_steps
def superresolution_mu0(results):
    """Final loss against μ_0, one panel for each K, one colour for each noise; DC as a level of the same colour."""
    runs, sizes, noises = compressed(results), values(compressed(results), "compression.size"), values(compressed(results), "data.noise")
    colour = style.colours(noises)
    figure, axes = frame.canvas(1, len(sizes), width=max(7, 4.4 * len(sizes)))
    for ax, size in zip(axes[0], sizes):
        highest = {}  # (μ_0, its steps) -> the loss above which the number of steps stands
        for noise in noises:
            members = [r for r in runs if r.key("compression.size") == size and r.key("data.noise") == noise]
            points = sorted((number(r.key("compression.mu0")), r.arrays["compression/train_loss"][-1], r.key("compression.steps")) for r in members)
            ax.plot([p[0] for p in points], [p[1] for p in points], color=colour[noise], marker="o")
            ax.axhline(members[0].arrays["compression/train_loss"][0], color=colour[noise], ls=":")
            for mu0, loss, steps in points:
                highest[mu0, steps] = max(loss, highest.get((mu0, steps), 0))
        for (mu0, steps), loss in highest.items():
            ax.annotate(f"{steps}", (mu0, loss), textcoords="offset points", xytext=(0, 5), ha="center", fontsize=7, color=style.GREY)
        ax.set_xscale("log")
        style.logarithmic(ax, "y")
        style.panel(ax, "", f"K = {size}", "μ₀ [loss/weight²]", results.label("train_loss", "compression") if ax is axes[0][0] else None)
    handles = [style.Line2D([], [], color=c, marker="o", label=f"noise {n}") for n, c in colour.items()] + [style.Line2D([], [], color=style.GREY, ls=":", label="DC")]
    return frame.finish(figure, results, "where LC ends, by the first μ (numbers: μ steps)", (), handles)


@needs_steps
def networks(results):
    """Loss and test error over the SGD steps for the smallest K, densities and codebooks of LC, k-means passes, and the whole table."""
    runs = compressed(results)
    sizes = [s for s in values(runs, "compression.size") if number(s) is not None][:2]
    rows = network_rows(runs)
    columns = max(2, len(sizes))
    beside = len(sizes) < 2  # loss and error of a single K stand beside each other, not one below the other
    panels = 2 if beside else 3
    figure = style.pyplot.figure(figsize=(5.4 * columns, 3.2 * panels + .21 * len(rows)), layout="constrained")
    grid = figure.add_gridspec(panels + 1, columns, height_ratios=(3.2,) * panels + (.5 + .21 * len(rows),))
    for j, size in enumerate(sizes):
        members = [r for r in runs if r.key("compression.size") == size]
        each = max([number(r.key("compression.iterations")) or 0 for r in members] or [1])
        ax = figure.add_subplot(grid[0, j])
        over_steps(ax, members, "train_loss", "SGD steps", each, lambda y: numpy.maximum(y, 1e-12))
        for level in [first(members, "full_precision_train_loss")]:
            ax.axhline(level.mean(), color="black", ls=":", lw=1)
        ax.set_yscale("log")
        style.panel(ax, "", f"K = {size}", "SGD steps" if beside else None, results.label("train_loss", "compression") if j == 0 else None)
        ax = figure.add_subplot(grid[0, 1] if beside else grid[1, j])
        over_steps(ax, members, "test_accuracy", "SGD steps", each, lambda y: 100 - y)
        ax.axhline(100 - first(members, "full_precision_test_accuracy").mean(), color="black", ls=":", lw=1)
        style.logarithmic(ax, "y")
        style.panel(ax, "", "", None, "test error [%]" if j == 0 else None)
    run = some(runs, size=sizes[-1] if sizes else None) or some(runs)
    if run is not None:
        density_panel(figure.add_subplot(grid[panels - 1, 0]), run, 0, f"first layer's weights under LC, {codebook(run)}")
        ax = figure.add_subplot(grid[panels - 1, 1])
        entries, passes = run.arrays["compression/codebook"], run.arrays["compression/passes"]
        ax.plot(run.arrays["compression/mu_step"], entries[:, 0, :], color="#0072B2", lw=1.2)
        if passes[:, 0].any():  # k-means: a cold start with hundreds of passes, then warm ones
            twin = ax.twinx()
            twin.plot(run.arrays["compression/mu_step"], passes[:, 0], color="#D55E00", lw=.9, ls="--")
            style.logarithmic(twin, "y")
            twin.set_ylabel("k-means passes (dashed)", color="#D55E00")
            twin.spines["right"].set_visible(True)
            twin.grid(False)
        style.panel(ax, "", "first layer's codebook", "μ step", "entry [weight]")
    table(figure.add_subplot(grid[panels, :]), HEADINGS, rows, in_the_end(results))
    handles = handles_of(runs) + [style.Line2D([], [], color="black", ls=":", lw=1, label="reference")]
    return frame.finish(figure, results, "quantized networks: direct, iterated, learning-compression", error_sentences(runs, sizes), handles, band=frame.BANDS)


def error_sentences(runs, sizes):
    """Test errors of the methods beside the reference, one sentence for each K."""
    sentences = []
    for size in sizes:
        members = [r for r in runs if r.key("compression.size") == size]
        errors = [(name, 100 - last([r for r in members if short(r) == name], "test_accuracy")) for name in ("LC", "iDC", "DC")]
        told = [("reference", 100 - first(members, "full_precision_test_accuracy"))] + [(name, e) for name, e in errors if e.size]
        sentences.append(f"Test error with K = {size}: " + ", ".join(f"{name} {e.mean():.2f} %" for name, e in told) + ".")
    return sentences


def codebooks(results):
    """Test error by codebook and method, and the table; BinaryConnect's runs beside them."""
    runs = [r for r in compressed(results) if not r.diverged]
    others = [r for r in results.runs if method(r) == "binary_connect" and not r.diverged]
    if not runs and not others:
        return nothing_compressed(results)
    rows = network_rows(runs)
    names = [name for _, name in sorted({(order(r), codebook(r)) for r in runs})]
    points = {label: [] for label in ("DC", "iDC", "LC", "BinaryConnect")}  # (place, error) of each
    for label in ("DC", "iDC", "LC"):
        for i, name in enumerate(names):
            points[label].append((i, 100 - last([r for r in runs if short(r) == label and codebook(r) == name], "test_accuracy")))
    for _, members in group(others, "model.loss", "compression.rounding", "compression.bound"):
        losses, training, test = (numpy.array([r.final(name) for r in members]) for name in ("train_loss", "train_accuracy", "test_accuracy"))
        rows.append(["BinaryConnect", f"{codebook(members[0])}, {words_of(members[0])}", cell(numpy.log10(losses)), cell(100 - training), cell(100 - test), "–"])
        points["BinaryConnect"].append((len(names), 100 - test))
        names.append(f"{codebook(members[0])},\n{words_of(members[0])}")
    figure = style.pyplot.figure(figsize=(11, 4.4 + .23 * len(rows)), layout="constrained")
    grid = figure.add_gridspec(2, 1, height_ratios=(4, .5 + .23 * len(rows)))
    ax = figure.add_subplot(grid[0])
    handles = []
    for label, found in points.items():
        found = [(x, y.mean()) for x, y in found if y.size]
        if found:
            handles += ax.plot([x for x, _ in found], [y for _, y in found], color=LOOK[label][0], ls="none", marker="s" if label == "DC" else "o", ms=6, label=label)
    if runs:
        handles.append(ax.axhline(100 - first(runs, "full_precision_test_accuracy").mean(), color="black", ls=":", lw=1, label="reference"))
    style.logarithmic(ax, "y")
    ax.set_xticks(range(len(names)), names, rotation=25, ha="right")
    style.panel(ax, "", "", None, "test error [%]")
    table(figure.add_subplot(grid[1]), HEADINGS, rows, in_the_end(results))
    return frame.finish(figure, results, "codebooks", (), handles)


def words_of(run):
    """What tells BinaryConnect's runs apart: loss and rounding."""
    return " ".join(run.key(key).replace("_", " ") for key in ("model.loss", "compression.rounding"))


@needs_steps
def penalty(results):
    """Final gap and loss against μ_0 for augmented Lagrangian and quadratic penalty, a line style for each learning rate."""
    runs = compressed(results)
    figure, axes = frame.canvas(1, 2)
    kinds, rates = values(runs, "compression.penalty"), values(runs, "optimizer.learning_rate")
    colour, line = dict(zip(kinds, style.CATEGORICAL)), dict(zip(rates, style.DASHES))
    for ax, name in zip(axes[0], ("gap", "train_loss")):
        for (kind, rate), members in group(runs, "compression.penalty", "optimizer.learning_rate"):
            points = sorted((number(m0[0]), last(found, name).mean()) for m0, found in group(members, "compression.mu0") if last(found, name).size)
            ax.plot([p[0] for p in points], [p[1] for p in points], color=colour[kind], ls=line[rate], marker="o")
        style.value_axis(ax, [number(m0) for m0 in values(runs, "compression.mu0")], "μ₀ [loss/weight²]")
        style.logarithmic(ax, "y")
        style.panel(ax, "", "", None, results.label(name, "compression"))
    handles = style.colour_key(colour, lambda k: k.replace("_l", " L").replace("_", " ")) + style.style_key(line, lambda r: f"η = {r}")
    return frame.finish(figure, results, "augmented Lagrangian and quadratic penalty", (), handles)


def size_in_bits(hidden, entries):
    """784–H–10: (784 + 10)·H weights of log2 K bits (32 uncompressed), H + 10 biases and two codebooks in float32."""
    if entries is None:
        return 794 * hidden * 32 + (hidden + 10) * 32
    return 794 * hidden * numpy.ceil(numpy.log2(entries)) + (hidden + 10 + 2 * entries) * 32


@needs_steps
def tradeoff(results):
    """Loss and size over H and log2 K, and for five losses the smallest network that reaches each."""
    runs = [r for r in compressed(results) if short(r) == "LC"]
    hidden, sizes = sorted({int(number(r.key("model.dimension"))) for r in runs}), sorted({int(number(r.key("compression.size"))) for r in runs})
    loss = {}
    for (h, k), members in group(runs, "model.dimension", "compression.size"):
        loss[int(number(h)), int(number(k))] = last(members, "train_loss").mean()
    for (h,), members in group(runs, "model.dimension"):
        loss[int(number(h)), None] = first(members, "full_precision_train_loss").mean()
    columns = sizes + [None]
    level = numpy.array([[loss.get((h, k), numpy.nan) for k in columns] for h in hidden])
    bits = numpy.array([[size_in_bits(h, k) for k in columns] for h in hidden])
    ticks = [f"{int(numpy.log2(k))}" for k in sizes] + ["∞"]
    figure, axes = frame.canvas(1, 2, width=11, height=4.6)
    for ax, field, title in ((axes[0][0], numpy.log10(level), "log10 training loss"), (axes[0][1], numpy.log10(bits), "log10 size [bit]")):
        image = ax.pcolormesh(numpy.arange(len(columns) + 1) - .5, numpy.arange(len(hidden) + 1) - .5, field, cmap="viridis", shading="flat")
        if min(field.shape) > 1:
            ax.contour(numpy.arange(len(columns)), numpy.arange(len(hidden)), field, colors="white", linewidths=.7, levels=8)
        figure.colorbar(image, ax=ax)
        ax.set_xticks(range(len(columns)), ticks)
        ax.set_yticks(range(len(hidden)), hidden)
        ax.grid(False)
        style.panel(ax, "", title, "log2 K", "hidden units H")
    sentences = []
    finite = level[numpy.isfinite(level)]
    for most in numpy.geomspace(finite.min() * 1.05, finite.max(), 6)[:5]:
        ok = numpy.where(level <= most, bits, numpy.inf)
        i, j = numpy.unravel_index(ok.argmin(), ok.shape)
        whole = numpy.where(level[:, -1] <= most, bits[:, -1], numpy.inf).min()
        axes[0][0].plot(j, i, marker="*", color="#D55E00", ms=12)
        axes[0][1].plot(j, i, marker="*", color="#D55E00", ms=12)
        uncompressed = f"smallest uncompressed: {whole:,.0f}" if numpy.isfinite(whole) else "no uncompressed one gets there"
        sentences.append(f"loss ≤ {most:.3g}: H = {hidden[i]}, log2 K = {ticks[j]}: {bits[i, j]:,.0f} bit ({uncompressed})")
    return frame.finish(figure, results, "the smallest network for a loss (stars)", sentences)


@needs_steps
def distributed(results):
    """Loss and test error over SGD steps with full-precision and quantized gradients, and the table with the bits that travel."""
    runs = compressed(results)
    sizes, kinds = values(runs, "compression.size"), [k for k in values(runs, "gradients.quantizer") if k != "-"]
    colour = {k: ("black" if k == "fp" else style.CATEGORICAL[i]) for i, k in enumerate(kinds)}
    rows, sentences = [], []
    figure = style.pyplot.figure(figsize=(5.4 * max(1, len(sizes)), 9), layout="constrained")
    grid = figure.add_gridspec(3, max(1, len(sizes)), height_ratios=(3.2, 3.2, 2.6))
    for j, size in enumerate(sizes):
        axes = [figure.add_subplot(grid[i, j]) for i in range(2)]
        members = [r for r in runs if r.key("compression.size") == size]
        each = max([number(r.key("compression.iterations")) or 0 for r in members] or [1])
        direct = [r for r in members if short(r) == "DC"]
        if direct:
            rows.append([f"K = {size}", "DC", "", cell(numpy.log10(last(direct, "train_loss"))), cell(100 - last(direct, "test_accuracy")), ""])
        for label in ("iDC", "LC"):
            ends = {}  # gradients -> log10 of the loss, test error, bits
            for kind in kinds:
                found = [r for r in members if short(r) == label and r.key("gradients.quantizer") == kind]
                if not found:
                    continue
                name = style.gradients(found[0])
                for ax, curve, change in ((axes[0], "train_loss", lambda y: y), (axes[1], "test_accuracy", lambda y: 100 - y)):
                    series = mean(found, curve, "compression")
                    ax.plot(each * series.x, change(series.mean), color=colour[kind], ls=LOOK[label][1])
                    ax.fill_between(each * series.x, change(series.low), change(series.high), color=colour[kind], alpha=.14, lw=0)
                up = numpy.array([r.final("bits_up") for r in found])
                ends[kind] = (numpy.log10(last(found, "train_loss")).mean(), 100 - last(found, "test_accuracy").mean(), up.mean())
                rows.append([f"K = {size}", label, name, cell(numpy.log10(last(found, "train_loss"))), cell(100 - last(found, "test_accuracy")), f"{up.mean() / 8e9:.2f}"])
            if label == "LC" and "fp" in ends:
                sentences += [f"LC, K = {size}, {style.quantizer(kind)} against full-precision gradients: log10 of the loss {loss - ends['fp'][0]:+.3f}, "
                              f"test error {error - ends['fp'][1]:+.2f} points, {bits / ends['fp'][2]:.1%} of the bits sent."
                              for kind, (loss, error, bits) in ends.items() if kind != "fp"]
        for ax, label in zip(axes, (results.label("train_loss", "compression"), "test error [%]")):
            style.logarithmic(ax, "y")
            style.panel(ax, "", f"K = {size}" if ax is axes[0] else "", "SGD steps", label if j == 0 else None)
    table(figure.add_subplot(grid[2, :]), ["codebook", "method", "gradients", "log10 training loss", "test error [%]", "sent by a worker [GB]"], rows, in_the_end(results))
    handles = [style.Line2D([], [], color=c, lw=2.5, label=f"G({style.quantizer(k)})") for k, c in colour.items()]
    handles += [style.Line2D([], [], color="#333333", ls=LOOK[m][1], label=m) for m in ("iDC", "LC") if some(runs, m)]
    return frame.finish(figure, results, "L steps on several workers with quantized gradients", sentences, handles, band=frame.BANDS)
