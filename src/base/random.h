#pragma once
#include <cstdint>
#include <span>

/// Draws are pure functions of (seed, purpose, worker, iteration, index): the order of calls and the number of ranks do not matter.
///   words 4b … 4b+3 = Philox4x32-10( key = seed,  counter = (b mod 2³², purpose + 256·⌊b / 2³²⌋, worker, iteration) )
/// Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
namespace qsweep {

/// What a random number is for. Appended to, never renumbered: the value is part of every draw.
enum class Draw : std::uint32_t {
  Data = 1,              ///< inputs of synthetic data
  Noise,                 ///< label noise of synthetic data
  TrueWeights,           ///< w* of synthetic data
  InitialWeights,        ///< w_1
  Order,                 ///< permutation of an epoch
  Augmentation,          ///< crop, flip, brightness, contrast
  Dropout,
  GradientRounding,      ///< first 16 bits of the number that rounds a gradient element
  GradientRoundingTail,  ///< its next 16 bits, looked at only when the first 16 do not decide
  Starts,                ///< starting points of the two-layer model
  Clusters,              ///< k-means++
  WeightRounding,        ///< signs of stochastically rounded weights
};

class Stream {
 public:
  Stream(std::uint64_t seed, Draw purpose, std::uint32_t worker = 0, std::uint32_t iteration = 0)
      : seed_(seed), purpose_(static_cast<std::uint32_t>(purpose)), worker_(worker), iteration_(iteration) {}

  std::uint32_t word(std::uint64_t i) const;  ///< 32 random bits
  double uniform(std::uint64_t i) const;      ///< [0, 1), 32 bits of word i
  double normal(std::uint64_t i) const;       ///< N(0, 1): Box-Muller of words 2⌊i/2⌋, 2⌊i/2⌋+1 (cosine for even i, sine for odd)

  /// out[j] = word(first + j)
  void words(std::uint64_t first, std::span<std::uint32_t> out) const;
  /// out[j] = low + (high − low)·⌊word(first + j)/2⁸⌋/2²⁴, in float arithmetic: a lattice of 2²⁴ values in [low, high)
  void uniform(std::uint64_t first, float low, float high, std::span<float> out) const;
  /// out[j] = float(normal(first + j))
  void normal(std::uint64_t first, std::span<float> out) const;

  std::uint64_t seed() const { return seed_; }
  std::uint32_t purpose() const { return purpose_; }
  std::uint32_t worker() const { return worker_; }
  std::uint32_t iteration() const { return iteration_; }

 private:
  std::uint64_t seed_;
  std::uint32_t purpose_, worker_, iteration_;
};

}  // namespace qsweep
