#include "results/collect.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/errors.h"
#include "results/file.h"

namespace qsweep {

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> run_files(const fs::path& folder, const fs::path& output) {
  std::error_code error;
  std::vector<fs::path> files;
  fs::directory_iterator entries(folder, error);
  if (error)
    throw DataError(folder.string() + ": cannot be read as a folder (" + error.message() +
                    "): name the folder DIR/NAME of an experiment");
  for (const auto& entry : entries) {
    const bool is_output = fs::exists(output, error) && fs::equivalent(entry.path(), output, error);
    // A second dot marks what belongs to a run in progress.
    if (entry.path().extension() == ".h5" && entry.path().stem().extension().empty() && !is_output) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string experiment_of(const fs::path& folder) {
  const fs::path whole = fs::weakly_canonical(folder);
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

bool is_run_file(const fs::path& file, const fs::path& folder) {
  const std::string id = file.stem().string();
  const bool named_so = file.extension() == ".h5" && id.size() == 16 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
  std::error_code none;
  return named_so && fs::equivalent(fs::absolute(file).parent_path(), folder, none);
}

/// The reason without the file's name, which stands before it in any case.
LeftOut left_out(const fs::path& file, const DataError& error) {
  std::string reason = error.what();
  if (reason.starts_with(file.string() + ": ")) reason.erase(0, file.string().size() + 2);
  return {file.string(), reason};
}

/// Why a file is no finished run of this experiment; empty if it is one.
std::string objection(const Reader& file, const Results& header, const std::string& experiment, const std::string& id) {
  if (header.experiment != experiment) return "is of experiment " + header.experiment + ", not " + experiment;
  const auto runs = file.entries("/runs");
  if (runs.size() != 1) return "holds " + std::to_string(runs.size()) + " runs, not one";
  if (runs[0].name != id) return "holds run " + runs[0].name + ", not the one it is named for";
  const Attributes attributes = file.attributes("/runs/" + id);
  const auto status = attributes.find("status");
  const auto* text = status == attributes.end() ? nullptr : std::get_if<std::string>(&status->second);
  if (!text) return "its run has no status";
  if (*text != "complete" && *text != "diverged") return "its run is not finished (" + *text + ")";
  return "";
}

/// What the runs seen so far say about the whole.
struct Survey {
  std::map<std::string, fs::path> found;  ///< by id
  Results header;                         ///< of the newest
  std::optional<fs::file_time_type> newest;
  std::vector<std::vector<std::string>> axes;

  void add(const std::string& id, const fs::path& file, Results&& its, CollectReport& report) {
    found.emplace(id, file);
    report.settings_differ |= newest && its.settings != header.settings;
    axes.push_back(its.axes);
    const auto time = fs::last_write_time(file);
    if (newest && time < *newest) return;
    newest = time;
    header = std::move(its);
  }
};

Survey survey(const fs::path& folder, const fs::path& output, const std::set<std::string>* wanted, CollectReport& report) {
  const std::string experiment = experiment_of(folder);
  Survey seen;
  for (const fs::path& path : run_files(folder, output)) {
    const std::string id = path.stem().string();
    try {
      const Reader file = open_results(path);
      Results header = read_header(file);
      if (const std::string reason = objection(file, header, experiment, id); !reason.empty())
        report.foreign.push_back({path.string(), reason});
      else if (wanted && !wanted->count(id))
        report.stale.push_back(id);
      else
        seen.add(id, path, std::move(header), report);
    } catch (const DataError& error) {
      report.foreign.push_back(left_out(path, error));
    }
  }
  return seen;
}

void join_axes(Survey& seen) {
  for (const auto& axes : seen.axes)
    for (const std::string& axis : axes)
      if (auto& all = seen.header.axes; std::find(all.begin(), all.end(), axis) == all.end()) all.push_back(axis);
}

void thin_out(Record& run, std::size_t points) {
  for (Dataset& data : run.datasets) {
    if (data.shape.empty() || data.shape[0] <= points || !(data.path.starts_with("curves/") || data.path.starts_with("bound/"))) continue;
    const std::size_t recorded = data.shape[0];
    std::visit(
        [&](auto& values) {
          const std::size_t row = values.size() / recorded;
          std::decay_t<decltype(values)> kept;
          for (std::size_t k = 0; k < points; ++k) {
            const std::size_t at = std::max(k, (recorded - 1) * k * k / ((points - 1) * (points - 1)));
            const auto first = values.begin() + static_cast<std::ptrdiff_t>(at * row);
            kept.insert(kept.end(), first, first + static_cast<std::ptrdiff_t>(row));
          }
          values = std::move(kept);
        },
        data.values);
    data.shape[0] = points;
    data.attributes["recorded_points"] = static_cast<std::int64_t>(recorded);
  }
}

}  // namespace

CollectReport collect(const fs::path& folder, const std::optional<std::vector<std::string>>& expected, const fs::path& output, const CollectOptions& options) {
  if (is_run_file(output, folder)) throw DataError(output.string() + ": is the name of a run of this folder: name a file outside of it");
  require_replaceable(output);
  CollectReport report;
  const std::set<std::string> wanted =
      expected ? std::set<std::string>(expected->begin(), expected->end()) : std::set<std::string>{};
  Survey seen = survey(folder, output, expected ? &wanted : nullptr, report);
  if (seen.found.empty()) {
    std::string others = report.foreign.empty() ? "" : " (left out " + report.foreign[0].file + ": " + report.foreign[0].reason + ")";
    if (!report.stale.empty()) others += "; " + std::to_string(report.stale.size()) + " are not of this grid";
    throw DataError(folder.string() + ": holds no finished run of experiment " + experiment_of(folder) + others + ": run it first");
  }
  join_axes(seen);

  std::vector<std::string> order;
  if (expected)
    order = *expected;
  else
    for (const auto& [id, path] : seen.found) order.push_back(id);
  Writer writer(output);
  write_header(writer, seen.header);
  std::set<std::string> done;
  for (const std::string& id : order) {
    if (!done.insert(id).second) continue;
    const auto found = seen.found.find(id);
    if (found == seen.found.end()) {
      report.missing.push_back(id);
      continue;
    }
    std::optional<Record> run;
    try {  // one at a time; not H5Ocopy, which crashes over files of many attributes
      run = read_run(Reader(found->second, false), id, [&](const std::string& path) { return options.weights || !(path.starts_with("final/weights/") || path.starts_with("final/quantized_weights/")); });
    } catch (const DataError& error) {
      report.foreign.push_back(left_out(found->second, error));
      if (expected) report.missing.push_back(id);
      continue;
    }
    if (options.points) thin_out(*run, *options.points);
    write_run(writer, *run);
    report.collected.push_back(id);
  }
  if (report.collected.empty()) throw DataError(folder.string() + ": holds no run that can be read" + (report.foreign.empty() ? "" : " (left out " + report.foreign[0].file + ": " + report.foreign[0].reason + ")") + ": run it again");
  writer.finish();
  return report;
}

}  // namespace qsweep
