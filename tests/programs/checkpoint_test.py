#!/usr/bin/python3
"""Runs that are asked to stop save themselves and go on with the same bits; damaged, foreign and old checkpoints."""
import glob
import os
import re
import shutil
import signal
import tempfile
import time
import unittest
import zlib

from program import ProgramTest, attributes, h5py, lasting, linear

TWO_RUNS = linear("grid", """record_every = 100
[weights]
quantizer = lab, laq3
[gradients]
quantizer = sq2
""").replace("dimension = 16", "dimension = 512").replace("batch = 8", "batch = 64\ncount = 3")


class Checkpoint(ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.two_runs = lasting(1.5, TWO_RUNS)
        cls.iterations = int(re.search(r"iterations = (\d+)", cls.two_runs)[1])
        cls.uninterrupted = {}  # by experiment, the collected file of runs that nothing disturbed

    @classmethod
    def tearDownClass(cls):
        for file in cls.uninterrupted.values():
            os.remove(file)

    def setUp(self):
        super().setUp()
        self.grid = self.write("grid.ini", self.two_runs)

    def checkpoints(self, out="results"):
        return sorted(glob.glob(self.path(out, "grid", "*.checkpoint-*.h5")), key=lambda f: int(re.search(r"-(\d+)\.h5$", f)[1]))

    def stopped(self, *options, ranks=0, out="results"):
        return self.qsweep("run", self.grid, "--out", out, *options, ranks=ranks, code=75)

    def one_stopped(self):
        """One run, stopped in its midst with two checkpoints."""
        self.grid = self.write("grid.ini", self.two_runs.replace("lab, laq3", "laq3"))
        process = self.start("run", self.grid, "--set", "run.checkpoint_every=0.02")
        while len(self.checkpoints()) < 2:
            time.sleep(0.005)
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(self.finish(process).code, 75)
        found = self.checkpoints()
        self.assertEqual(len(found), 2, "the last two are kept")
        return found

    def wait_until_begun(self, out="results"):
        """A run has begun, and has passed a checkpoint."""
        while not self.checkpoints(out):
            time.sleep(0.005)

    def assert_whole(self, runs, out="results"):
        self.assert_only_results(out, "grid", runs)
        with open(self.grid) as file:
            text = file.read()
        if text not in self.uninterrupted:
            self.qsweep("run", self.grid, "--out", "whole")
            with tempfile.NamedTemporaryFile(suffix=".h5", delete=False) as file:
                shutil.copy(self.collected("whole", "grid"), file.name)
            self.uninterrupted[text] = file.name
        self.assert_same_bits(self.uninterrupted[text], self.collected(out, "grid"), runs)

    def test_time_limits_on_changing_ranks(self):
        """Stopped on 1, 3 and 2 ranks, alone and in teams; then it may end."""
        for ranks, team in ((1, 1), (3, 3), (2, 1)):
            outcome = self.stopped("--time-limit", "0.3s", "--team-size", team, ranks=ranks)
            self.assertEqual(len(outcome.messages()), 1, str(outcome))
            self.assertIn("stopped by --time-limit after saving: the same command goes on", outcome.messages()[0])
            self.assertRegex(outcome.out, r"\d of \d runs done .*\n\d are left")
        self.qsweep("run", self.grid, ranks=2)
        self.assert_whole(2)

    def test_signals(self):
        for name, ranks in (("SIGUSR1", 0), ("SIGUSR1", 2), ("SIGTERM", 0), ("SIGINT", 0)):
            with self.subTest(name, ranks=ranks):
                out = f"{name}{ranks}"
                process = self.start("run", self.grid, "--out", out, "--set", "run.checkpoint_every=0.02", ranks=ranks)
                self.wait_until_begun(out)
                process.send_signal(getattr(signal, name))
                outcome = self.finish(process)
                self.assertEqual(outcome.code, 75, str(outcome))
                self.assertIn(f"stopped by {name} after saving", outcome.err)
                self.assertFalse(glob.glob(self.path(out, "grid", "*.lock")))
                again = self.qsweep("run", self.grid, "--out", out)
                self.assertRegex(again.err, rf"[0-9a-f]{{16}}: goes on after t = [1-9]\d*/{self.iterations}")
                self.assert_whole(2, out)

    def test_mpirun_that_is_terminated_saves_too(self):
        """It kills its ranks after 2 s, and ends with a code of its own."""
        process = self.start("run", self.grid, ranks=2)
        while not glob.glob(self.path("results", "grid", "*.lock")):
            time.sleep(0.01)
        time.sleep(0.2)
        process.terminate()
        self.assertNotEqual(self.finish(process).code, 0)
        self.assertTrue(self.checkpoints(), "nothing was saved")
        self.qsweep("run", self.grid)
        self.assert_whole(2)

    def test_checkpoint_tells_what_the_run_is(self):
        _, newest = self.one_stopped()
        with h5py.File(newest) as file:
            (run,) = file["runs"].values()
            t = int(run.attrs["iterations"])
            self.assertEqual(run.attrs["status"], "running")
            self.assertTrue(newest.endswith(f"-{t}.h5"))
            self.assertEqual(run["curves/iteration"][-1], 1 + (t - 1) // 100 * 100)
            self.assertEqual(run["final/weights/fc1/weight"].shape, (1, 512))
            self.assertEqual(run["checkpoint"].attrs["version"], 1)
            self.assertEqual(run["checkpoint/optimizer/second_moment/fc1/weight"].shape, (1, 512))
        shown = self.qsweep("show", self.path("results", "grid")).out
        self.assertIn("0 of 1 run finished", shown)
        self.assertRegex(shown, rf"{t}/{self.iterations} +[\d.]+ +now")
        self.qsweep("collect", self.path("results", "grid"), code=3)
        self.qsweep("run", self.grid)
        self.assertGreater(attributes(self.results("results", "grid")[0])["interruptions"], 0)

    def test_damaged_ones_are_passed_over(self):
        older, newest = self.one_stopped()
        kept = self.path("kept")
        shutil.copy(older, kept)
        with open(newest, "rb") as file:
            whole = file.read()
        for damage in (whole[:len(whole) // 2], whole[:-24], whole[:3000] + b"\xff" + whole[3001:], b""):
            for file in self.checkpoints():
                os.remove(file)
            shutil.copy(kept, older)
            with open(newest, "wb") as file:
                file.write(damage)
            outcome = self.stopped("--time-limit", "0.05")
            self.assertIn(f"warning: results/grid/{os.path.basename(newest)}: ", outcome.err)
            self.assertIn("; passed over", outcome.err)
            self.assertRegex(outcome.err, rf"goes on after t = {re.search(r'-([0-9]+).h5', older)[1]}/{self.iterations}")
        self.qsweep("run", self.grid)
        self.assert_whole(1)

    def test_if_all_are_damaged_it_begins_anew(self):
        for file in self.one_stopped():
            with open(file, "r+b") as f:
                f.seek(2000)
                f.write(b"damage")
        outcome = self.qsweep("run", self.grid)
        self.assertEqual(outcome.err.count("passed over"), 2, str(outcome))
        self.assertNotIn("goes on", outcome.err)
        self.assert_whole(1)

    def change(self, file, work):
        """As another version of the program would have written it: the checksum is right."""
        os.truncate(file, os.path.getsize(file) - 24)
        with h5py.File(file, "r+") as f:
            (run,) = f["runs"].values()
            work(run)
        with open(file, "r+b") as f:
            f.write(b"qsweep-crc32-v1:%08x" % zlib.crc32(f.read()))

    def test_checkpoints_of_other_versions_are_refused(self):
        newest = self.one_stopped()[-1]
        kept = newest + ".kept"
        shutil.copy(newest, kept)
        name = os.path.basename(newest)

        def other_version(run):
            run["checkpoint"].attrs["version"] = 2

        def without_field(run):
            del run["checkpoint/optimizer/second_moment"]

        def other_shape(run):
            del run["checkpoint/scales"]
            run["checkpoint/scales"] = [1.0, 2.0]  # double, not float
            run["checkpoint/scales"].attrs["unit"] = run["checkpoint/scales"].attrs["long_name"] = "1"

        def other_tensors(run):
            del run["checkpoint/scales"]
            run.create_dataset("checkpoint/scales", data=[1, 2, 3], dtype="f4")
            run["checkpoint/scales"].attrs["unit"] = run["checkpoint/scales"].attrs["long_name"] = "1"

        def short_curve(run):
            curve = run["checkpoint/curves/loss"][()]
            del run["checkpoint/curves/loss"]
            run["checkpoint/curves/loss"] = curve[:-1]
            run["checkpoint/curves/loss"].attrs["unit"] = run["checkpoint/curves/loss"].attrs["long_name"] = "1"

        def beyond_the_end(run):
            run["checkpoint/iterations_done"][...] = 1 << 62

        def other_kernel(run):
            run["checkpoint"].attrs["blas_kernel"] = "Prescott"

        for work, needles in ((other_version, ["state of version 2", "delete the checkpoints"]), (without_field, ["second_moment/fc1/weight is missing"]),
                              (other_shape, ["checkpoint/scales"]), (other_tensors, ["scales"]), (short_curve, ["curves/loss", "points"]), (beyond_the_end, ["iteration"]), (other_kernel, ["OPENBLAS_CORETYPE=Prescott", "computed with OpenBLAS's kernel Prescott"])):
            for ranks in (0, 2):
                with self.subTest(work.__name__, ranks=ranks):
                    shutil.copy(kept, newest)
                    self.change(newest, work)
                    self.refused(3, [name, *needles], "run", self.grid, ranks=ranks)
        shutil.copy(kept, newest)
        os.remove(kept)
        self.qsweep("run", self.grid)
        self.assert_whole(1)

    def test_the_command_that_pins_the_kernel_goes_on(self):
        self.grid = self.write("grid.ini", self.two_runs.replace("lab, laq3", "laq3"))
        begun = self.qsweep("run", self.grid, "--time-limit", "0.3", code=None, OPENBLAS_CORETYPE="Haswell", DNNL_MAX_CPU_ISA="AVX2")
        if begun.code != 75:
            self.skipTest("SKIPPED: no second kernel here, or it was too fast")
        refused = self.qsweep("run", self.grid, code=None)
        if refused.code == 0:
            self.skipTest("SKIPPED: Haswell's is this machine's kernel")
        pins = re.search(r"go on with `env ((?:\w+=\w+ )+)", refused.err)
        self.assertIsNotNone(pins, str(refused))
        outcome = self.qsweep("run", self.grid, **dict(p.split("=") for p in pins[1].split()))
        self.assertIn("goes on after", outcome.err)

    def test_a_finished_run_has_no_checkpoint_left(self):
        """Killed between the results' rename and the removal of checkpoints: the next start cleans up."""
        newest = self.one_stopped()[-1]
        shutil.copy(newest, self.path("kept"))
        self.qsweep("run", self.grid)
        shutil.copy(self.path("kept"), newest)
        self.assertIn("1 of 1 runs are complete", self.qsweep("run", self.grid).out)
        self.assert_only_results("results", "grid", 1)

    def test_wrong_limits_are_refused(self):
        for text in ("0", "-5m", "5 minutes", "m", "1h-5m", "30m1h", "nan"):
            self.refused(2, ["--time-limit", "55m"], "run", self.grid, f"--time-limit={text}")


if __name__ == "__main__":
    unittest.main()
