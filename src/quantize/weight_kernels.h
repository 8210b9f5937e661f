#pragma once
#include <cstddef>
#include <cstdint>

#include "base/cpu.h"
#include "quantize/levels.h"

/// The passes over a block of weights (at most base/blocks.h's block_elements), in three builds of equal bits.
///   w [n]  weights;   v [n]  second moment, or null for uniform curvature;   d_i = √v_i + 1e-8, or 1
///   q_i    coordinate of the level nearest to |w_i|·inverse (quantize/levels.h): integers 0 … k, or powers of two
/// Sums: double, sixteen lanes, element i in lane i mod 16, lanes folded as halves (16 → 8 → 4 → 2 → 1).
namespace qsweep {

/// Partial sums of one block; α is made of their totals.
struct BlockSums {
  double numerator = 0;
  double denominator = 0;
};

/// Which denominator: Σ d q² makes α the minimiser for fixed codes (exact), Σ d q is the rule of the authors' released code.
enum class AlphaRule { exact, released };

struct WeightKernels {
  /// Σ d|w|, Σ d
  BlockSums (*mean)(const float* w, const float* v, std::size_t n);

  /// Σ d q|w| and Σ d q² (or Σ d q) over the weights whose q is the same at low and at high, hence between them: rounding is
  /// monotone. The m others go to near_magnitude and near_curvature, which hold n + 16 floats; returns m.
  std::size_t (*window)(const Levels&, AlphaRule, const float* w, const float* v, std::size_t n, float low, float high,
                        BlockSums* sums, float* near_magnitude, float* near_curvature);

  /// The same sums over all of n pairs |w|, d.
  BlockSums (*sums)(const Levels&, AlphaRule, const float* magnitude, const float* curvature, std::size_t n, float inverse);

  /// quantized_i = α·level
  void (*apply)(const Levels&, const float* w, std::size_t n, float alpha, float inverse, float* quantized);
  /// code_i = index of that level
  void (*encode)(const Levels&, const float* w, std::size_t n, float inverse, std::uint8_t* code);

  /// ⌊64/bits⌋ codes to a word, the first in the lowest bits; unused bits are zero.
  void (*pack)(const std::uint8_t* code, std::size_t n, int bits, std::uint64_t* word);
  void (*unpack)(const std::uint64_t* word, std::size_t n, int bits, std::uint8_t* code);
};

namespace baseline {
extern const WeightKernels weight_kernels;
}
namespace avx2 {
extern const WeightKernels weight_kernels;
}
namespace avx512 {
extern const WeightKernels weight_kernels;
}

}  // namespace qsweep
