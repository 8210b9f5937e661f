#include "results/points.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

#include "base/errors.h"
#include "config/experiment.h"
#include "config/grid.h"
#include "config/keys.h"
#include "config/text.h"

namespace qsweep {

namespace {

const std::string weights = "weights.quantizer", gradients = "gradients.quantizer";

/// Says nothing about what was trained, or is what the spread is over.
bool separates(const std::string& key) { return key != "run.seed" && decides_result(key); }

std::string value_of(const RunSummary& run, const std::string& key) {
  const std::string value = run.setting(key);
  // Each seed starts from a reference of its own.
  return key == "model.initial" && value.starts_with("reference ") ? "reference" : value;
}

/// Orders the values of an axis: no meaning, nothing, quantizers by family and bits, numbers, words.
std::tuple<int, double, std::string> order_of(const std::string& value) {
  static const std::vector<std::string> firsts = {meaningless, "none", "fp", "lab", "lat"};
  const auto first = std::find(firsts.begin(), firsts.end(), value);
  if (first != firsts.end()) return {static_cast<int>(first - firsts.begin()), 0, ""};
  int family = static_cast<int>(firsts.size());
  for (const std::string stem : {"laq", "log", "sq"}) {
    if (value.starts_with(stem) && value.size() == stem.size() + 1 && std::isdigit(static_cast<unsigned char>(value.back())))
      return {family, value.back() - '0', ""};
    ++family;
  }
  try {
    return {family, parse_real(value), ""};
  } catch (const std::invalid_argument&) {  // a word
    return {family + 1, 0, value};
  }
}

std::size_t place_of(const std::vector<std::string>& axes, const std::string& key) {
  const auto axis = std::find(axes.begin(), axes.end(), key);
  if (axis != axes.end()) return static_cast<std::size_t>(axis - axes.begin());
  const auto known = std::find_if(keys().begin(), keys().end(), [&](const Key& k) { return k.name == key; });
  return axes.size() + static_cast<std::size_t>(known - keys().begin());
}

/// The axes, then other keys in which runs differ.
std::vector<std::string> separating_keys(const Survey& seen) {
  std::map<std::string, std::set<std::string>> values;
  for (const std::string& axis : seen.axes) values[axis];
  for (const RunSummary& run : seen.runs)
    for (const auto& [key, text] : run.settings) values[key];
  std::vector<std::string> separating;
  for (auto& [key, distinct] : values) {
    for (const RunSummary& run : seen.runs) distinct.insert(value_of(run, key));
    const bool is_axis = std::find(seen.axes.begin(), seen.axes.end(), key) != seen.axes.end();
    if (separates(key) && (is_axis || distinct.size() > 1)) separating.push_back(key);
  }
  std::stable_sort(separating.begin(), separating.end(),
                   [&](const std::string& a, const std::string& b) { return place_of(seen.axes, a) < place_of(seen.axes, b); });
  return separating;
}

/// Keys to which the experiment file gives several values. None if the text is of another version of qsweep.
std::optional<std::set<std::string>> given_axes(const std::string& settings) {
  std::set<std::string> axes;
  try {
    const Experiment e = parse_experiment(settings, "settings");
    for (const Assignment& a : e.base.assignments)
      if (a.values.size() > 1) axes.insert(a.key);
    for (const Section& sweep : e.sweeps)
      for (const Assignment& a : sweep.assignments)
        if (a.values.size() > 1) axes.insert(a.key);
  } catch (const ConfigError&) {  // keys that this version does not know
    return std::nullopt;
  }
  return axes;
}

std::vector<std::string> values_at(const RunSummary& run, const std::vector<std::string>& keys) {
  std::vector<std::string> values;
  for (const std::string& key : keys) values.push_back(value_of(run, key));
  return values;
}

/// Whether the value of `key` is the same wherever it has a meaning and somewhere it has none, or follows from those of `others`.
bool follows(const std::string& key, const std::vector<std::string>& others, const Survey& seen) {
  std::map<std::vector<std::string>, std::string> by_others;
  std::set<std::string> distinct;
  bool determined = true;
  for (const RunSummary& run : seen.runs) {
    const std::string value = value_of(run, key);
    distinct.insert(value);
    determined &= by_others.try_emplace(values_at(run, others), value).first->second == value;
  }
  return determined || (distinct.size() <= 2 && distinct.contains(meaningless));
}

/// Of the separating keys those worth a column: the axes that the experiment file gives, and what else is needed to tell points
/// apart. If that cannot be told, all axes that do not just follow from having a meaning.
std::vector<std::string> shown_keys(const std::vector<std::string>& separating, const Survey& seen) {
  const std::optional<std::set<std::string>> given = given_axes(seen.settings);
  const auto is_given = [&](const std::string& key) {
    if (given) return given->contains(key);
    const bool is_axis = std::find(seen.axes.begin(), seen.axes.end(), key) != seen.axes.end();
    return is_axis && !follows(key, {}, seen);
  };
  const auto has_meaning = [&](const std::string& key) {
    return std::any_of(seen.runs.begin(), seen.runs.end(), [&](const RunSummary& run) { return run.setting(key) != meaningless; });
  };
  std::vector<std::string> shown;
  for (const std::string& key : separating)
    if (is_given(key) && has_meaning(key)) shown.push_back(key);
  // The rest by how well it tells a reader what was run: of sections [sweep.NAME] that differ in many keys one key will do.
  std::vector<std::string> rest;
  std::copy_if(separating.begin(), separating.end(), std::back_inserter(rest),
               [&](const std::string& key) { return !is_given(key); });
  const auto importance = [](const std::string& key) {
    return key == weights || key == gradients ? 0 : key == "model.initial" ? 2 : 1;
  };
  std::stable_sort(rest.begin(), rest.end(),
                   [&](const std::string& a, const std::string& b) { return importance(a) < importance(b); });
  for (const std::string& key : rest)
    if (!follows(key, shown, seen)) shown.push_back(key);
  std::stable_sort(shown.begin(), shown.end(),
                   [&](const std::string& a, const std::string& b) { return place_of(seen.axes, a) < place_of(seen.axes, b); });
  return shown;
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

/// W(LAQ3)-G(SQ2), as the paper writes it; without the part that has no meaning in this run.
std::string quantizer_names(const RunSummary& run) {
  std::string text;
  for (const auto& [letter, key] : {std::pair('W', weights), std::pair('G', gradients)})
    if (run.setting(key) != meaningless) text += fmt::format("{}{}({})", text.empty() ? "" : "-", letter, upper(run.setting(key)));
  return text;
}

/// "dimension"; the section where the last part says too little, the whole key where two axes end alike.
std::string heading_of(const std::string& key, const std::vector<std::string>& axes) {
  const std::string reference = "reference.";
  if (key.starts_with(reference)) return "from " + heading_of(key.substr(reference.size()), {});
  if (key.find('.') == std::string::npos) return key;
  std::string last = short_name(key);
  const auto alike =
      std::count_if(axes.begin(), axes.end(), [&](const std::string& axis) { return axis.substr(axis.find('.') + 1) == last; });
  if (alike > 1) last = key;
  std::replace(last.begin(), last.end(), '_', ' ');
  return key == "gradients.clip" ? last + " [σ]" : last;
}

}  // namespace

Points points_of(const Survey& seen) {
  const std::vector<std::string> separating = separating_keys(seen);
  std::map<std::vector<std::tuple<int, double, std::string>>, GridPoint> sorted;
  Points points;
  points.axes = shown_keys(separating, seen);
  std::vector<std::string> order = points.axes;
  order.insert(order.end(), separating.begin(), separating.end());
  for (const RunSummary& run : seen.runs) {
    std::vector<std::tuple<int, double, std::string>> place;
    for (const std::string& key : order) place.push_back(order_of(value_of(run, key)));
    GridPoint& point = sorted[place];
    (run.diverged ? point.diverged : point.complete).push_back(&run);
  }
  for (auto& [place, point] : sorted) points.points.push_back(std::move(point));
  return points;
}

std::vector<Column> axis_columns(const std::vector<std::string>& axes, const std::vector<const RunSummary*>& rows) {
  std::vector<Column> columns;
  bool has_name = false;
  for (const std::string& key : axes) {
    const bool quantizers = key == weights || key == gradients;
    if (quantizers && std::exchange(has_name, true)) continue;
    Column column{quantizers ? "run" : heading_of(key, axes), {}, true, columns.empty() ? 0 : 1};
    bool numeric = true;
    for (const RunSummary* run : rows) {
      const std::string value = value_of(*run, key);
      numeric &= value.find_first_not_of("0123456789.e-+") == std::string::npos || value == "none";
      column.cells.push_back(quantizers ? quantizer_names(*run) : value);
    }
    column.words = quantizers || !numeric;
    if (numeric && !quantizers) align_decimals(column.cells);
    columns.push_back(std::move(column));
  }
  return columns;
}

std::optional<ExpectedRuns> expected_runs(const std::string& settings) {
  ExpectedRuns expected;
  try {
    const Grid grid(parse_experiment(settings, "settings"), [&](const std::string& file) {
      expected.exact = false;
      return file;
    });
    for (const RunPlan& run : grid.runs()) expected.ids.insert(run.id);
  } catch (const ConfigError&) {  // the text is of another version of qsweep, whose grid we do not know
    return std::nullopt;
  }
  return expected;
}

}  // namespace qsweep
