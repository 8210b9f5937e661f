#include "config/grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/errors.h"
#include "config/keys.h"
#include "config/text.h"

namespace qsweep {
namespace {

/// The text of model.initial in the settings of a run that starts from another run of the grid.
const std::string reference_word = "reference ";
std::string initial_of(const std::string& reference_id) { return reference_word + reference_id; }

using Hash = std::function<std::string(const std::string&)>;

/// Remembers what it has hashed: a file may be large and named by every run.
Hash remembering(const Hash& hash) {
  return [&hash, known = std::map<std::string, std::string>()](const std::string& file) mutable {
    const auto found = known.find(file);
    return found != known.end() ? found->second : known.emplace(file, hash(file)).first->second;
  };
}

std::string source_of(const Experiment& e, const Assignment* assignment) { return assignment != nullptr ? assignment->source : e.file + " (default)"; }

bool contains(const Zip& zip, const std::string& key) { return std::find(zip.keys.begin(), zip.keys.end(), key) != zip.keys.end(); }

/// A key advances in one zip, or two would set it.
void check_disjoint(const std::vector<Zip>& zips) {
  std::map<std::string, const Zip*> zip_of;
  for (const Zip& zip : zips)
    for (const std::string& key : zip.keys)
      if (const auto [earlier, fresh] = zip_of.emplace(key, &zip); !fresh)
        throw ConfigError(fmt::format("{}: zip = {}: {} is zipped before, at {}; allowed: each key once", zip.source, fmt::join(zip.keys, " "), key, earlier->second->source));
}

/// The values of zipped keys side by side.
std::vector<std::vector<std::string>> side_by_side(const Zip& zip, const std::vector<Assignment>& assignments) {
  std::vector<std::vector<std::string>> rows;
  for (const std::string& key : zip.keys) {
    const auto member = std::find_if(assignments.begin(), assignments.end(), [&](const Assignment& a) { return a.key == key; });
    const std::size_t count = member == assignments.end() ? 0 : member->values.size();
    if (rows.empty()) rows.resize(count);
    if (count == 0 || count != rows.size())
      throw ConfigError(fmt::format("{}: zip = {}: {} has {} values and {} has {}; allowed: the same number", zip.source, fmt::join(zip.keys, " "), zip.keys.front(),
                                    rows.size(), key, count));
    for (std::size_t i = 0; i < count; ++i) rows[i].push_back(member->values[i]);
  }
  return rows;
}

}  // namespace

Grid::Grid(const Experiment& experiment, const std::function<std::string(const std::string&)>& content_hash)
    : name_(experiment.name), experiment_(experiment) {
  if (experiment.sweeps.empty()) add_product(experiment, nullptr);
  for (const Section& sweep : experiment.sweeps) add_product(experiment, &sweep);
  check_zips(experiment);
  const Hash hash = remembering(content_hash);
  for (std::uint32_t p = 0; p < products_.size(); ++p) expand(p, experiment, hash);
  check_meaning(experiment);
}

void Grid::add_product(const Experiment& e, const Section* sweep) {
  std::vector<Assignment> assignments = e.base.assignments;
  std::vector<Zip> zips = e.base.zips;
  if (sweep != nullptr) {
    for (const Assignment& a : sweep->assignments) {
      const auto known = std::find_if(assignments.begin(), assignments.end(), [&](const Assignment& b) { return b.key == a.key; });
      if (known == assignments.end()) assignments.push_back(a);
      else *known = a;
    }
    zips.insert(zips.end(), sweep->zips.begin(), sweep->zips.end());
  }
  check_disjoint(zips);
  Product product;
  add_references(e, assignments, product);
  std::erase_if(assignments, [](const Assignment& a) { return bare(a.key).depth > 0; });
  std::set<std::string> done;
  for (const Assignment& a : assignments) {
    if (done.contains(a.key)) continue;
    const auto zip = std::find_if(zips.begin(), zips.end(), [&](const Zip& z) { return contains(z, a.key); });
    const Zip together = zip != zips.end() ? *zip : Zip{{a.key}, a.source};
    Axis axis{together.keys, side_by_side(together, assignments)};
    done.insert(axis.keys.begin(), axis.keys.end());
    if (axis.values.size() == 1)
      for (std::size_t k = 0; k < axis.keys.size(); ++k) product.fixed[axis.keys[k]] = axis.values[0][k];
    else
      product.axes.push_back(std::move(axis));
  }
  require_few_points(e, product);
  products_.push_back(std::move(product));
}

/// Before they are made: a product of many axes is quickly larger than any memory.
void Grid::require_few_points(const Experiment& e, const Product& product) {
  std::string axes;
  std::size_t points = 1;
  for (const Axis& axis : product.axes) {
    axes += fmt::format("{}{} has {} values", axes.empty() ? "" : ", ", fmt::join(axis.keys, " with "), axis.values.size());
    points = axis.values.size() > most_points / points ? most_points + 1 : points * axis.values.size();
  }
  points_ += points;
  if (points_ > most_points) throw ConfigError(fmt::format("{}: {}: allowed: a grid of at most {} points", e.file, axes.empty() ? "[sweep.…]" : axes, most_points));
}

/// [reference] first, then what the sweep says of references.
void Grid::add_references(const Experiment& e, const std::vector<Assignment>& of_sweep, Product& product) const {
  const auto add = [&](const Assignment& a, std::size_t outer) {
    const BareKey key = bare(a.key);
    const std::size_t depth = key.depth + outer;
    if (depth == 0) return;
    if (a.values.size() != 1) throw ConfigError(fmt::format("{}: {}{}: allowed: one value", a.source, outer == 0 ? "" : reference_prefix, a.key));
    if (depth > 8) throw ConfigError(fmt::format("{}: {}: allowed: a chain of at most 8 references", a.source, a.key));
    if (product.references.size() < depth) product.references.resize(depth);
    product.references[depth - 1][key.name] = a.values.front();
  };
  if (e.reference)
    for (const Assignment& a : e.reference->assignments) add(a, 1);
  for (const Assignment& a : of_sweep) add(a, 0);
  if (e.reference && product.references.empty()) product.references.resize(1);
}

Point Grid::given(const RunPlan& run) const {
  const Product& product = products_[run.product];
  Point point = product.fixed;
  for (std::size_t a = 0; a < product.axes.size(); ++a)
    for (std::size_t k = 0; k < product.axes[a].keys.size(); ++k) point[product.axes[a].keys[k]] = product.axes[a].values[run.choice[a]][k];
  for (std::size_t d = 0; d < run.depth; ++d)
    for (const auto& [key, value] : product.references[d]) point[key] = value;
  return point;
}

Point Grid::effective(const RunPlan& run) const {
  Point point = given(run);
  if (run.reference) point["model.initial"] = initial_of(runs_[*run.reference].id);
  return effective_point(point);
}

Settings Grid::settings(const RunPlan& run) const { return settings_of(effective(run)); }

void Grid::check(const RunPlan& run, const Settings& settings, const Experiment& e) const {
  const std::optional<Conflict> conflict = find_conflict(settings);
  if (!conflict) return;
  std::string where;
  const Product& product = products_[run.product];
  for (std::size_t a = 0; a < product.axes.size(); ++a)
    for (std::size_t k = 0; k < product.axes[a].keys.size(); ++k)
      where += fmt::format("{}{} = {}", where.empty() ? " (where " : ", ", product.axes[a].keys[k], shortened(product.axes[a].values[run.choice[a]][k]));
  throw ConfigError(fmt::format("{}: {} = {}: {}{}", source_of(e, blamed(run, conflict->key, e)), conflict->key, shortened(settings.point.at(conflict->key)), conflict->reason,
                                where.empty() ? "" : where + ")"));
}

/// Who gave a key its value, in the order in which sections win.
const Assignment* Grid::blamed(const RunPlan& run, const std::string& key, const Experiment& e) const {
  std::vector<std::string> names = {key};  // with as many prefixes as the place
  for (std::size_t d = 0; d < run.depth; ++d) names.push_back(reference_prefix + names.back());
  const Section* sweep = e.sweeps.empty() ? nullptr : &e.sweeps[run.product];
  for (std::size_t d = run.depth + std::size_t{1}; d-- > 0;) {
    const Assignment* found = sweep != nullptr ? sweep->find(names[d]) : nullptr;
    if (found == nullptr && d > 0 && e.reference) found = e.reference->find(names[d - 1]);
    if (found != nullptr) return found;
  }
  return e.base.find(key);
}

std::uint32_t Grid::add(RunPlan run, Point effective, const Experiment& e, const std::function<std::string(const std::string&)>& content_hash) {
  const Settings settings = settings_of(std::move(effective));
  check(run, settings, e);
  Point identity = settings.point;  // files count by their content
  if (!run.reference && !settings.model.initial.empty()) identity["model.initial"] = "content " + content_hash(settings.model.initial);
  if (settings.problem.from_file()) identity["problem.start"] = "content " + content_hash(settings.problem.start);
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
    std::optional<std::uint32_t> before;  // index of the run that the next one depends on, and what that one is but for its own reference
    Point plain_before;
    for (std::size_t depth = products_[product].references.size() + 1; depth-- > 0;) {
      RunPlan next = run;
      next.depth = static_cast<std::uint8_t>(depth);
      Point plain = effective(next);
      if (before && plain == plain_before) continue;  // a point that is the reference itself depends on nothing more
      next.reference = before;
      Point whole = before ? effective(next) : plain;
      before = add(std::move(next), std::move(whole), e, content_hash);
      plain_before = std::move(plain);
    }
    more = false;
    for (std::size_t a = axes.size(); a-- > 0 && !more;) {  // the last axis runs fastest
      more = ++run.choice[a] < axes[a].values.size();
      if (!more) run.choice[a] = 0;
    }
  }
}

