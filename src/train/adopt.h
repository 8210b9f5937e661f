#pragma once
#include <filesystem>
#include <vector>

#include "config/grid.h"
#include "results/record.h"

/// Runs that another experiment has trained already: a run id says all that decides a result, so its file is as good here.
namespace qsweep {

/// Writes into `folder` (out/NAME) each reference of `runs` that is complete in another folder of `out` and not yet here, under this
/// experiment's header. Returns how many. To be called by one process, before anything is claimed.
std::size_t adopt_references(const Grid& grid, const std::vector<std::uint32_t>& runs, const std::filesystem::path& folder, const Results& header);

/// Gives this experiment's header to the file of a run that someone copied into its folder from another one, which `collect` would leave
/// out.
void adopt_copy(const std::filesystem::path& file, const Results& header);

}  // namespace qsweep
