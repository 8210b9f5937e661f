#!/usr/bin/python3
"""exchange_plot_test.py: the figure of exchanges, from a file made here."""
import os
import shutil
import sys
import tempfile
import unittest

import h5py
import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "scripts"))
import plot  # noqa: E402
from qsweep_plot import reading  # noqa: E402


class Figures(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, experiment, runs):
        """runs: {id: (attributes, {path: values})}."""
        path = os.path.join(self.folder, experiment + ".h5")
        with h5py.File(path, "w") as file:
            file.attrs.update(format="qsweep-results", format_version=1, experiment=experiment, settings="")
            for name, (attributes, arrays) in runs.items():
                run = file.create_group("runs/" + name)
                run.attrs.update(attributes)
                for where, values in arrays.items():
                    data = run.create_dataset(where, data=numpy.array(values, float))
                    data.attrs.update(unit="1", long_name=where)
        return path

    def words(self, path):
        results = reading.read(path)
        figure = plot.figure_function(results.experiment)(results)
        texts = " ".join(t.get_text() for t in figure.findobj(lambda artist: hasattr(artist, "get_text") and artist.get_visible()))
        plot.save(figure, path[:-3] + ".png", dpi=80)
        import matplotlib.image
        pixels = matplotlib.image.imread(path[:-3] + ".png")[:, :, :3]
        self.assertGreater(pixels.std(), .04)
        self.assertGreater((pixels.max(2) - pixels.min(2) > .2).mean(), .0005)
        return " ".join(texts.split())

    def contains(self, words, *expected):
        for text in expected:
            self.assertIn(text, words)

    def test_exchange(self):
        x = 2.0 ** numpy.arange(10, 15)
        runs = {name: ({"workers.exchange": name, "workers.count": 2, "gradients.quantizer": "sq2", "weights.quantizer": "laq3", "network": "1 Gbit/s"},
                       {"bench/elements": x, "bench/floats": 1e-8 * x, "bench/up": 2e-9 * x, "bench/down": 1e-9 * x, "bench/bytes": x / 4})
                for name in ("sharded", "server", "allreduce")}
        self.contains(self.words(self.write("exchange", runs)), "allreduce", "server", "sharded", "2 ranks", "1 Gbit/s", "At 2^14 elements", "allreduce 0.20", "SQ2")


if __name__ == "__main__":
    unittest.main()
