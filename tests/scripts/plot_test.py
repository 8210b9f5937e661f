#!/usr/bin/python3
"""plot_test.py: every figure is drawn from a synthetic file, is not blank, says what the file says; bad input has its exit code."""
import contextlib
import io
import math
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, "..", "..", "scripts", "plot.py")
sys.path[:0] = [HERE, os.path.dirname(os.path.abspath(SCRIPT))]
import make_example  # noqa: E402
import plot  # noqa: E402
from qsweep_plot import clipping, dimension, layers, reading, series, straight_through, style, workers  # noqa: E402

QUICK = {"points": 30}


def shrink(settings, seeds=2):
    return [s for s in settings if s["run.seed"] <= seeds]


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, experiment, name="example.h5", **options):
        axes, settings = make_example.settings_of(experiment)
        options = {"axes": axes, "settings": shrink(settings), **QUICK, **options}
        return make_example.make(self.path(name), experiment, **options)

    def words(self, file):
        """Every text of the figure of a file; and saves it beside, as the command does."""
        results = reading.read(file)
        figure = plot.figure_function(results.experiment)(results)
        found = [t.get_text() for t in figure.findobj(lambda artist: hasattr(artist, "get_text") and artist.get_visible())]
        texts = " ".join(t if isinstance(t, str) else t.get_text() for t in found)  # a table's cell gives its artist
        plot.save(figure, file[:-3] + ".png", dpi=100)
        self.check_image(file[:-3] + ".png")
        return " ".join(texts.split())

    def check_image(self, file):
        import matplotlib.image
        pixels = matplotlib.image.imread(file)[:, :, :3]
        self.assertGreater(pixels.shape[0], 400)
        self.assertGreater(pixels.shape[1], 600)
        self.assertLess(max(pixels.shape), 4000)
        self.assertGreater(pixels.std(), .04, "blank")                                # uniform images have 0
        self.assertGreater((pixels.min(2) > .99).mean(), .2, "no white background")   # text needs room
        coloured = (pixels.max(2) - pixels.min(2) > .2).mean()
        self.assertGreater(coloured, .0005, "no coloured line")


