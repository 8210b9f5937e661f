#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "config/keys.h"
#include "config/text.h"

namespace qsweep {
namespace {

/// Levenshtein.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j)
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)}));
  }
  return row[b.size()];
}

/// One key with another value than its default's, and what that makes of the defaults of the others.
struct Variation {
  std::string text;
  Point effective;
};

std::vector<Variation> variations() {
  std::vector<Variation> found;
  const auto add = [&](const std::string& key, const std::string& value) { found.push_back({key + " = " + value, effective_point({{key, value}})}); };
  for (const char* key : {"experiment.method", "data.set", "model.kind", "weights.quantizer", "optimizer.kind", "optimizer.schedule"}) {
    const Key* known = find_key(key);
    for (const std::string& value : split(known->allowed, ',')) try {
        if (known->canonical(value) != known->default_value(effective_point({}))) add(key, value);
      } catch (const std::invalid_argument&) {  // "a or b" and other words that are no value
      }
  }
  return found;
}

/// "2 with model.kind = mlp": defaults that are another one elsewhere, unless an earlier key's other value says so already.
std::string other_defaults(const Key& key, const std::string& usual) {
  static const std::vector<Variation> all = variations();
  std::vector<std::pair<std::string, std::string>> others;  // default, where
  for (const Variation& v : all) {
    const std::string& value = v.effective.at(key.name);
    if (v.text.starts_with(key.name + " ") || value == usual || value == meaningless) continue;
    const auto known = std::ranges::find(others, value, &std::pair<std::string, std::string>::first);
    if (known == others.end()) others.emplace_back(value, v.text);
    else known->second += (v.text.substr(0, v.text.find(' ')) == known->second.substr(0, known->second.find(' ')) ? v.text.substr(v.text.find('=') + 1).insert(0, ",") : ", " + v.text);
  }
  std::string text;
  for (const auto& [value, where] : others) text += fmt::format("{}{} with {}", text.empty() ? "" : "; ", value, where);
  return text;
}

}  // namespace

std::string short_name(const std::string& key) {
  const auto dot = key.find('.');
  const std::string last = key.substr(dot + 1);
  return last == "quantizer" || last == "kind" || last == "set" || last == "count" ? key.substr(0, dot) : last;
}

std::string nearest_keys(const std::string& name) {
  if (name.size() > 100) return keys().front().name;  // like none
  const bool whole = name.find('.') != std::string::npos;
  const auto unlike = [&](const Key& key) {  // without a point, name is meant as a section or as what follows it
    const auto dot = key.name.find('.');
    return whole ? distance(key.name, name) : std::min(distance(key.name.substr(0, dot), name), distance(key.name.substr(dot + 1), name));
  };
  std::string nearest, same;
  std::size_t least = std::numeric_limits<std::size_t>::max();
  for (const Key& key : keys()) {
    const std::size_t letters = unlike(key);
    if (letters < least) least = letters, nearest = key.name;
    if (letters == 0) same += (same.empty() ? "" : ", ") + key.name;
  }
  return same.empty() ? nearest : same;
}

std::string keys_text(const std::string& section, int columns) {
  std::string text, sections;
  Point effective;
  for (const Key& key : keys()) {
    effective[key.name] = key.default_value(effective);
    const std::string head = key.name.substr(0, key.name.find('.'));
    if (sections.find(head) == std::string::npos) sections += (sections.empty() ? "" : ", ") + head;
    if (!section.empty() && head != section && key.name != section) continue;
    text += fmt::format("{} = {}\n", key.name, effective[key.name]);
    text += wrapped(key.meaning, 4, static_cast<std::size_t>(columns));
    if (const std::string others = other_defaults(key, effective[key.name]); !others.empty()) text += wrapped("default " + others, 4, static_cast<std::size_t>(columns));
    text += wrapped("allowed: " + key.allowed, 4, static_cast<std::size_t>(columns));
    if (!key.needs.empty()) text += wrapped("only with " + key.needs, 4, static_cast<std::size_t>(columns));
  }
  if (text.empty()) throw ConfigError(fmt::format("command line: {}: no such section or key; nearest: {}; sections: {}", section, nearest_keys(section), sections));
  return text;
}

}  // namespace qsweep
