#pragma once
#include <filesystem>

namespace qsweep {

/// Removes what processes that were killed left in the folder of an experiment: half-written files, locks, and checkpoints of runs that
/// are complete (not if these will be done again: they may go on from them). A run whose lock is free is in nobody's hands; nothing
/// of the others is touched.
void remove_leftovers(const std::filesystem::path& folder, bool done_again);

}  // namespace qsweep
