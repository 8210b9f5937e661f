#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quantize/levels.h"
#include "quantize/weight_kernels.h"

/// Loss-aware quantization of one weight tensor: ŵ = α·b, b ∈ S_w^n, where (α, b) solve
///   min over α > 0 and b of ‖w − αb‖²_D,   D = Diag(d),   d_i = √v_i + 1e-8
///   lab          {−1, +1}: α = Σ d|w|/Σ d, b = sign(w), sign(0) = +1: exact
///   lat          {−1, 0, 1}: exact (quantize/weight_sweep.h)
///   laq2 … laq8  uniform levels, log2 … log8 logarithmic ones (quantize/levels.h), alternately:
///                b_i ← level nearest to w_i/α;   α ← Σ d b w/Σ d b² (exact rule) or Σ d b w/Σ d|b| (released rule)
///     from the α of the iteration before, at most 10 times, until α changes by at most 1e-6 of itself; from 2·Σ d|w|/Σ d and at
///     most 100 times in the first iteration, and when all codes are 0. With the exact rule no half step raises the objective, but
///     the end may be a local minimum.
///   Guarantees: for Δ_w = resolution(), |w_i − ŵ_i| ≤ αΔ_w/2 where |w_i| ≤ α, (w_i − ŵ_i)² ≤ w_i² beyond (not lab), so that
///   ‖w − ŵ‖² ≤ ‖w‖² + nα²Δ_w²/4, lab included.
///   w [n]  weights;   v [n]  second moment of the gradient, ≥ 0, or empty for uniform curvature d_i = 1
///   α      scale, unit of w; 0 if w = 0, NaN if a value is not finite (the run has diverged)
///   code [n]  index into levels(), bits() wide;   ŵ_i = α·levels()[code_i]
/// Its plain reference is solve_ref (quantize/weight_sweep.h).
/// Source: Hou, Zhang, Kwok 2019, section 2; Hou, Yao, Kwok 2017; Hou, Kwok 2018 and their released code.
namespace qsweep {

/// Total of the sums of all blocks, added in block order (base/blocks.h). Where a tensor is cut at multiples of block_elements over
/// ranks, a function that first gathers the others' sums gives every rank the total, and α, of the whole tensor.
using Reduce = std::function<BlockSums(std::span<const BlockSums> blocks)>;
BlockSums in_order(std::span<const BlockSums> blocks);

class WeightQuantizer {
 public:
  /// Named by its value of weights.quantizer; ConfigError if there is none of that name.
  explicit WeightQuantizer(std::string_view name, AlphaRule rule = AlphaRule::exact, Simd instructions = simd());
  static std::vector<std::string> names();  ///< "lab", "lat", "laq2" … "log8"

  int bits() const { return levels_.bits; }                   ///< of a code
  std::span<const float> levels() const { return values_; }   ///< at most 2^bits(), ascending
  double resolution() const { return levels_.resolution(); }  ///< Δ_w of the bounds
  const Levels& level_set() const { return levels_; }
  /// True if solve() wants all of a tensor, so that a slice and a Reduce will not do.
  bool needs_whole_tensor() const;

  /// previous: α of the iteration before, 0 in the first one. With a Reduce, w and v are a slice that begins at a multiple of
  /// block_elements; every rank then makes the same calls to it.
  float solve(std::span<const float> w, std::span<const float> v, float previous, const Reduce& reduce = in_order) const;

  void apply(std::span<const float> w, float alpha, std::span<float> quantized) const;  ///< ŵ; the same bits as decode(encode(w))
  void encode(std::span<const float> w, float alpha, std::span<std::uint8_t> code) const;
  void decode(std::span<const std::uint8_t> code, float alpha, std::span<float> quantized) const;

  std::size_t word_count(std::size_t codes) const;  ///< words that hold so many codes, ⌊64/bits⌋ in each
  void pack(std::span<const std::uint8_t> code, std::span<std::uint64_t> word) const;
  void unpack(std::span<const std::uint64_t> word, std::span<std::uint8_t> code) const;

 private:
  Levels levels_;
  std::vector<float> values_;
  AlphaRule rule_;
  const WeightKernels* kernels_;
  float (*solver_)(const struct WeightProblem&);
};

}  // namespace qsweep
