#!/usr/bin/env python3
"""torch_trajectory.py QSWEEP [--store] [NAME...]   ten training steps of each network beside PyTorch's

Every network is written down once more, in PyTorch and float64, from its publication (NETWORKS below). Weights and images are made
by a formula, written in the program's documented formats (results/FORMAT.md, CIFAR-10 binary, IDX), and trained by both. Compared:
the ten losses, the loss over the training set and over the test set in evaluation mode, and the running statistics of batch norm.
  stored half   the program against tests/train/torch_trajectory.json: always
  live half     the file against PyTorch: only where python3-torch is installed, else skipped, loudly
Another program's release changes nothing here as long as it computes the same. To make the file anew, from the repository's folder:
  /usr/bin/python3 tests/train/torch_trajectory.py build/qsweep --store
Exit 77 (skipped, loudly) without numpy or h5py.
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import types

LIMIT, STEPS, TEST = 96, 10, 10_000  # the program wants all test images: 40 different ones, 250 times
TOLERANCE = 1e-4  # relative, of losses; statistics are compared to it against the largest of their tensor
LEVELS_TOLERANCE = 1e-3  # with quantized activations: 1e-7 until float32 rounds one value to the other side of a level's edge; then a whole step differs
STORED = pathlib.Path(__file__).with_suffix(".json")


def skip(why):
    print(f"\n*** SKIPPED: {why}: the networks are NOT checked against PyTorch ***\n", file=sys.stderr)
    sys.exit(77)


try:
    import h5py
    import numpy as np
except ImportError as error:
    skip(f"python3-numpy and python3-h5py are missing ({error})")
try:
    import torch
    import torch.nn.functional as F
except ImportError:
    torch = None


def uniform(shape, seed):
    """In [0, 1): splitmix64 of seed and index, the same with every version of numpy."""
    with np.errstate(over="ignore"):
        z = (np.arange(np.prod(shape, dtype=np.int64), dtype=np.uint64) + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape)


# ---- images: ten patterns and noise ---------------------------------------------------------------------------------------------

def images(channels, side, count, seed):
    labels = (np.arange(count) * 7 + seed) % 10
    patterns = np.kron(uniform((10, channels, side // 4, side // 4), 1), np.ones((4, 4)))
    return np.floor(255 * (0.4 * patterns[labels] + 0.6 * uniform((count, channels, side, side), seed))).astype(np.uint8), labels.astype(np.uint8)


def write_images(folder, grey):
    """The training and test images, also as files where the program looks for them."""
    train, test = (images(1, 28, n, s) if grey else images(3, 32, n, s) for n, s in ((LIMIT, 2), (40, 3)))
    whole = [np.concatenate([part] * (TEST // 40)) for part in test]
    if grey:
        for name, count, (x, y) in (("train", 60_000, train), ("t10k", TEST, whole)):  # the header counts all; data.limit reads the first
            (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, count, 28, 28) + x.tobytes())
            (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + y.tobytes())
    else:
        for name, (x, y) in (("data_batch_1", train), ("test_batch", whole)):
            (folder / f"{name}.bin").write_bytes(np.hstack([y[:, None], x.reshape(len(y), -1)]).tobytes())
    return train, test


# ---- the networks, as functions of named tensors ---------------------------------------------------------------------------------
# p: parameters and running statistics by name; train: batch norm takes the mini-batch's own statistics, and counts them.

def conv(p, i, x, stride=1, padding=0):
    return F.conv2d(x, p[f"conv{i}/weight"], p.get(f"conv{i}/bias"), stride=stride, padding=padding)


def fc(p, i, x):
    return F.linear(x, p[f"fc{i}/weight"], p[f"fc{i}/bias"])


def bn(p, i, x, train):
    if f"bn{i}/running_mean" not in p:
        return x
    return F.batch_norm(x, p[f"bn{i}/running_mean"], p[f"bn{i}/running_var"], p.get(f"bn{i}/weight"), p.get(f"bn{i}/bias"), train, 0.1, 1e-5)


def mlp(p, x, act, train):
    return fc(p, 2, act(fc(p, 1, x.flatten(1))))


def lenet300(p, x, act, train):
    return fc(p, 3, act(fc(p, 2, act(fc(p, 1, x.flatten(1))))))


def lenet5(p, x, act, train):
    x = F.max_pool2d(act(bn(p, 1, conv(p, 1, x), train)), 2)
    x = F.max_pool2d(act(bn(p, 2, conv(p, 2, x), train)), 2)
    return fc(p, 4, act(bn(p, 3, fc(p, 3, x.flatten(1)), train)))


def same_pool(x):
    """TensorFlow's SAME for 3/2 on an even size: nothing before, one after."""
    return F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, 2)


