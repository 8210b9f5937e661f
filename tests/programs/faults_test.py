#!/usr/bin/python3
"""An MPI call of one rank fails, each kind of call in turn: all ranks end, with a message and in time, and the same command goes on."""
import os
import re
import sys
import unittest

from program import BUILD, ProgramTest, linear

LIBRARY = os.path.join(BUILD, "tests", "libmpi_faults.so")

# Shared data, every exchange, a reference, evaluations: so that each kind of call is made.
GRID = """[experiment]
name = grid
[data]
set = synthetic_images
limit = 60
[model]
kind = mlp
dimension = 5
[workers]
batch = 4
count = 3
exchange = server, allreduce, sharded
[gradients]
quantizer = sq2
[run]
iterations = 6
evaluate_every = 3
checkpoint_every = 0.000001
"""


class Faults(ProgramTest):
    def faulty(self, ranks, rank, call, out, code, **more):
        return self.qsweep("run", self.grid, "--out", out, "--team-size", ranks, ranks=ranks, code=code, timeout=40,
                           LD_PRELOAD=LIBRARY, QSWEEP_FAULT_RANK=str(rank), QSWEEP_FAULT_CALL=str(call),
                           ASAN_OPTIONS="detect_leaks=0:verify_asan_link_order=0", **more)

    def test_every_kind_of_call(self):
        self.grid = self.write("grid.ini", GRID)
        self.qsweep("run", self.grid, "--out", "whole")
        whole = self.collected("whole", "grid")
        failed = set()
        for ranks, rank in ((2, 0), (3, 2)):
            self.faulty(ranks, 0, 0, f"counts{ranks}", 0, QSWEEP_FAULT_COUNTS=self.path("counts"))
            with open(self.path(f"counts.{rank}")) as file:
                calls = int(file.read())
            # Of the first calls some: data, teams, the plan; some of the many that training makes; the last.
            for call in sorted({1, 3, 8, *(calls * i // 6 + i for i in range(1, 6)), calls - 1}):
                with self.subTest(ranks=ranks, rank=rank, call=call):
                    out = f"out{ranks}-{rank}-{call}"
                    outcome = self.faulty(ranks, rank, call, out, None)
                    name = re.search(r"FAULT: (\w+) of rank", outcome.err)
                    if name is None:  # how often ranks look for messages differs from run to run
                        self.assertEqual(outcome.code, 0, str(outcome))
                        continue
                    failed.add(name[1])
                    self.assertEqual(outcome.code, 1, str(outcome))
                    self.assertEqual(len(outcome.messages()), 1, str(outcome))
                    self.assertIn(f"{name[1]} failed", outcome.messages()[0])
                    self.assertIn(f"rank {rank}", outcome.messages()[0])
                    self.qsweep("run", self.grid, "--out", out)
                    self.assert_only_results(out, "grid", 3)
                    self.assert_same_bits(whole, self.collected(out, "grid"), 3)
        print("failed in turn: " + " ".join(sorted(failed)), file=sys.stderr)
        self.assertGreaterEqual(failed, {"MPI_Allreduce", "MPI_Bcast", "MPI_Allgatherv"})


if __name__ == "__main__":
    unittest.main()
