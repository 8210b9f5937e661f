#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// `qsweep collect DIR/NAME`: the run files of one experiment, DIR/NAME/<id>.h5, as one results file. One run is read and
/// written after the other, so memory does not grow with their number.
namespace qsweep {

struct LeftOut {
  std::string file;
  std::string reason;
};

struct CollectReport {
  std::vector<std::string> collected;  ///< ids, in the order of the output
  std::vector<std::string> missing;    ///< expected, without a finished run file
  std::vector<std::string> stale;      ///< finished, but not expected: left out
  std::vector<LeftOut> foreign;        ///< not a run of this experiment, or unreadable: left out
  bool settings_differ = false;        ///< the runs come from differing experiment files; kept is that of the newest
};

struct CollectOptions {
  bool weights = true;  ///< false: final/weights and final/quantized_weights are left out; what remains of a network's runs is small
  /// Of curves/ and bound/ with n > points rows, the rows max(k, ⌊(n − 1)k²/(points − 1)²⌋) are kept, k = 0 … points − 1: the first, the
  /// last, and closer at the beginning, where curves bend; n goes into the dataset's attribute `recorded_points`. At least 2. None: all.
  std::optional<std::size_t> points = {};
};

/// `expected`: the ids of the grid, whose order the output follows; without it all runs are taken, sorted by id.
/// The experiment is the one the folder is named for. Attributes at the root are those of the newest run file; axes are joined.
/// DataError if there is nothing to collect, or the output cannot be written; an older output then stays as it was.
CollectReport collect(const std::filesystem::path& folder, const std::optional<std::vector<std::string>>& expected,
                      const std::filesystem::path& output, const CollectOptions& options = {});

}  // namespace qsweep
