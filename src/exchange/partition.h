#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "base/layout.h"
#include "exchange/communicator.h"

/// Which rank keeps which part of the state: rank p owns elements [first(p), last(p)) of w, and the same elements of v, m, … and of
/// the mean gradient. Slices begin at a block of a tensor (base/blocks.h), so that sums over blocks are the same however w is cut.
namespace qsweep {

class Partition {
 public:
  static Partition everywhere(std::size_t dimension, int ranks);  ///< all-reduce: each rank owns all
  static Partition on_root(std::size_t dimension, int ranks);     ///< server: rank 0 owns all
  /// Rank p's slice begins at the block nearest to p·d/P: at most one block of elements more or less than d/P, perhaps nothing.
  static Partition sliced(const Layout& layout, int ranks);

  std::size_t first(int rank) const { return first_[static_cast<std::size_t>(rank)]; }
  std::size_t last(int rank) const { return last_[static_cast<std::size_t>(rank)]; }
  std::size_t size(int rank) const { return last(rank) - first(rank); }
  int ranks() const { return static_cast<int>(first_.size()); }
  std::size_t dimension() const { return dimension_; }
  bool is_whole(int rank) const { return size(rank) == dimension_; }
  bool is_replicated() const { return is_whole(0) && is_whole(ranks() - 1); }  ///< every rank owns all

  std::span<const float> slice(std::span<const float> whole, int rank) const { return whole.subspan(first(rank), size(rank)); }
  /// The tensors as rank p holds them: all of them, by name and in order, with the elements that it owns, perhaps none.
  Layout layout_of(const Layout& layout, int rank) const;

 private:
  std::size_t dimension_ = 0;
  std::vector<std::size_t> first_, last_;  // by rank
};

/// The part of tensor t in [first, last) of the vector; empty parts have begin = end.
struct TensorPart {
  std::size_t begin = 0, end = 0;
  std::size_t size() const { return end - begin; }
};
TensorPart part_of(const Tensor& t, std::size_t first, std::size_t last);

/// whole [d] on the root, and on every rank, from the slices that ranks own. Collective. Returns the bytes that this rank gave.
std::size_t gather(const Team& team, const Partition& partition, std::span<const float> mine, std::span<float> whole);
std::size_t all_gather(const Team& team, const Partition& partition, std::span<const float> mine, std::span<float> whole);

/// The reverse of gather: from the root's `whole` [d] the elements that each rank owns. Collective.
void scatter(const Team& team, const Partition& partition, std::span<const float> whole, std::span<float> mine);

}  // namespace qsweep
