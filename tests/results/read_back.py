#!/usr/bin/python3
"""read_back.py FILE.h5: checks the file that tests/results/python_test.cpp writes, value by value. Exits 0 if all is as written."""
import sys

import h5py
import numpy as np


def check(name, found, wanted):
    same = type(found) is type(wanted) and np.array_equal(found, wanted) if isinstance(wanted, str) else np.array_equal(found, wanted)
    if not same:
        sys.exit(f"{name}: found {found!r}, wanted {wanted!r}")


with h5py.File(sys.argv[1], "r") as file:
    check("format", file.attrs["format"], "qsweep-results")
    check("format_version", file.attrs["format_version"], 1)
    check("experiment", file.attrs["experiment"], "smoke")
    check("settings", file.attrs["settings"], "[model]\ndimension = 6\n")
    check("axes", list(file.attrs["axes"]), ["model.dimension", "run.seed"])
    check("runs in the order written", list(file["runs"]), ["zz", "aa"])
    for run in file["runs"].values():
        check("dimension", run.attrs["model.dimension"], 6)
        check("learning rate", run.attrs["optimizer.learning_rate"], 0.1)
        check("quantizer", run.attrs["weights.quantizer"], "lat")
        check("milestones", run.attrs["optimizer.milestones"], [80, 140])
        check("empty", run.attrs["empty"], "")
        check("iteration", run["curves/iteration"][:], [1, 2, 1 << 60])
        check("loss", run["curves/loss"][:], [1.5, np.inf, 1e-300])
        check("loss type", run["curves/loss"].dtype.str, "<f8")
        check("loss unit", run["curves/loss"].attrs["unit"], "loss")
        check("loss name", run["curves/loss"].attrs["long_name"], "training loss f(ŵ)")
        check("names", list(run["curves/names"].asstr()[:]), ["größe", ""])
        check("no points", run["curves/nothing"].shape, (0,))
        check("final loss", run["final/loss"][()], 1e-300)
        weight = run["final/weights/fc1/weight"]
        check("weight type", weight.dtype.str, "<f4")
        check("weight", weight[:], np.array([[1, -2, np.float32(3.14159265)], [4, np.float32(1e-30), -0.0]], "f4"))
        check("codes type", run["final/quantized_weights/fc1/weight/codes"].dtype.str, "|u1")
        check("ranks", run["provenance"].attrs["ranks"], 2)
        check("environment", run["provenance"].attrs["environment"].shape, (0,))

        def described(path, item):
            if isinstance(item, h5py.Dataset) and not (isinstance(item.attrs.get("unit"), str) and isinstance(item.attrs.get("long_name"), str)):
                sys.exit(f"{path}: lacks unit or long_name")

        run.visititems(described)
