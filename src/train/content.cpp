#include "train/content.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/errors.h"
#include "config/keys.h"
#include "train/environment.h"

namespace qsweep {

std::string content_hash(const std::string& initial) {
  const auto [file, id] = initial_file(initial);
  std::ifstream in(file, std::ios::binary);
  std::ostringstream bytes;
  if (in) bytes << in.rdbuf();
  std::error_code unknown;
  if (!in || !bytes) throw DataError(fmt::format("{}: {}: model.initial and problem.start name a results file, FILE.h5 or FILE.h5:RUN_ID", file, std::filesystem::exists(file, unknown) ? "cannot be read" : "no such file"));
  return short_hash(bytes.str() + "\n" + id);
}

std::function<std::string(const std::string&)> content_hashes() {
  return [known = std::map<std::string, std::string>()](const std::string& initial) mutable {
    const auto found = known.find(initial);
    return found != known.end() ? found->second : known.emplace(initial, content_hash(initial)).first->second;
  };
}

}  // namespace qsweep
