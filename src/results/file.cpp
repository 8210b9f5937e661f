#include "results/file.h"

#include <algorithm>

#include "base/errors.h"

namespace qsweep {

namespace {

constexpr int deepest_group = 32;  // a file whose groups contain themselves must not keep us for ever

template <class T>
const T* get(const Attributes& attributes, const std::string& name) {
  const auto found = attributes.find(name);
  return found == attributes.end() ? nullptr : std::get_if<T>(&found->second);
}

template <class T>
T take(Attributes& attributes, const std::string& name, const std::string& where) {
  const T* value = get<T>(attributes, name);
  if (!value)
    throw DataError(where + ": lacks the attribute " + name + ", or it has another type: the file is damaged, or not qsweep's");
  T taken = *value;
  attributes.erase(name);
  return taken;
}

/// Calls visit(path below the first group, is_group) for everything below a group, parents first.
template <class Visit>
void walk(const Reader& file, const std::string& group, const std::string& below, int depth, const Visit& visit) {
  if (depth > deepest_group)
    throw DataError(file.name() + ": " + group + ": groups lie too deep: the file is damaged, or not qsweep's");
  for (const Reader::Entry& entry : file.entries(group)) {
    const std::string path = below.empty() ? entry.name : below + "/" + entry.name;
    visit(path, entry.is_group);
    if (entry.is_group) walk(file, group + "/" + entry.name, path, depth + 1, visit);
  }
}

std::vector<std::string> run_ids(const Reader& file) {
  std::vector<std::string> ids;
  for (const Reader::Entry& entry : file.entries("/runs")) {
    if (!entry.is_group) throw DataError(file.name() + ": /runs/" + entry.name + ": is a dataset, where a run is wanted");
    ids.push_back(entry.name);
  }
  return ids;
}

Results read_runs(const Reader& file, const Wanted& wanted) {
  Results results = read_header(file);
  for (const std::string& id : run_ids(file)) results.runs.push_back(read_run(file, id, wanted));
  return results;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

std::string choose_run(const Reader& file, const std::string& id) {
  const std::vector<std::string> ids = run_ids(file);
  if (ids.empty()) throw DataError(file.name() + ": holds no run, so no weights: name a run's file");
  if (id.empty() && ids.size() > 1)
    throw DataError(file.name() + ": holds " + std::to_string(ids.size()) + " runs: name one as " + file.name() + ":RUN_ID (" +
                    join(ids) + ")");
  if (id.empty()) return ids.front();
  if (std::find(ids.begin(), ids.end(), id) == ids.end())
    throw DataError(file.name() + ": holds no run " + id + ": name one of its own (" + join(ids) + ")");
  return id;
}

}  // namespace

Reader open_results(const std::filesystem::path& path, bool versioned, bool verify) {
  Reader file(path, verify);
  const Attributes root = file.attributes("/");
  const auto* format = get<std::string>(root, "format");
  if (!format || *format != results_format)
    throw DataError(file.name() + ": is an HDF5 file of another program (its attribute format is not " + results_format +
                    "): name one of qsweep's");
  const bool has_version = root.count("format_version") > 0;
  if (!has_version && !versioned) return file;
  const auto* version = get<std::int64_t>(root, "format_version");
  if (!version) throw DataError(file.name() + ": lacks the integer attribute format_version: the file is damaged, or not qsweep's");
  if (*version != results_format_version)
    throw DataError(file.name() + ": has format version " + std::to_string(*version) + ", this qsweep reads version " +
                    std::to_string(results_format_version) + ": " +
                    (*version > results_format_version ? "use the newer qsweep that wrote it" : "run again with this qsweep"));
  return file;
}

Results read_header(const Reader& file) {
  Attributes root = file.attributes("/");
  const std::string where = file.name() + ": /";
  Results results;
  results.experiment = take<std::string>(root, "experiment", where);
  results.settings = take<std::string>(root, "settings", where);
  results.axes = take<std::vector<std::string>>(root, "axes", where);
  return results;
}

void write_header(Writer& file, const Results& results) {
  file.attributes("/", {{"format", std::string(results_format)},
                        {"format_version", results_format_version},
                        {"experiment", results.experiment},
                        {"settings", results.settings},
                        {"axes", results.axes}});
  file.ordered_group("/runs");
}

Record read_run(const Reader& file, const std::string& id, const Wanted& wanted) {
  const std::string group = "/runs/" + id;
  Record run{id, file.attributes(group), {}, {}};
  walk(file, group, "", 0, [&](const std::string& path, bool is_group) {
    if (is_group) {
      if (Attributes attributes = file.attributes(group + "/" + path); !attributes.empty())
        run.groups.emplace(path, std::move(attributes));
    } else if (wanted(path)) {
      Dataset dataset = file.dataset(group, path);
      const std::string where = file.name() + ": " + group + "/" + path;
      dataset.unit = take<std::string>(dataset.attributes, "unit", where);
      dataset.long_name = take<std::string>(dataset.attributes, "long_name", where);
      run.datasets.push_back(std::move(dataset));
    }
  });
  return run;
}

void write_run(Writer& file, const Record& run) {
  if (run.id.find('/') != std::string::npos) throw std::invalid_argument("results: bad run id '" + run.id + "'");
  const std::string group = "/runs/" + run.id;
  file.attributes(group, run.attributes);
  for (const Dataset& dataset : run.datasets) file.dataset(group, dataset);
  for (const auto& [name, attributes] : run.groups) file.attributes(group + "/" + name, attributes);
}

void require_replaceable(const std::filesystem::path& file) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(file, none) || std::filesystem::file_size(file, none) == 0) return;
  try {
    open_results(file, false, false);
  } catch (const DataError&) {
    throw DataError(file.string() + ": exists and is no results file of this version of qsweep: name another, or remove it first");
  }
}

