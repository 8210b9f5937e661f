#pragma once
#include <string>

#include "config/grid.h"

/// The command `plan`: the runs of a grid as a table, and what they will take. Nothing runs.
namespace qsweep {

/// At most `columns` wide: ids, values on the axes, iterations, memory per rank, estimated core time; then totals for `ranks`, and
/// which data files are not where `run` would look for them here.
std::string plan_text(const Grid& grid, int ranks, int shard, int shards, int columns);

}  // namespace qsweep