/// A zip whose keys no product has is a mistake of the user's; where one is missing, side_by_side has said so.
void Grid::check_zips(const Experiment& e) const {
  const auto used = [&](const Zip& zip, const Section* sweep) {
    return std::any_of(zip.keys.begin(), zip.keys.end(), [&](const std::string& key) { return e.base.find(key) != nullptr || (sweep != nullptr && sweep->find(key) != nullptr); });
  };
  const auto refuse = [](const Zip& zip) {
    throw ConfigError(fmt::format("{}: zip = {}: none of these keys is given; allowed: keys with as many values each", zip.source, fmt::join(zip.keys, " ")));
  };
  for (const Section& sweep : e.sweeps)
    for (const Zip& zip : sweep.zips)
      if (!used(zip, &sweep)) refuse(zip);
  for (const Zip& zip : e.base.zips)
    if (!used(zip, nullptr) && std::none_of(e.sweeps.begin(), e.sweeps.end(), [&](const Section& sweep) { return used(zip, &sweep); })) refuse(zip);
}

/// A key that means something nowhere in the grid is a mistake of the user's; one of [reference] must mean something in a reference.
void Grid::check_meaning(const Experiment& e) const {
  std::map<std::string, const Assignment*> asked, asked_of_references;
  for (const Assignment& a : e.base.assignments) asked.emplace(a.key, &a);
  for (const Section& sweep : e.sweeps)
    for (const Assignment& a : sweep.assignments) (bare(a.key).depth == 0 ? asked : asked_of_references).emplace(bare(a.key).name, &a);
  if (e.reference)
    for (const Assignment& a : e.reference->assignments) asked_of_references.emplace(bare(a.key).name, &a);
  std::map<std::string, const Assignment*> set;  // on the command line, whether or not it means something where another section wins
  for (const auto& entry : asked)
    if (entry.second->source == "--set") set.insert(entry);
  for (const RunPlan& run : runs_) {
    if (asked.empty() && set.empty() && (asked_of_references.empty() || !run.is_reference())) continue;
    const Point point = effective(run);
    std::erase_if(set, [&](const auto& entry) { return point.at(entry.first) != meaningless && blamed(run, entry.first, e) == entry.second; });
    const auto has_meaning = [&](const auto& entry) { return point.at(entry.first) != meaningless; };
    std::erase_if(asked, has_meaning);
    if (run.is_reference()) std::erase_if(asked_of_references, has_meaning);
  }
  if (asked.empty()) asked.swap(asked_of_references);
  if (asked.empty() && !set.empty()) {
    const auto& [name, assignment] = *set.begin();
    throw ConfigError(fmt::format("--set {} = {}: reaches no run: it means something in references alone, which have a value of their own; allowed: --set reference.{} = …", name,
                                  shortened(fmt::format("{}", fmt::join(assignment->values, ", "))), name));
  }
  if (asked.empty()) return;
  const auto& [name, assignment] = *asked.begin();
  throw ConfigError(fmt::format("{}: {} = {}: has no meaning in this experiment; it needs {}", assignment->source, name, shortened(fmt::format("{}", fmt::join(assignment->values, ", "))), find_key(name)->needs));
}

