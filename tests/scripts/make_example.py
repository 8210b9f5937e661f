#!/usr/bin/python3
"""make_example.py EXPERIMENT OUT.h5: a synthetic results file with plausible curves, to try figures on without training anything.

The curves are made up: loss(t) = floor + (start − floor)/√(1 + t/τ), τ proportional to the factors the theory predicts, plus noise.
The layout is that of a collected results file (results/FORMAT.md).
"""
import hashlib
import sys

import h5py
import numpy

EPS = 1e-12
LABELS = {
    "iteration": "iteration", "evaluation_iteration": "iteration", "loss": "training loss at the quantized weights",
    "average_loss": "average training loss at the quantized weights",
    "full_precision_loss": "training loss at the full-precision weights",
    "average_full_precision_loss": "average training loss at the full-precision weights", "average_regret": "average regret",
    "gradient_norm_ratio": "squared norm of the quantized gradient, over that of the gradient",
    "weight_error": "relative squared weight error",
    "bits_up": "bits sent per worker", "bits_down": "bits received per worker", "test_loss": "test loss",
    "test_accuracy": "test accuracy",
    "train_loss": "loss on the training set", "train_accuracy": "accuracy on the training set", "printed": "bound as printed",
    "u1": "bound U1", "u2": "bound U2", "u3": "bound U3", "slow_down_printed": "slow-down by quantized gradients as printed"}
UNITS = {"test_accuracy": "%", "train_accuracy": "%", "bits_up": "bit", "bits_down": "bit", "iteration": "1"}
DEFAULTS = {"experiment.method": "distributed", "model.kind": "linear", "model.dimension": 256, "weights.quantizer": "lab",
            "gradients.quantizer": "sq2", "gradients.clip": "none", "workers.count": 1, "workers.batch": 64,
            "optimizer.kind": "rmsprop",
            "optimizer.learning_rate": .03, "run.iterations": 20000, "run.seed": 1}


def delta(name):
    if name == "fp":
        return 0.0
    return 2.0 if name == "lab" else 1.0 / (2 ** (int(name[-1]) - 1) - 1)


def slowdown(keys):
    c = keys["gradients.clip"]
    if isinstance(c, (int, float)):
        return numpy.sqrt(numpy.sqrt(2 / numpy.pi) * c * delta(keys["gradients.quantizer"]) + 1)
    return numpy.sqrt((1 + numpy.sqrt(2 * keys["model.dimension"] - 1)) / 2 * delta(keys["gradients.quantizer"]) + 1)


def dataset(group, name, values):
    item = group.create_dataset(name, data=numpy.asarray(values, dtype=float))
    item.attrs["unit"] = UNITS.get(name, "1")
    item.attrs["long_name"] = LABELS.get(name, name.replace("_", " "))


def shape_of(keys, rng):
    """(start, floor, τ, ratio) of the loss curve of one setting."""
    d, full, clip = keys["model.dimension"], keys["gradients.quantizer"] == "fp", keys["gradients.clip"]
    clipped = isinstance(clip, (int, float))
    dg, dw = delta(keys["gradients.quantizer"]), delta(keys["weights.quantizer"])
    measured = 1 if full else 1 + dg * (.75 * clip if clipped else .9 * numpy.sqrt(2 * numpy.log(d)) - .2)
    measured *= 1 + .01 * rng.standard_normal()
    if keys["model.kind"] == "linear":
        start, floor = .02 + .007 * d, .02 + .0009 * d * (.02 + dw / 2)
        tau = 3 * (d / 64) ** .5 * measured / keys["workers.count"] ** .8
        floor *= 1 + (.6 * .15 if clip == 1 else 0.0)
    else:
        start, floor = 2.3, (.35 if keys["model.kind"] == "mlp" else .5) + .1 * dw + .004 * dg * d ** .5
        tau = 30 * measured
    return start, floor * (1 + .01 * rng.standard_normal()), tau, measured


