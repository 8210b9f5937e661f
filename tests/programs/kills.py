#!/usr/bin/python3
"""A sweep that is killed again and again, at any moment, ends with the bits of one that nobody killed.

    /usr/bin/python3 tests/programs/kills.py BUILD [--kills 50] [--seed 1]

A grid runs under mpirun on 1 to 3 ranks, changing from start to start. SIGKILL takes one rank, mpirun, or all at once: at a random moment,
while a checkpoint is being written, or while the results of a run are, just before they get their name. Then the same command is given
again. After each kill: no file of a run is half, what was complete is untouched, each run goes on from the newest checkpoint that lay
there. At the end: every curve and final value is that of the undisturbed grid, to the bit, and nothing else is left in the folder.
kills_test.py is the short form.
"""
import argparse
import glob
import os
import random
import re
import signal
import sys
import time
import unittest
import zlib
from collections import Counter

from program import ProgramTest, h5py, lasting, linear, processes_of

RUNS = 6
GRID = linear("grid", """record_every = 100
[weights]
quantizer = lab, laq3, laq4
[gradients]
quantizer = sq2, sq3
""").replace("dimension = 16", "dimension = 512").replace("batch = 8", "batch = 64\ncount = 3")
MOMENTS = ("any", "checkpoint", "results", "checkpoint", "any", "results", "checkpoint")  # in turn


def crc_is_right(file):
    with open(file, "rb") as f:
        content = f.read()
    return content[-24:] == b"qsweep-crc32-v1:%08x" % zlib.crc32(content[:-24])


