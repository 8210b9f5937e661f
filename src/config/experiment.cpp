#include "config/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <sstream>

#include "base/errors.h"
#include "config/keys.h"
#include "config/text.h"

namespace qsweep {
namespace {

namespace po = boost::program_options;

struct Line {
  std::string key, value, source;

  std::string text() const { return fmt::format("{} = {}", shortened(key), shortened(value)); }  ///< as messages quote it
};

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";  // some editors begin UTF-8 with it

/// Other bytes would be part of results files, and of messages.
void require_text(const std::string& text, const std::string& source) {
  if (const std::string what = what_is_no_text(text); !what.empty()) throw ConfigError(fmt::format("{}: {}: allowed: text in UTF-8 without control characters", source, what));
}

/// The lines of an INI text as Boost reads them, one at a time so that each keeps its number.
std::vector<Line> read_lines(const std::string& text, const std::string& file) {
  std::vector<Line> lines;
  std::istringstream in(text);
  std::string section;
  int number = 0;
  for (std::string raw; std::getline(in, raw);) {
    const std::string source = fmt::format("{}:{}", file, ++number);
    if (number == 1 && raw.starts_with(byte_order_mark)) raw.erase(0, byte_order_mark.size());
    const std::string bare = trim(raw.substr(0, raw.find('#')));
    if (bare.empty()) continue;
    require_text(bare, source);
    if (bare.front() == '[') {
      if (bare.back() != ']' || bare.size() < 3) throw ConfigError(fmt::format("{}: '{}' is not a section: allowed: [section]", source, shortened(bare)));
      section = bare;
      if (bare.starts_with("[sweep.")) lines.push_back({bare.substr(1, bare.size() - 2) + ".", "", source});  // a product even without keys
      continue;
    }
    std::istringstream one(section + "\n" + bare + "\n");
    try {
      const po::parsed_options parsed = po::parse_config_file(one, po::options_description{}, true);
      for (const po::option& option : parsed.options)
        lines.push_back({option.string_key, option.value.empty() ? "" : trim(option.value.front()), source});
    } catch (const po::error&) {
      throw ConfigError(fmt::format("{}: '{}' is not understood: allowed: key = value, [section], # comment", source, shortened(bare)));
    }
  }
  return lines;
}

[[noreturn]] void unknown_key(const Line& line, const std::string& key) {
  const std::string section = key.substr(0, key.find('.'));
  std::string in_section;
  for (const Key& known : keys())
    if (known.name.starts_with(section + ".")) in_section += (in_section.empty() ? "" : ", ") + known.name.substr(section.size() + 1);
  throw ConfigError(fmt::format("{}: unknown key {} (value {}); nearest: {}{}", line.source, shortened(key), shortened(line.value), nearest_keys(key),
                                in_section.empty() ? "" : fmt::format("; keys of [{}]: {}", section, in_section)));
}

Assignment checked(const Line& line, const std::string& key_name) {
  const Key* key = find_key(bare(key_name).name);
  if (key == nullptr) unknown_key(line, bare(key_name).name);
  Assignment assignment{key_name, {}, line.source};
  for (const std::string& value : split(line.value, ',')) try {
      assignment.values.push_back(key->canonical(value));  // repeated values stay: a zipped axis may need them
    } catch (const std::invalid_argument&) {
      throw ConfigError(fmt::format("{}: {} = {}: allowed: {}", line.source, shortened(key_name), value.empty() ? "(nothing)" : shortened(value), key->allowed));
    }
  return assignment;
}

void put(Section& section, Assignment assignment) {
  for (Assignment& known : section.assignments)
    if (known.key == assignment.key) {
      known = std::move(assignment);
      return;
    }
  section.assignments.push_back(std::move(assignment));
}

/// Where a line belongs, and the key there.
struct Place {
  Section* section;
  std::string key;
};

Place place_of(Experiment& e, const Line& line) {
  if (line.key.starts_with(reference_prefix)) {
    if (!e.reference) e.reference = Section{"reference", {}, {}};
    return {&*e.reference, line.key.substr(std::string(reference_prefix).size())};
  }
  if (!line.key.starts_with("sweep.") || line.key == "sweep.zip") return {&e.base, line.key == "sweep.zip" ? "zip" : line.key};
  const auto dot = line.key.find('.', 6);
  if (dot == std::string::npos || dot == 6) throw ConfigError(fmt::format("{}: {}: allowed in [sweep]: zip; axes are keys with several values", line.source, line.text()));
  const std::string name = line.key.substr(6, dot - 6);
  auto found = std::find_if(e.sweeps.begin(), e.sweeps.end(), [&](const Section& s) { return s.name == name; });
  if (found == e.sweeps.end()) found = e.sweeps.insert(e.sweeps.end(), Section{name, {}, {}});
  return {&*found, line.key.substr(dot + 1)};
}

void add_zip(Section& section, const Line& line) {
  Zip zip{split_words(line.value), line.source};
  for (const std::string& key : zip.keys)
    if (find_key(key) == nullptr) unknown_key(line, key);
  if (section.name == "reference") throw ConfigError(fmt::format("{}: zip = {}: allowed in [sweep] and [sweep.NAME]; [reference] has one value for each key", line.source, shortened(line.value)));
  if (zip.keys.size() < 2) throw ConfigError(fmt::format("{}: zip = {}: allowed: two or more keys separated by spaces", line.source, shortened(line.value)));
  section.zips.push_back(std::move(zip));
}

void apply_file(Experiment& e, const std::vector<Line>& lines) {
  for (const Line& line : lines) {
    const Place place = place_of(e, line);
    if (place.key.empty()) continue;  // the head of a section
    if (place.key == "zip") {
      add_zip(*place.section, line);
      continue;
    }
    Assignment assignment = checked(line, place.key);
    if (const Assignment* earlier = place.section->find(place.key))
      throw ConfigError(fmt::format("{}: {}: the key was given before, at {}; allowed: once (values of an axis are separated by commas)", line.source, line.text(), earlier->source));
    put(*place.section, std::move(assignment));
  }
}

/// A sweep that the file does not have would be one more product: a typo must not do that.
void check_sweep_exists(const Experiment& e, const Line& line) {
  if (!line.key.starts_with("sweep.") || line.key == "sweep.zip") return;
  const std::string name = line.key.substr(6, line.key.find('.', 6) - 6);
  std::string names;
  for (const Section& sweep : e.sweeps) {
    if (sweep.name == name) return;
    names += (names.empty() ? "sweep." : ", sweep.") + sweep.name;
  }
  throw ConfigError(fmt::format("{}: {}: {} has no [sweep.{}]; allowed: {}", line.source, line.text(), e.file, shortened(name), names.empty() ? "no sweep" : names));
}

void apply_sets(Experiment& e, const std::vector<std::string>& sets) {
  for (const std::string& set : sets) {
    require_text(set, "--set");
    if (set.find('#') != std::string::npos) throw ConfigError(fmt::format("--set {}: allowed: text without #, which begins a comment in the experiment's text", shortened(set)));
    const auto equals = set.find('=');
    if (equals == std::string::npos || trim(set.substr(0, equals)).empty()) throw ConfigError(fmt::format("--set {}: allowed: section.key=value[,value…]", shortened(set)));
    const Line line{trim(set.substr(0, equals)), trim(set.substr(equals + 1)), "--set"};
    check_sweep_exists(e, line);
    const Place place = place_of(e, line);
    if (place.key == "zip") {
      add_zip(*place.section, line);
      continue;
    }
    put(*place.section, checked(line, place.key));  // of several for one key the last one counts: scripts append to what they are given
    if (line.key.starts_with("sweep.")) continue;
    for (Section& sweep : e.sweeps) std::erase_if(sweep.assignments, [&](const Assignment& a) { return a.key == line.key; });  // the command line wins there, too
  }
}

void check_single(const Section& section, const std::string& key) {
  const Assignment* a = section.find(key);
  if (a != nullptr && (a->values.size() > 1 || !section.name.empty()))
    throw ConfigError(fmt::format("{}: {}: allowed: one value, outside of [sweep.…] and [reference]", a->source, key));
}

}  // namespace

BareKey bare(std::string key) {
  const std::string prefix = reference_prefix;
  std::size_t depth = 0;
  for (; key.starts_with(prefix); ++depth) key.erase(0, prefix.size());
  return {std::move(key), depth};
}

const Assignment* Section::find(const std::string& key) const {
  const auto found = std::find_if(assignments.begin(), assignments.end(), [&](const Assignment& a) { return a.key == key; });
  return found == assignments.end() ? nullptr : &*found;
}

Experiment parse_experiment(const std::string& text, const std::string& file, const std::vector<std::string>& sets) {
  Experiment e;
  e.file = file;
  apply_file(e, read_lines(text, file));
  apply_sets(e, sets);
  check_single(e.base, "experiment.name");
  for (const Section& sweep : e.sweeps) check_single(sweep, "experiment.name");
  if (e.reference) check_single(*e.reference, "experiment.name");
  const Assignment* name = e.base.find("experiment.name");
  e.name = name != nullptr ? name->values.front() : find_key("experiment.name")->default_value({});
  if (e.name.find('/') != std::string::npos || e.name.front() == '.')
    throw ConfigError(fmt::format("{}: experiment.name = {}: allowed: {}", name->source, shortened(e.name), find_key("experiment.name")->allowed));
  return e;
}

}  // namespace qsweep
