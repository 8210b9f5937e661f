#!/usr/bin/python3
"""quantized_activations_test.py: Table 1's figure and text, and the two instability figures, from files made here with known values."""
import os
import shutil
import sys
import tempfile
import unittest

import h5py
import matplotlib.image
import numpy
from matplotlib.text import Text

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "scripts")]
import plot  # noqa: E402
from qsweep_plot import quantized_activations, reading  # noqa: E402
from qsweep_plot.table import table  # noqa: E402


def dataset(group, name, values, unit="1"):
    group[name] = numpy.asarray(values, float)
    group[name].attrs["unit"], group[name].attrs["long_name"] = unit, name.replace("_", " ")


def add_run(file, identity, keys, losses, accuracies, per_epoch=10):
    """One run whose epochs have these mean losses and test accuracies; points at every third iteration and at the last."""
    run = file.create_group("runs/" + identity)
    epochs = len(losses)
    total = epochs * per_epoch
    for key, value in {"status": "complete", "iterations": total, "run.epochs": epochs, **keys}.items():
        run.attrs[key] = value
    noise = numpy.tile(numpy.linspace(-.01, .01, per_epoch), epochs)  # of mean zero in each epoch
    each = numpy.repeat(losses, per_epoch) + noise
    at = numpy.unique(numpy.concatenate((numpy.arange(1, total + 1), [total])))
    average = numpy.cumsum(each)[at - 1] / at
    curves = run.create_group("curves")
    dataset(curves, "iteration", at)
    dataset(curves, "average_loss", average, "loss")
    dataset(curves, "evaluation_iteration", per_epoch * numpy.arange(1, epochs + 1))
    dataset(curves, "test_accuracy", accuracies, "%")
    final = run.create_group("final")
    dataset(final, "test_accuracy", accuracies[-1], "%")
    dataset(final, "best_test_accuracy", max(accuracies), "%")


