#!/usr/bin/python3
"""A rank that dies, and one that hangs: all ranks end, soon and with a message; what was saved stays, and the same command goes on."""
import os
import re
import signal
import time
import unittest

from program import ProgramTest, datasets, linear, processes_of


class Ends(ProgramTest):
    def setUp(self):
        super().setUp()
        self.short = self.write("short.ini", linear("ends", "seed = 2\n").replace("batch = 8", "batch = 8\ncount = 2"))
        self.long = self.write("long.ini", linear("ends", "record_every = 1000000\n").replace("batch = 8", "batch = 8\ncount = 2").replace("iterations = 50", "iterations = 4000000000"))

    def ranks(self):
        """The processes that train: {rank: process}."""
        found = {}
        for pid in processes_of(self.folder):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    rank = re.search(rb"\0OMPI_COMM_WORLD_RANK=(\d+)\0", file.read())
            except OSError:
                continue
            if rank:
                found[int(rank[1])] = pid
        return found

    def under_way(self, **env):
        """A saved run, and one on two ranks that is training."""
        self.qsweep("run", self.short, ranks=2)
        (self.saved,) = self.results("results", "ends")
        self.bits = datasets(self.saved)
        process = self.start("run", self.long, ranks=2, **env)
        deadline = time.monotonic() + 30
        while not (len(self.ranks()) == 2 and any(n.endswith(".lock") for n in os.listdir(self.path("results", "ends")))):
            self.assertLess(time.monotonic(), deadline, "the run does not begin")
            time.sleep(.05)
        time.sleep(1)  # well into its iterations
        return process

    def expect_saved(self):
        self.assertEqual(self.results("results", "ends"), [self.saved])
        self.assertEqual(datasets(self.saved), self.bits)
        again = self.qsweep("run", self.short, ranks=2)
        self.assertIn("1 of 1 runs are complete and skipped", again.out)
        self.assertEqual(processes_of(self.folder), [])

    def test_a_rank_that_dies_ends_all(self):
        for rank in (0, 1):
            process = self.under_way()
            with open(f"/proc/{self.ranks()[rank]}/comm") as name:
                self.assertEqual(name.read().strip(), "qsweep", "what top shows and pkill finds, though the program starts itself again")
            os.kill(self.ranks()[rank], signal.SIGKILL)
            outcome = self.finish(process, 30)
            self.assertNotEqual(outcome.code, 0, str(outcome))
            self.assertRegex(outcome.out + outcome.err, rf"rank {rank} .*exited on signal 9|process rank {rank}", str(outcome))
            self.expect_saved()

    def test_a_rank_that_hangs_is_noticed(self):
        process = self.under_way(QSWEEP_WATCHDOG="2")
        os.kill(self.ranks()[1], signal.SIGSTOP)
        outcome = self.finish(process, 30)
        self.assertEqual(outcome.code, 1, str(outcome))
        (message,) = outcome.messages()
        self.assertRegex(message, r"^qsweep: rank 0: MPI_\w+ of \d+ bytes with .*ranks 0, 1 has not ended after 2 s", str(outcome))
        self.assertIn("the one that says nothing is to blame", outcome.err)
        self.assertLess(max(len(line) for line in outcome.err.splitlines() if "qsweep" in line or line.startswith("  ")), 90)
        self.expect_saved()

    def test_a_slow_peer_does_not_end_a_patient_run(self):
        process = self.under_way(QSWEEP_WATCHDOG="0")
        stopped = self.ranks()[1]
        os.kill(stopped, signal.SIGSTOP)
        time.sleep(3)
        self.assertIsNone(process.poll())
        os.kill(stopped, signal.SIGCONT)
        time.sleep(.5)
        self.assertIsNone(process.poll())

    def test_a_limit_that_is_none(self):
        outcome = self.qsweep("run", self.short, code=2, QSWEEP_WATCHDOG="soon")
        self.assertIn("QSWEEP_WATCHDOG = soon: allowed: seconds", outcome.messages()[0])


if __name__ == "__main__":
    unittest.main()
