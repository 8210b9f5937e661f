#!/usr/bin/python3
"""A grid of many small runs: it ends, nothing but results is left, and no rank grows."""
import os
import time
import unittest

import h5py

from program import ProgramTest, linear, processes_of

PHASES = ["compute", "quantize", "exchange", "update", "evaluate", "output"]


class Grid(ProgramTest):
    def high_water(self, pid):
        """Largest resident memory of a rank so far, bytes; 0 for mpirun itself and what is gone."""
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                if not file.read().split("\0")[0].endswith("qsweep"):
                    return 0
            with open(f"/proc/{pid}/status") as file:
                return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
        except (OSError, StopIteration):
            return 0

    def watched(self, runs, out):
        """Seconds and the largest memory of any rank over a whole sweep on two ranks."""
        experiment = self.write(f"{out}.ini", linear("many", "seed = " + ", ".join(map(str, range(1, runs + 1))) + "\n[weights]\nquantizer = laq3\n[gradients]\nquantizer = sq2\n"))
        begin, most = time.monotonic(), 0
        # A sanitizer keeps what was freed, 256 MB of it: here 1 MB.
        process = self.start("run", experiment, "--out", out, ranks=2, ASAN_OPTIONS="detect_leaks=0:quarantine_size_mb=1")
        while process.poll() is None and time.monotonic() - begin < 100:
            most = max([most] + [self.high_water(pid) for pid in processes_of(self.folder)])
            time.sleep(0.02)
        outcome = self.finish(process, timeout=5)
        self.assertEqual(outcome.code, 0, str(outcome))
        self.assertIn(f"{runs} of {runs} runs done", outcome.out)
        self.assert_only_results(out, "many", runs)
        return time.monotonic() - begin, most

    def test_two_hundred_runs_on_two_ranks(self):
        few_seconds, few = self.watched(50, "few")
        many_seconds, many = self.watched(200, "many")
        self.assertGreater(few, 1 << 20, "no rank was seen: nothing was measured")
        self.assertLess(many - few, 4 << 20, f"a rank grew from {few >> 10} to {many >> 10} KiB over 150 more runs")
        sums = dict.fromkeys(PHASES + ["total"], 0.0)
        for file in self.results("many", "many"):
            with h5py.File(file, "r") as f:
                (run,) = f["runs"].values()
                for phase in sums:
                    sums[phase] += float(run["runtime"][phase][()])
        total = sums.pop("total")
        self.assertLessEqual(abs(sum(sums.values()) - total), 0.02 * total + 1e-9)
        print(f"\n200 runs of 50 iterations: {many_seconds:.1f} s in all, {(many_seconds - few_seconds) / 150 * 1e3:.1f} ms each after the first 50, of which "
              f"{total / 200 * 1e3:.2f} ms in the run; ranks take {few / 2**20:.1f} and {many / 2**20:.1f} MiB\n"
              + ", ".join(f"{phase} {100 * share / total:.0f} %" for phase, share in sums.items()), flush=True)

    def test_a_complete_grid_is_looked_through_quickly(self):
        experiment = self.write("grid.ini", linear("grid", "seed = " + ", ".join(map(str, range(1, 101))) + "\n"))
        self.qsweep("run", experiment, ranks=2)
        outcome = self.qsweep("run", experiment, ranks=2)
        self.assertIn("100 of 100 runs are complete", outcome.out)
        self.assertLess(outcome.seconds, 15)
        self.assertEqual(len(os.listdir(self.path("results", "grid"))), 100)


if __name__ == "__main__":
    unittest.main()
