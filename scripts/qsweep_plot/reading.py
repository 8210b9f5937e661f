"""A qsweep results file as plain values: runs with their keys and arrays. Nothing else here knows HDF5."""
import glob
import os
import re

import h5py
import numpy

GROUPS = ("curves", "curves/starts", "curves/quantiles", "curves/line", "bound", "final",
          "compression", "network", "bench")           # what figures are made of; weights and traffic stay in the file
EVALUATED = ("test_", "train_", "averaged_test_")      # these curves are over evaluation_iteration
NOT_AXES = ("run.seed",)                               # seeds are averaged over, never an axis of a figure


class DataError(Exception):
    """A file that cannot be drawn, or not written: one line that names it and says what is wrong."""


FORMAT_VERSION = 1
HDF5 = b"\x89HDF\r\n\x1a\n"  # how its files begin


def require_replaceable(path, kind, begins=(b"",)):
    """Where a figure or page is to be written there must be nothing, or an older one of its kind: never results, and no folder."""
    if os.path.isdir(path):
        raise DataError(f"{path}: is a folder: name a {kind}")
    if os.path.isfile(path) and os.path.getsize(path) > 0:
        with open(path, "rb") as file:
            start = file.read(256).lstrip()
        if start.startswith(HDF5) or not start.lower().startswith(begins):
            raise DataError(f"{path}: exists and is no {kind}: name another, or remove it first")


def text(value):
    """An attribute as str, number or list of str, whatever string type HDF5 used."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, numpy.ndarray):
        return [text(v) for v in value.ravel()]
    return value.item() if isinstance(value, numpy.generic) else value


def number(value):
    """The value as a float, or None if it is not a number ("none", "-", "laq3")."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


class Curve:
    """Finite points of one curve of one run, with the labels of its axes. x is never empty."""

    def __init__(self, x, y, x_label, y_label):
        self.x, self.y, self.x_label, self.y_label = x, y, x_label, y_label


class Run:
    """One /runs/<id>: keys (every effective setting), arrays by path below the run, their labels; provenance; seconds it took."""

    def __init__(self, name, group):
        self.id = name
        self.keys = {key: text(value) for key, value in group.attrs.items()}
        self.provenance = {key: text(value) for key, value in group["provenance"].attrs.items()} if "provenance" in group else {}
        self.commit = self.provenance.get("commit", "")
        seconds = group.get("runtime/total")
        self.seconds = float(seconds[()]) if isinstance(seconds, h5py.Dataset) and seconds.shape == () else None
        self.arrays, self.labels, self.attributes = {}, {}, {}
        for part in GROUPS:
            if isinstance(group.get(part), h5py.Group):
                self._read(part, group[part])
        for part, inside in (("compression", "curves/compression"), ("final/compression", "final/compression")):
            if isinstance(group.get(inside), h5py.Group):
                self._read(part, group[inside])

    def _read(self, part, group):
        for name, item in group.items():
            if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub":
                path = part + "/" + name
                self.arrays[path] = numpy.asarray(item[()], dtype=float)
                unit = text(item.attrs.get("unit", "1"))
                long_name = text(item.attrs.get("long_name", name.replace("_", " ")))
                self.labels[path] = long_name if unit in ("1", "") or unit in long_name.split() else f"{long_name} [{unit}]"  # no "loss [loss]"
                self.attributes[path] = {key: text(value) for key, value in item.attrs.items() if key not in ("unit", "long_name")}

    def key(self, name):
        """A setting; "-" where it has no meaning at this point of the grid."""
        return self.keys.get(name, "-")

    @property
    def diverged(self):
        return self.keys.get("status") == "diverged"

    @property
    def unfinished(self):
        return self.keys.get("status", "complete") not in ("complete", "diverged")

    def curve(self, name, part="curves"):
        """A curve (or bound) over its iterations without its non-finite points, or None if nothing is left."""
        path = f"{part}/{name}"
        grid = "curves/iteration"
        if part == "compression":
            grid = "compression/mu_step"
        elif name.startswith(EVALUATED):
            grid = "curves/evaluation_iteration"
        x, y = self.arrays.get(grid), self.arrays.get(path)
        if x is None or y is None or x.ndim != 1 or y.ndim != 1 or path == grid:
            return None
        points = min(len(x), len(y))  # a run in progress may have written one of them further
        finite = numpy.isfinite(x[:points]) & numpy.isfinite(y[:points])
        if not finite.any():
            return None
        return Curve(x[:points][finite], y[:points][finite], self.labels[grid], self.labels[path])

    def final(self, name):
        """The last value of a curve as a float; NaN if there is none, or if the run diverged."""
        if self.diverged:
            return numpy.nan
        stored = self.arrays.get("final/" + name)
        if stored is not None and stored.size == 1:
            return float(stored.ravel()[0])
        curve = self.curve(name)
        return float(curve.y[-1]) if curve else numpy.nan

    def constant(self, name):
        """A scalar of bound/, or None."""
        stored = self.arrays.get("bound/" + name)
        return float(stored.ravel()[0]) if stored is not None and stored.size == 1 else None


