#include "train/adopt.h"

#include <algorithm>

#include "results/file.h"

namespace qsweep {

namespace fs = std::filesystem;

std::size_t adopt_references(const Grid& grid, const std::vector<std::uint32_t>& runs, const fs::path& folder, const Results& header) {
  std::vector<fs::path> elsewhere;
  for (const auto& entry : fs::directory_iterator(folder.parent_path().empty() ? fs::path(".") : folder.parent_path()))
    if (entry.is_directory() && entry.path().filename() != folder.filename()) elsewhere.push_back(entry.path());
  std::ranges::sort(elsewhere);
  std::size_t adopted = 0;
  for (const std::uint32_t i : runs) {
    const std::string name = grid.runs()[i].id + ".h5";
    if (!grid.runs()[i].is_reference() || fs::exists(folder / name)) continue;
    const auto found = std::ranges::find_if(elsewhere, [&](const fs::path& other) { return fs::exists(other / name); });
    if (found == elsewhere.end()) continue;
    Results results = header;
    results.runs = read_results(*found / name).runs;
    write_results(folder / name, results);
    ++adopted;
  }
  return adopted;
}

}  // namespace qsweep
