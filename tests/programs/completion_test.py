#!/usr/bin/python3
"""completion_test.py BUILD: what bash offers after qsweep and a tab, with words cut as bash cuts them."""
import os
import shlex
import subprocess
import unittest

import program

SCRIPT = os.path.join(program.SOURCE, "completions", "qsweep.bash")


def offered(*words, folder=program.SOURCE):
    """The completions of the last word; the words are those after qsweep, as bash has them in COMP_WORDS."""
    every = [program.QSWEEP, *words]
    text = (f"source {shlex.quote(SCRIPT)}; COMP_WORDS=({' '.join(map(shlex.quote, every))}); COMP_CWORD={len(every) - 1}; "
            '_qsweep; ((${#COMPREPLY[@]})) && printf "%s\\n" "${COMPREPLY[@]}"; true')
    ran = subprocess.run(["bash", "--norc", "-c", text], capture_output=True, text=True, cwd=folder, env=program.environment(), timeout=60)
    assert ran.returncode == 0 and not ran.stderr, ran.stderr
    return ran.stdout.split("\n")[:-1]


class Completion(unittest.TestCase):
    def test_bash_takes_it(self):
        ran = subprocess.run(["bash", "--norc", "-c", f"source {shlex.quote(SCRIPT)}; complete -p qsweep"], capture_output=True, text=True)
        self.assertEqual(ran.stdout, "complete -F _qsweep qsweep\n")

    def test_commands(self):
        commands = subprocess.run([program.QSWEEP, "--help"], capture_output=True, text=True, env=program.environment()).stdout
        known = [line.split()[1] for line in commands.splitlines() if line.startswith("  qsweep ")]
        self.assertEqual(offered(""), ["--help", *known])
        self.assertLessEqual({"run", "plan", "show", "collect", "diff", "bound", "keys", "info"}, set(known))
        self.assertEqual(offered("co"), ["collect"])

    def test_options(self):
        self.assertEqual(set(offered("run", "--")), {"--set", "--shard", "--out", "--team-size", "--rerun", "--time-limit", "--help"})
        self.assertEqual(set(offered("collect", "--")), {"--output", "--without-weights", "--points", "--help"})
        self.assertIn("--gradient-infinity", offered("bound", "--g"))
        self.assertEqual(offered("run", "--time-limit", ""), [])
        self.assertIn("experiments/", offered("run", "--rerun", "exp"))

    def test_files(self):
        self.assertEqual(offered("run", "experiments/sm"), ["experiments/smoke.ini"])
        found = offered("plan", "experiments/")
        self.assertLessEqual({"experiments/smoke.ini", "experiments/distributed/"}, set(found))
        self.assertEqual(offered("show", "results/reference/weight"), ["results/reference/weight_bits.h5"])
        self.assertEqual(offered("show", "READ"), [])
        self.assertIn("results/reference/", offered("collect", "results/"))
        self.assertEqual(offered("collect", "results/reference/"), [])  # files alone
        self.assertEqual(offered("run", "experiments/smoke.ini", "--out", "experi"), ["experiments"])
        self.assertIn("experiments/smoke.ini", offered("run", "--set", "run.seed", "=", "1", "experiments/"))

    def test_keys(self):
        self.assertEqual(offered("run", "experiments/smoke.ini", "--set", "gradients."), ["gradients.quantizer=", "gradients.clip=", "gradients.scale="])
        self.assertGreater(len(offered("run", "--set", "")), 60)
        self.assertEqual(offered("run", "--set", "reference.gradients.c"), ["reference.gradients.clip="])
        self.assertEqual(offered("run", "--set", "sweep.kmeans.gradients.c"), ["sweep.kmeans.gradients.clip="])
        self.assertEqual(offered("keys", "grad"), ["gradients"])
        self.assertEqual(offered("keys", "x"), [])

    def test_values(self):
        quantizers = ["fp", *(f"sq{bits}" for bits in range(2, 9))]
        for words in (["gradients.quantizer", "="], ["gradients.quantizer", "=", ""], ["gradients.quantizer="]):
            self.assertEqual(offered("run", "--set", *words), quantizers, words)
        self.assertEqual(offered("run", "--set", "weights.quantizer", "=", "laq"), [f"laq{bits}" for bits in range(2, 9)])
        self.assertEqual(offered("run", "--set", "weights.quantizer", "=", "fp,lab,la"), ["fp,lab,lab", "fp,lab,lat", *(f"fp,lab,laq{b}" for b in range(2, 9))])
        self.assertEqual(offered("run", "--set", "gradients.clip", "=", ""), ["none"])
        self.assertEqual(offered("run", "--set", "run.seed", "=", ""), [])
        self.assertEqual(offered("run", "--set", "experiment.method", "=", "it"), ["iterated_direct_compression"])
        self.assertEqual(offered("run", "--set", "reference.workers.exchange", "=", "s"), ["server", "sharded"])
        self.assertEqual(offered("bound", "--weights", "log"), [f"log{bits}" for bits in range(2, 9)])
        self.assertEqual(offered("bound", "--dimension", ""), [])


if __name__ == "__main__":
    unittest.main()
