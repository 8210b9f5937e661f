// Experiment files. The bytes are one; lines that begin with "--set " are options of the command line instead.
// What is understood is understood again, as the same runs, from the effective text that results files keep.
#include <algorithm>
#include <sstream>
#include <vector>

#include "config/experiment.h"
#include "config/grid.h"
#include "fuzz/fuzz.h"

namespace {

using namespace qsweep;
using namespace qsweep::fuzz;

constexpr double few = 24;  // points; more of them only take longer
const std::string name = "fuzz.ini";

Grid grid_of(const Experiment& experiment) {
  return Grid(experiment, [](const std::string& file) { return "content of " + file; });
}

std::vector<std::string> ids(const Grid& grid) {
  std::vector<std::string> list;
  for (const RunPlan& run : grid.runs()) list.push_back(run.id);
  std::sort(list.begin(), list.end());
  return list;
}

double points(const Experiment& experiment) {
  const auto product = [](const Section& section) {
    double count = 1;
    for (const Assignment& a : section.assignments) count *= static_cast<double>(a.values.size());
    return count;
  };
  double of_sweeps = experiment.sweeps.empty() ? 1 : 0;
  for (const Section& sweep : experiment.sweeps) of_sweeps += product(sweep);
  return product(experiment.base) * of_sweeps;
}

void read_again(const Grid& grid) {
  const std::string text = grid.effective_text();
  try {
    hold(ids(grid_of(parse_experiment(text, name))) == ids(grid), "the effective text asks for the same runs:\n" + text);
  } catch (const ConfigError& refused) {
    hold(false, "the effective text is understood: " + std::string(refused.what()) + "\n" + text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream lines(std::string(reinterpret_cast<const char*>(data), size));
  std::string text;
  std::vector<std::string> sets;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("--set ")) sets.push_back(line.substr(6));
    else text += line + (lines.eof() ? "" : "\n");
  }
  const bool from_file = sets.empty();
  reads(from_file ? name : "", [&] {
    const Experiment experiment = parse_experiment(text, name, sets);
    if (points(experiment) > few) return;
    const Grid grid = grid_of(experiment);
    for (const RunPlan& run : grid.runs()) grid.settings(run);
    grid.axes();
    read_again(grid);
  });
  return 0;
}
