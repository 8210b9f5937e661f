#!/usr/bin/python3
"""Chains of references: float network, quantized network, what starts from that; and references that another experiment has trained."""
import os
import shutil
import unittest

import h5py

from program import ProgramTest

NETWORK = """
[experiment]
name = {name}
[data]
set = synthetic_images
limit = 300
[model]
kind = mlp
dimension = 12
batch_norm = plain
[activations]
bits = 2
ste = {ste}
[workers]
count = 2
batch = 10
[optimizer]
kind = momentum
learning_rate = {rate}
schedule = step
milestones = 1/2
[run]
epochs = {epochs}
seed = 1
"""
FIRST = NETWORK.format(name="first", ste="relu, clipped_relu", rate=0.01, epochs=2) + """
[reference]
activations.bits = none
optimizer.learning_rate = 0.1
"""
SECOND = NETWORK.format(name="second", ste="identity", rate=1e-5, epochs=3) + """
[sweep.relu]
reference.activations.ste = relu
[sweep.clipped]
reference.activations.ste = clipped_relu
[reference]
run.epochs = 2
optimizer.learning_rate = 0.01
reference.activations.bits = none
reference.optimizer.learning_rate = 0.1
"""


class References(ProgramTest):
    def setUp(self):
        super().setUp()
        self.first, self.second = self.write("first.ini", FIRST), self.write("second.ini", SECOND)

    def ids(self, out, name):
        return {os.path.basename(f)[:-3] for f in self.results(out, name)}

    def test_a_chain_has_the_same_bits_on_any_ranks_and_wherever_its_references_come_from(self):
        alone = self.qsweep("run", self.second, "--out", "alone")
        self.assertIn("5 of 5 runs done", alone.out)
        self.assertNotIn("copied", alone.out)
        for ranks in (1, 2, 3):
            with self.subTest(ranks=ranks):
                out = f"on{ranks}"
                self.qsweep("run", self.first, "--out", out, ranks=ranks)
                self.assertEqual(len(self.ids(out, "first")), 3)
                after = self.qsweep("run", self.second, "--out", out, ranks=ranks)
                self.assertIn("3 references are complete in other experiments", after.out)
                self.assertIn("2 of 2 runs done", after.out)
                self.assert_only_results(out, "second", 5)
                self.assertLess(self.ids(out, "first"), self.ids(out, "second"), "the first experiment's runs are the second's references")
                self.assert_same_bits(self.collected("alone", "second"), self.collected(out, "second"), 5)

    def test_a_copy_is_the_run_of_this_experiment(self):
        self.qsweep("run", self.first, "--out", "out")
        self.qsweep("run", self.second, "--out", "out")
        for identity in self.ids("out", "first"):
            with h5py.File(self.path("out", "first", identity + ".h5")) as a, h5py.File(self.path("out", "second", identity + ".h5")) as b:
                self.assertEqual((a.attrs["experiment"], b.attrs["experiment"]), ("first", "second"))
                self.assertEqual(a[f"runs/{identity}/provenance"].attrs["command_line"], b[f"runs/{identity}/provenance"].attrs["command_line"], "who trained it stays said")
        again = self.qsweep("run", self.second, "--out", "out", "--rerun")
        self.assertIn("5 of 5 runs done", again.out)
        self.assertNotIn("copied", again.out)

    def test_runs_copied_by_hand_become_the_experiments_own(self):
        self.qsweep("run", self.second, "--out", "out")
        os.makedirs(self.path("out", "third"))
        for identity in self.ids("out", "second"):
            shutil.copy(self.path("out", "second", identity + ".h5"), self.path("out", "third"))
        third = self.qsweep("run", self.second, "--out", "out", "--set", "experiment.name=third")
        self.assertIn("5 runs were copied from other experiments and are now of third", third.out)
        self.assertIn("5 of 5 runs are complete and skipped", third.out)
        with h5py.File(self.path(self.collected("out", "third"))) as file:
            self.assertEqual(file.attrs["experiment"], "third")
            self.assertEqual(set(file["runs"]), self.ids("out", "second"))
        again = self.qsweep("run", self.second, "--out", "out", "--set", "experiment.name=third")
        self.assertNotIn("copied", again.out)

    def test_a_start_has_the_weights_and_statistics_of_its_reference(self):
        self.qsweep("run", self.second, "--out", "out", "--set", "run.evaluate_every=1", "--set", "run.iterations=1", "--set", "optimizer.learning_rate=1e-30",
                    "--set", "reference.run.iterations=0", "--set", "sweep.relu.activations.ste=relu")
        with h5py.File(self.path(self.collected("out", "second"))) as file:
            runs = {name: run for name, run in file["runs"].items()}
            start = next(r for r in runs.values() if r.attrs["activations.ste"] == "relu" and float(r.attrs["optimizer.learning_rate"]) < 1e-20)
            reference = runs[start.attrs["model.initial"].split()[1]]
            self.assertEqual(reference.attrs["activations.ste"], "relu")
            for layer in ("fc1", "fc2"):
                self.assertTrue((start[f"final/weights/{layer}/weight"][()] == reference[f"final/weights/{layer}/weight"][()]).all())
            difference = abs(start["final/weights/bn1/running_mean"][()] - reference["final/weights/bn1/running_mean"][()]).max()
            self.assertTrue(0 < difference < 0.5, f"the statistics go on from the reference's: one step moves them a little, {difference}")
            self.assertLess(abs(float(start["final/test_accuracy"][()]) - float(reference["final/test_accuracy"][()])), 10)


if __name__ == "__main__":
    unittest.main()