class Kills(ProgramTest):
    out = 0  # folders of results so far: a grid that has ended is begun anew in the next

    # -- what lies in the folder

    def files(self, pattern):
        return glob.glob(self.path(str(self.out), "grid", pattern))

    def complete(self):
        """{id: which file it is} of the runs that are done."""
        found = {os.path.basename(f)[:-3]: os.stat(f) for f in self.files("*.h5") if ".checkpoint-" not in f}
        return {run: (s.st_ino, s.st_mtime_ns) for run, s in found.items()}

    def newest_checkpoints(self):
        """{id: iteration}"""
        newest = {}
        for file in self.files("*.checkpoint-*.h5"):
            run, iteration = re.fullmatch(r"(\w{16})\.checkpoint-(\d+)\.h5", os.path.basename(file)).groups()
            newest[run] = max(newest.get(run, 0), int(iteration))
        return newest

    def assert_no_file_is_half(self):
        for file in self.files("*.h5"):
            self.assertTrue(crc_is_right(file), f"{file}: half, or damaged")
            with h5py.File(file, "r") as f:
                (run,) = f["runs"].values()
                self.assertEqual(run.attrs["status"], "running" if ".checkpoint-" in file else "complete")

    # -- one start and one kill

    def wait_for(self, condition, process, seconds=20):
        """What it returns, or None if the sweep ended before, or nothing came."""
        end = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < end:
            found = condition()
            if found:
                return found
        return None

    def names(self):
        try:
            return set(os.listdir(self.path(str(self.out), "grid")))
        except FileNotFoundError:
            return set()

    def half_file(self, of_checkpoint):
        """The name under which a file is being written at this moment; not what the last kill left."""
        return next((n for n in self.names() - self.left if ".tmp-" in n and (".checkpoint-" in n) == of_checkpoint), None)

    def await_moment(self, moment, process):
        """Whether the moment came; the id of the process that was writing, else 0."""
        if moment == "any":
            time.sleep(self.draws.uniform(0, 1.5))
            return process.poll() is None, 0
        if moment == "checkpoint" and self.wait_for(lambda: self.half_file(True), process):  # not always the first
            time.sleep(self.draws.uniform(0, 0.5))
        half = self.wait_for(lambda: self.half_file(moment == "checkpoint"), process)
        return half is not None, int(half.rsplit("-", 1)[1]) if half else 0

    def kill_one(self, process, writer):
        """Most often the process that writes, if there is one; else a rank, mpirun, or all."""
        ranks = [pid for pid in processes_of(self.folder) if pid != process.pid]
        whom = self.draws.choice((["the writer"] * 3 if writer in ranks else []) + ["a rank", "mpirun", "all"])
        targets = {"the writer": [writer], "a rank": ranks and [self.draws.choice(ranks)], "mpirun": [process.pid], "all": ranks + [process.pid]}[whom]
        for pid in targets or [process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return whom

    def await_end(self):
        end = time.monotonic() + 60
        while processes_of(self.folder):
            self.assertLess(time.monotonic(), end, f"HANG: ranks outlive their sweep: {processes_of(self.folder)}")
            time.sleep(0.005)

    def start_and_kill(self, moment):
        """One start; whether it was killed before its end."""
        before, done_before, self.left = self.newest_checkpoints(), self.complete(), self.names()
        every = self.draws.choice([0.2, 0.05, 0.001])
        process = self.start("run", "grid.ini", "--out", str(self.out), "--set", f"run.checkpoint_every={every}", ranks=self.draws.randint(1, 3))
        came, writer = self.await_moment(moment, process)
        whom = self.kill_one(process, writer) if process.poll() is None else None
        outcome = self.finish(process)
        self.await_end()
        if whom is None:
            self.assertEqual(outcome.code, 0, str(outcome))
        self.check_after(before, done_before, outcome.err, survivors=whom in ("the writer", "a rank", "mpirun"))
        if whom is None:
            return False
        self.seen[whom] += 1
        self.seen[f"moment {moment}" if came else "moment any"] += 1
        half = [name for name in self.names() - self.left if ".tmp-" in name]
        self.seen["half"] += bool(half)
        self.seen["half results"] += any(".checkpoint-" not in name for name in half)
        self.seen["not cleaned"] += bool(set(self.complete()) & set(self.newest_checkpoints()))
        return True

    def check_after(self, before, done_before, err, survivors=False):
        """`survivors`: some ranks lived on for a moment, and may have taken over the run of the one that was killed."""
        self.assert_no_file_is_half()
        self.assertNotIn("passed over", err)  # no checkpoint was damaged
        now, done = self.newest_checkpoints(), self.complete()
        for run, file in done_before.items():
            self.assertEqual(done.get(run), file, f"{run} was complete, and was done again")
        for run, iteration in before.items():
            if run not in done:
                self.assertGreaterEqual(now.get(run, 0), iteration, f"{run} lost its newest checkpoint")
        for run, iteration in re.findall(r"(\w{16}): goes on after t = (\d+)", err):
            taken_over = survivors and int(iteration) > before.get(run, 0)  # from a checkpoint of this very start
            if not taken_over:
                self.assertEqual(int(iteration), before.get(run), f"{run} did not go on from its newest checkpoint")
            self.seen["taken over" if taken_over else "goes on"] += 1

    # -- the whole

    def end_and_compare(self):
        before, done = self.newest_checkpoints(), self.complete()
        outcome = self.qsweep("run", "grid.ini", "--out", str(self.out), ranks=self.draws.randint(1, 3), timeout=300)
        self.check_after(before, done, outcome.err)
        self.assert_only_results(str(self.out), "grid", RUNS)
        self.assert_same_bits(self.whole, self.collected(str(self.out), "grid"), RUNS)
        self.seen["grids"] += 1

    def kill_and_go_on(self, kills, seed, seconds):
        """`seconds`: of each run, undisturbed."""
        self.draws, self.seen = random.Random(seed), Counter()
        self.write("grid.ini", lasting(seconds, GRID))
        self.qsweep("run", "grid.ini", "--out", "whole", timeout=600)
        self.whole = self.collected("whole", "grid")
        done = 0
        while done < kills:
            if self.start_and_kill(MOMENTS[done % len(MOMENTS)]):
                done += 1
            else:
                self.end_and_compare()
                self.out += 1
        self.end_and_compare()
        s = self.seen
        print(f"\n{kills} kills (seed {seed}): {s['the writer']} of the process that was writing, {s['a rank']} of a rank, {s['mpirun']} of mpirun, {s['all']} of all;\n"
              f"{s['moment checkpoint']} while a checkpoint was written, {s['moment results']} while results were, {s['moment any']} at any moment.\n"
              f"{s['half']} left a half-written file behind ({s['half results']} of results), {s['not cleaned']} a finished run with its checkpoints.\n"
              f"{s['goes on']} times a run went on after its newest checkpoint, {s['taken over']} times a rank took over that of a killed one at once;\n"
              f"none that was complete was done again.\n"
              f"{s['grids']} grid(s) of {RUNS} runs ended, equal to the bit to the one that nobody killed.", flush=True)


class LongForm(Kills):
    kills, seed = 50, 1

    def test_many_kills(self):
        self.kill_and_go_on(self.kills, self.seed, seconds=max(2.0, self.kills * 0.12))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="kills a sweep again and again", usage="kills.py BUILD [--kills 50] [--seed 1]")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    LongForm.kills, LongForm.seed = options.kills, options.seed
    unittest.main(argv=sys.argv[:1])
