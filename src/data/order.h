#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Which sample comes when. Epoch e = 0, 1, … visits every sample once, in the order of the permutation
///   π_e: Fisher-Yates (Durstenfeld), i = n − 1 … 1 swaps i with a uniform j ∈ [0, i], drawn without bias (Lemire 2019) from
///   Stream(seed, Draw::Order, 0, e);   π_e = identity if not shuffled
/// Epochs follow each other in one endless stream: position q holds sample π_⌊q/n⌋(q mod n). It is the same for every number of
/// workers and ranks; mini-batches may reach from one epoch into the next.
/// Source: Lemire 2019, "Fast random integer generation in an interval".
namespace qsweep {

/// First position of worker n's mini-batch of iteration t ≥ 1 with N workers: ((t − 1)N + n)B; it has B positions.
constexpr std::uint64_t first_position(std::uint64_t iteration, std::uint64_t workers, std::uint64_t worker, std::uint64_t batch) {
  return ((iteration - 1) * workers + worker) * batch;
}

class Order {
 public:
  Order(std::size_t samples, std::uint64_t seed, bool shuffle);
  /// samples[i] = the sample at position first + i. Any position at any time; going on from the last one is fastest.
  void read(std::uint64_t first, std::span<std::uint32_t> samples);

 private:
  struct Epoch {
    std::uint64_t number = UINT64_MAX;
    std::vector<std::uint32_t> permutation;
  };
  const std::vector<std::uint32_t>& permutation(std::uint64_t epoch);

  std::size_t samples_;
  std::uint64_t seed_;
  bool shuffle_;
  std::array<Epoch, 2> cache_;  // even and odd epochs: one and the next
};

}  // namespace qsweep
