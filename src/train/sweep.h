#pragma once
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/grid.h"
#include "exchange/communicator.h"

/// A grid of runs on the ranks of one job: teams claim runs one by one, each run becomes one results file.
namespace qsweep {

struct SweepOptions {
  std::filesystem::path out = "results";  ///< --out
  std::optional<int> team_size;           ///< --team-size
  int shard = 1, shards = 1;              ///< --shard I/N
  bool rerun = false;                     ///< --rerun: runs already complete are done again
  std::optional<double> time_limit = {};       ///< --time-limit: seconds after which all is saved and the sweep stops
  std::vector<std::string> command_line = {};  ///< argv, for the provenance and for what is proposed to be typed next
};

/// How ranks are grouped: 1 per team if there are at least 2P runs, else min(P, the most parts of a run: its workers N).
int automatic_team_size(int ranks, std::size_t runs, std::size_t most_parts);

/// The runs of this shard in the order they are claimed: references before their dependants, else the longest first.
std::vector<std::uint32_t> claim_order(const Grid& grid, int shard, int shards);

/// Trains what is not done yet. Collective over all ranks. DataError if results cannot be written; Interrupted if it was asked to stop
/// (train/stop.h) and saved what was in progress.
void run_sweep(const Grid& grid, const SweepOptions& options, const Team& world);

}  // namespace qsweep
