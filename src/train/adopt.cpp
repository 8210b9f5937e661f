#include "train/adopt.h"

#include <algorithm>

#include "results/file.h"

namespace qsweep {

namespace fs = std::filesystem;

namespace {

void adopt(const fs::path& from, const fs::path& to, Results header) {
  header.runs = read_results(from).runs;
  write_results(to, header);
}

}  // namespace

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
    adopt(*found / name, folder / name, header);
    ++adopted;
  }
  return adopted;
}

void adopt_copy(const fs::path& file, const Results& header) { adopt(file, file, header); }

}  // namespace qsweep