class OwnFigures(Folder):
    def contains(self, words, *expected):
        for text in expected:
            self.assertIn(text, words)

    def test_dimension_linear(self):
        self.contains(self.words(self.make("dimension_linear")), "dimension_linear", "d = 64", "d = 1024", "W(LAB)-G(FP)",
                      "W(LAB)-G(SQ2)",
                      "average training loss at the", "average regret", "bound as printed", "commit 0123abc", "12 runs, 2 seeds")

    def test_dimension_mlp_keeps_the_literal_setting_apart(self):
        file = self.make("dimension_mlp")
        words = self.words(file)
        self.contains(words, "W(LAQ3)-G(SQ3)", "optimizer.learning_rate = 0.1, kept apart", "The gap SQ3 − FP")
        grid = dimension.Grid(reading.read(file), apart={"optimizer.learning_rate": .1})
        self.assertEqual({float(r.key("optimizer.learning_rate")) for r in grid.runs}, {.001})
        self.assertEqual(len(grid.runs), 12)

    def test_resolution_linear_prints_every_value(self):
        axes, settings = make_example.settings_of("resolution_linear")
        few = [s for s in shrink(settings) if s["weights.quantizer"][-1] in "pb38" and s["gradients.quantizer"][-1] in "p28"]
        file = self.make("resolution_linear", settings=few, diverge=(5, 4))
        words = self.words(file)
        runs = reading.read(file).runs
        cell = [r.final("average_loss") for r in runs if style.run_name(r) == "W(LAQ3)-G(SQ2)"]
        self.contains(words, f"{numpy.mean(cell):#.3g}", "LAQ8", "SQ8", "1/127", "diverged", "(seeds 1, 2; iteration")

    def test_clipping_linear(self):
        self.contains(self.words(self.make("clipping_linear")), "c = 1", "c = 3", "no clipping", "Proposition 2", "G(FP)")

    def test_clipping_linear_over_dimensions(self):
        settings = [{"gradients.quantizer": g, "gradients.clip": c, "model.dimension": d, "run.seed": 1}
                    for d in (64, 256) for g, c in (("fp", "-"), ("sq2", "none"), ("sq2", 1), ("sq2", 3))]
        axes = ["gradients.clip", "gradients.quantizer", "model.dimension"]
        self.contains(self.words(self.make("clipping_linear", axes=axes, settings=settings)), "dimension d", "over that of G(FP)")

    def test_workers_linear(self):
        self.contains(self.words(self.make("workers_linear")), "N = 32", "1/N (Remark 1)", "Target: an average loss of",
                      "follows 1/N up to")

    def test_mlp_mnist(self):
        self.contains(self.words(self.make("mlp_mnist")), "W(LAQ4)", "G(SQ4)", "test accuracy [%]", "Final test accuracy")

    def test_accuracy_evaluated_once_is_in_the_table_alone(self):
        file = self.make("mlp_mnist")
        self.assertIn("test accuracy [%]", [ax.get_ylabel() for ax in plot.figure_function("mlp_mnist")(reading.read(file)).axes])
        with h5py.File(file, "a") as opened:
            for run in opened["runs"].values():
                for name in ("evaluation_iteration", "test_accuracy"):
                    last = run["curves"][name][-1:]
                    kept = dict(run["curves"][name].attrs)
                    del run["curves"][name]
                    run["curves"].create_dataset(name, data=last).attrs.update(kept)
        figure = plot.figure_function("mlp_mnist")(reading.read(file))
        self.assertNotIn("test accuracy [%]", [ax.get_ylabel() for ax in figure.axes])
        self.assertIn("Final test accuracy", figure.table)

    def test_bits_of_cifarnet(self):
        for name, title in (("weight_bits", "bits of the weights"), ("gradient_bits", "bits of the gradients")):
            file = self.make(name)
            self.contains(self.words(file), title, "W(LAB)", "G(SQ4)", "Final average loss with")
            table = plot.figure_function(name)(reading.read(file)).table
            self.contains(table, "W(FP)", "G(SQ2)", "±")
            self.assertEqual("G(SQ2, c = 3)" in table, name == "gradient_bits")

    def test_clipping_cifarnet(self):
        file = self.make("clipping_cifarnet")
        self.contains(self.words(file), "c = 1", "no clipping", "conv1", "fc5", "normal", "Norm ratio of each layer", "Training loss, SQ2", "c = 3, G(SQ4)", "t = 100")
        run = next(r for r in reading.read(file).runs if "curves/gradient_histogram" in r.arrays)
        iteration, counts, edges = layers.histogram(run, 1)
        self.assertEqual((iteration, counts.shape, edges[0], edges[-1]), (1, (5, 160), -10, 10))
        self.assertTrue((counts.sum(1) == 20000).all())

    def test_workers_cifarnet(self):
        file = self.make("workers_cifarnet")
        self.contains(self.words(file), "N = 8", "G(SQ2, c = 3)", "Table 2")
        self.contains(plot.figure_function("workers_cifarnet")(reading.read(file)).table, "N = 2", "G(FP)", "G(SQ2, c = 3)")

    def test_dimension_cifarnet(self):
        self.contains(self.words(self.make("dimension_cifarnet")), "filters d", "The gap SQ2 − FP")


