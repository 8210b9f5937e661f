#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/errors.h"
#include "config/experiment.h"
#include "config/grid.h"
#include "config/keys.h"

namespace qsweep::test {

inline Grid grid_of(const std::string& text, const std::vector<std::string>& sets = {}, const std::string& file = "test.ini") {
  return Grid(parse_experiment(text, file, sets), [](const std::string& initial) { return "hash of " + initial; });
}

inline std::vector<std::string> ids(const Grid& grid) {
  std::vector<std::string> list;
  for (const RunPlan& run : grid.runs()) list.push_back(run.id);
  return list;
}

inline std::vector<std::string> sorted_ids(const Grid& grid) {
  std::vector<std::string> list = ids(grid);
  std::ranges::sort(list);
  return list;
}

/// Effective values of one key, in run order.
inline std::vector<std::string> values(const Grid& grid, const std::string& key) {
  std::vector<std::string> list;
  for (const RunPlan& run : grid.runs()) list.push_back(grid.settings(run).point.at(key));
  return list;
}

/// The message of the ConfigError that a grid of this text must end with.
inline std::string refusal(const std::string& text, const std::vector<std::string>& sets = {}) {
  try {
    grid_of(text, sets);
  } catch (const ConfigError& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown for:\n" << text;
  return {};
}

inline void expect_contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
}

inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace qsweep::test
