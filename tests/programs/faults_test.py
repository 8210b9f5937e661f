#!/usr/bin/python3
"""An MPI call of one rank fails, each kind of call in turn: all ranks end, with a message and in time, and the same command goes on."""
import os
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


# How often ranks look for messages differs from run to run; every other call is made as often in each.
POLLING = {"MPI_Iprobe", "MPI_Testall"}


class Faults(ProgramTest):
    def preloaded(self, ranks, out, code, **more):
        return self.qsweep("run", self.grid, "--out", out, "--team-size", ranks, ranks=ranks, code=code, timeout=40, LD_PRELOAD=LIBRARY,
                           ASAN_OPTIONS="detect_leaks=0:verify_asan_link_order=0", **more)

    def calls(self, ranks, rank):
        """How often the rank makes each kind of call in the whole grid."""
        self.preloaded(ranks, f"counts{ranks}", 0, QSWEEP_FAULT_COUNTS=self.path("counts"))
        with open(self.path(f"counts.{rank}")) as file:
            return {kind: int(count) for kind, count in (line.split() for line in file)}

    def test_every_kind_of_call(self):
        self.grid = self.write("grid.ini", GRID)
        self.qsweep("run", self.grid, "--out", "whole")
        whole = self.collected("whole", "grid")
        failed = set()
        for ranks, rank, share in ((2, 0, 0), (3, 2, .5)):
            for kind, count in sorted(self.calls(ranks, rank).items()):
                call = 1 if kind in POLLING else 1 + int(share * count)
                with self.subTest(ranks=ranks, rank=rank, kind=kind, call=call):
                    out = f"out{ranks}-{rank}-{kind}-{call}"
                    outcome = self.preloaded(ranks, out, 1, QSWEEP_FAULT_RANK=str(rank), QSWEEP_FAULT_KIND=kind,
                                             QSWEEP_FAULT_CALL=str(call))
                    self.assertIn(f"FAULT: {kind} of rank {rank}", outcome.err)
                    self.assertEqual(len(outcome.messages()), 1, str(outcome))
                    self.assertIn(f"{kind} failed", outcome.messages()[0])
                    self.assertIn(f"rank {rank}", outcome.messages()[0])
                    self.qsweep("run", self.grid, "--out", out)
                    self.assert_only_results(out, "grid", 3)
                    self.assert_same_bits(whole, self.collected(out, "grid"), 3)
                    failed.add(kind)
        print("failed in turn: " + " ".join(sorted(failed)), file=sys.stderr)
        self.assertGreaterEqual(failed, {"MPI_Allreduce", "MPI_Bcast", "MPI_Allgatherv"})


if __name__ == "__main__":
    unittest.main()
