#!/usr/bin/python3
"""exchange_plot_test.py: the figures of exchanges, of the modelled speed-up and of the simulated cluster, from files made here."""
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
from qsweep_plot import cluster, reading  # noqa: E402


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
                    if where == "network/iteration_time":
                        data.attrs["assumptions"] = "4 ranks on a node; no overlap"
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

    def test_speedup(self):
        ranks = [1, 2, 4, 8]
        speed = numpy.array([[[1, 1.5, 2, 2.5], [1, 1.9, 3.5, 6]], [[1, 1.8, 3.3, 5.9], [1, 2, 3.9, 7.7]]])
        run = ({"weights.quantizer": "laq4", "workers.batch": 128},
               {"network/bandwidth": [1, 10], "network/latency": [5e-5, 5e-5], "network/ranks": ranks, "network/gradient_bits": [32, 2], "network/speed_up": speed,
                "network/communication_time": 1 / speed, "network/iteration_time": 1 / speed, "network/compute_time": 2})
        self.contains(self.words(self.write("speedup_alexnet", {"a": run})), "1 Gbit/s Ethernet", "10 Gbit/s Ethernet", "4 ranks on a node", "T_compute = 2 s", "SQ2 over FP: ×2.40 at 1 Gbit/s",
                      "SQ2 at 1 Gbit/s is ×6.0, FP at 10 Gbit/s ×5.9", "LAQ4")

    def test_cluster_from_the_simulators_table(self):
        with open(self.folder + "/table", "w") as out:
            for network in (10, 100):
                for ranks in (16, 256):
                    out.write(f"{network} {int(ranks >= 256)} floats 32 {ranks} {.02 + ranks / network * 1e-3}\n")
                    out.write(f"{network} {int(ranks >= 256)} sharded 2 {ranks} 0.03\n")
        with open(self.folder + "/keys", "w") as out:
            out.write("cifarnet\n64\nlaq3\n1068298\n0123abc\n")
        with open(self.folder + "/times", "w") as out:
            out.write("0.018 0.002 0.002 0.0001")
        file = os.path.join(self.folder, "cluster.h5")
        cluster.store(self.folder, "25us", file)
        results = reading.read(file)
        floats = next(r for r in results.runs if r.id == "floats-32-10")
        self.assertEqual(list(floats.arrays["bench/ranks"]), [16, 256])
        numpy.testing.assert_allclose(floats.arrays["bench/efficiency"], [.02 / .0216, .02 / .0456])
        self.contains(self.words(file), "weak scaling to 256 ranks", "10 Gbit/s", "100 Gbit/s", "messages of the same sizes only", "cifarnet, 1068298 parameters", "SQ2", "commit 0123abc")


if __name__ == "__main__":
    unittest.main()
