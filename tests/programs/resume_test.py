#!/usr/bin/python3
"""A complete run is never run again; processes share a grid; a killed sweep goes on with the same bits."""
import os
import re
import time
import unittest

from program import ProgramTest, datasets, linear, processes_of

# Twelve runs of some tenths of a second each: long enough to be met in the middle.
GRID = linear("grid", """record_every = 1
seed = 1, 2, 3
[weights]
quantizer = lab, laq3
[gradients]
quantizer = fp, sq2
""").replace("iterations = 50", "iterations = 4000")
RUNS = 12


def versions(files):
    return {f: (os.stat(f).st_ino, os.stat(f).st_mtime_ns) for f in files}


class Resume(ProgramTest):
    def setUp(self):
        super().setUp()
        self.grid = self.write("grid.ini", GRID)

    def done(self, outcome):
        """Runs that a process says it did itself."""
        found = re.search(r"^(\d+) of (\d+) runs done in ", outcome.out, re.M)
        self.assertIsNotNone(found, str(outcome))
        return int(found[1])

    def uninterrupted(self):
        self.qsweep("run", self.grid, "--out", "whole")
        return self.collected("whole", "grid")

    def test_a_complete_run_is_not_run_again(self):
        small = self.write("small.ini", linear("small", "seed = 1, 2\n"))
        first = self.qsweep("run", small)
        self.assertEqual(self.done(first), 2)
        before = versions(self.results("results", "small"))
        for ranks in (0, 2):
            again = self.qsweep("run", small, ranks=ranks)
            self.assertIn("2 of 2 runs are complete and skipped", again.out)
            self.assertEqual(versions(self.results("results", "small")), before)
        more = self.qsweep("run", small, "--set", "run.seed=1,2,3")
        self.assertIn("2 of 3 runs are complete and skipped", more.out)
        self.assertEqual(self.done(more), 1)
        self.assertEqual(versions(list(before)), before)

    def test_rerun_does_all_again_once(self):
        small = self.write("small.ini", linear("small", "seed = 1, 2, 3, 4, 5\n"))
        self.qsweep("run", small)
        files = self.results("results", "small")
        before, bits = versions(files), [datasets(f) for f in files]
        again = self.qsweep("run", small, "--rerun", ranks=2)
        self.assertIn("5 of 5 runs are complete and will be done again", again.out)
        self.assertEqual(self.done(again), 5)
        after = versions(files)
        self.assertEqual([f for f in files if after[f] == before[f]], [])
        self.assertEqual([datasets(f) for f in files], bits)
        self.assert_only_results("results", "small", 5)

    def test_rerun_does_not_trust_clocks(self):
        small = self.write("small.ini", linear("small", "seed = 1, 2, 3\n"))
        self.qsweep("run", small)
        files = self.results("results", "small")
        for file in files:  # as if the file server's clock were ahead by an hour
            os.utime(file, (time.time() + 3600,) * 2)
        before = versions(files)
        self.assertEqual(self.done(self.qsweep("run", small, "--rerun")), 3)
        self.assertEqual([f for f in files if versions([f])[f] == before[f]], [])

    def test_two_processes_share_the_work(self):
        processes = [self.start("run", self.grid, "--out", "shared", ranks=ranks) for ranks in (0, 2)]
        outcomes = [self.finish(p) for p in processes]
        for outcome in outcomes:
            self.assertEqual(outcome.code, 0, str(outcome))
        done = [self.done(o) if "runs done in" in o.out else 0 for o in outcomes]  # one may find all complete
        self.assertEqual(sum(done), RUNS, "\n".join(map(str, outcomes)))
        self.assert_only_results("shared", "grid", RUNS)
        self.assert_same_bits(self.uninterrupted(), self.collected("shared", "grid"), RUNS)

    def wait_for(self, process, out, count):
        end = time.monotonic() + 60
        while len(self.results(out, "grid") if os.path.isdir(self.path(out, "grid")) else []) < count:
            self.assertIsNone(process.poll(), "it ended before it could be killed")
            self.assertLess(time.monotonic(), end, "no results after 60 s")
            time.sleep(0.005)

    def wait_until_all_are_gone(self):
        end = time.monotonic() + 30
        while processes_of(self.folder):
            self.assertLess(time.monotonic(), end, f"ranks outlive their mpirun: {processes_of(self.folder)}")
            time.sleep(0.02)

    def check_that_it_goes_on(self, out, **options):
        before = versions(self.results(out, "grid"))
        self.assertTrue(0 < len(before) < RUNS, f"{len(before)} runs were complete: nothing was interrupted")
        outcome = self.qsweep("run", self.grid, "--out", out, **options)
        self.assertIn(f"{len(before)} of {RUNS} runs are complete and skipped", outcome.out)
        self.assertEqual(self.done(outcome), RUNS - len(before))
        self.assertEqual(versions(list(before)), before)
        self.assert_only_results(out, "grid", RUNS)
        self.assert_same_bits(self.uninterrupted(), self.collected(out, "grid"), RUNS)

    def test_mpirun_and_its_ranks_killed_midway(self):
        process = self.start("run", self.grid, "--out", "killed", ranks=2)
        self.wait_for(process, "killed", 3)
        self.kill_all()
        process.communicate()
        self.wait_until_all_are_gone()
        for name in ("0123456789abcdef.h5.tmp-elsewhere-1", "0123456789abcdef.lock"):  # what a node that lost power leaves
            self.write(f"killed/grid/{name}", "half")
        self.check_that_it_goes_on("killed", ranks=2)

    def test_mpirun_alone_killed_midway(self):
        process = self.start("run", self.grid, "--out", "orphans", ranks=2)
        self.wait_for(process, "orphans", 3)
        process.kill()
        process.communicate()
        # Its ranks may live on for a while, and end somewhere: the same command takes over what they leave.
        outcome = self.qsweep("run", self.grid, "--out", "orphans", ranks=2)
        self.wait_until_all_are_gone()
        if len(self.results("orphans", "grid")) < RUNS:
            self.assertIn("another process has", outcome.out, str(outcome))
            self.qsweep("run", self.grid, "--out", "orphans")
        self.assert_only_results("orphans", "grid", RUNS)
        self.assert_same_bits(self.uninterrupted(), self.collected("orphans", "grid"), RUNS)

    def test_a_process_killed_midway(self):
        process = self.start("run", self.grid, "--out", "killed")
        self.wait_for(process, "killed", 2)
        process.kill()
        process.communicate()
        self.check_that_it_goes_on("killed")

    def test_leftovers_of_a_live_process_stay(self):
        process = self.start("run", self.grid, "--out", "shared")
        self.wait_for(process, "shared", 1)
        lock = [f for f in os.listdir(self.path("shared", "grid")) if f.endswith(".lock")]
        if lock and process.poll() is None:
            half = self.write(f"shared/grid/{lock[0][:-5]}.h5.tmp-elsewhere-1", "half")
            self.qsweep("run", self.grid, "--out", "shared", "--shard", "12/12")  # looks for leftovers when it starts
            if os.path.exists(self.path("shared", "grid", lock[0])):
                self.assertTrue(os.path.exists(half), "the lock was held, and yet its half file was taken away")
        self.assertEqual(self.finish(process).code, 0)

    def test_references_come_before_those_that_need_them(self):
        text = linear("reference", "seed = 1, 2\n[weights]\nquantizer = lab, laq3\n[reference]\nweights.quantizer = fp\n")
        experiment = self.write("reference.ini", text)
        for out, ranks in (("one", 0), ("two", 2), ("four", 4)):
            self.qsweep("run", experiment, "--out", out, ranks=ranks)
            self.assert_only_results(out, "reference", 6)
        one = self.collected("one", "reference")
        for out in ("two", "four"):
            self.assert_same_bits(one, self.collected(out, "reference"), 6)
        for shard in ("1/2", "2/2"):
            self.qsweep("run", experiment, "--out", "shards", "--shard", shard)
        self.assert_same_bits(one, self.collected("shards", "reference"), 6)


if __name__ == "__main__":
    unittest.main()
