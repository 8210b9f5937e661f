#!/usr/bin/python3
"""slurm/submit.sh on a real SLURM of this machine alone: tasks are requeued and stopped by a limit, and the bits are those of one process."""
import os
import re
import shutil
import subprocess
import sys
import time
import unittest

from program import QSWEEP, SOURCE, ProgramTest, environment, lasting, linear

GRID = linear("grid", """record_every = 1000
checkpoint_every = 0.5
seed = 1, 2, 3, 4
[weights]
quantizer = lab, laq3
[gradients]
quantizer = sq2
""").replace("dimension = 16", "dimension = 512").replace("batch = 8", "batch = 64")
RUNS = 8


class Slurm(ProgramTest):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0 or not all(map(shutil.which, ("slurmctld", "slurmd", "munged", "ss"))):
            print("SKIPPED: SLURM is not tested: needs root and the packages slurm-wlm, munge, iproute2", flush=True)
            self.skipTest("no SLURM here")
        self.grid = self.write("grid.ini", lasting(3, GRID))
        os.chmod(self.folder, 0o755)
        self.slurm("start", self.path("slurm"))
        self.addCleanup(self.slurm, "stop", self.path("slurm"))
        self.pending_since = {}
        self.env = environment(SLURM_CONF=self.path("slurm", "etc", "slurm.conf"), QSWEEP=QSWEEP)

    def slurm(self, verb, folder):
        subprocess.run([os.path.join(SOURCE, "scripts", "one_node_slurm.sh"), verb, folder], check=True, timeout=60, stdout=subprocess.DEVNULL, env=environment(CPUS="4"))

    def call(self, *arguments, code=0):
        done = subprocess.run(arguments, cwd=self.folder, env=self.env, text=True, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout}{done.stderr}")
        return done.stdout

    def submit(self, *options):
        out = self.call(os.path.join(SOURCE, "slurm", "submit.sh"), self.grid, *options)
        jobs = re.search(r"as job (\d+), then collect and plot as job (\d+)", out)
        self.assertIsNotNone(jobs, out)
        return jobs.groups()

    def jobs(self):
        """{id or ARRAY_TASK: state}, of those in the queue."""
        return dict(line.split() for line in self.call("squeue", "-h", "-r", "-o", "%i %T").splitlines())

    def log(self, name):
        try:
            with open(self.path("results", "grid.logs", name)) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_until(self, what, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                for name in sorted(os.listdir(self.path("results", "grid.logs"))):
                    print(f"--- {name}\n{self.log(name)}", file=sys.stderr)
                self.fail(f"not within {seconds} s: {what}; {self.jobs()}")
            time.sleep(0.1)

    def start_requeued_soon(self):
        """SLURM lets a requeued job wait for two minutes. Three seconds it needs: in the same second its credential is still revoked."""
        pending = {job for job, state in self.jobs().items() if state == "PENDING" and "_" in job}
        self.pending_since = {job: self.pending_since.get(job, time.monotonic()) for job in pending}
        for job, since in self.pending_since.items():
            if time.monotonic() - since > 3:
                subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], env=self.env, capture_output=True, check=False)

    def has_ended(self):
        self.start_requeued_soon()
        return not self.jobs()

    def test_a_sweep_that_is_disturbed(self):
        array, _ = self.submit("--tasks", "4", "--", "--ntasks=2", "--time=1", "--signal=B:USR1@55")
        running = lambda: [job for job, state in self.jobs().items() if state == "RUNNING" and job.startswith(array)]
        begun = lambda task: re.search(r"start 1$", self.log(f"task-{task}.log"), re.M) and any(f.endswith(".lock") for f in os.listdir(self.path("results", "grid")))
        self.wait_until("tasks run", lambda: running() and os.path.isdir(self.path("results", "grid")))
        # One is asked to stop, as before it is preempted; one is requeued by force; the limit is a minute, its warning comes 55 s before.
        self.wait_until("task 4 has begun", lambda: begun(4))
        self.call("scancel", "--batch", "--signal=USR1", f"{array}_4")
        self.wait_until("task 2 has begun", lambda: begun(2))
        self.call("scontrol", "requeue", f"{array}_2")
        self.wait_until("all tasks have ended, and the job after them", self.has_ended, 150)
        logs = {task: self.log(f"task-{task}.log") for task in range(1, 5)}
        self.assertIn("stopped by SIGUSR1 after saving", logs[4])
        self.assertIn("start 2", logs[2])
        for task in (1, 3):  # the job id of the last task is that of the array: who requeues that, requeues all
            self.assertNotIn("start 2", logs[task])
        for task, log in logs.items():
            self.assertRegex(log, r"exit code 0\n$", f"task {task}\n{log}")
        self.assertIn(f"{RUNS} runs", self.log("collect.log"))
        self.assertTrue(os.path.getsize(self.path("results", "grid.png")) > 10000)
        self.assert_only_results("results", "grid", RUNS)
        self.qsweep("run", self.grid, "--out", "plain", ranks=2)
        self.assert_same_bits(self.collected("plain", "grid"), self.path("results", "grid.h5"), RUNS)

    def test_what_is_wrong_is_told_before_anything_is_submitted(self):
        submit = os.path.join(SOURCE, "slurm", "submit.sh")
        self.call(submit, self.path("absent.ini"), code=2)
        self.call(submit, self.grid, "--set", "run.sede=1", code=2)
        self.call(submit, self.grid, "--tasks", "0", code=2)
        self.assertEqual(self.jobs(), {})


if __name__ == "__main__":
    unittest.main()
