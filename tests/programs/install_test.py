#!/usr/bin/python3
"""install_test.py BUILD: cmake --install into a new folder: programs, experiments, scripts and job scripts find one another there."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import program

MODULES = "/usr/share/modules/init/bash"
# sbatch, for a submission without SLURM: writes down how it was called, and gives a job's number.
SBATCH = '#!/bin/bash\nprintf "%s\\n" "$@" >>"$calls"\necho 17\n'


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = os.path.realpath(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.prefix = os.path.join(cls.folder, "a prefix")
        cls.work = os.path.join(cls.folder, "work")
        os.mkdir(cls.work)
        first = os.path.join(cls.folder, "first")
        ran = subprocess.run(["cmake", "--install", program.BUILD, "--prefix", first], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        os.rename(first, cls.prefix)  # it can be moved
        cls.share = os.path.join(cls.prefix, "share", "qsweep")

    def ran(self, *arguments, code=0, **environment):
        clean = {k: v for k, v in program.environment().items() if k != "QSWEEP"}
        done = subprocess.run(arguments, cwd=self.work, env={**clean, **environment}, capture_output=True, text=True, timeout=200)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_run_collect_draw_report(self):
        qsweep = os.path.join(self.prefix, "bin", "qsweep")
        self.ran(qsweep, "run", os.path.join(self.share, "experiments", "smoke.ini"), "--set", "run.seed=1")
        self.ran(qsweep, "collect", "results/smoke")
        self.ran(sys.executable, os.path.join(self.share, "scripts", "plot.py"))  # without arguments: the smoke experiment, here
        self.assertGreater(os.path.getsize(os.path.join(self.work, "results", "smoke.png")), 10_000)
        self.ran(os.path.join(self.share, "scripts", "report.py"), "results/smoke.h5", "-o", "smoke.html")
        self.assertGreater(os.path.getsize(os.path.join(self.work, "smoke.html")), 10_000)

    def test_every_experiment_is_there(self):
        def below(folder):
            return {os.path.relpath(f, folder) for f in glob.glob(os.path.join(folder, "**", "*.ini"), recursive=True)}
        self.assertEqual(below(os.path.join(self.share, "experiments")), below(os.path.join(program.SOURCE, "experiments")))

    def test_submit(self):
        fakes, calls = os.path.join(self.folder, "fakes"), os.path.join(self.folder, "calls")
        os.makedirs(fakes, exist_ok=True)
        with open(os.path.join(fakes, "sbatch"), "w", encoding="utf-8") as file:
            file.write(SBATCH)
        os.chmod(os.path.join(fakes, "sbatch"), 0o755)
        submit = os.path.join(self.share, "slurm", "submit.sh")
        self.assertIn("usage: slurm/submit.sh", self.ran(submit, "--help"))
        said = self.ran(submit, os.path.join(self.share, "experiments", "smoke.ini"), PATH=fakes + ":" + os.environ["PATH"], calls=calls)
        self.assertIn("submitted: 4 tasks", said)
        with open(calls, encoding="utf-8") as file:
            words = file.read().splitlines()
        for script in ("task.sbatch", "collect.sbatch"):
            at = words.index(os.path.join(self.share, "slurm", script))
            self.assertTrue(os.access(words[at], os.R_OK))
            self.assertEqual(words[at + 1:at + 3], [self.share, os.path.join(self.prefix, "bin", "qsweep")])
        # The job that collects, as SLURM would start it: it needs packages.sh and plot.py beside it.
        self.ran(os.path.join(self.prefix, "bin", "qsweep"), "run", os.path.join(self.share, "experiments", "smoke.ini"), "--out", "job", "--set", "run.seed=2")
        self.ran("bash", *words[at:at + 3], "job/smoke")
        self.assertTrue(os.path.exists(os.path.join(self.work, "job", "smoke.png")))

    def test_completion_and_pages(self):
        completion = os.path.join(self.prefix, "share", "bash-completion", "completions", "qsweep")
        self.assertIn("-F _qsweep", self.ran("bash", "--norc", "-c", 'source "$0"; complete -p qsweep', completion))
        for page in ("README.md", "LICENSE", "CITATION.cff", "docs/running.md", "results/FORMAT.md"):
            self.assertTrue(os.path.exists(os.path.join(self.prefix, "share", "doc", "qsweep", page)), page)

    @unittest.skipUnless(os.path.exists(MODULES), "environment-modules is not installed")
    def test_module(self):
        said = self.ran("bash", "--norc", "-c", f'source {MODULES}; module use "$0"; module load qsweep; command -v qsweep; echo "$QSWEEP_SHARE"',
                        os.path.join(self.prefix, "share", "modulefiles"))
        self.assertEqual(said.splitlines(), [os.path.join(self.prefix, "bin", "qsweep"), self.share])


if __name__ == "__main__":
    if not os.path.exists(MODULES):
        print("SKIPPED: the module file was not loaded (Debian: apt-get install environment-modules)")
    unittest.main()
