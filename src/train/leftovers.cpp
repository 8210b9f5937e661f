#include "train/leftovers.h"

#include <string>
#include <vector>

#include "results/checkpoint.h"
#include "train/claim.h"

namespace qsweep {

namespace fs = std::filesystem;

void remove_leftovers(const fs::path& folder, bool done_again) {
  std::vector<fs::path> useless, locks;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const fs::path& path = entry.path();
    const auto checkpoint = checkpoint_name(path);
    const bool half = path.filename().string().find(".h5.tmp-") != std::string::npos;
    const bool outlived = checkpoint && !done_again && fs::exists(folder / (checkpoint->id + ".h5"));
    if (half || outlived) useless.push_back(path);
    if (path.extension() == ".lock") locks.push_back(path);
  }
  for (const fs::path& file : useless) {
    const std::string name = file.filename().string();
    const Claim claim(folder / (name.substr(0, name.find('.')) + ".lock"));
    std::error_code gone;
    if (claim.held()) fs::remove(file, gone);
  }
  for (const fs::path& lock : locks) const Claim removed_if_free(lock);
}

}  // namespace qsweep
