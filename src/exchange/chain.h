#pragma once
#include <span>
#include <vector>

#include "exchange/exchange.h"

/// The float sum over workers n = 0 … N−1 in order, divided by N last, as a pipelined chain over ranks: rank p receives the partial
/// sum of the workers before its own, adds its own in order, passes it on. Float addition is not associative, MPI_SUM may add
/// in any order: this is the one order. Pieces keep all ranks of the chain busy.
namespace qsweep {

inline constexpr std::size_t chain_piece_elements = std::size_t{1} << 16;

/// gradients [my workers][d]; the last rank ends with the mean. Collective.
void chain_sum(const Team& team, const std::vector<std::vector<float>>& gradients, std::size_t workers, std::span<float> mean, Traffic& traffic);

}  // namespace qsweep