class Figures(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def file(self, experiment):
        path = os.path.join(self.folder, experiment + ".h5")
        file = h5py.File(path, "w")
        file.attrs["format"], file.attrs["experiment"] = "qsweep-results", experiment
        file.attrs["axes"] = ["activations.bits", "activations.ste"]
        return path, file

    def drawn(self, path):
        files = plot.draw(path, path[:-3] + ".png")
        pixels = matplotlib.image.imread(files[0])[:, :, :3]
        self.assertGreater(pixels.std(), .04, "blank")
        results = reading.read(path)
        figure = plot.figure_function(results.experiment)(results)
        texts = " ".join(t.get_text() for t in figure.findobj(Text) if t.get_visible())
        return " ".join(texts.split()), files

    def test_table(self):
        path, file = self.file("lenet5_mnist")
        with file:
            for seed in (1, 2):
                common = {"model.kind": "lenet5", "run.seed": seed}
                add_run(file, f"f{seed}", {**common, "activations.bits": "none"}, [.5, .1], [97, 99])
                for bits, alpha in ((2, .6511), (4, .1946)):
                    for i, estimator in enumerate(quantized_activations.ESTIMATORS):
                        add_run(file, f"{bits}{i}{seed}", {**common, "activations.bits": bits, "activations.ste": estimator, "activation_alpha": alpha, "activations.alpha": "published",
                                                           "activations.type": "ceil"}, [.9, .01 * (i + 1) * seed], [90 + i + .1 * seed, 89 + i])
        words, files = self.drawn(path)
        self.assertEqual(len(files), 2)
        with open(files[1]) as text:
            lines = text.read().splitlines()
        self.assertEqual(len(lines), 1 + 1 + 6 + 2)
        self.assertEqual(lines[8], "± half the range over seeds")
        row = next(line for line in lines if " 2 " in line and " ReLU" in line and "clipped" not in line)
        self.assertEqual(row.split(), ["LeNet-5", "2", "ReLU", "3.0e-02", "±", "1.0e-02", "91.15", "±", "0.05", "90.00", "±", "0.00", "5.1e-03", "99.24"])
        self.assertIn("Reduced: epochs LeNet-5 2 of 50", lines[-1])
        for expected in ("clipped ReLU", "float network", "α = 0.6511", "LeNet-5, 4 bits"):
            self.assertIn(expected, words)

    def test_other_settings_are_no_seeds_of_one(self):
        path, file = self.file("sensitivity")
        last = {"ceil": 60, "positive": 70}
        with file:
            add_run(file, "float", {"model.kind": "resnet20", "activations.bits": "none"}, [.5, .1], [80, 90])
            for alpha, accuracy in last.items():
                for estimator in quantized_activations.ESTIMATORS:
                    add_run(file, alpha + estimator, {"model.kind": "resnet20", "activations.bits": 2, "activations.ste": estimator, "activations.alpha": alpha}, [.9, .5], [50, accuracy])
        words, files = self.drawn(path)
        for expected in ("beyond Table 1", "α ceil", "α positive"):
            self.assertIn(expected, words)
        with open(files[1]) as text:
            rows = text.read()
        self.assertIn("clipped ReLU (α positive)", rows)
        self.assertNotIn("±", rows)
        self.assertNotIn("paper:", rows, "a column without a number")
        results = reading.read(path)
        panel = quantized_activations.table1(results).axes[0]
        relu = [line for line in panel.get_lines() if line.get_color() == quantized_activations.COLOURS["relu"]]
        self.assertEqual(sorted(line.get_ydata()[-1] for line in relu), sorted(last.values()), "no mean of the two")
        self.assertEqual(len({line.get_marker() for line in relu}), 2)

    def test_the_second_half_of_each_line_is_seen(self):
        path, file = self.file("resnet20_cifar10")
        with file:
            add_run(file, "float", {"model.kind": "resnet20", "activations.bits": "none"}, [.5, .1, .1], [80, 90, 91])
            for estimator, accuracies in zip(quantized_activations.ESTIMATORS, ([30, 35, 37], [88, 89, 90], [89, 90, 91])):
                add_run(file, estimator, {"model.kind": "resnet20", "activations.bits": 4, "activations.ste": estimator}, [.9, .5, .4], accuracies)
        panel = quantized_activations.table1(reading.read(path)).axes[0]
        self.assertLess(panel.get_ylim()[0], 35)

    def test_training_loss_is_the_mean_of_its_epoch(self):
        path, file = self.file("other")
        with file:
            add_run(file, "a", {"model.kind": "lenet5"}, [2, 1, .25], [1, 2, 3])
        (run,) = reading.read(path).runs
        self.assertTrue(numpy.allclose(quantized_activations.epoch_losses(run), [2, 1, .25], atol=1e-9))

    def test_instability(self):
        for experiment, bits, own in (("instability_identity", 4, "identity"), ("instability_relu", 2, "relu")):
            path, file = self.file(experiment)
            with file:
                add_run(file, "base", {"activations.bits": "none"}, [.3, .2], [90, 91])
                for start in ("relu", "clipped_relu"):
                    add_run(file, start, {"activations.bits": bits, "activations.ste": start, "model.initial": "reference base"}, [.4, .3], [80, 86])
                    add_run(file, "from_" + start, {"activations.bits": bits, "activations.ste": own, "model.initial": "reference " + start, "optimizer.schedule": "step",
                                                    "optimizer.milestones": "1/11 6/11 9/11"}, [.5, .9, 1.4], [80, 60, 47])
            words, files = self.drawn(path)
            self.assertEqual(len(files), 1)
            name = quantized_activations.NAMES[own]
            self.assertIn(f"{name} from clipped ReLU: accuracy 86.00 % at the start, 47.00 % at the end", words)
            self.assertIn(f"{name} from ReLU", words)
            made = table(reading.read(path))  # two references, so two points, not two seeds of one
            self.assertIn("from ste", made.heads)
            place = made.heads.index("from ste")
            self.assertEqual(sorted(row[place] for row in made.rows if row[place] != "–"), ["clipped_relu", "relu"])

    def test_a_file_without_such_runs_says_so(self):
        for experiment in ("instability_relu", "resnet20_cifar10"):
            path, file = self.file(experiment)
            with file:
                add_run(file, "a", {"model.kind": "resnet20", "activations.bits": "none"}, [2, 1], [1, 2])
            words = self.drawn(path)[0]
            self.assertRegex(words, "no run of this file starts|no quantized activations")


if __name__ == "__main__":
    unittest.main()
