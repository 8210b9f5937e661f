"""Between qsweep and the simulator, for scripts/simulate_cluster.sh.

    cluster.py profile RUN.h5 FOLDER NS         a run of one worker -> FOLDER/tensors, FOLDER/times; NS: ns to add a code
    cluster.py store FOLDER LATENCY FILE.h5     FOLDER/table and the profile -> a results file that plot.py draws
"""
import sys

import h5py
import numpy


def profile(file, folder, nanoseconds):
    """Seconds of one iteration: computing, quantizing both ways, update, and adding the codes of one worker more."""
    with h5py.File(file, "r") as results:
        (run,) = results["runs"].values()
        iterations = int(run.attrs["iterations"])
        tensors = []
        run["final/weights"].visititems(lambda name, item: tensors.append((name, item.size)) if isinstance(item, h5py.Dataset) else None)
        order = sorted(tensors, key=lambda t: (t[0].split("/")[0].lstrip("convfc"), t[0].endswith("bias")))
        with open(folder + "/tensors", "w") as out:
            for name, size in order:
                out.write(f"{name} {size} {int(name.endswith('weight'))}\n")
        seconds = {name: float(run["runtime/" + name][()]) / iterations for name in ("quantize", "update")}
        seconds["compute"] = float(run["network/compute_time"][()])
        with open(folder + "/times", "w") as out:
            out.write("{compute:.6f} {quantize:.6f} {update:.6f} ".format(**seconds) + f"{float(nanoseconds) * 1e-9 * sum(s for _, s in tensors):.6f}\n")
        with open(folder + "/keys", "w") as out:
            for key in ("model.kind", "workers.batch", "weights.quantizer"):
                out.write(f"{run.attrs[key]}\n")
            out.write(f"{sum(size for _, size in tensors)}\n{run['provenance'].attrs['commit']}\n")


def store(folder, latency, file):
    rows = [line.split() for line in open(folder + "/table")]
    model, batch, weights, elements, commit = open(folder + "/keys").read().split()
    compute, _, update, _ = map(float, open(folder + "/times").read().split())
    series = {}
    for network, sizes_only, topology, bits, ranks, seconds in rows:
        series.setdefault((network, topology, bits), []).append((int(ranks), float(seconds), int(sizes_only)))
    with h5py.File(file, "w") as out:
        out.attrs.update(format="qsweep-results", format_version=1, experiment="simulated_cluster", settings="")
        out.attrs["axes"] = ["network.bandwidth", "workers.exchange", "gradient_bits"]
        for (network, topology, bits), points in series.items():
            run = out.create_group(f"runs/{topology}-{bits}-{network}")
            run.attrs.update({"status": "complete", "workers.exchange": topology, "gradient_bits": int(bits), "network.bandwidth": float(network),
                              "network.latency": latency, "model": model, "batch": batch, "elements": elements, "weights.quantizer": weights,
                              "compute": compute})
            run.create_group("provenance").attrs["commit"] = commit
            ranks, seconds, sizes = (numpy.array(column, float) for column in zip(*sorted(points)))
            for name, unit, label, values in (("ranks", "1", "ranks P", ranks), ("seconds", "s", "simulated time of one iteration", seconds),
                                              ("efficiency", "1", "weak-scaling efficiency", (compute + update) / seconds),
                                              ("sizes_only", "1", "1: messages held no codes", sizes)):
                data = run.create_dataset("bench/" + name, data=values)
                data.attrs.update(unit=unit, long_name=label)


if __name__ == "__main__":
    {"profile": profile, "store": store}[sys.argv[1]](*sys.argv[2:])