def write_run(file, experiment, keys, points=400, bounds=True, diverge=None):
    keys = {**DEFAULTS, **keys}
    name = hashlib.sha256(repr(sorted(keys.items(), key=str)).encode()).hexdigest()[:16]
    rng = numpy.random.default_rng(int(name[:8], 16))
    group = file.create_group(f"runs/{name}")
    start, floor, tau, ratio = shape_of(keys, rng)
    total = keys["run.iterations"]
    t = numpy.unique(numpy.concatenate([[1], numpy.linspace(total / points, total, points).astype(int)])).astype(float)
    average = floor + (start - floor) / numpy.sqrt(1 + t / tau) * (1 + .01 * rng.standard_normal(t.size) / numpy.sqrt(t))
    loss = floor + (start - floor) / (1 + t / tau) * (1 + .2 * rng.random(t.size)) + .1 * floor * rng.random(t.size)
    if diverge:
        kept = t <= diverge
        t, average, loss = t[kept], average[kept] * numpy.exp(t[kept] / diverge * 20), loss[kept]
        loss[-1] = numpy.nan
    group.attrs["experiment.name"] = experiment
    for key, value in keys.items():
        group.attrs[key] = str(value)   # keys are stored as text, as the experiment file has them
    group.attrs["status"] = "diverged" if diverge else "complete"
    if diverge:
        group.attrs["diverged_iteration"] = int(t[-1])
    curves = {"iteration": t, "loss": loss, "average_loss": average,
              "gradient_norm_ratio": ratio * (1 + .05 * rng.standard_normal(t.size)),
              "weight_error": .1 + .2 / numpy.sqrt(t), "bits_up": t * keys["model.dimension"] * 2 + 32,
              "bits_down": t * keys["model.dimension"] + 32}
    if keys["model.kind"] == "linear":
        lower = .02 + .6 * (floor - .02)
        curves.update(full_precision_loss=loss * .8, average_full_precision_loss=lower + (average - floor) * .9,
                      average_regret=numpy.maximum(lower - .02 + (average - floor) * .9, EPS))
    else:
        e = numpy.linspace(total / 12, total, 12)
        best = 98.2 - 3 * floor - .4 * delta(keys["gradients.quantizer"])
        curves.update(evaluation_iteration=e, test_accuracy=best - 12 / (1 + e / total * 9) + .15 * rng.standard_normal(e.size),
                      test_loss=floor * 1.1 + 1 / (1 + e / tau))
    layers = ["conv1", "conv2", "fc3", "fc4", "fc5"] if keys["model.kind"] == "cifarnet" else []
    for part in ("curves", "final"):
        group.create_group(part)
    for curve, values in curves.items():
        dataset(group["curves"], curve, values)
        if not curve.endswith("iteration"):
            dataset(group["final"], curve, values[-1])
    if layers:
        write_layers(group["curves"], layers, t, ratio, rng)
    if bounds and keys["model.kind"] == "linear":
        bound, factor = group.create_group("bound"), slowdown(keys)
        level = keys["model.dimension"] / 8
        u1 = level * factor * 20 / numpy.sqrt(t) + level
        for curve, values in (("u1", u1), ("u2", 2 * u1), ("u3", 5 * u1), ("printed", 3 * u1)):
            dataset(bound, curve, values)
        dataset(bound, "slow_down_printed", factor)
        dataset(bound, "Err_w_printed", level)
    group.create_group("provenance").attrs["commit"] = "0123abc"


def write_array(group, name, values):
    item = group.require_group("/".join(name.split("/")[:-1])).create_dataset(name.split("/")[-1], data=numpy.asarray(values))
    item.attrs["unit"], item.attrs["long_name"] = "1", name.split("/")[-1].replace("_", " ")


def make_two_layer(path, experiment, settings, starts=30, points=40):
    """Runs of the method coarse_gradient: falling losses of all starts with quantiles, where they end, and a line of step sizes."""
    rng = numpy.random.default_rng(3)
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["format_version"], file.attrs["experiment"] = "qsweep-results", 1, experiment
        file.attrs.create("axes", sorted({k for s in settings for k in s}), dtype=h5py.string_dtype())
        for i, keys in enumerate(settings):
            group = file.create_group(f"runs/{i:016x}")
            for key, value in {"experiment.method": "coarse_gradient", "run.seed": 1, **keys}.items():
                group.attrs[key] = str(value)
            group.attrs["status"] = "complete"
            t = numpy.arange(1, 50 * points, 50)
            write_array(group, "curves/iteration", t)
            for name in ("loss", "theta", "w_norm"):
                values = (1 + rng.random((1, starts))) / numpy.sqrt(t)[:, None]
                write_array(group, f"curves/{name}", values.mean(1))
                write_array(group, f"curves/quantiles/{name}", numpy.quantile(values, (0, .1, .5, .9, 1), axis=1).T)
            line = 2 - 5 * numpy.linspace(0, .2, 201)[:, None] + .3 / numpy.sqrt(keys.get("data.samples", 10)) * rng.standard_normal((201, starts))
            write_array(group, "curves/line/learning_rate", numpy.linspace(0, .2, 201))
            write_array(group, "curves/line/loss", line)
            short = rng.random(starts) < .2
            write_array(group, "final/least_w_norm", numpy.where(short, .01, 1.0))
            write_array(group, "final/largest_rise", numpy.where(short, .5, -1e-6))
            write_array(group, "final/passes", short.astype(int))
            write_array(group, "final/first_pass", 222 * short)
            write_array(group, "final/critical_point", numpy.where(short, 3, 1))
            write_array(group, "final/share_global", 100 - 100 * short.mean())
            write_array(group, "final/share_spurious", 100 * short.mean())
            group.create_group("provenance").attrs["commit"] = "0123abc"
    return path


