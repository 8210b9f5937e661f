// Exact k-means of n sorted values, K clusters. With D_k(b) the least spread of the first b values in k clusters and E_k(b) that of
// the others in the K − k clusters that remain,
//   D_k(b) = min_{a ≤ b} D_{k−1}(a) + spread(a, b),   E_{k−1}(a) = min_{b ≥ a} spread(a, b) + E_k(b),   min_b D_k(b) + E_k(b) = the optimum
// and the minimiser never moves back as b grows (the spread has the Monge property), so that divide and conquer finds the minima of a
// whole row in O(n log n). Over all n values that is 14 · 24 · n spreads for K = 16: too slow for n = 16 million. Most positions b can be
// excluded beforehand: let block [l, h] be neighbouring positions and drop what lies in them,
//   F_k[l, h] = min over blocks [l', h'] of F_{k−1}[l', h'] + spread(h', l)   ≤ D_k(b) for every b in [l, h],   R likewise ≤ E_k(b)
// A block with F + R above the objective of some known clustering holds no boundary k of an optimum. Blocks that stay are cut into
// smaller ones, and so on; what is left in the end goes through the exact recursion. The answer is exact, up to rounding, whatever the
// bounds exclude; if they excluded nothing it would still be O(K n log n).
#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>

#include "quantize/kmeans.h"

namespace qsweep {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::size_t coarse = 1024;        // blocks at the start
constexpr std::size_t blocks_wanted = 32768;  // for each boundary, when blocks are cut
constexpr std::size_t few = 16384;          // positions for each boundary that go through the exact recursion

/// A place between values: b values lie before it.
struct Position {
  std::size_t at = 0;
  PowerSums before = {};
};
double spread(const Position& a, const Position& b) { return qsweep::spread(a.at, a.before, b.at, b.before); }

Position position(const SortedValues& x, std::size_t at) { return {at, x.before(at)}; }

/// Neighbouring positions low … high.
struct Block {
  Position low, high;
};

/// best[r] = min over columns c of cost(r, c), from[r] the first c that reaches it, which never falls as r grows.
template <class Cost>
struct Minima {
  Cost cost;
  std::vector<double> best;
  std::vector<std::uint32_t> from;