void write_results(const std::filesystem::path& path, const Results& results) {
  Writer file(path);
  write_header(file, results);
  for (const Record& run : results.runs) write_run(file, run);
  file.finish();
}

Results read_results(const std::filesystem::path& path, const Wanted& wanted) { return read_runs(open_results(path), wanted); }

Results read_run_attributes(const std::filesystem::path& path, const std::vector<std::string>& datasets) {
  constexpr std::uintmax_t quick = std::uintmax_t{64} << 20;
  std::error_code error;
  const bool verify = std::filesystem::file_size(path, error) <= quick;
  return read_runs(open_results(path, true, verify),
                   [&](const std::string& name) { return std::find(datasets.begin(), datasets.end(), name) != datasets.end(); });
}
std::vector<std::string> dataset_paths(const Reader& file, const std::string& group) {
  std::vector<std::string> paths;
  walk(file, group, "", 0, [&](const std::string& path, bool is_group) {
    if (!is_group) paths.push_back(path);
  });
  return paths;
}

std::map<std::string, Dataset> read_problem(const std::filesystem::path& path, const std::string& id) {
  const Reader file = open_results(path, false);
  const std::string group = "/runs/" + choose_run(file, id) + "/problem";
  std::map<std::string, Dataset> problem;
  for (const std::string& name : dataset_paths(file, group)) problem.emplace(name, file.dataset(group, name));
  return problem;
}

std::map<std::string, Weights> read_weights(const std::filesystem::path& path, const std::string& id) {
  const Reader file = open_results(path, false);
  const std::string group = "/runs/" + choose_run(file, id) + "/final/weights";
  std::map<std::string, Weights> weights;
  for (const std::string& tensor : dataset_paths(file, group)) {
    Dataset dataset = file.dataset(group, tensor);
    Weights& made = weights[tensor];
    made.shape = dataset.shape;
    if (auto* floats = std::get_if<std::vector<float>>(&dataset.values))
      made.values = std::move(*floats);
    else if (const auto* doubles = std::get_if<std::vector<double>>(&dataset.values))
      std::transform(doubles->begin(), doubles->end(), std::back_inserter(made.values),
                     [](double x) { return static_cast<float>(x); });
    else
      throw DataError(file.name() + ": " + group + "/" + tensor + ": holds no floating-point numbers, which weights must be");
  }
  if (weights.empty()) throw DataError(file.name() + ": " + group + ": holds no weights: name a run that is finished, and not collected --without-weights");
  return weights;
}

}  // namespace qsweep
