#!/usr/bin/python3
"""A network that another program trained and wrote: direct compression gives the errors that this script computes for it in float64."""
import struct
import unittest

import h5py
import numpy

from program import ProgramTest

SIZES = (784, 300, 100, 10)
TRAINING, TESTING = 600, 10000
MNIST = 60000  # the program refuses another number

EXPERIMENT = """[experiment]
name = foreign
method = direct_compression
[data]
set = mnist
dir = .
limit = 600
[model]
kind = lenet300
initial = theirs.h5
[sweep.adapted]
compression.codebook = kmeans_exact
compression.size = 2
[sweep.given]
compression.codebook = binary, scaled_binary, ternary, scaled_ternary
[sweep.powers]
compression.codebook = powers_of_two
compression.smallest_power = 3
[sweep.fixed]
compression.codebook = fixed
compression.values = -0.3 -0.1 0.05 0.2
"""


def images(draws, patterns, count):
    """Noisy patterns, one for each class, as bytes."""
    labels = draws.integers(0, 10, count)
    noisy = .6 * patterns[labels] + .4 * draws.random((count, 784))
    return numpy.round(255 * noisy).astype(numpy.uint8), labels.astype(numpy.uint8)


def idx(values):
    shape = (len(values), 28, 28) if values.ndim == 2 else values.shape
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + values.tobytes()


def logits(weights, x):
    layers = [x]
    for i in (1, 2, 3):
        z = layers[-1] @ weights[f"fc{i}/weight"].T + weights[f"fc{i}/bias"]
        layers.append(numpy.tanh(z) if i < 3 else z)
    return layers


def log_probabilities(z):
    z = z - z.max(1, keepdims=True)
    return z - numpy.log(numpy.exp(z).sum(1, keepdims=True))


def train(draws, x, labels):
    """Plain gradient descent: enough to know most of the patterns."""
    weights = {}
    for i in (1, 2, 3):
        bound = (6 / (SIZES[i - 1] + SIZES[i])) ** .5
        weights[f"fc{i}/weight"] = draws.uniform(-bound, bound, (SIZES[i], SIZES[i - 1]))
        weights[f"fc{i}/bias"] = draws.normal(0, .05, SIZES[i])
    for _ in range(40):
        layers = logits(weights, x)
        delta = numpy.exp(log_probabilities(layers[-1]))
        delta[numpy.arange(len(x)), labels] -= 1
        delta /= len(x)
        for i in (3, 2, 1):
            back = delta @ weights[f"fc{i}/weight"] * (1 - layers[i - 1] ** 2) if i > 1 else None
            weights[f"fc{i}/weight"] -= .1 * delta.T @ layers[i - 1]
            weights[f"fc{i}/bias"] -= .1 * delta.sum(0)
            delta = back
    return {name: value.astype(numpy.float32) for name, value in weights.items()}


def nearest(w, codebook):
    codebook = numpy.asarray(codebook, float)
    return codebook[numpy.abs(w[..., None] - codebook).argmin(-1)]


def two_means(w):
    """The best of all splits of the sorted weights."""
    s = numpy.sort(w.ravel())
    n, below = numpy.arange(1, s.size), numpy.cumsum(s)[:-1]
    above = s.sum() - below
    k = (below ** 2 / n + above ** 2 / (s.size - n)).argmax()
    return below[k] / n[k], above[k] / (s.size - n[k])


def scaled_ternary(w):
    """a = mean of the k largest |w|, for the k that takes most off the distance: the theorem for {−a, 0, a}."""
    s = numpy.sort(numpy.abs(w.ravel()))[::-1]
    k = numpy.arange(1, s.size + 1)
    best = (numpy.cumsum(s) / numpy.sqrt(k)).argmax()
    a = s[:best + 1].mean()
    return nearest(w, [-a, 0, a])


COMPRESSED = {
    "kmeans_exact": lambda w: nearest(w, two_means(w)),
    "binary": lambda w: nearest(w, [-1, 1]),
    "scaled_binary": lambda w: numpy.where(w >= 0, 1, -1) * numpy.abs(w).mean(),
    "ternary": lambda w: nearest(w, [-1, 0, 1]),
    "scaled_ternary": scaled_ternary,
    "powers_of_two": lambda w: nearest(w, [0, *(s * 2. ** -c for c in range(4) for s in (1, -1))]),
    "fixed": lambda w: nearest(w, [-.3, -.1, .05, .2]),
}


class ForeignNetwork(ProgramTest):
    def test_direct_compression(self):
        draws = numpy.random.default_rng(5)
        patterns = draws.random((10, 784))
        sets = {"train": images(draws, patterns, TRAINING), "test": images(draws, patterns, TESTING)}
        self.write("mnist/empty", "")
        for name, (pixels, labels) in zip(("train", "t10k"), sets.values()):
            for kind, values in (("images-idx3", pixels), ("labels-idx1", labels)):
                whole = numpy.zeros((MNIST if name == "train" else TESTING, *values.shape[1:]), numpy.uint8)
                whole[:len(values)] = values
                with open(self.path("mnist", f"{name}-{kind}-ubyte"), "wb") as file:
                    file.write(idx(whole))
        theirs = train(draws, sets["train"][0] / 255, sets["train"][1])
        with h5py.File(self.path("theirs.h5"), "w") as file:
            file.attrs["format"] = "qsweep-results"
            for name, value in theirs.items():
                file["runs/theirs/final/weights/" + name] = value
        self.qsweep("run", self.write("foreign.ini", EXPERIMENT), ranks=2)

        weights = {name: value.astype(float) for name, value in theirs.items()}
        seen = set()
        for path in self.results("results", "foreign"):
            with h5py.File(path) as file:
                (run,) = file["runs"].values()
                codebook = run.attrs["compression.codebook"]
                compressed = {name: COMPRESSED[codebook](w) if name.endswith("weight") else w for name, w in weights.items()}
                for prefix, network in (("", compressed), ("full_precision_", weights)):
                    for which, (pixels, labels) in sets.items():
                        p = log_probabilities(logits(network, pixels / 255)[-1])
                        loss = -p[numpy.arange(len(p)), labels].mean()
                        accuracy = 100 * (p.argmax(1) == labels).mean()
                        ours = run["final/compression"]
                        self.assertAlmostEqual(ours[f"{prefix}{which}_loss"][()] / loss, 1, delta=2e-6, msg=f"{codebook} {which}")
                        self.assertAlmostEqual(ours[f"{prefix}{which}_accuracy"][()], accuracy, delta=1e-9, msg=f"{codebook} {which}")
                for i in (1, 2, 3):  # and what is stored unpacks to it
                    stored = run[f"final/quantized_weights/fc{i}/weight"]
                    bits = numpy.unpackbits(stored["codes"][()], bitorder="little")
                    width, shape = int(stored["codes"].attrs["bits"]), stored["codes"].attrs["shape"]
                    codes = bits[:width * numpy.prod(shape)].reshape(-1, width) @ (1 << numpy.arange(width))
                    values = stored["levels"][()][codes].reshape(shape) * stored["scale"][()]
                    numpy.testing.assert_allclose(values, compressed[f"fc{i}/weight"], rtol=1e-5, atol=1e-9)
                seen.add((codebook, round(float(run["final/compression/test_accuracy"][()]), 3)))
        self.assertEqual({codebook for codebook, _ in seen}, set(COMPRESSED))
        self.assertGreater(len({accuracy for _, accuracy in seen}), 2, "the codebooks make a difference")


if __name__ == "__main__":
    unittest.main()
