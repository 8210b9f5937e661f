#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "results/survey.h"
#include "results/table.h"

/// The runs of an experiment as points of its grid: equal settings but for the seed are one point.
namespace qsweep {

struct GridPoint {
  std::vector<const RunSummary*> complete, diverged;  ///< one for each seed
  const RunSummary& any() const { return complete.empty() ? *diverged.front() : *complete.front(); }
};

struct Points {
  std::vector<std::string> axes;  ///< keys worth a column, the slowest of the grid first
  std::vector<GridPoint> points;  ///< in the order of the grid: numbers by value, fp < lab < lat < laq2 < … and sq2 < …
};

/// Settings by which runs differ in fact separate points even if the file's list of axes lacks them, as when a folder holds runs of
/// two versions of an experiment. Keys that follow from others (a scale rule that only quantized gradients have) get no column.
/// The points refer to the survey.
Points points_of(const Survey&);

/// A column for each axis, one cell for each of the given runs. The quantizers of weights and gradients share one, with the paper's
/// names: W(LAQ3)-G(SQ2).
std::vector<Column> axis_columns(const std::vector<std::string>& axes, const std::vector<const RunSummary*>& rows);

/// The ids of the grid's runs, from the text of the experiment file. `exact` is false where ids depend on the content of files
/// (model.initial): only their number is right then. None if the text is not of this version.
struct ExpectedRuns {
  std::set<std::string> ids;
  bool exact = true;
};
std::optional<ExpectedRuns> expected_runs(const std::string& settings);

}  // namespace qsweep
