#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "results/reader.h"
#include "results/record.h"
#include "results/writer.h"

/// Results as files, schema in results/FORMAT.md. Everything wrong with a file is a DataError that names it and says what to do.
namespace qsweep {

inline constexpr const char* results_format = "qsweep-results";
inline constexpr std::int64_t results_format_version = 1;

/// DataError if there is something of that name that is not qsweep's results, which a slip of the hand would lose. Empty files are nothing.
void require_replaceable(const std::filesystem::path&);

/// All of it or nothing (results/writer.h); replaces an older file of that name.
void write_results(const std::filesystem::path&, const Results&);

/// Which datasets of a run to load, by path below the run: "curves/loss".
using Wanted = std::function<bool(const std::string& path)>;

/// Attributes are always read; datasets come sorted by path, runs in the file's order.
Results read_results(
    const std::filesystem::path&, const Wanted& wanted = [](const std::string&) { return true; });

/// Attributes alone (of files above 64 MiB without comparing the checksum of all their bytes), and the named datasets where a run
/// has them: for tables of runs, and to skip runs already done.
Results read_run_attributes(const std::filesystem::path&, const std::vector<std::string>& datasets = {});

struct Weights {
  std::vector<std::size_t> shape;
  std::vector<float> values;
};

/// /runs/<id>/final/weights by tensor ("fc1/weight"). Without an id the file must hold one run. Also of files made by hand that
/// have no more than the attribute `format` and these datasets.
std::map<std::string, Weights> read_weights(const std::filesystem::path&, const std::string& id = "");

/// /runs/<id>/problem by name ("v_star"). Without an id the file must hold one run. Also of files made by hand, as read_weights.
std::map<std::string, Dataset> read_problem(const std::filesystem::path&, const std::string& id = "");

/// Opens a file that is qsweep's and of this version. `versioned`: a file without format_version is refused too. `verify`: compare
/// the checksum.
Reader open_results(const std::filesystem::path&, bool versioned = true, bool verify = true);

/// The attributes at the root: format, format_version, experiment, settings, axes. No runs.
Results read_header(const Reader&);
void write_header(Writer&, const Results&);

/// /runs/<id>.
Record read_run(const Reader&, const std::string& id, const Wanted& wanted);
void write_run(Writer&, const Record&);

/// Paths of all datasets below a group, relative to it, sorted by name group by group.
std::vector<std::string> dataset_paths(const Reader&, const std::string& group);

}  // namespace qsweep