def write_layers(curves, layers, t, ratio, rng):
    """Norm ratios and one histogram for each layer: normal elements in the second, heavier tails towards the last."""
    dataset(curves, "gradient_norm_ratio_layers", 1 + (ratio - 1) * numpy.linspace(.5, 1.5, len(layers)) * numpy.ones((t.size, 1)))
    dataset(curves, "histogram_iteration", [1, 100])
    edges = -10 + .125 * numpy.arange(161)
    elements = [rng.standard_t(30 - 5 * i, 20000) for i in range(len(layers))]
    counts = [numpy.histogram(numpy.clip(e / e.std(), -10, 9.99), edges)[0] for e in elements]
    dataset(curves, "gradient_histogram", [counts, counts])
    curves["gradient_histogram"].attrs["first_edge"], curves["gradient_histogram"].attrs["bin_width"] = -10.0, .125
    for name in ("gradient_norm_ratio_layers", "gradient_histogram"):
        curves[name].attrs.create("layers", layers, dtype=h5py.string_dtype())


def seeds(settings, count=3):
    return [{**s, "run.seed": seed} for s in settings for seed in range(1, count + 1)]


def make_compression(path, experiment, settings, steps=8):
    """Runs of learning-compression and its baselines: curves over mu_step that fall late, codebooks, densities."""
    rng = numpy.random.default_rng(5)
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["format_version"], file.attrs["experiment"] = "qsweep-results", 1, experiment
        file.attrs.create("axes", sorted({k for s in settings for k in s}), dtype=h5py.string_dtype())
        for i, keys in enumerate(settings):
            keys = {"experiment.method": "learning_compression", "compression.codebook": "kmeans", "compression.size": "2", "compression.iterations": 2000,
                    "compression.penalty": "augmented_lagrangian", "gradients.quantizer": "fp", "gradients.clip": "none", "run.seed": 1, **keys}
            group = file.create_group(f"runs/{i:016x}")
            for key, value in keys.items():
                group.attrs[key] = str(value)
            group.attrs["status"] = "complete"
            size, direct = int(keys["compression.size"]), keys["experiment.method"] == "direct_compression"
            k = numpy.arange(1 if direct else steps + 1)
            loss = .02 + 2 / size * numpy.exp(-k / (2 if keys["experiment.method"] == "learning_compression" else 9)) * (1 + .05 * rng.random())
            for name, values in (("mu_step", k), ("train_loss", loss), ("test_loss", loss + .05), ("train_accuracy", 100 - 9 * loss), ("test_accuracy", 98 - 9 * loss),
                                 ("full_precision_train_loss", .01 + 0 * k), ("full_precision_test_loss", .06 + 0 * k), ("full_precision_train_accuracy", 100 - .001 * (k + 1)),
                                 ("full_precision_test_accuracy", 98 + 0 * k), ("gap", .7 * numpy.exp(-k / 3)), ("passes", rng.integers(1, 30, (k.size, 3))),
                                 ("codebook", numpy.sort(rng.standard_normal((k.size, 3, size)), axis=2) / 9), ("density", rng.integers(1, 99, (k.size, 3, 96))),
                                 ("density_limit", numpy.ones(3))):
                write_array(group, f"curves/compression/{name}", values)
            write_array(group, "final/compression/compression_ratio", 30.52)
            write_array(group, "final/bits_up", 1e9)
            group.create_group("provenance").attrs["commit"] = "0123abc"
    return path


