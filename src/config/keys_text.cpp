#include <fmt/format.h>

#include "base/errors.h"
#include "config/keys.h"
#include "config/text.h"

namespace qsweep {

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
  if (text.empty()) throw ConfigError(fmt::format("command line: {}: no such section or key; allowed: a key, or {}", section, sections));
  return text;
}

}  // namespace qsweep