std::vector<std::string> Grid::axes() const {
  if (runs_.empty()) return {};
  Point first;  // the first value with a meaning
  std::set<std::string> varying;
  for (const RunPlan& run : runs_)
    for (const auto& [key, value] : effective(run))
      if (value != meaningless && !value.starts_with(reference_word) && first.emplace(key, value).first->second != value) varying.insert(key);
  std::vector<std::string> ordered;
  for (const Key& key : keys())
    if (varying.contains(key.name)) ordered.push_back(key.name);
  return ordered;
}

std::string Grid::effective_text() const {
  std::map<std::string, std::vector<std::string>> defaults;  // effective values of keys that nobody gave
  for (const RunPlan& run : runs_)
    for (const auto& [key, value] : effective(run)) {
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
    for (const Zip& zip : s.zips) text += fmt::format("zip = {}\n", fmt::join(zip.keys, " "));
    for (const Assignment& a : s.assignments) text += fmt::format("{} = {}\n", a.key, fmt::join(a.values, ", "));
  };
  if (!experiment_.base.zips.empty()) write("sweep", Section{"", {}, experiment_.base.zips});
  for (const Section& sweep : experiment_.sweeps) write("sweep." + sweep.name, sweep);
  if (experiment_.reference) write("reference", *experiment_.reference);
  return text;
}

}  // namespace qsweep
