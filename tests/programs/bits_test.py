#!/usr/bin/python3
"""The same bits whatever the ranks, teams, shards and exchange."""
import unittest

from program import SMOKE, ProgramTest, attributes, datasets

SEED = ["--set", "run.seed=1"]
RUNS = 8


class Bits(ProgramTest):
    def run_smoke(self, out, *more, ranks=0):
        self.qsweep("run", SMOKE, *SEED, "--out", out, *more, ranks=ranks)
        self.assert_only_results(out, "smoke", RUNS)
        return self.collected(out, "smoke")

    def test_smoke_on_1_to_4_ranks_and_in_teams(self):
        alone = self.run_smoke("alone")
        for ranks, more in [(1, []), (2, []), (2, ["--team-size", "2"]), (3, ["--team-size", "2"]), (4, []), (4, ["--team-size", "4"])]:
            with self.subTest(ranks=ranks, more=more):
                self.assert_same_bits(alone, self.run_smoke(f"on{ranks}{''.join(more)}", *more, ranks=ranks), RUNS)

    def test_shards_done_apart(self):
        whole = self.run_smoke("whole")
        done = []
        for shard in ("1/2", "2/2"):
            self.qsweep("run", SMOKE, *SEED, "--out", "shards", "--shard", shard)
            done.append(len(self.results("shards", "smoke")))
        self.assertEqual(done[1], RUNS)
        self.assertTrue(0 < done[0] < RUNS, done)
        self.assert_same_bits(whole, self.collected("shards", "smoke"), RUNS)

    def test_more_shards_than_runs(self):
        for shard in range(1, 12):
            self.qsweep("run", SMOKE, *SEED, "--out", "many", "--shard", f"{shard}/11")
        self.assert_only_results("many", "smoke", RUNS)
        for command in (["run", "--out", "many"], ["plan"]):
            self.assertIn(f"shard 20/20 of {RUNS} runs is empty", self.qsweep(*command, SMOKE, *SEED, "--shard", "20/20").out)

    def test_five_workers_on_two_and_three_ranks(self):
        sets = SEED + ["--set", "workers.count=5", "--set", "weights.quantizer=laq3", "--set", "gradients.quantizer=fp,sq2"]
        for exchange in ("allreduce", "server"):
            here = sets + ["--set", f"workers.exchange={exchange}"]
            self.qsweep("run", SMOKE, *here, "--out", exchange)
            alone = self.collected(exchange, "smoke")
            for ranks in (2, 3):
                out = f"{exchange}{ranks}"
                self.qsweep("run", SMOKE, *here, "--out", out, "--team-size", ranks, ranks=ranks)
                self.assert_same_bits(alone, self.collected(out, "smoke"), 4)
        by_settings = {}
        for exchange in ("allreduce2", "server2"):  # the exchange is part of the id: runs are matched by their other settings
            for file in self.results(exchange, "smoke"):
                settings = attributes(file)
                key = settings["data.set"] + settings["gradients.quantizer"]
                by_settings.setdefault(key, []).append(datasets(file))
        self.assertEqual(len(by_settings), 4)
        for key, (one, other) in by_settings.items():
            self.assertEqual(one.keys(), other.keys())
            self.assertEqual([path for path in one if one[path] != other[path]], [], key)

    def test_diff_sees_one_differing_run(self):
        self.qsweep("run", SMOKE, "--set", "run.seed=1,2", "--set", "gradients.quantizer=fp", "--set", "weights.quantizer=lab", "--out", "a")
        a = self.collected("a", "smoke")
        files = self.results("a", "smoke")
        self.assert_same_bits(a, a, 4)
        outcome = self.qsweep("diff", files[0], files[1], code=1)
        self.assertIn("only in the first file", outcome.out)
        self.assertIn("only in the second file", outcome.out)


if __name__ == "__main__":
    unittest.main()
