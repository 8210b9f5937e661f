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
    text += wrapped("allowed: " + key.allowed, 4, static_cast<std::size_t>(columns));
    if (!key.needs.empty()) text += wrapped("only with " + key.needs, 4, static_cast<std::size_t>(columns));
  }
  if (text.empty()) throw ConfigError(fmt::format("command line: {}: no such section or key; nearest: {}; sections: {}", section, nearest_keys(section), sections));
  return text;
}

}  // namespace qsweep
