#pragma once
#include <algorithm>
#include <bit>
#include <string>

#include "base/blocks.h"
#include "base/layout.h"
#include "exchange/pieces.h"

/// The formulas of docs/exchange.md: bytes that one rank gives to the exchange in one iteration, from sizes alone.
namespace qsweep::test {

/// One iteration of N workers: bits 32 is full precision.
struct TrafficCase {
  std::string topology;
  std::size_t workers = 1, gradient_bits = 32, weight_bits = 32;
  std::size_t weight_passes = 1;  ///< of the search for α, where a tensor is cut over ranks: lab makes one
};

inline std::size_t words(std::size_t elements, std::size_t bits) { return 8 * ((elements + 64 / bits - 1) / (64 / bits)); }

/// ŵ of elements [first, last).
inline std::size_t weight_message(const Layout& layout, std::size_t first, std::size_t last, std::size_t bits) {
  std::size_t sum = 0;
  for (const Tensor& t : layout.tensors()) {
    const TensorPart part = part_of(t, first, last);
    if (part.size() == 0) continue;
    sum += bits == 32 || !t.is_weight ? 4 * part.size() : words(part.size(), bits) + (part.begin == t.offset ? 4 : 0);
  }
  return sum;
}

/// ŵ of what a rank owns, piece by piece.
inline std::size_t owned_weights(const Layout& layout, const Partition& p, int rank, std::size_t bits) {
  std::size_t sum = 0;
  for (std::size_t first = p.first(rank); first < p.last(rank); first += piece_elements)
    sum += weight_message(layout, first, std::min(first + piece_elements, p.last(rank)), bits);
  return sum;
}

/// Gradients of my workers, to the owner of each slice.
inline std::size_t sent_gradients(const Partition& p, int me, std::size_t my_workers, std::size_t bits) {
  std::size_t sum = 0;
  for (int q = 0; q < p.ranks(); ++q)
    for (std::size_t begin = 0; q != me && begin < p.size(q); begin += piece_elements) {
      const std::size_t n = std::min(piece_elements, p.size(q) - begin);
      sum += my_workers * (bits == 32 ? 4 * n : words(n, bits));
    }
  return sum;
}

/// Sums over this rank's blocks of the weight tensors that are cut over ranks.
inline std::size_t scale_sums(const Layout& layout, const Partition& p, int me) {
  std::size_t sum = 0;
  for (const Tensor& t : layout.tensors()) {
    const TensorPart part = part_of(t, p.first(me), p.last(me));
    if (t.is_weight && part.size() > 0 && part.size() < t.size) sum += 16 * block_count(part.size());
  }
  return sum;
}

inline std::size_t bytes_of_round(const TrafficCase& c, const Layout& layout, const Partition& p, int me) {
  if (p.ranks() == 1) return 0;
  const std::size_t d = layout.dimension(), mine = workers_of(me, p.ranks(), c.workers).count;
  const std::size_t largest_sum = 2 * ((std::size_t{1} << (c.gradient_bits - 1)) - 1) * c.workers;
  if (c.topology == "allreduce") return c.gradient_bits == 32 ? 4 * d : words(d, static_cast<std::size_t>(std::bit_width(largest_sum)));
  if (c.topology == "server") return me == 0 ? owned_weights(layout, p, 0, c.weight_bits) : sent_gradients(p, me, mine, c.gradient_bits);
  return sent_gradients(p, me, mine, c.gradient_bits) + static_cast<std::size_t>(p.ranks() - 1) * owned_weights(layout, p, me, c.weight_bits) +
         (c.weight_bits == 32 ? 0 : c.weight_passes * scale_sums(layout, p, me));
}

/// Losses and scales of my workers, for all.
inline std::size_t bytes_of_reports(const TrafficCase& c, const Layout& layout, int ranks, int me, std::size_t items) {
  if (ranks == 1) return 0;
  return 8 * workers_of(me, ranks, c.workers).count * (items + (c.gradient_bits == 32 ? 0 : layout.tensors().size()));
}

}  // namespace qsweep::test