class StraightThrough(Folder):
    ESTIMATORS = ("identity", "relu", "clipped_relu")

    def figure(self, experiment, settings, **options):
        return self.words(make_example.make_two_layer(self.path("example.h5"), experiment, settings, **options))

    def contains(self, words, *expected):
        for text in expected:
            self.assertIn(text, words)

    def test_figure1_orders_panels_by_samples(self):
        words = self.figure("figure1", [{"data.samples": n, "activations.ste": "relu"} for n in (1000, 10, 50)])
        self.contains(words, "(a) N = 10", "(c) N = 1000", "of the variation is upward", "in 100% of the draws")

    def test_upward_share(self):
        self.assertAlmostEqual(straight_through.upward_share(numpy.array([[3.], [1], [2], [0]]))[0], 1 / 5)

    def test_population_descent_judges_and_counts(self):
        words = self.figure("population_descent", [{"model.rows": m, "activations.ste": e, "problem.start": s}
                                                   for m in (2, 5) for e in self.ESTIMATORS for s in ("random", "theorem2")])
        runs = reading.read(self.path("example.h5")).runs
        ours = [r for r in runs if r.key("activations.ste") == "relu" and r.key("problem.start") == "random"]
        others = sum(int((r.arrays["final/least_w_norm"] < .1).sum()) for r in ours)
        self.contains(words, "(c) m = 2, starts of Theorem 2", "clipped ReLU", f"Random starts, ReLU: the loss rose in 0 of {60 - others} starts",
                      f"in {others} of {others} others; {60 - others} of all ended at a global minimum, {others} at a spurious one")

    def test_basin_counts(self):
        words = self.figure("basin_counts", [{"activations.ste": e, "problem.w_norm": n} for e in self.ESTIMATORS for n in (1, 5)])
        self.contains(words, "Where the starts end", "spurious minimum", "identity ‖w⁰‖ = 5", "w passed through 0 in")

    def test_instability_says_the_predicted_passage(self):
        words = self.figure("instability_toy", [{"activations.ste": e, "problem.target": "1 0.5 -0.3 0.8 -0.4", "problem.w_norm": 1, "optimizer.learning_rate": .02}
                                                for e in self.ESTIMATORS], starts=1)
        self.contains(words, "predicted ‖w⁰‖/(ηN₉) = 220", "Norm of w")

    def test_drift_is_lemma_9(self):
        self.assertAlmostEqual(straight_through.drift([1, .5, -.3, .8, -.4]), 2 * 4 * 1.6 ** 2 / (math.sqrt(2 * math.pi) * 36))


class LearningCompression(Folder):
    METHODS = ("direct_compression", "iterated_direct_compression", "learning_compression")

    def figure(self, experiment, settings):
        return self.words(make_example.make_compression(self.path("example.h5"), experiment, settings))

    def grid(self, **keys):
        return [{"experiment.method": m, "compression.size": k, "run.seed": s, **keys} for m in self.METHODS for k in ("2", "4") for s in (1, 2)]

    def test_networks(self):
        words = self.figure("lenet300", self.grid() + [{"compression.penalty": "none", "run.seed": s} for s in (1, 2)])
        for text in ("K = 4", "iDC", "control", "30.52", "log10 training loss", "SGD steps", "test error [%]", "Test error with K = 2: reference"):
            self.assertIn(text, words)

    def test_superresolution(self):
        words = self.figure("superresolution", self.grid())
        for text in ("K = 2", "DC", "training loss", "reference"):
            self.assertIn(text, words)

    def test_superresolution_mu0(self):
        settings = [{"compression.mu0": m, "compression.steps": n, "data.noise": noise} for m, n in ((.1, 60), (10, 30)) for noise in (.02, .05)]
        self.assertIn("noise 0.02", self.figure("superresolution_mu0", settings))

    def test_codebooks(self):
        settings = [{"experiment.method": m, "compression.codebook": c} for m in self.METHODS[::2] for c in ("scaled_binary", "ternary")]
        settings += [{"experiment.method": m, "compression.codebook": "powers_of_two", "compression.smallest_power": 3} for m in self.METHODS[::2]]
        words = self.figure("lenet300_codebooks", settings)
        for text in ("{−a, a}", "{−1, 0, 1}", "C = 3"):
            self.assertIn(text, words)

    def test_binary_connect_stands_beside_learning_compression(self):
        words = self.words(shutil.copy(os.path.join(HERE, "..", "..", "results", "reference", "lenet_binary_connect.h5"), self.folder))
        for text in ("BinaryConnect", "{−H, H}, cross entropy deterministic", "{−1, 1}, squared hinge stochastic", "LC", "reference"):
            self.assertIn(text, words)

    def test_penalty(self):
        settings = [{"compression.penalty": p, "compression.mu0": m, "optimizer.learning_rate": r} for p in ("augmented_lagrangian", "quadratic") for m in (1e-5, 1e-4) for r in (.02, .1)]
        self.assertIn("augmented Lagrangian quadratic", self.figure("lenet300_penalty", settings))

    def test_tradeoff(self):
        settings = [{"model.dimension": h, "compression.size": k} for h in (2, 8, 40) for k in (2, 16, 256)]
        words = self.figure("tradeoff", settings)
        self.assertIn("smallest uncompressed", words)

    def test_sizes_are_those_of_the_specification(self):
        from qsweep_plot import compression
        self.assertEqual(compression.size_in_bits(40, None), 1_017_920)
        self.assertEqual(compression.size_in_bits(2, None), 51_200)
        self.assertEqual(compression.size_in_bits(40, 2), 33_424 + 64)  # two codebooks

    def test_distributed(self):
        words = self.figure("distributed_lc", self.grid() + self.grid(**{"gradients.quantizer": "sq4", "gradients.clip": "3"}))
        for text in ("G(SQ4, c = 3)", "sent by a worker", "G(FP)", "LC, K = 4, SQ4 against full-precision gradients"):
            self.assertIn(text, words)


