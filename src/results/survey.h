#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What a table of runs needs to know of them: their settings and last values, never their weights. Runs are read one after the
/// other, so memory grows by a few kilobytes for each.
namespace qsweep {

/// One finished run.
struct RunSummary {
  std::filesystem::path file;
  std::string id;
  /// Every effective key. Runs that differ in nothing but the reference they start from have "reference.KEY" too, for each key in which
  /// their references differ.
  std::map<std::string, std::string> settings;
  bool diverged = false;
  std::int64_t diverged_iteration = 0;              ///< 0 if not known
  std::optional<std::int64_t> iterations;           ///< reached
  std::map<std::string, std::vector<double>> last;  ///< by dataset: a scalar, one value for each start, or a curve's last value

  std::string setting(const std::string& key) const;              ///< "-" without it
  std::optional<double> value(const std::string& dataset) const;  ///< the first
};

struct FileLeftOut {
  std::string file, reason;
};

/// The runs of one file, or of a folder DIR/NAME where a sweep may still be at work.
struct Survey {
  std::string experiment;
  std::string settings;           ///< text of the experiment file, of the newest run
  std::vector<std::string> axes;  ///< joined over the files
  std::vector<RunSummary> runs;
  std::map<std::string, std::string> units;  ///< by dataset

  bool is_folder = false;
  std::vector<std::string> in_progress;  ///< ids whose lock is held by a process at work
  std::vector<std::string> abandoned;    ///< ids with a lock that nobody holds, or a checkpoint, and without results
  std::vector<RunSummary> saved;         ///< of both, as their last checkpoint tells, where there is one
  std::vector<FileLeftOut> left_out;     ///< run files that are damaged, or of another experiment
};

/// DataError, saying what to do, for what does not exist, cannot be read, is another program's, or has no run (a folder: neither
/// finished nor in progress). A damaged file in a folder is left out instead.
Survey survey(const std::filesystem::path& file_or_folder);

/// A dataset over the points of a run; empty if it has none of that name.
std::vector<double> read_curve(const RunSummary&, const std::string& path);

}  // namespace qsweep