class Results:
    """One experiment: its name, its axes (keys with several values, without the seed), its runs."""

    def __init__(self, path, experiment, axes, runs):
        self.path, self.experiment, self.runs = path, experiment, runs
        candidates = axes + tell_references_apart(runs) if axes else sorted({key for run in runs for key in run.keys if "." in key})
        self.axes = [a for a in candidates if a not in NOT_AXES and a != "experiment.name"
                     and len({str(r.key(a)) for r in runs}) > 1]

    def names(self):
        """Every curve of any run, in a stable order."""
        return sorted({path.split("/", 1)[1] for run in self.runs for path in run.arrays if path.startswith("curves/")})

    def label(self, name, part="curves"):
        """Axis label of a dataset, from the first run that has it."""
        path = f"{part}/{name}"
        return next((run.labels[path] for run in self.runs if path in run.labels), name.replace("_", " "))


def tell_references_apart(runs):
    """Gives runs that differ in nothing but the reference they start from "reference.KEY", for each key in which their references
    differ; the keys that it gave."""
    by_id = {run.id: run for run in runs}
    alike = {}
    for run in runs:
        word, _, reference = str(run.key("model.initial")).partition(" ")
        if word == "reference" and reference in by_id:
            own = tuple(sorted((key, str(value)) for key, value in run.keys.items() if "." in key and key != "model.initial"))
            alike.setdefault(own, []).append((run, by_id[reference]))
    found = {}
    for pairs in alike.values():
        for key in pairs[0][1].keys:
            if "." in key and key != "model.initial" and len({str(reference.key(key)) for _, reference in pairs}) > 1:
                found.setdefault("reference." + key, []).extend((run, reference.key(key)) for run, reference in pairs)
    for name, values in found.items():  # at the end: references may have references
        for run, value in values:
            run.keys[name] = value
    return sorted(found)


def read_file(path):
    try:
        with h5py.File(path, "r") as file:
            if text(file.attrs.get("format", "")) != "qsweep-results":
                raise DataError(f"{path}: not a qsweep results file (attribute format is not 'qsweep-results')")
            version = text(file.attrs.get("format_version", FORMAT_VERSION))
            if version != FORMAT_VERSION:
                raise DataError(f"{path}: format version {version}; this program knows {FORMAT_VERSION}: use the qsweep that wrote it")
            axes = text(file.attrs.get("axes", numpy.array([])))
            axes = axes.split() if isinstance(axes, str) else list(axes)
            runs = [Run(name, group) for name, group in file.get("runs", {}).items() if isinstance(group, h5py.Group)]
            return text(file.attrs.get("experiment", "")), axes, runs
    except DataError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:  # what h5py raises for unreadable contents
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f"{path}: not a readable HDF5 file, or damaged ({reason}); remove it, then collect or run it again") from error


def read(path):
    """Results of a file, or of a folder of run files named by their 16 hex digits."""
    if not os.path.exists(path):
        raise DataError(f"{path}: no such file")
    files = [path]
    if os.path.isdir(path):
        files = sorted(f for f in glob.glob(os.path.join(glob.escape(path), "*.h5"))
                       if re.fullmatch(r"[0-9a-f]{16}\.h5", os.path.basename(f)))
        if not files:
            raise DataError(f"{path}: holds no run files (<run id>.h5)")
    experiment, axes, runs = read_file(files[0])
    for other in files[1:]:
        runs += read_file(other)[2]
    if not runs:
        raise DataError(f"{path}: holds no runs; run the experiment first")
    return Results(path, experiment, axes, runs)
