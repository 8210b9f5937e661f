#include "exchange/partition.h"

#include <algorithm>

#include "base/blocks.h"

namespace qsweep {
namespace {

constexpr int gather_tag = 31, scatter_tag = 32;

/// The begin of a block, or the end of the vector, that is nearest to `element`; of two the later one.
std::size_t nearest_block(const Layout& layout, std::size_t element) {
  for (const Tensor& t : layout.tensors()) {
    if (element >= t.end()) continue;
    const std::size_t below = t.offset + (element - t.offset) / block_elements * block_elements,
                      above = std::min(t.end(), below + block_elements);
    return element - below < above - element ? below : above;
  }
  return layout.dimension();
}

}  // namespace

Partition Partition::everywhere(std::size_t dimension, int ranks) {
  Partition p;
  p.dimension_ = dimension;
  p.first_.assign(static_cast<std::size_t>(ranks), 0);
  p.last_.assign(static_cast<std::size_t>(ranks), dimension);
  return p;
}

Partition Partition::on_root(std::size_t dimension, int ranks) {
  Partition p = everywhere(dimension, ranks);
  for (std::size_t rank = 1; rank < p.first_.size(); ++rank) p.first_[rank] = dimension;
  return p;
}

Partition Partition::sliced(const Layout& layout, int ranks) {
  Partition p = everywhere(layout.dimension(), ranks);
  for (std::size_t rank = 1; rank < p.first_.size(); ++rank)
    p.last_[rank - 1] = p.first_[rank] = nearest_block(layout, rank * layout.dimension() / p.first_.size());
  return p;
}

Layout Partition::layout_of(const Layout& layout, int rank) const {
  Layout mine;
  for (const Tensor& t : layout.tensors()) mine.add(t.name, {part_of(t, first(rank), last(rank)).size()}, t.is_weight);
  return mine;
}

TensorPart part_of(const Tensor& t, std::size_t first, std::size_t last) {
  const std::size_t begin = std::clamp(first, t.offset, t.end());
  return {begin, std::max(begin, std::min(last, t.end()))};
}

std::size_t gather(const Team& team, const Partition& partition, std::span<const float> mine, std::span<float> whole) {
  if (!team.is_root()) {
    if (partition.is_whole(0) || mine.empty()) return 0;
    team.send(std::as_bytes(mine), 0, gather_tag);
    return mine.size_bytes();
  }
  std::copy(mine.begin(), mine.end(), whole.begin());
  for (int p = 1; p < team.ranks() && !partition.is_whole(0); ++p)
    if (partition.size(p) > 0)
      team.receive(std::as_writable_bytes(whole.subspan(partition.first(p), partition.size(p))), p, gather_tag);
  return 0;
}

std::size_t all_gather(const Team& team, const Partition& partition, std::span<const float> mine, std::span<float> whole) {
  std::copy(mine.begin(), mine.end(), whole.begin() + static_cast<std::ptrdiff_t>(partition.first(team.rank())));
  if (team.ranks() == 1 || partition.is_replicated()) return 0;
  std::vector<std::size_t> bytes;
  for (int p = 0; p < team.ranks(); ++p) bytes.push_back(partition.size(p) * sizeof(float));
  team.all_gather_bytes(bytes, std::as_writable_bytes(whole));
  return mine.size_bytes();
}

void scatter(const Team& team, const Partition& partition, std::span<const float> whole, std::span<float> mine) {
  if (team.is_root() && mine.data() != whole.data()) std::ranges::copy(partition.slice(whole, 0), mine.begin());
  if (partition.is_replicated()) return team.broadcast(std::as_writable_bytes(mine));
  if (!team.is_root()) {
    if (!mine.empty()) team.receive(std::as_writable_bytes(mine), 0, scatter_tag);
    return;
  }
  for (int p = 1; p < team.ranks(); ++p)
    if (partition.size(p) > 0) team.send(std::as_bytes(partition.slice(whole, p)), p, scatter_tag);
}

}  // namespace qsweep
