#include "results/survey.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/errors.h"
#include "config/text.h"
#include "results/checkpoint.h"
#include "results/file.h"

namespace qsweep {

namespace {

namespace fs = std::filesystem;

/// Read of every run that has them.
constexpr const char* scalars[] = {"final/average_loss",
                                   "final/loss",
                                   "final/full_precision_loss",
                                   "final/average_full_precision_loss",
                                   "final/train_loss",
                                   "final/test_accuracy",
                                   "final/best_test_accuracy",
                                   "final/share_global",
                                   "final/share_spurious",
                                   "final/compression/train_loss",
                                   "final/compression/test_loss",
                                   "final/compression/test_accuracy",
                                   "final/average_regret",
                                   "bound/slow_down",
                                   "bound/slow_down_printed",
                                   "bound/u1_holds",
                                   "bound/u2_u3_hold"};
/// Of these the last point is kept.
constexpr const char* curves[] = {"bound/printed", "bound/u1", "bound/u2", "bound/u3"};

std::vector<double> numbers(const Dataset& dataset) {
  return std::visit(
      [](const auto& values) -> std::vector<double> {
        if constexpr (std::is_same_v<std::decay_t<decltype(values)>, std::vector<std::string>>)
          return {};
        else
          return {values.begin(), values.end()};
      },
      dataset.values);
}

struct ToText {
  std::string operator()(const std::string& text) const { return text; }
  std::string operator()(double value) const { return format_real(value); }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  template <class T>
  std::string operator()(const std::vector<T>& items) const {
    std::string text;
    for (const T& item : items) text += (text.empty() ? "" : " ") + (*this)(item);
    return text;
  }
};

RunSummary summarize(const Reader& file, const fs::path& path, const std::string& id, std::map<std::string, std::string>& units) {
  const std::string group = "/runs/" + id;
  RunSummary run;
  run.file = path;
  run.id = id;
  for (const auto& [key, value] : file.attributes(group)) {
    const auto* integer = std::get_if<std::int64_t>(&value);
    if (key.find('.') != std::string::npos) run.settings[key] = std::visit(ToText{}, value);
    if (key == "status")
      run.diverged = ToText{}(std::get_if<std::string>(&value) ? std::get<std::string>(value) : "") == "diverged";
    if (key == "iterations" && integer) run.iterations = *integer;
    if (key == "diverged_iteration" && integer) run.diverged_iteration = *integer;
  }
  const auto add = [&](const std::string& name, bool is_curve) {
    if (!file.contains(group + "/" + name)) return;
    const Dataset dataset = file.dataset(group, name);
    std::vector<double> values = numbers(dataset);
    if (values.empty()) return;
    if (is_curve) values = {values.back()};
    run.last[name] = std::move(values);
    if (const auto unit = dataset.attributes.find("unit"); unit != dataset.attributes.end())
      if (const auto* text = std::get_if<std::string>(&unit->second)) units.try_emplace(name, *text);
  };
  for (const char* scalar : scalars) add(scalar, false);
  for (const char* curve : curves) add(curve, true);
  if (!run.iterations)
    if (const std::vector<double> t = read_curve(run, "curves/iteration"); !t.empty() && t.back() >= 0 && t.back() < 0x1p63)
      run.iterations = static_cast<std::int64_t>(t.back());
  return run;
}

void join(std::vector<std::string>& axes, const std::vector<std::string>& more) {
  for (const std::string& axis : more)
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) axes.push_back(axis);
}

Survey survey_file(const fs::path& path) {
  const Reader file = open_results(path);
  const Results header = read_header(file);
  Survey seen{header.experiment, header.settings, header.axes, {}, {}, false, {}, {}, {}, {}};
  for (const Reader::Entry& entry : file.entries("/runs")) {
    if (!entry.is_group) throw DataError(path.string() + ": /runs/" + entry.name + ": is a dataset, where a run is wanted");
    seen.runs.push_back(summarize(file, path, entry.name, seen.units));
  }
  if (seen.runs.empty()) throw DataError(path.string() + ": holds no run: run the experiment, or name another file");
  return seen;
}

/// Whether another process holds the lock. Where locks cannot be asked about, a lock file is taken for a lock that is held.
bool is_held(const fs::path& lock) {
  const int descriptor = ::open(lock.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return fs::exists(lock);
  struct flock shared {};
  shared.l_type = F_RDLCK;
  shared.l_whence = SEEK_SET;
  const bool asked = ::fcntl(descriptor, F_GETLK, &shared) == 0;
  ::close(descriptor);
  return !asked || shared.l_type != F_UNLCK;
}

struct Listing {
  std::vector<fs::path> run_files;  ///< newest first
  std::vector<fs::path> locks;
  std::set<std::string> checkpoints;  ///< ids of runs that have some
};

Listing list(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) throw DataError(folder.string() + ": cannot be read (" + error.message() + "): check its permissions");
  Listing listing;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  for (const fs::directory_entry& entry : entries) {
    const fs::path& path = entry.path();
    // A second dot marks what belongs to a run in progress. A file may vanish between listing and looking at it.
    if (path.extension() == ".h5" && path.stem().extension().empty()) files.emplace_back(fs::last_write_time(path, error), path);
    if (path.extension() == ".lock") listing.locks.push_back(path);
    if (const auto checkpoint = checkpoint_name(path)) listing.checkpoints.insert(checkpoint->id);
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  for (auto& [time, path] : files) listing.run_files.push_back(std::move(path));
  std::sort(listing.locks.begin(), listing.locks.end());
  return listing;
}

/// Adds the run of a file, or says why it is none of this experiment; the first one added decides which that is.
std::string add_run_file(const fs::path& path, Survey& seen) {
  const Reader file = open_results(path);
  const Results header = read_header(file);
  const auto runs = file.entries("/runs");
  if (runs.size() != 1) return "holds " + std::to_string(runs.size()) + " runs, not one";
  if (runs[0].name != path.stem().string()) return "holds run " + runs[0].name + ", not the one it is named for";
  if (!seen.runs.empty() && header.experiment != seen.experiment)
    return "is of experiment " + header.experiment + ", not " + seen.experiment;
  seen.runs.push_back(summarize(file, path, runs[0].name, seen.units));
  if (seen.runs.size() == 1) seen.experiment = header.experiment, seen.settings = header.settings;
  join(seen.axes, header.axes);
  return "";
}

/// Adds what the newest checkpoint tells that can be read. It may be replaced by a newer one meanwhile.
void add_saved(const fs::path& folder, const std::string& id, Survey& seen) {
  for (const Checkpoints::File& checkpoint : Checkpoints(folder, id).newest_first()) try {
      const Reader file = open_results(checkpoint.path);
      const Results header = read_header(file);
      if (!seen.experiment.empty() && header.experiment != seen.experiment) return;
      seen.saved.push_back(summarize(file, checkpoint.path, id, seen.units));
      if (seen.experiment.empty()) seen.experiment = header.experiment, seen.settings = header.settings;
      join(seen.axes, header.axes);
      return;
    } catch (const DataError&) {
    }
}

Survey survey_folder(const fs::path& folder) {
  const Listing listing = list(folder);
  Survey seen;
  seen.is_folder = true;
  std::set<std::string> finished;
  for (const fs::path& path : listing.run_files) {
    std::string reason;
    try {
      reason = add_run_file(path, seen);
    } catch (const DataError& error) {
      reason = error.what();
      if (reason.starts_with(path.string() + ": ")) reason.erase(0, path.string().size() + 2);
    }
    if (reason.empty())
      finished.insert(path.stem().string());
    else
      seen.left_out.push_back({path.filename().string(), reason});
  }
  std::sort(seen.runs.begin(), seen.runs.end(), [](const RunSummary& a, const RunSummary& b) { return a.id < b.id; });
  std::set<std::string> unfinished = listing.checkpoints;
  for (const fs::path& lock : listing.locks) unfinished.insert(lock.stem().string());
  for (const std::string& id : unfinished) {
    const bool held = is_held(folder / (id + ".lock"));
    if (!held && finished.contains(id)) continue;
    (held ? seen.in_progress : seen.abandoned).push_back(id);
    add_saved(folder, id, seen);
  }
  if (seen.runs.empty() && seen.in_progress.empty() && seen.saved.empty())
    throw DataError(folder.string() + ": holds no finished run" +
                    (seen.left_out.empty() ? "" : " (left out " + seen.left_out[0].file + ": " + seen.left_out[0].reason + ")") +
                    ": run the experiment, or name its folder DIR/NAME or a results file");
  return seen;
}

/// Sets "reference.KEY" where runs are alike but for their reference.
void tell_references_apart(Survey& seen) {
  std::map<std::string, const RunSummary*> by_id;
  for (const RunSummary& run : seen.runs) by_id[run.id] = &run;
  const auto reference_of = [&](const RunSummary& run) -> const RunSummary* {
    const std::string initial = run.setting("model.initial"), word = "reference ";
    const auto found = initial.starts_with(word) ? by_id.find(initial.substr(word.size())) : by_id.end();
    return found == by_id.end() ? nullptr : found->second;
  };
  std::map<std::map<std::string, std::string>, std::vector<RunSummary*>> alike;
  for (RunSummary& run : seen.runs)
    if (reference_of(run) != nullptr) {
      auto settings = run.settings;
      settings.erase("model.initial");
      alike[std::move(settings)].push_back(&run);
    }
  std::map<RunSummary*, std::map<std::string, std::string>> names;  // set at the end: references may have references
  for (const auto& [settings, runs] : alike)
    for (const auto& [key, unused] : reference_of(*runs.front())->settings) {
      if (key == "model.initial") continue;
      const std::string first = reference_of(*runs.front())->setting(key);
      if (std::ranges::all_of(runs, [&](const RunSummary* run) { return reference_of(*run)->setting(key) == first; })) continue;
      for (RunSummary* run : runs) names[run]["reference." + key] = reference_of(*run)->setting(key);
    }
  for (const auto& [run, found] : names) run->settings.insert(found.begin(), found.end());
}

}  // namespace

std::string RunSummary::setting(const std::string& key) const {
  const auto found = settings.find(key);
  return found == settings.end() ? "-" : found->second;
}

std::optional<double> RunSummary::value(const std::string& dataset) const {
  const auto found = last.find(dataset);
  return found == last.end() ? std::nullopt : std::optional(found->second.front());
}

Survey survey(const fs::path& file_or_folder) {
  std::error_code error;
  if (file_or_folder.empty() || !fs::exists(file_or_folder, error))
    throw DataError("'" + file_or_folder.string() +
                    "': no such file or folder: name a results file, or the folder DIR/NAME of an experiment" +
                    (!file_or_folder.empty() && fs::exists("results" / file_or_folder, error) ? ", here results/" + file_or_folder.string() : ""));
  Survey seen = fs::is_directory(file_or_folder) ? survey_folder(file_or_folder) : survey_file(file_or_folder);
  tell_references_apart(seen);
  return seen;
}

std::vector<double> read_curve(const RunSummary& run, const std::string& path) {
  const Reader file = open_results(run.file);
  const std::string group = "/runs/" + run.id;
  return file.contains(group + "/" + path) ? numbers(file.dataset(group, path)) : std::vector<double>{};
}

}  // namespace qsweep