  Minima(std::size_t rows, std::size_t columns, Cost c) : cost(std::move(c)), best(rows, infinity), from(rows, 0) { solve(0, rows, 0, columns); }
  void solve(std::size_t row, std::size_t end, std::size_t first, std::size_t last) {
    if (row >= end) return;
    const std::size_t middle = row + (end - row) / 2;
    std::size_t chosen = first;
    double least = infinity;
    for (std::size_t c = first; c < last; ++c) {
      const double value = cost(middle, c);
      if (value < least) {
        least = value;
        chosen = c;
      }
    }
    best[middle] = least;
    from[middle] = static_cast<std::uint32_t>(chosen);
    solve(row, middle, first, chosen + 1);
    solve(middle + 1, end, chosen, last);
  }
};

/// The best boundaries, boundary k among the positions candidates[k], k = 0 … K − 2.
std::vector<std::size_t> best_boundaries(const std::vector<std::vector<Position>>& candidates, const Position& end) {
  std::vector<std::vector<std::uint32_t>> from(candidates.size());
  std::vector<double> cost;
  for (const Position& b : candidates.front()) cost.push_back(spread(Position{}, b));
  for (std::size_t k = 1; k < candidates.size(); ++k) {
    const auto &columns = candidates[k - 1], &rows = candidates[k];
    Minima minima(rows.size(), columns.size(), [&](std::size_t r, std::size_t c) { return columns[c].at <= rows[r].at ? cost[c] + spread(columns[c], rows[r]) : infinity; });
    from[k] = std::move(minima.from);
    std::vector<double> next = std::move(minima.best);
    cost.swap(next);
  }
  std::size_t chosen = 0;
  for (std::size_t c = 1; c < cost.size(); ++c)
    if (cost[c] + spread(candidates.back()[c], end) < cost[chosen] + spread(candidates.back()[chosen], end)) chosen = c;
  std::vector<std::size_t> boundaries(candidates.size());
  for (std::size_t k = candidates.size(); k-- > 0; chosen = k > 0 ? from[k][chosen] : 0) boundaries[k] = candidates[k][chosen].at;
  return boundaries;
}

/// F of the blocks of every boundary; with `mirrored` R, boundaries and blocks seen from the other end.
std::vector<std::vector<double>> bounds_from_one_side(const std::vector<std::vector<Block>>& blocks, const Position& end, bool mirrored) {
  const std::size_t boundaries = blocks.size();
  std::vector<std::vector<double>> bound(boundaries);
  for (std::size_t i = 0; i < boundaries; ++i) {
    const std::size_t k = mirrored ? boundaries - 1 - i : i;
    const auto& rows = blocks[k];
    bound[k].resize(rows.size());
    if (i == 0) {
      for (std::size_t r = 0; r < rows.size(); ++r) bound[k][r] = mirrored ? spread(rows[r].high, end) : spread(Position{}, rows[r].low);
      continue;
    }
    const std::size_t before = mirrored ? k + 1 : k - 1;
    const auto& columns = blocks[before];
    const std::size_t last_row = rows.size() - 1, last_column = columns.size() - 1;
    const Minima minima(rows.size(), columns.size(), [&](std::size_t r, std::size_t c) {
      if (!mirrored) return columns[c].low.at <= rows[r].high.at ? bound[before][c] + spread(columns[c].high, rows[r].low) : infinity;
      const Block &row = rows[last_row - r], &column = columns[last_column - c];
      return column.high.at >= row.low.at ? bound[before][last_column - c] + spread(row.high, column.low) : infinity;
    });
    for (std::size_t r = 0; r < rows.size(); ++r) bound[k][r] = minima.best[mirrored ? last_row - r : r];
  }
  return bound;
}

void cut(const SortedValues& x, std::vector<Block>& blocks) {
  const std::size_t pieces = std::max<std::size_t>(2, blocks_wanted / blocks.size());
  std::vector<Block> smaller;
  for (const Block& block : blocks) {
    const std::size_t length = block.high.at - block.low.at, count = std::max<std::size_t>(1, std::min(pieces, length));
    Position low = block.low;
    for (std::size_t i = 1; i <= count; ++i) {
      const Position high = i == count ? block.high : position(x, block.low.at + length * i / count);
      smaller.push_back({low, high});
      low = high;
    }
  }
  blocks = std::move(smaller);
}

std::vector<Position> positions_in(const SortedValues& x, const std::vector<Block>& blocks) {
  std::vector<Position> positions;
  for (const Block& block : blocks)
    for (std::size_t at = block.low.at; at <= block.high.at; ++at)
      if (positions.empty() || positions.back().at < at) positions.push_back(position(x, at));
  return positions;
}

std::size_t positions_left(const std::vector<std::vector<Block>>& blocks) {
  std::size_t sum = 0;
  for (const auto& of_boundary : blocks)
    for (const Block& block : of_boundary) sum += block.high.at - block.low.at + 1;
  return sum;
}

std::vector<double> means_between(const SortedValues& x, const std::vector<std::size_t>& boundaries) {
  std::vector<double> means;
  for (std::size_t k = 0; k <= boundaries.size(); ++k) {
    const std::size_t i = k == 0 ? 0 : boundaries[k - 1], j = k == boundaries.size() ? x.size() : boundaries[k];
    means.push_back(i < j ? x.mean(i, j) : means.empty() ? double{x.values()[0]} : means.back());
  }
  return means;
}

/// Drops the blocks that no optimum has its boundary in. `known`: the objective of some clustering.
void exclude(std::vector<std::vector<Block>>& blocks, const Position& end, double known) {
  const auto forward = bounds_from_one_side(blocks, end, false), backward = bounds_from_one_side(blocks, end, true);
  for (std::size_t k = 0; k < blocks.size(); ++k) {
    std::vector<Block> kept;
    for (std::size_t r = 0; r < blocks[k].size(); ++r)
      if (forward[k][r] + backward[k][r] <= known) kept.push_back(blocks[k][r]);
    blocks[k] = std::move(kept);
  }
}

}  // namespace

KMeans exact_kmeans(const SortedValues& x, std::size_t clusters) {
  if (std::vector<double> all = distinct_values(x, clusters); !all.empty()) {
    all.resize(clusters, all.back());
    return {all, 0};
  }
  if (clusters == 1) return {{x.mean(0, x.size())}, 0};
  std::vector<Block> grid;
  const std::size_t count = std::min(coarse, x.size());
  for (std::size_t i = 0; i < count; ++i) grid.push_back({position(x, x.size() * i / count), position(x, x.size() * (i + 1) / count)});
  const Position end = position(x, x.size());
  std::vector<std::vector<Block>> blocks(clusters - 1, grid);
  if (count < x.size()) {
    std::vector<Position> ends;
    for (const Block& block : grid) ends.push_back(block.high);
    const std::vector<std::vector<Position>> on_grid(clusters - 1, ends);
    const KMeans near = lloyd(x, means_between(x, best_boundaries(on_grid, end)));
    const double known = kmeans_objective(x, near.centroids) * (1 + 1e-9) + 1e-11 * end.before.second;  // and what rounding may add
    exclude(blocks, end, known);
    while (positions_left(blocks) > few * blocks.size()) {
      const std::size_t before = positions_left(blocks);
      for (auto& of_boundary : blocks) cut(x, of_boundary);
      exclude(blocks, end, known);
      const bool single = std::ranges::all_of(blocks, [](const auto& all) { return std::ranges::all_of(all, [](const Block& b) { return b.high.at - b.low.at <= 1; }); });
      if (single && positions_left(blocks) >= before) break;
    }
  }
  std::vector<std::vector<Position>> candidates;
  for (const auto& of_boundary : blocks) candidates.push_back(positions_in(x, of_boundary));
  return {means_between(x, best_boundaries(candidates, end)), 0};
}

}  // namespace qsweep
