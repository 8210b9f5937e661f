#!/usr/bin/python3
"""docs_test.py BUILD: the pages lead somewhere, name every experiment, and their commands and Python are taken by what they are for."""
import glob
import os
import re
import subprocess
import sys
import unittest

from program import SMOKE, SOURCE, ProgramTest, environment

PAGES = sorted(os.path.relpath(page, SOURCE) for pattern in ("*.md", "docs/*.md", "slurm/*.md", "results/*.md")
               for page in glob.glob(os.path.join(SOURCE, pattern)))


def text(page):
    with open(os.path.join(SOURCE, page), encoding="utf-8") as file:
        return file.read()


def anchors(page):
    """The names of its headings, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in re.findall(r"(?m)^#+ (.*)$", text(page))}


class Pages(ProgramTest):
    def test_links(self):
        for page in PAGES:
            for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text(page)):
                name, _, anchor = target.partition("#")
                found = os.path.normpath(os.path.join(os.path.dirname(page), name)) if name else page
                self.assertTrue(os.path.exists(os.path.join(SOURCE, found)), f"{page}: {target}")
                if anchor:
                    self.assertIn(anchor, anchors(found), f"{page}: {target}")

    def test_every_page_can_be_reached(self):
        linked = {os.path.normpath(os.path.join(os.path.dirname(page), target.partition("#")[0]))
                  for page in PAGES for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text(page))}
        self.assertEqual([page for page in PAGES if page not in linked and page != "README.md"], [])

    def test_every_experiment_is_listed(self):
        listed = text("docs/experiments.md")
        for file in glob.glob(os.path.join(SOURCE, "experiments", "**", "*.ini"), recursive=True):
            self.assertIn(os.path.basename(file) + "`", listed)

    def test_commands_and_keys_exist(self):
        help_text = self.qsweep("--help").out
        keys = set(re.findall(r"(?m)^(\w+\.\w+) = ", self.qsweep("keys").out))
        for page in PAGES:
            for command in re.findall(r"(?:build|bin)/qsweep (\w+)", text(page)):
                self.assertIn(f"  qsweep {command} ", help_text, page)
            for key in re.findall(r"--set (\w+\.\w+)=", text(page)):
                if not key.startswith(("section.", "reference.", "sweep.")):
                    self.assertIn(key, keys, page)
            for file in re.findall(r"experiments/[\w/]+\.ini", text(page)):
                self.assertTrue(os.path.exists(os.path.join(SOURCE, file)), f"{page}: {file}")

    def test_experiment_of_running(self):
        (experiment,) = re.findall(r"```ini\n(.*?)```", text("docs/running.md"), re.DOTALL)
        file = self.write("mine.ini", experiment)
        self.assertRegex(self.qsweep("plan", file).out, "\\b24 runs")  # 2 widths, 2 weights, fp and sq2 with two clips, 2 seeds
        self.qsweep("run", file, "--set", "run.seed=1", "--set", "model.dimension=32", timeout=200)
        self.assertIn("6 points", self.qsweep("show", "results/mine").out)

    def test_python_of_results(self):
        self.qsweep("run", SMOKE, timeout=200)
        self.qsweep("collect", "results/smoke")
        blocks = re.findall(r"```python\n(.*?)```", text("docs/results.md"), re.DOTALL)
        self.assertEqual(len(blocks), 2)
        for block in blocks:
            if "import pandas" in block and subprocess.run([sys.executable, "-c", "import pandas"], capture_output=True).returncode != 0:
                print("SKIPPED: python3-pandas is not installed: its lines of docs/results.md were not run")
                continue
            ran = subprocess.run([sys.executable, "-c", block], cwd=self.folder, capture_output=True, text=True, env=environment())
            self.assertEqual((ran.returncode, ran.stderr), (0, ""))
            self.assertIn("laq3", ran.stdout)


if __name__ == "__main__":
    unittest.main()