def settings_of(experiment):
    """(axes, settings of the runs) of an experiment's synthetic grid."""
    if experiment == "dimension_linear":
        return (["model.dimension", "gradients.quantizer", "run.seed"],
                seeds([{"model.dimension": d, "gradients.quantizer": g} for d in (64, 256, 1024) for g in ("fp", "sq2")]))
    if experiment == "dimension_mlp":
        mlp = {"model.kind": "mlp", "weights.quantizer": "laq3", "workers.count": 2, "run.iterations": 4000,
               "optimizer.learning_rate": .001}
        main = seeds([{**mlp, "model.dimension": d, "gradients.quantizer": g} for d in (64, 256, 1024) for g in ("fp", "sq3")])
        literal = [{**mlp, "model.dimension": d, "gradients.quantizer": "sq3", "optimizer.learning_rate": .1, "run.seed": 1}
                   for d in (64, 1024)]
        return ["model.dimension", "gradients.quantizer", "optimizer.learning_rate", "run.seed"], main + literal
    if experiment == "resolution_linear":
        weights, gradients = ["fp", "lab"] + [f"laq{m}" for m in range(2, 9)], ["fp"] + [f"sq{m}" for m in range(2, 9)]
        return (["weights.quantizer", "gradients.quantizer", "run.seed"],
                seeds([{"weights.quantizer": w, "gradients.quantizer": g} for w in weights for g in gradients]))
    if experiment == "clipping_linear":
        return (["gradients.quantizer", "gradients.clip", "run.seed"],
                seeds([{"gradients.quantizer": "fp", "gradients.clip": "-"}] + [{"gradients.clip": c} for c in ("none", 1, 2, 3)]))
    if experiment == "workers_linear":
        return (["workers.count", "gradients.quantizer", "run.seed"],
                seeds([{"workers.count": n, "gradients.quantizer": g} for n in (1, 2, 4, 8, 16, 32) for g in ("fp", "sq2")]))
    if experiment == "mlp_mnist":
        mlp = {"model.kind": "mlp", "workers.count": 2, "run.iterations": 9000}
        return (["weights.quantizer", "gradients.quantizer", "run.seed"],
                seeds([{**mlp, "weights.quantizer": w, "gradients.quantizer": g}
                       for w in ("fp", "lab", "laq2", "laq3", "laq4") for g in ("fp", "sq2", "sq3", "sq4")]))
    cifarnet = {"model.kind": "cifarnet", "model.dimension": 64, "workers.count": 2, "run.iterations": 3910, "gradients.clip": "-"}
    if experiment in ("weight_bits", "gradient_bits"):
        clips = ("none",) if experiment == "weight_bits" else ("none", 3)
        gradients = [{"gradients.quantizer": "fp"}] + [{"gradients.quantizer": g, "gradients.clip": c} for g in ("sq2", "sq4") for c in clips]
        return (["weights.quantizer", "gradients.quantizer", "gradients.clip", "run.seed"],
                seeds([{**cifarnet, "weights.quantizer": w, **g} for w in ("fp", "lab", "laq3") for g in gradients]))
    if experiment == "clipping_cifarnet":
        laq2 = {**cifarnet, "weights.quantizer": "laq2"}
        return (["gradients.quantizer", "gradients.clip", "run.seed"],
                seeds([{**laq2, "gradients.quantizer": "fp"}] + [{**laq2, "gradients.clip": c} for c in ("none", 1, 2, 3)]
                      + [{**laq2, "gradients.quantizer": g, "gradients.clip": 3} for g in ("sq3", "sq4")]))
    if experiment == "dimension_cifarnet":
        return (["model.dimension", "gradients.quantizer", "run.seed"],
                seeds([{**cifarnet, "weights.quantizer": "laq2", "model.dimension": d, "gradients.quantizer": g} for d in (16, 32, 64) for g in ("fp", "sq2")]))
    if experiment == "workers_cifarnet":
        return (["workers.count", "gradients.quantizer", "gradients.clip", "run.seed"],
                seeds([{**cifarnet, "weights.quantizer": "laq3", "workers.count": n, **g} for n in (2, 4, 8)
                       for g in ({"gradients.quantizer": "fp"}, {"gradients.clip": "none"}, {"gradients.clip": 3})]))
    return (["weights.quantizer", "gradients.quantizer", "run.seed"],   # smoke, and any other
            seeds([{"model.dimension": 64, "weights.quantizer": w, "gradients.quantizer": g, "run.iterations": 500}
                   for w in ("lab", "laq3") for g in ("fp", "sq2")], 2))


def make(path, experiment, axes=None, settings=None, diverge=(), **options):
    """Write the file; `diverge` = indices of runs that diverge halfway."""
    default_axes, default_settings = settings_of(experiment)
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["format_version"] = "qsweep-results", 1
        file.attrs["experiment"], file.attrs["settings"] = experiment, "[experiment]\nname = " + experiment + "\n"
        file.attrs.create("axes", [*(default_axes if axes is None else axes)], dtype=h5py.string_dtype())
        for i, keys in enumerate(default_settings if settings is None else settings):
            write_run(file, experiment, keys, diverge=200 if i in diverge else None, **options)
    return path


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[0])
    make(sys.argv[2], sys.argv[1])
