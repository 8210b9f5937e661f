#!/usr/bin/env python3
"""mlp_reference.py QSWEEP [DATA_DIR]   ten iterations of the mlp in float64 numpy against the program's own

Reads the data files by itself, computes forward, backward and update by itself, and compares the ten training losses to 1e-6
relative, for SGD and momentum, MNIST and CIFAR-10, pixels/255 and standard. Both start from weights that this script writes.
Exit 77 (skipped, loudly) without data; numpy and h5py are needed.
"""
import gzip
import lzma
import os
import pathlib
import subprocess
import sys
import tempfile

ITERATIONS, WORKERS, BATCH, HIDDEN, RATE, MOMENTUM, L2, LIMIT = 10, 2, 32, 24, 0.1, 0.9, 0.01, 2000
TOLERANCE = 1e-6  # a float32 sum of 3,072 products is good to about 1e-6 at worst, 1e-8 as measured; a wrong term shows at 1e-3


def skip(why):
    print(f"\n*** SKIPPED: {why}: the mlp is NOT checked against numpy ***\n", file=sys.stderr)
    sys.exit(77)


try:
    import h5py
    import numpy as np
except ImportError as error:
    skip(f"python3-numpy and python3-h5py are missing ({error})")


def read(directory, name, size):
    for path, opener in ((directory / name, open), (directory / f"{name}.gz", gzip.open), (directory / f"{name}.xz", lzma.open)):
        if path.exists():
            with opener(path, "rb") as file:
                return file.read(size)
    return None


def mnist(root):
    images = read(root / "mnist", "train-images-idx3-ubyte", 16 + 784 * LIMIT)
    labels = read(root / "mnist", "train-labels-idx1-ubyte", 8 + LIMIT)
    if images is None or labels is None:
        return None
    return np.frombuffer(images, np.uint8, offset=16).reshape(LIMIT, 1, 784), np.frombuffer(labels, np.uint8, offset=8)


def cifar10(root):
    batch = read(root / "cifar10", "data_batch_1.bin", 3073 * LIMIT)
    if batch is None:
        return None
    rows = np.frombuffer(batch, np.uint8).reshape(LIMIT, 3073)
    return rows[:, 1:].reshape(-1, 3, 1024), rows[:, 0]


def losses(x, labels, weights, momentum, activation):
    """f_t of t = 1 ... T: mean over workers of the mean over their mini-batches, with the penalty."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    velocity = {name: np.zeros_like(value) for name, value in w.items()}
    out = []
    for t in range(ITERATIONS):
        loss, gradient = 0.0, {name: np.zeros_like(value) for name, value in w.items()}
        for worker in range(WORKERS):
            rows = np.arange(BATCH) + (t * WORKERS + worker) * BATCH
            data, label = x[rows % len(x)], labels[rows % len(x)].astype(int)
            before = data @ w["fc1/weight"].T + w["fc1/bias"]
            hidden = np.maximum(before, 0) if activation == "relu" else np.tanh(before)
            z = hidden @ w["fc2/weight"].T + w["fc2/bias"]
            z = z - z.max(axis=1, keepdims=True)
            log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
            loss += -log_p[np.arange(BATCH), label].mean() + L2 / 2 * sum((w[n] ** 2).sum() for n in ("fc1/weight", "fc2/weight"))
            delta = np.exp(log_p)
            delta[np.arange(BATCH), label] -= 1
            delta /= BATCH
            back = (delta @ w["fc2/weight"]) * ((before > 0) if activation == "relu" else 1 - hidden**2)
            gradient["fc2/weight"] += delta.T @ hidden + L2 * w["fc2/weight"]
            gradient["fc2/bias"] += delta.sum(axis=0)
            gradient["fc1/weight"] += back.T @ data + L2 * w["fc1/weight"]
            gradient["fc1/bias"] += back.sum(axis=0)
        out.append(loss / WORKERS)
        for name in w:
            velocity[name] = momentum * velocity[name] + gradient[name] / WORKERS
            w[name] -= RATE * velocity[name]
    return np.array(out)


def program(qsweep, folder, root, data_set, activation, initial):
    """The losses of a grid of four runs, by (data.normalize, optimizer.kind)."""
    experiment = folder / "reference.ini"
    experiment.write_text(f"""
