#pragma once
#include <vector>

#include "base/stopwatch.h"
#include "exchange/exchange.h"
#include "results/record.h"
#include "train/archive.h"

/// Where the time of a run went, and what it sent: the groups runtime/ and traffic/.
namespace qsweep {

/// A row for each rank: seconds by phase, bytes sent, messages.
struct Runtime {
  static constexpr std::size_t columns = phases + 2;
  std::vector<double> rows;

  void state(Archive& archive);
};
/// Of all ranks, on every rank. Collective.
Runtime gather_runtime(const Team& team, const Stopwatch& watch, const Traffic& traffic);

/// What was taken before an interruption, perhaps by another number of ranks, as rows of `ranks`: times go on from those of the rank that
/// had computed longest, what had been sent is dealt out, so that its sum stays true.
Runtime dealt_out(const Runtime& before, std::size_t ranks);

/// The sum, rank by rank; `before` may be empty.
Runtime together(Runtime now, const Runtime& before);

/// The rank that computed and quantized longest.
std::size_t slowest_rank(const Runtime& runtime);

/// Times are those of the rank that computed longest, so that they sum to its total; traffic is listed rank by rank.
void describe(const Runtime& runtime, double samples, Record& record);

}  // namespace qsweep
