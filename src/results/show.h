#pragma once
#include <filesystem>
#include <string>

/// `qsweep show FILE.h5 | DIR/NAME`: tables of the runs of one experiment, for a terminal.
///   Runs: one row for each point of the grid; mean ± standard deviation over seeds (of the sample, n − 1) of the values at the
///   end;
///     * marks the best. Diverged runs have a row of their own and are part of no mean.
///   Regret and bounds, where theory.measure was on: R(T)/T against U1, U2, U3 and the printed bound (theory/regret.h).
///   Slow-down by quantized gradients: results/slow_down.h.
namespace qsweep {

struct ShowOptions {
  int width = 80;  ///< of the terminal: no line is longer; what does not fit is left out, and named. 0: as wide as need be
};

/// Reads a collected file, a run's own, or a folder in which the sweep may still be at work. DataError as survey().
std::string show(const std::filesystem::path& file_or_folder, const ShowOptions& = {});

}  // namespace qsweep
