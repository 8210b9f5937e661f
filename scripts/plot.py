#!/usr/bin/python3
"""plot.py [FILE.h5 | DIR/NAME] [-o FIGURE.png]: draw the results of one experiment.

FILE.h5 is a collected results file or one run's own file; DIR/NAME is the folder of an experiment's run files. The file's
attribute `experiment` chooses the figure (table FIGURES below); any other experiment gets the general one. Everything drawn comes
from the file.
Without arguments: the smoke experiment. Without -o: beside the file, with the ending .png.
Exit codes: 0 drawn, 2 wrong arguments, 3 file missing, damaged, not qsweep's, or figure not writable.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
try:
    from qsweep_plot import reading  # noqa: E402
except ModuleNotFoundError as missing:
    sys.exit(f"{os.path.basename(sys.argv[0])}: {sys.executable} has no module {missing.name}: use /usr/bin/python3, with Debian's python3-h5py, "
             "python3-numpy and python3-matplotlib")

# Experiment -> "module of qsweep_plot:function", imported when needed. A new figure is one function and one line here.
FIGURES = {
    "dimension_linear": "dimension:dimension_linear",
    "dimension_mlp": "dimension:dimension_mlp",
    "resolution_linear": "resolution:resolution_linear",
    "clipping_linear": "clipping:clipping_linear",
    "workers_linear": "workers:workers_linear",
    "mlp_mnist": "network:mlp_mnist",
    "exchange": "exchange:exchange",
    "figure1": "straight_through:figure1",
    "population_descent": "straight_through:population_descent",
    "basin_counts": "straight_through:basin_counts",
    "instability_toy": "straight_through:instability_toy",
    "dimension_cifarnet": "dimension:dimension_cifarnet",
    "weight_bits": "network:weight_bits",
    "gradient_bits": "network:gradient_bits",
    "clipping_cifarnet": "layers:clipping_cifarnet",
    "workers_cifarnet": "workers:workers_cifarnet",
    "lenet5_mnist": "quantized_activations:table1",
    "vgg11_cifar10": "quantized_activations:table1",
    "resnet20_cifar10": "quantized_activations:table1",
    "sensitivity": "quantized_activations:table1",
    "instability_identity": "quantized_activations:instability_identity",
    "instability_relu": "quantized_activations:instability_relu",
    "superresolution": "compression:superresolution",
    "superresolution_mu0": "compression:superresolution_mu0",
    "lenet300": "compression:networks",
    "lenet300_codebooks": "compression:codebooks",
    "lenet300_penalty": "compression:penalty",
    "lenet_binary_connect": "compression:codebooks",
    "lenet5": "compression:networks",
    "cifar10": "compression:networks",
    "tradeoff": "compression:tradeoff",
    "distributed_lc": "compression:distributed",
    "speedup_alexnet": "speedup:speedup_alexnet",
    "simulated_cluster": "exchange:cluster",
}
GENERAL = "general:general"

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SMOKE = os.path.join(REPOSITORY, "results", "smoke.h5")
if not os.path.isdir(os.path.dirname(SMOKE)):  # installed: results lie where qsweep was run
    SMOKE = os.path.join("results", "smoke.h5")


def figure_function(experiment):
    """The function that draws this experiment: results -> matplotlib figure."""
    import importlib
    module, function = FIGURES.get(experiment, GENERAL).split(":")
    return getattr(importlib.import_module("qsweep_plot." + module), function)


def default_output(path):
    path = path.rstrip("/")
    return (path[:-3] if path.endswith(".h5") else path) + ".png"


def save(figure, path, dpi=150):
    import matplotlib.pyplot as pyplot
    try:
        figure.savefig(path, dpi=dpi)
    except (OSError, ValueError) as error:  # ValueError: an ending that matplotlib does not know
        raise reading.DataError(f"{path}: cannot write the figure: {error}") from error
    finally:
        pyplot.close(figure)


def draw(path, output):
    reading.require_replaceable(output, "figure")
    results = reading.read(path)
    import matplotlib
    matplotlib.use("Agg")
    figure = figure_function(results.experiment)(results)
    save(figure, output)
    if not hasattr(figure, "table"):
        return [output]
    text = os.path.splitext(output)[0] + ".txt"  # the same table, for whoever wants its numbers
    with open(text, "w", encoding="utf-8") as file:
        file.write(figure.table)
    return [output, text]


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="plot.py", description="Draw the results of one experiment.", allow_abbrev=False)
    parser.add_argument("file", nargs="?", help="results file, or folder of run files (default: the smoke experiment's results)")
    parser.add_argument("-o", "--output", metavar="FIGURE.png", help="the figure (default: beside the file)")
    options = parser.parse_args(arguments)  # leaves with 2 if they are wrong
    if options.file is None and not os.path.exists(SMOKE):
        print("plot.py: results/smoke.h5 does not exist; make it with: qsweep run experiments/smoke.ini && qsweep "
              "collect results/smoke -o results/smoke.h5 (or name a file: plot.py FILE.h5)", file=sys.stderr)
        return 3
    path = options.file or SMOKE
    output = options.output or default_output(path)
    try:
        drawn = draw(path, output)
    except reading.DataError as error:
        print(f"plot.py: {error}", file=sys.stderr)
        return 3
    print(*drawn, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
