#include "config/grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/errors.h"
#include "config/keys.h"

namespace qsweep {
namespace {

/// The text of model.initial in the settings of a run that starts from another run of the grid.
std::string initial_of(const std::string& reference_id) { return "reference " + reference_id; }

std::string source_of(const Experiment& e, const std::string& key) {
  for (const Section& sweep : e.sweeps)
    if (const Assignment* a = sweep.find(key)) return a->source;
  if (const Assignment* a = e.base.find(key)) return a->source;
  if (e.reference)
    if (const Assignment* a = e.reference->find(key)) return a->source;
  return e.file + " (default)";
}

}  // namespace

Grid::Grid(const Experiment& experiment, const std::function<std::string(const std::string&)>& content_hash)
    : name_(experiment.name), experiment_(experiment) {
  if (experiment.sweeps.empty()) add_product(experiment, nullptr);
  for (const Section& sweep : experiment.sweeps) add_product(experiment, &sweep);
  for (std::uint32_t p = 0; p < products_.size(); ++p) expand(p, experiment, content_hash);
  check_meaning(experiment);
}

void Grid::add_product(const Experiment& e, const Section* sweep) {
  std::vector<Assignment> assignments = e.base.assignments;
  std::vector<std::vector<std::string>> zips = e.base.zips;
  if (sweep != nullptr) {
    for (const Assignment& a : sweep->assignments) {
      const auto known = std::find_if(assignments.begin(), assignments.end(), [&](const Assignment& b) { return b.key == a.key; });
      if (known == assignments.end()) assignments.push_back(a);
      else *known = a;
    }
    zips.insert(zips.end(), sweep->zips.begin(), sweep->zips.end());
  }
  Product product;
  std::set<std::string> done;
  for (const Assignment& a : assignments) {
    if (done.contains(a.key)) continue;
    const auto zip = std::find_if(zips.begin(), zips.end(), [&](const auto& z) { return std::find(z.begin(), z.end(), a.key) != z.end(); });
    Axis axis{zip == zips.end() ? std::vector<std::string>{a.key} : *zip, {}};
    axis.values.resize(a.values.size());
    for (const std::string& key : axis.keys) {
      const auto member = std::find_if(assignments.begin(), assignments.end(), [&](const Assignment& b) { return b.key == key; });
      if (member == assignments.end() || member->values.size() != a.values.size())
        throw ConfigError(fmt::format("{}: zip = {}: {} has {} values and {} has {}; allowed: the same number", a.source, fmt::join(axis.keys, " "), a.key,
                                      a.values.size(), key, member == assignments.end() ? 0 : member->values.size()));
      for (std::size_t i = 0; i < a.values.size(); ++i) axis.values[i].push_back(member->values[i]);
      done.insert(key);
    }
    if (axis.values.size() == 1)
      for (std::size_t k = 0; k < axis.keys.size(); ++k) product.fixed[axis.keys[k]] = axis.values[0][k];
    else
      product.axes.push_back(std::move(axis));
  }
  if (e.reference)
    for (const Assignment& a : e.reference->assignments) {
      if (a.values.size() != 1) throw ConfigError(fmt::format("{}: reference.{}: allowed: one value", a.source, a.key));
      product.reference[a.key] = a.values.front();
    }
  products_.push_back(std::move(product));
}

Point Grid::given(const RunPlan& run) const {
  const Product& product = products_[run.product];
  Point point = product.fixed;
  for (std::size_t a = 0; a < product.axes.size(); ++a)
    for (std::size_t k = 0; k < product.axes[a].keys.size(); ++k) point[product.axes[a].keys[k]] = product.axes[a].values[run.choice[a]][k];
  if (run.is_reference)
    for (const auto& [key, value] : product.reference) point[key] = value;
  return point;
}

Settings Grid::settings(const RunPlan& run) const {
  Point point = given(run);
  if (run.reference) point["model.initial"] = initial_of(runs_[*run.reference].id);
  return settings_of(effective_point(point));
}

void Grid::check(const RunPlan& run, const Settings& settings, const Experiment& e) const {
  const std::optional<Conflict> conflict = find_conflict(settings);
  if (!conflict) return;
  std::string where;
  const Product& product = products_[run.product];
  for (std::size_t a = 0; a < product.axes.size(); ++a)
    for (std::size_t k = 0; k < product.axes[a].keys.size(); ++k)
      where += fmt::format("{}{} = {}", where.empty() ? " (where " : ", ", product.axes[a].keys[k], product.axes[a].values[run.choice[a]][k]);
  throw ConfigError(fmt::format("{}: {} = {}: {}{}", source_of(e, conflict->key), conflict->key, settings.point.at(conflict->key), conflict->reason,
                                where.empty() ? "" : where + ")"));
}

std::uint32_t Grid::add(RunPlan run, const Experiment& e, const std::function<std::string(const std::string&)>& content_hash) {
  const Settings effective = settings(run);
  check(run, effective, e);
  Point identity = effective.point;
  if (!run.reference && !effective.model.initial.empty()) identity["model.initial"] = "content " + content_hash(effective.model.initial);
  run.id = short_hash(identity_text(identity));
  const auto place = std::lower_bound(by_id_.begin(), by_id_.end(), run.id, [](const auto& entry, const std::string& id) { return entry.first < id; });
  if (place != by_id_.end() && place->first == run.id) return place->second;
  const auto index = static_cast<std::uint32_t>(runs_.size());
  by_id_.insert(place, {run.id, index});
  runs_.push_back(std::move(run));
  return index;
}

void Grid::expand(std::uint32_t product, const Experiment& e, const std::function<std::string(const std::string&)>& content_hash) {
  const std::vector<Axis>& axes = products_[product].axes;
  RunPlan run;
  run.product = product;
  run.choice.assign(axes.size(), 0);
  for (bool more = true; more;) {
    RunPlan next = run;
    if (e.reference) {
      RunPlan reference = run;
      reference.is_reference = true;
      const std::uint32_t index = add(std::move(reference), e, content_hash);
      RunPlan plain = run;  // a point that is the reference itself depends on nothing
      if (settings(plain).point != settings(runs_[index]).point) next.reference = index;
      else next.is_reference = true;
    }
    add(std::move(next), e, content_hash);
    more = false;
    for (std::size_t a = axes.size(); a-- > 0 && !more;) {  // the last axis runs fastest
      more = ++run.choice[a] < axes[a].values.size();
      if (!more) run.choice[a] = 0;
    }
  }
}

/// A key that means something nowhere in the grid is a mistake of the user's.
void Grid::check_meaning(const Experiment& e) const {
  std::set<std::string> asked;
  for (const Assignment& a : e.base.assignments) asked.insert(a.key);
  for (const Section& sweep : e.sweeps)
    for (const Assignment& a : sweep.assignments) asked.insert(a.key);
  for (const RunPlan& run : runs_) {
    if (asked.empty()) return;
    const Settings s = settings(run);
    std::erase_if(asked, [&](const std::string& key) { return s.point.at(key) != meaningless; });
  }
  if (asked.empty()) return;
  const Key* key = find_key(*asked.begin());
  std::string value = "…";
  if (const Assignment* a = e.base.find(key->name)) value = fmt::format("{}", fmt::join(a->values, ", "));
  throw ConfigError(fmt::format("{}: {} = {}: has no meaning in this experiment; it needs {}", source_of(e, key->name), key->name, value, key->needs));
}

std::vector<std::string> Grid::axes() const {
  if (runs_.empty()) return {};
  const Point first = settings(runs_.front()).point;
  std::set<std::string> varying;
  for (const RunPlan& run : runs_)
    for (const auto& [key, value] : settings(run).point)
      if (value != first.at(key)) varying.insert(key);
  std::vector<std::string> ordered;
  for (const Key& key : keys())
    if (varying.contains(key.name)) ordered.push_back(key.name);
  return ordered;
}

std::string Grid::effective_text() const {
  std::map<std::string, std::vector<std::string>> defaults;  // effective values of keys that nobody gave
  for (const RunPlan& run : runs_)
    for (const auto& [key, value] : settings(run).point) {
      std::vector<std::string>& values = defaults[key];
      if (value != meaningless && std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
    }
  std::string text, section;
  for (const Key& key : keys()) {
    const std::string head = key.name.substr(0, key.name.find('.'));
    if (head != section) text += fmt::format("{}[{}]\n", section.empty() ? "" : "\n", head);
    section = head;
    const Assignment* given = experiment_.base.find(key.name);
    const std::vector<std::string>& values = given != nullptr ? given->values : defaults[key.name];
    const bool fixed = given != nullptr || values.size() == 1;
    text += fmt::format("{}{} = {}\n", fixed ? "" : "# ", key.name.substr(head.size() + 1), values.empty() ? meaningless : fmt::format("{}", fmt::join(values, ", ")));
  }
  const auto write = [&](const std::string& title, const Section& s) {
    text += fmt::format("\n[{}]\n", title);
    for (const auto& zip : s.zips) text += fmt::format("zip = {}\n", fmt::join(zip, " "));
    for (const Assignment& a : s.assignments) text += fmt::format("{} = {}\n", a.key, fmt::join(a.values, ", "));
  };
  if (!experiment_.base.zips.empty()) write("sweep", Section{"", {}, experiment_.base.zips});
  for (const Section& sweep : experiment_.sweeps) write("sweep." + sweep.name, sweep);
  if (experiment_.reference) write("reference", *experiment_.reference);
  return text;
}

}  // namespace qsweep