class GeneralFigure(Folder):
    def test_smoke(self):
        words = self.words(self.make("smoke"))
        self.assertIn("W(LAQ3)", words)
        self.assertIn("average training loss at the", words)

    def test_labels_come_from_the_file(self):
        file = self.make("smoke")
        with h5py.File(file, "a") as results:
            for run in results["runs"].values():
                run["curves/average_loss"].attrs["long_name"] = "mean hinge loss"
                run["curves/average_loss"].attrs["unit"] = "nat"
        self.assertIn("mean hinge loss [nat]", self.words(file))

    def test_small_multiples_and_accuracy(self):
        settings = [{"model.kind": "mlp", "model.dimension": d, "gradients.quantizer": g, "workers.count": n, "run.seed": 1}
                    for d in (16, 64) for g in ("fp", "sq2") for n in (1, 2, 4)]
        words = self.words(self.make("other", axes=["model.dimension", "gradients.quantizer", "workers.count"], settings=settings))
        for text in ("N = 1", "N = 4", "test accuracy [%]", "d = 16"):
            self.assertIn(text, words)

    def test_many_values(self):
        settings = [{"model.dimension": d, "run.seed": 1} for d in range(16, 240, 16)]
        words = self.words(self.make("other", axes=["model.dimension"], settings=settings))
        self.assertIn("d = 224", words)
        self.assertIn("1 seed ", words)

    def test_one_run_one_point(self):
        self.words(self.make("other", axes=[], settings=[{}], points=1))

    def test_axes_that_advance_together_are_one(self):
        settings = [{"workers.count": n, "run.iterations": 4000 // n, "run.seed": 1} for n in (1, 2, 4)]
        words = self.words(self.make("other", axes=["workers.count", "run.iterations"], settings=settings))
        self.assertNotIn("T = ", words)

    def test_curves_over_mu_steps(self):
        file = self.path("compression.h5")
        with h5py.File(file, "w") as results:
            results.attrs["format"], results.attrs["experiment"] = "qsweep-results", "lc"
            group = results.create_group("runs/1/compression")
            make_example.dataset(group, "mu_step", range(9))
            make_example.dataset(group, "loss", 1 / numpy.arange(1, 10))
        self.assertIn("loss", self.words(file))

    def test_folder_of_run_files(self):
        os.mkdir(self.path("smoke"))
        for i in range(2):
            self.make("smoke", f"smoke/{i:016x}.h5", settings=[{"model.dimension": 64, "gradients.quantizer": ("fp", "sq2")[i]}])
        self.assertEqual(len(reading.read(self.path("smoke")).runs), 2)
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(plot.main([self.path("smoke")]), 0)
        self.check_image(self.path("smoke.png"))


class Damage(Folder):
    """What a figure must survive: no curves, NaN, one seed, missing settings, settings of which every run diverged."""

    def each(self, change=None, **options):
        for experiment in plot.FIGURES:
            with self.subTest(experiment=experiment):
                axes, settings = make_example.settings_of(experiment)
                settings = shrink(settings, 1)
                file = self.make(experiment, settings=settings[::9] if len(settings) > 30 else settings, **options)
                if change:
                    with h5py.File(file, "a") as results:
                        for run in results["runs"].values():
                            change(run)
                results = reading.read(file)
                figure = plot.figure_function(experiment)(results)
                figure.set_layout_engine("none")  # the slow part of drawing, which the tests above cover
                plot.save(figure, self.path("figure.png"), dpi=40)
                self.assertGreater(os.path.getsize(self.path("figure.png")), 2000)

    def test_without_the_main_curve_and_bounds(self):
        def strip(run):
            for name in ("curves/average_loss", "final/average_loss", "curves/gradient_norm_ratio", "bound",
                         "curves/test_accuracy"):
                if name in run:
                    del run[name]
        self.each(strip)

    def test_nan_and_diverged(self):
        def spoil(run):
            run["curves/average_loss"][::3] = numpy.nan
            run["final/average_loss"][...] = numpy.nan
        self.each(spoil, diverge=(0, 1))


class Numbers(Folder):
    """What the figures state, against values worked out by hand."""

    def curve(self, x, y):
        return reading.Curve(numpy.array(x, float), numpy.array(y, float), "", "")

    def test_mean_ends_with_the_shortest_run(self):
        mean = series.Mean([self.curve([1, 2, 3], [3, 2, 1]), self.curve([1, 2, 3, 4], [5, 4, 3, 2])])
        numpy.testing.assert_array_equal(mean.x, [1, 2, 3])
        numpy.testing.assert_array_equal(mean.mean, [4, 3, 2])
        numpy.testing.assert_array_equal(mean.low, [3, 2, 1])
        numpy.testing.assert_array_equal(mean.tails[0][1], [3, 2])

    def test_iterations_to_a_level(self):
        curve = self.curve([1, 3, 5], [8, 4, 2])
        self.assertEqual(series.iterations_to(curve, 6), 2)
        self.assertEqual(series.iterations_to(curve, 9), 1)
        self.assertTrue(math.isnan(series.iterations_to(curve, 1)))
        dips = self.curve([1, 3, 5, 7], [2, 8, 4, 2])  # the first value is noise: what counts is where the curve stays below
        self.assertEqual(series.iterations_to(dips, 6), 4)

    def test_order_of_values(self):
        self.assertEqual(sorted(["laq8", "laq2", "fp", "lab"], key=series.rank), ["fp", "lab", "laq2", "laq8"])
        self.assertEqual(sorted(["3", "none", "-", "1"], key=series.rank), ["-", "none", "1", "3"])

    def test_clipping_loss_is_its_integral(self):
        x = numpy.linspace(0, 20, 200001)
        for c in (.5, 1, 2, 3):  # F(c) = ∫_c^∞ (x−c)² exp(−x²/2) dx, by the trapezoid rule: error O(h²) = 1e-8
            integrand = numpy.where(x > c, (x - c) ** 2 * numpy.exp(-x * x / 2), 0)
            self.assertLess(abs(clipping.clipping_loss(c) - numpy.trapz(integrand, x)), 1e-6)

    def test_saturation(self):
        steps = {n: numpy.array([s]) for n, s in ((1, 800.), (2, 400.), (4, 250.), (8, 240.))}
        self.assertIn("up to N = 4; from N = 8 on", workers.saturation(steps))
        self.assertIn("up to N = 2 (", workers.saturation({n: steps[n] for n in (1, 2)}))

    def test_trend_of_the_gap(self):
        rng = numpy.random.default_rng(1)

        def gap(slope):
            return {d: slope * math.log2(d) + .01 * rng.standard_normal(5) for d in (64, 256, 1024)}
        self.assertIn("grows with d", dimension.trend_sentence("sq3", gap(.1)))
        self.assertIn("shrinks with d", dimension.trend_sentence("sq3", gap(-.1)))
        self.assertIn("no clear trend", dimension.trend_sentence("sq3", {64: numpy.array([.1, .3]), 256: numpy.array([.3, .1])}))

    def test_slowdown_factor_of_the_file_wins_over_its_formula(self):
        file = self.make("dimension_linear")
        run = next(r for r in reading.read(file).runs if r.key("gradients.quantizer") == "sq2"
                   and r.key("model.dimension") == "256")
        formula = math.sqrt((1 + math.sqrt(511)) / 2 + 1)
        self.assertAlmostEqual(dimension.slowdown_factor(run), formula)
        run.arrays["bound/slow_down_printed"] = numpy.array(7.0)
        self.assertEqual(dimension.slowdown_factor(run), 7)
        del run.arrays["bound/slow_down_printed"]
        self.assertAlmostEqual(dimension.slowdown_factor(run), formula)


class Command(Folder):
    def run_script(self, *arguments):
        return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=60)

    def fails(self, code, expected, *arguments):
        done = self.run_script(*arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(expected, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        if code == 3:
            self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)

    def test_draws(self):
        file = self.make("smoke")
        done = self.run_script(file, "-o", self.path("figure.png"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.strip(), self.path("figure.png"))
        self.check_image(self.path("figure.png"))

    def test_wrong_arguments(self):
        self.fails(2, "unrecognized arguments", "a.h5", "--colour")
        self.fails(2, "expected one argument", "a.h5", "-o")

    def test_missing(self):
        self.fails(3, "no such file", self.path("absent.h5"))
        self.fails(3, "holds no run files", self.folder)

    def test_damaged(self):
        file = self.make("smoke")
        with open(file, "r+b") as damaged:
            damaged.truncate(os.path.getsize(file) // 2)
        self.fails(3, "damaged", file)
        with open(self.path("words.h5"), "w") as words:
            words.write("not HDF5")
        self.fails(3, "not a readable HDF5 file", self.path("words.h5"))

    def test_foreign_and_empty(self):
        with h5py.File(self.path("foreign.h5"), "w") as foreign:
            foreign["x"] = 1
        self.fails(3, "not a qsweep results file", self.path("foreign.h5"))
        self.fails(3, "holds no runs", self.make("smoke", settings=[]))

    def test_no_curves(self):
        file = self.make("smoke")
        with h5py.File(file, "a") as results:
            for run in results["runs"].values():
                del run["curves"], run["bound"]
        self.fails(3, "holds no curves", file)

    def test_unwritable_figure(self):
        self.fails(3, "cannot write the figure", self.make("smoke"), "-o", self.path("absent/figure.png"))
        self.fails(3, "cannot write the figure", self.path("example.h5"), "-o", self.path("figure.nonsense"))

    def test_what_a_figure_must_not_replace(self):
        file = self.make("smoke")
        self.fails(3, "is a folder", file, "-o", self.folder)
        with open(file, "rb") as results:
            before = results.read()
        self.fails(3, "exists and is no figure", file, "-o", file)
        with open(file, "rb") as results:
            self.assertEqual(results.read(), before)

    def test_another_version(self):
        file = self.make("smoke")
        with h5py.File(file, "a") as results:
            results.attrs["format_version"] = 9
        self.fails(3, "format version 9", file)

    def test_without_arguments(self):
        copy = self.path("checkout/scripts")
        shutil.copytree(os.path.dirname(os.path.abspath(SCRIPT)), copy, ignore=shutil.ignore_patterns("__pycache__"))
        command = [sys.executable, os.path.join(copy, "plot.py")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 3)
        self.assertIn("qsweep run experiments/smoke.ini", done.stderr)
        os.mkdir(self.path("checkout/results"))
        self.make("smoke", "checkout/results/smoke.h5")
        self.assertEqual(subprocess.run(command, capture_output=True, timeout=60).returncode, 0)
        self.check_image(self.path("checkout/results/smoke.png"))


if __name__ == "__main__":
    os.environ["MPLBACKEND"] = "Agg"
    unittest.main()