def response_norm(x):
    """PyTorch divides its alpha by the window, TensorFlow does not: 9 · .001/9."""
    return F.local_response_norm(x, 9, alpha=0.001, beta=0.75, k=1.0)


def cifarnet(p, x, act, train):
    x = response_norm(same_pool(act(conv(p, 1, x, padding=2))))
    x = same_pool(response_norm(act(conv(p, 2, x, padding=2))))
    return fc(p, 5, act(fc(p, 4, act(fc(p, 3, x.flatten(1))))))


def vgg11(p, x, act, train):
    for i in range(1, 9):
        x = act(bn(p, i, conv(p, i, x, padding=1), train))
        if i in (1, 2, 4, 6, 8):
            x = F.max_pool2d(x, 2)
    return fc(p, 9, x.flatten(1))


def resnet20(p, x, act, train):
    x = act(bn(p, 1, conv(p, 1, x, padding=1), train))
    i = 1
    for width in (16, 32, 64):
        for block in range(3):
            stride = 2 if block == 0 and width != 16 else 1
            y = act(bn(p, i + 1, conv(p, i + 1, x, stride=stride, padding=1), train))
            y = bn(p, i + 2, conv(p, i + 2, y, padding=1), train)
            if stride == 2:
                x = F.pad(F.avg_pool2d(x, 1, 2), (0, 0, 0, 0, 0, width // 2))
            x = act(y + x)
            i += 2
    return fc(p, 20, F.avg_pool2d(x, 8).flatten(1))


def binaryconnect_vgg(p, x, act, train):
    for i in range(1, 7):
        x = conv(p, i, x, padding=1)
        x = act(bn(p, i, F.max_pool2d(x, 2) if i % 2 == 0 else x, train))
    x = x.flatten(1)
    for i in (7, 8):
        x = act(bn(p, i, fc(p, i, x), train))
    return fc(p, 9, x)


def shapes_of(kind, batch_norm, width):
    """Name -> shape of each parameter, and how many channels each batch norm has."""
    three = lambda widths: {f"conv{i}/weight": (o, c, 3, 3) for i, (c, o) in enumerate(zip(widths, widths[1:]), 1)}
    weights = {
        "mlp": {"fc1/weight": (width, 784), "fc2/weight": (10, width)},
        "lenet300": {"fc1/weight": (300, 784), "fc2/weight": (100, 300), "fc3/weight": (10, 100)},
        "lenet5": {"conv1/weight": (20, 1, 5, 5), "conv2/weight": (50, 20, 5, 5), "fc3/weight": (500, 800), "fc4/weight": (10, 500)},
        "cifarnet": {"conv1/weight": (width, 3, 5, 5), "conv2/weight": (width, width, 5, 5), "fc3/weight": (384, 36 * width),
                     "fc4/weight": (192, 384), "fc5/weight": (10, 192)},
        "vgg11": three([3, 64, 128, 256, 256, 512, 512, 512, 512]) | {"fc9/weight": (10, 512)},
        "resnet20": three([3] + [16] * 7 + [32] * 6 + [64] * 6) | {"fc20/weight": (10, 64)},
        "binaryconnect_vgg": three([3, 128, 128, 256, 256, 512, 512]) | {"fc7/weight": (1024, 8192), "fc8/weight": (1024, 1024), "fc9/weight": (10, 1024)},
    }[kind]
    shapes, normalized = dict(weights), {}
    for name, shape in weights.items():
        layer = name.split("/")[0]
        number = layer.lstrip("convf")
        last = number == str(max(int(n.split("/")[0].lstrip("convf")) for n in weights))
        if not (kind == "resnet20" and layer.startswith("conv")):
            shapes[f"{layer}/bias"] = shape[:1]
        if batch_norm != "none" and not last:
            normalized[f"bn{number}"] = shape[0]
    if batch_norm == "affine":
        for name, channels in normalized.items():
            shapes |= {f"{name}/weight": (channels,), f"{name}/bias": (channels,)}
    return shapes, normalized


def initial_weights(case):
    """Uniform with variance 2/inputs; biases and batch norm's parameters are not where they usually begin."""
    shapes, normalized = shapes_of(case.kind, case.batch_norm, case.width)
    made = {}
    for seed, (name, shape) in enumerate(sorted(shapes.items()), 100):
        draws = 2 * uniform(shape, seed) - 1
        if len(shape) > 1:
            made[name] = draws * np.sqrt(6 / np.prod(shape[1:]))
        else:
            made[name] = 0.2 * draws + (1 if name.startswith("bn") and name.endswith("weight") else 0)
    for seed, (name, channels) in enumerate(normalized.items(), 500):
        made[f"{name}/running_mean"] = uniform((channels,), seed) - 0.5
        made[f"{name}/running_var"] = 0.5 + uniform((channels,), seed + 100)
    return {name: values.astype(np.float32) for name, values in made.items()}


def network(name, kind, *, function=None, batch_norm="none", activation="relu", width=0, workers=1, batch=32, rate=0.01, momentum=0.0, decay=0.0, tested=True,
            bits=0, ste=""):
    return types.SimpleNamespace(name=name, kind=kind, function=function or globals()[kind], batch_norm=batch_norm, activation=activation, width=width,
                                 workers=workers, batch=batch, rate=rate, momentum=momentum, decay=decay, tested=tested, bits=bits, ste=ste)


# The table: each row is one training. `tested` = False: 10,000 test images would take the program a minute. Rates are such that float32's
# rounding does not grow beyond the tolerance in ten steps: at resnet20's .002 with momentum PyTorch's own float32 is 1.5e-4 off.
NETWORKS = [
    network("mlp", "mlp", width=24),
    network("mlp_tanh_momentum", "mlp", width=24, activation="tanh", momentum=0.9),
    network("lenet300", "lenet300", activation="tanh"),
    network("lenet300_relu", "lenet300"),
    network("lenet5", "lenet5"),
    network("lenet5_plain_momentum_decay", "lenet5", batch_norm="plain", momentum=0.9, rate=0.002, decay=0.01),
    network("lenet5_affine_two_workers", "lenet5", batch_norm="affine", workers=2, batch=16, rate=0.005),
    network("lenet5_2_bits_identity", "lenet5", batch_norm="plain", bits=2, ste="identity", rate=0.001),
    network("lenet5_2_bits_relu", "lenet5", batch_norm="plain", bits=2, ste="relu", rate=0.001),
    network("lenet5_4_bits_clipped_relu", "lenet5", batch_norm="plain", bits=4, ste="clipped_relu", rate=0.0002),
    network("lenet5_tanh", "lenet5", activation="tanh"),
    network("cifarnet", "cifarnet", width=64, rate=0.001),
    network("cifarnet_tanh_narrow", "cifarnet", width=20, activation="tanh"),
    network("vgg11", "vgg11", batch_norm="plain", batch=16, tested=False),
    network("vgg11_affine", "vgg11", batch_norm="affine", batch=8, tested=False),
    network("resnet20", "resnet20", batch_norm="plain", rate=0.0005),
    network("resnet20_affine_two_workers", "resnet20", batch_norm="affine", workers=2, batch=16, rate=0.0005, tested=False),
    network("binaryconnect_vgg", "binaryconnect_vgg", batch_norm="affine", batch=8, rate=0.00003, tested=False),
    network("binaryconnect_vgg_plain_tanh", "binaryconnect_vgg", batch_norm="plain", activation="tanh", batch=8, rate=0.00003, tested=False),
]
MEAN, DEVIATION = 0.5, 0.25  # data.mean, data.std of every channel


def is_grey(case):
    return case.kind in ("mlp", "lenet300", "lenet5")


# ---- PyTorch ---------------------------------------------------------------------------------------------------------------------

def tensor(case, pixels):
    x = torch.from_numpy((pixels / 255 - MEAN) / DEVIATION)
    return x[:, :, 4:28, 4:28].contiguous() if case.kind == "cifarnet" else x


def sigma(x, bits, ste):
    """Quantized activation of ceil type with the published step; its derivative is the straight-through estimator's."""
    alpha, levels = float(np.float32({2: 0.6511, 4: 0.1946}[bits])), 2**bits - 1
    surrogate = {"identity": x, "relu": torch.relu(x), "clipped_relu": torch.clamp(x, 0, levels * alpha)}[ste]
    return surrogate + (alpha * torch.clamp(torch.ceil(x / alpha), 0, levels) - surrogate).detach()


def activation(case):
    if case.bits:
        return lambda x: sigma(x, case.bits, case.ste)
    return torch.tanh if case.activation == "tanh" else torch.relu


def evaluated(case, p, part):
    pixels, labels = part
    with torch.no_grad():
        act = activation(case)
        return float(F.cross_entropy(case.function(p, tensor(case, pixels), act, False), torch.from_numpy(labels.astype(np.int64))))


def pytorch(case, train, test):
    """Losses f_1 … f_T, each the mean over the workers, what evaluation gives at the end, and the final running statistics."""
    weights = {name: torch.from_numpy(values.astype(np.float64)) for name, values in initial_weights(case).items()}
    is_statistic = lambda name: name.split("/")[1].startswith("running")
    parameters = {name: value.requires_grad_() for name, value in weights.items() if not is_statistic(name)}
    statistics = [{name: value.clone() for name, value in weights.items() if is_statistic(name)} for _ in range(case.workers)]
    optimizer = torch.optim.SGD(parameters.values(), lr=case.rate, momentum=case.momentum, weight_decay=case.decay)
    x, labels = tensor(case, train[0]), torch.from_numpy(train[1].astype(np.int64))
    act = activation(case)
    losses = []
    for t in range(STEPS):
        optimizer.zero_grad()
        total = 0
        for worker in range(case.workers):
            rows = (np.arange(case.batch) + (t * case.workers + worker) * case.batch) % LIMIT
            z = case.function(parameters | statistics[worker], x[rows], act, True)
            total = total + F.cross_entropy(z, labels[rows]) / case.workers
        losses.append(float(total))
        total.backward()
        optimizer.step()
    mean = {name: sum(s[name] for s in statistics) / case.workers for name in statistics[0]}
    result = {"losses": losses, "train_loss": evaluated(case, parameters | mean, train)}
    if case.tested:
        result["test_loss"] = evaluated(case, parameters | mean, test)
    result["statistics"] = {name: summary(values.numpy()) for name, values in mean.items()}
    return result


def summary(values):
    """Mean, norm, and two projections: what a running statistic is compared by."""
    draws = uniform((2, values.size), 7)
    return [float(values.mean()), float(np.sqrt((values**2).mean())), *(float((d * values).mean()) for d in draws)]


# ---- the program -----------------------------------------------------------------------------------------------------------------

def program(qsweep, case, folder):
    initial = folder / f"{case.name}.h5"
    with h5py.File(initial, "w") as file:
        file.attrs["format"] = "qsweep-results"
        for name, values in initial_weights(case).items():
            file[f"runs/x/final/weights/{name}"] = values
    channels = 1 if is_grey(case) else 3
    lines = {
        "data": {"set": "mnist" if is_grey(case) else "cifar10", "dir": folder, "limit": LIMIT, "shuffle": "false", "augment": "none", "normalize": "standard",
                 "mean": " ".join([str(MEAN)] * channels), "std": " ".join([str(DEVIATION)] * channels)},
        "model": {"kind": case.kind, "activation": case.activation, "initial": initial, "l2": 0},
        "workers": {"count": case.workers, "batch": case.batch},
        "optimizer": {"kind": "momentum" if case.momentum else "sgd", "learning_rate": case.rate, "weight_decay": case.decay},
        "run": {"iterations": STEPS, "record_every": 1, "evaluate_every": "end" if case.tested else "never", "evaluate_train_every": "end"},
    }
    if case.kind == "cifarnet":
        lines["data"]["crop"] = 24
    if case.kind in ("mlp", "cifarnet"):
        lines["model"]["dimension"] = case.width
    if case.kind not in ("mlp", "lenet300"):
        lines["model"]["convolution"] = "direct"
    if case.kind in ("lenet5", "vgg11", "resnet20", "binaryconnect_vgg"):
        lines["model"]["batch_norm"] = case.batch_norm
    if case.kind == "lenet5":
        lines["model"]["dropout"] = 0
    if case.bits:
        lines["activations"] = {"bits": case.bits, "ste": case.ste}
    if case.momentum:
        lines["optimizer"]["momentum"] = case.momentum
    experiment = folder / f"{case.name}.ini"
    experiment.write_text(f"[experiment]\nname = {case.name}\n" +
                          "".join(f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for section, keys in lines.items()))
    done = subprocess.run([qsweep, "run", str(experiment), "--out", str(folder / "out")], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{qsweep} run {experiment.name}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    (results,) = (folder / "out" / case.name).glob("*.h5")
    with h5py.File(results) as file:
        (run,) = file["runs"].values()
        found = {"losses": list(run["curves/loss"]), "train_loss": float(run["final/train_loss"][()])}
        if case.tested:
            found["test_loss"] = float(run["final/test_loss"][()])
        found["statistics"] = {f"{layer}/{name}": summary(values[()].astype(np.float64)) for layer, tensors in run["final/weights"].items() if layer.startswith("bn")
                               for name, values in tensors.items() if name.startswith("running")}
        return found


# ---- comparing -------------------------------------------------------------------------------------------------------------------

def difference(a, b):
    """The largest relative difference of the losses, and of the statistics (against the norm of theirs)."""
    if len(a["losses"]) != STEPS or a.keys() != b.keys() or a["statistics"].keys() != b["statistics"].keys():
        sys.exit(f"not the same things: {sorted(a)} {sorted(a['statistics'])} beside {sorted(b)} {sorted(b['statistics'])}")
    pairs = list(zip(a["losses"], b["losses"])) + [(a[k], b[k]) for k in ("train_loss", "test_loss") if k in a]
    losses = max(abs(x - y) / abs(y) for x, y in pairs)
    statistics = max((abs(x - y) / b["statistics"][name][1] for name, values in a["statistics"].items() for x, y in zip(values, b["statistics"][name])), default=0.0)
    return losses, statistics


def main():
    arguments = [a for a in sys.argv[1:] if a != "--store"]
    store = "--store" in sys.argv
    if not arguments or any(a.startswith("-") for a in arguments):
        sys.exit(__doc__)
    if torch is None:
        print("\n*** python3-torch is not installed: the stored losses are NOT checked against PyTorch ***\n", file=sys.stderr)
        if store:
            sys.exit("--store needs python3-torch")
    else:
        torch.set_num_threads(1)
    qsweep = str(pathlib.Path(arguments[0]).resolve())
    cases = [case for case in NETWORKS if not arguments[1:] or case.name in arguments[1:]]
    stored = json.loads(STORED.read_text())["networks"] if STORED.exists() else {}
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        parts = {grey: write_images(folder, grey) for grey in (True, False)}
        print(f"{'':30}{'loss 1':>9}{'loss 10':>9}{'program beside stored':>24}{'stored beside PyTorch':>24}")
        for case in cases:
            live = pytorch(case, *parts[is_grey(case)]) if torch is not None else None
            if store:
                stored[case.name] = live
                about = "losses of PyTorch in float64; made by tests/train/torch_trajectory.py QSWEEP --store"
                STORED.write_text(json.dumps({"about": about, "torch": torch.__version__, "networks": stored}, indent=1) + "\n")
            beside_stored = difference(program(qsweep, case, folder), stored[case.name])
            beside_torch = difference(stored[case.name], live) if live is not None else None
            moved = abs(stored[case.name]["losses"][-1] / stored[case.name]["losses"][0] - 1) > 0.01
            good = moved and all(x <= (LEVELS_TOLERANCE if case.bits else TOLERANCE) for x in beside_stored) and (beside_torch is None or all(x <= 1e-6 for x in beside_torch))  # NaN is not good
            text = lambda pair: "not checked" if pair is None else f"{pair[0]:.1e} / {pair[1]:.1e}"
            print(f"{case.name:30}{stored[case.name]['losses'][0]:9.4f}{stored[case.name]['losses'][-1]:9.4f}{text(beside_stored):>24}{text(beside_torch):>24}{'' if good else '  TOO LARGE'}", flush=True)
            failed += not good
    print("(largest relative difference of losses / of running statistics)")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
