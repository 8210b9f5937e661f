#!/usr/bin/python3
"""Six kills of a sweep, two of them while a checkpoint is written, two while results are: the short form of kills.py."""
import unittest

from kills import Kills


class ShortForm(Kills):
    def test_six_kills(self):
        self.kill_and_go_on(kills=6, seed=1, seconds=0.6)
        self.assertGreater(self.seen["moment checkpoint"], 0, "no kill came while a checkpoint was written")


if __name__ == "__main__":
    unittest.main()