[experiment]
name = reference
[data]
set = {data_set}
dir = {root.resolve()}
limit = {LIMIT}
shuffle = false
normalize = none, standard
[model]
kind = mlp
dimension = {HIDDEN}
activation = {activation}
l2 = {L2}
initial = {initial}
[workers]
count = {WORKERS}
batch = {BATCH}
[optimizer]
kind = sgd, momentum
learning_rate = {RATE}
momentum = {MOMENTUM}
[run]
iterations = {ITERATIONS}
record_every = 1
evaluate_train_every = never
""")
    out = folder / data_set
    done = subprocess.run([qsweep, "run", str(experiment), "--out", str(out)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{qsweep} run: exit {done.returncode}\n{done.stdout}{done.stderr}")
    found = {}
    for file in (out / "reference").glob("*.h5"):
        with h5py.File(file) as results:
            (run,) = results["runs"].values()
            assert list(run["curves/iteration"]) == list(range(1, ITERATIONS + 1)), "a point of every iteration"
            found[run.attrs["data.normalize"], run.attrs["optimizer.kind"]] = run["curves/loss"][()]
    return found


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    qsweep = str(pathlib.Path(sys.argv[1]).resolve())
    repository = pathlib.Path(__file__).resolve().parents[2]
    places = [os.environ.get("QSWEEP_DATA"), repository / "data", repository / ".." / "shared" / "data"]
    roots = [pathlib.Path(p) for p in sys.argv[2:] or places if p]
    compared, failed = 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for data_set, load, activation in (("mnist", mnist, "relu"), ("cifar10", cifar10, "tanh")):
            root, images = next(((r, images) for r in roots if (images := load(r)) is not None), (None, None))
            if root is None:
                print(f"\n*** no {data_set} below {', '.join(map(str, roots))}: NOT checked ***\n", file=sys.stderr)
                continue
            pixels, labels = images
            scaled = pixels.astype(np.float64) / 255
            inputs = scaled[0].size
            draws = np.random.default_rng(1)
            shapes = {"fc1/weight": (HIDDEN, inputs), "fc1/bias": (HIDDEN,), "fc2/weight": (10, HIDDEN), "fc2/bias": (10,)}
            weights = {name: draws.uniform(-0.05, 0.05, shape).astype(np.float32) for name, shape in shapes.items()}
            initial = folder / f"{data_set}.h5"
            with h5py.File(initial, "w") as file:
                file.attrs["format"] = "qsweep-results"
                for name, value in weights.items():
                    file[f"runs/mine/final/weights/{name}"] = value
            measured = program(qsweep, folder, root, data_set, activation, initial)
            for normalize in ("none", "standard"):
                x = scaled
                if normalize == "standard":
                    x = (scaled - scaled.mean(axis=(0, 2), keepdims=True)) / scaled.std(axis=(0, 2), keepdims=True)
                for kind in ("sgd", "momentum"):
                    expected = losses(x.reshape(len(x), -1), labels, weights, MOMENTUM if kind == "momentum" else 0, activation)
                    error = np.max(np.abs(measured[normalize, kind] - expected) / np.abs(expected))
                    good = bool(error <= TOLERANCE) and expected[-1] != expected[0]  # NaN is not good
                    print(f"{data_set:8} {normalize:8} {kind:8} {activation}: {expected[0]:.6f} to {expected[-1]:.6f}, largest difference {error:.1e}{'' if good else '  TOO LARGE'}")
                    compared, failed = compared + 1, failed + (not good)
    if compared == 0:
        skip("no data files (README tells where to get them)")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
