#include "exchange/slices_over_ranks.h"

#include <algorithm>
#include <numeric>

#include "base/blocks.h"

namespace qsweep {
namespace {

constexpr int tensor_tag = 42;

}  // namespace

bool SlicesOverRanks::is_cut(const Tensor& t) const {
  int owners = 0;
  for (int p = 0; p < team_.ranks(); ++p) owners += part(t, p).size() > 0 ? 1 : 0;
  return owners > 1;
}

BlockSums SlicesOverRanks::total(const Tensor& t, std::span<const BlockSums> mine) {
  std::vector<int> counts;
  for (int p = 0; p < team_.ranks(); ++p) counts.push_back(static_cast<int>(2 * block_count(part(t, p).size())));
  std::vector<double> sums;
  for (const BlockSums& block : mine) sums.insert(sums.end(), {block.numerator, block.denominator});
  std::vector<double> all(static_cast<std::size_t>(std::accumulate(counts.begin(), counts.end(), 0)));
  team_.all_gather(sums, counts, all);
  count(sums.size() * sizeof(double));
  std::vector<BlockSums> blocks;
  for (std::size_t i = 0; i < all.size(); i += 2) blocks.push_back({all[i], all[i + 1]});
  return in_order(blocks);
}

float SlicesOverRanks::on_one_rank(const Tensor& t, std::span<const float> w, std::span<const float> v, const Solve& solve) {
  int solver = 0;  // the owner of the most: least to send
  for (int p = 1; p < team_.ranks(); ++p)
    if (part(t, p).size() > part(t, solver).size()) solver = p;
  const std::vector<float> all_w = put_together(t, w, solver);
  const std::vector<float> all_v = v.empty() ? std::vector<float>() : put_together(t, v, solver);
  float scale = team_.rank() == solver ? solve(all_w, all_v) : 0.0F;
  team_.broadcast(std::as_writable_bytes(std::span(&scale, 1)), solver);
  if (team_.rank() == solver) count(sizeof scale);
  return scale;
}

std::vector<float> SlicesOverRanks::put_together(const Tensor& t, std::span<const float> mine, int solver) {
  if (team_.rank() != solver) {
    if (!mine.empty()) team_.send(std::as_bytes(mine), solver, tensor_tag);
    count(mine.size_bytes());
    return {};
  }
  std::vector<float> whole(t.size);
  for (int p = 0; p < team_.ranks(); ++p) {
    const std::span<float> to = std::span(whole).subspan(part(t, p).begin - t.offset, part(t, p).size());
    if (p == solver)
      std::ranges::copy(mine, to.begin());
    else if (!to.empty())
      team_.receive(std::as_writable_bytes(to), p, tensor_tag);
  }
  return whole;
}

void SlicesOverRanks::count(std::size_t bytes) {
  if (bytes == 0) return;
  traffic_.bytes_sent += bytes;
  ++traffic_.messages;
}

}  // namespace qsweep
