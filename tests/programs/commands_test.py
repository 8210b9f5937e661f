#!/usr/bin/python3
"""The commands that train nothing: what they print, how wide, and that they write nothing."""
import os
import re
import unittest

import h5py

from program import SMOKE, SOURCE, ProgramTest, linear

COMMANDS = ["run", "plan", "show", "collect", "diff", "bound", "keys", "info"]


class Commands(ProgramTest):
    def assert_narrow(self, outcome, columns=80):
        self.assertGreater(len(outcome.out), 0, str(outcome))
        self.assertEqual([line for line in outcome.out.splitlines() if len(line) > columns], [], str(outcome))

    def assert_wrote_nothing(self):
        self.assertEqual(os.listdir(self.folder), [])

    def test_help(self):
        for arguments in (["--help"], ["-h"], ["help"]):
            outcome = self.qsweep(*arguments)
            self.assert_narrow(outcome)
            for command in COMMANDS:
                self.assertRegex(outcome.out, rf"(?m)^  qsweep {command}\b")
        self.assertEqual(self.qsweep(code=2).out, outcome.out)  # nothing asked for
        self.assert_wrote_nothing()

    def test_help_of_each_command(self):
        for command in COMMANDS:
            outcome = self.qsweep(command, "--help")
            self.assertIn("usage: qsweep " + command, outcome.out)
            self.assert_narrow(outcome)

    def test_help_is_told_once_by_many_ranks(self):
        for command in ("run", "plan"):
            outcome = self.qsweep(command, "--help", ranks=2)
            self.assertEqual(outcome.out.count("usage: "), 1, str(outcome))

    def test_unknown_commands_and_options(self):
        self.refused(2, ["frobnicate", "run, plan, show"], "frobnicate")
        for command in COMMANDS:
            self.refused(2, ["--frobnicate", "usage: qsweep " + command], command, "--frobnicate")
        self.refused(2, ["--out", "usage: qsweep plan"], "plan", SMOKE, "--out", "x")  # of another command
        self.refused(2, ["--ran"], "plan", SMOKE, "--ran", "2")  # no guessing from beginnings
        self.refused(2, ["frobnicate"], "frobnicate", ranks=2)
        self.assert_wrote_nothing()

    def test_plan(self):
        outcome = self.qsweep("plan", SMOKE)
        self.assert_narrow(outcome)
        ids = re.findall(r"^([0-9a-f]{16}) ", outcome.out, re.M)
        self.assertEqual(len(set(ids)), 16)
        self.assertIn("16 runs", outcome.out)
        halves = [self.qsweep("plan", SMOKE, "--shard", f"{i}/2", "--ranks", "4") for i in (1, 2)]
        split = [re.findall(r"^([0-9a-f]{16}) ", half.out, re.M) for half in halves]
        self.assertEqual(sorted(split[0] + split[1]), sorted(ids))
        self.assertEqual(len(split[0]), 8)
        self.assert_wrote_nothing()

    def test_plan_of_every_experiment(self):
        for folder, _, files in os.walk(os.path.join(SOURCE, "experiments")):
            for file in files:
                if file.endswith(".ini"):
                    with self.subTest(file=file):
                        self.assert_narrow(self.qsweep("plan", os.path.join(folder, file)))
        self.assert_wrote_nothing()

    def test_the_plan_names_what_will_be_written(self):
        experiment = self.write("small.ini", linear("small", "seed = 1, 2, 3\n[weights]\nquantizer = fp, lab\n"))
        ids = re.findall(r"^([0-9a-f]{16}) ", self.qsweep("plan", experiment).out, re.M)
        self.qsweep("run", experiment)
        self.assertEqual(sorted(os.path.basename(f)[:-3] for f in self.results("results", "small")), sorted(ids))

    def test_bound(self):
        outcome = self.qsweep("bound", "--dimension", "4096", "--weights", "laq3", "--gradients", "sq2", "--clip", "2.5")
        self.assert_narrow(outcome)
        self.assertIn("laq3", outcome.out)
        self.refused(2, ["--dimension", "usage: qsweep bound"], "bound")
        self.refused(2, ["laq9", "laq2"], "bound", "--dimension", "64", "--weights", "laq9")
        self.refused(2, ["dimension", "0"], "bound", "--dimension", "0")
        self.refused(2, ["clip"], "bound", "--dimension", "64", "--clip", "2", "--gradients", "fp")
        self.assert_wrote_nothing()

    def test_keys(self):
        everything = self.qsweep("keys")
        self.assert_narrow(everything)
        for key in ("weights.quantizer", "run.seed", "data.set", "workers.exchange"):
            self.assertRegex(everything.out, rf"(?m)^{re.escape(key)}\b")
        section = self.qsweep("keys", "run")
        self.assertIn("run.seed", section.out)
        self.assertNotRegex(section.out, r"(?m)^weights\.")
        self.refused(2, ["nowhere", "experiment, data, model"], "keys", "nowhere")

    def test_info(self):
        out = self.qsweep("info").out
        for word in ("qsweep", "CPU", "BLAS", "OpenBLAS", "MPI", "HDF5", "compiler"):
            self.assertIn(word, out)
        self.assertIn("Haswell", self.qsweep("info", OPENBLAS_CORETYPE="Haswell").out)

    def test_many_ranks_print_once(self):
        for arguments in (["info"], ["keys", "run"], ["plan", SMOKE]):
            self.assertEqual(self.qsweep(*arguments, ranks=3).out, self.qsweep(*arguments).out)

    def test_version(self):
        outcome = self.qsweep("--version")
        self.assertRegex(outcome.out, r"^qsweep \d+\.\d+\.\d+ \(.+\)$")

    def test_collect(self):
        self.refused(3, ["nowhere", "no such folder"], "collect", "nowhere")
        self.refused(2, ["usage: qsweep collect"], "collect")
        experiment = self.write("small.ini", linear("small", "seed = 1, 2, 3\n"))
        self.qsweep("run", experiment, "--shard", "1/3")
        outcome = self.qsweep("collect", "results/small/", "-o", "some.h5")
        self.assertIn("some.h5: 1 runs", outcome.out)
        self.assertIn("2 missing", outcome.out)
        self.qsweep("run", experiment)
        with h5py.File(self.path("results", "small", "0000000000000000.h5"), "w") as f:
            f["x"] = 1
        outcome = self.qsweep("collect", "results/small")
        self.assertIn("3 runs", outcome.out)
        self.assertIn("no run of this experiment, or damaged, left out: results/small/0000000000000000.h5", outcome.out)
        with h5py.File(self.path("results", "small.h5")) as f:
            self.assertEqual(len(f["runs"]), 3)
            self.assertEqual(f.attrs["experiment"], "small")
            self.assertIn("[weights]", f.attrs["settings"])
            self.assertEqual(list(f.attrs["axes"]), ["run.seed"])
        for run in ("results/small", "results/small.h5"):
            shown = self.qsweep("show", run)
            self.assert_narrow(shown)
        self.assertEqual(self.qsweep("diff", "results/small.h5", "some.h5", code=1).out.count("only in the first file"), 2)

    def test_show_and_diff_refuse_what_is_not_there(self):
        self.refused(3, ["nowhere.h5"], "show", "nowhere.h5")
        self.refused(3, ["nowhere.h5"], "diff", "nowhere.h5", "nowhere.h5")
        self.refused(2, ["two files", "usage: qsweep diff"], "diff", "one.h5")
        self.refused(2, ["usage: qsweep show"], "show")


if __name__ == "__main__":
    unittest.main()
