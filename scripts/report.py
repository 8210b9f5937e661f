#!/usr/bin/python3
"""report.py [FILE.h5 | DIR/NAME]… [-o REPORT.html]: one page of several experiments, with their figures, tables, settings, provenance.

Each FILE.h5 is a collected results file or one run's own file, each DIR/NAME the folder of an experiment's run files, as for plot.py,
whose figures these are. The page holds all it shows (figures too): it opens from disk without a network, and can be sent by mail.
Without arguments: the smoke experiment. Without -o: report.html.
Exit codes: 0 written, 2 wrong arguments, 3 a file missing, damaged, not qsweep's, or the page not writable; then nothing is written.
"""
import argparse
import os
import sys

import plot
from qsweep_plot import reading


def read_all(paths):
    """All results, or one DataError that tells everything that is wrong."""
    found, wrong = [], []
    for path in paths:
        try:
            found.append(reading.read(path))
        except reading.DataError as error:
            wrong.append(str(error))
    if wrong:
        raise reading.DataError("\nreport.py: ".join(wrong))
    return found


def write(text, path):
    """Whole or not at all: under another name, which is then changed."""
    unfinished = f"{path}.{os.getpid()}.part"
    try:
        with open(unfinished, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(unfinished, path)
    except OSError as error:
        raise reading.DataError(f"{path}: cannot write the page: {error.strerror}") from error
    finally:
        if os.path.exists(unfinished):
            os.remove(unfinished)


def report(paths, output):
    reading.require_replaceable(output, "page", (b"<!doctype html", b"<html"))
    every = read_all(paths)
    import matplotlib
    matplotlib.use("Agg")
    from qsweep_plot import page
    write(page.page(every, lambda results: plot.figure_function(results.experiment)(results)), output)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="report.py", description="Write one self-contained HTML page of several experiments.",
                                     allow_abbrev=False)
    parser.add_argument("files", nargs="*", metavar="FILE.h5|DIR/NAME",
                        help="results files, or folders of run files (default: the smoke experiment's results)")
    parser.add_argument("-o", "--output", metavar="REPORT.html", default="report.html", help="the page (default: report.html)")
    options = parser.parse_args(arguments)  # leaves with 2 if they are wrong
    if not options.files and not os.path.exists(plot.SMOKE):
        print("report.py: results/smoke.h5 does not exist; make it with: qsweep run experiments/smoke.ini && qsweep "
              "collect results/smoke -o results/smoke.h5 (or name files: report.py FILE.h5 …)", file=sys.stderr)
        return 3
    try:
        report(options.files or [plot.SMOKE], options.output)
    except reading.DataError as error:
        print(f"report.py: {error}", file=sys.stderr)
        return 3
    print(options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
