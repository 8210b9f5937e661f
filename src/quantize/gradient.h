#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "base/cpu.h"
#include "base/random.h"
#include "quantize/packing.h"

/// m-bit stochastic linear quantization of gradients, SQm, after clipping, packed into words that integer sums can add.
///
/// Per tensor, with σ the standard deviation of its elements (population form, mean removed) and c the clipping factor:
///   Clip(g)_i = sign(g_i)·min(|g_i|, cσ)
///   Q(g)_i    = s·code_i/k,   code_i ∈ {−k, …, k},   k = 2^(m−1) − 1,   s ≥ ‖Clip(g)‖_∞
///   code_i is one of the two codes that enclose k·Clip(g)_i/s, drawn so that E[Q(g)] = Clip(g); all zero if s = 0
///   variance of Q(g)_i = s²·(B_{r+1} − x)(x − B_r),  x = |Clip(g)_i|/s between the levels B_r ≤ x < B_{r+1}
///   E‖Q(g) − Clip(g)‖² ≤ Δ_g·s·‖Clip(g)‖₁   with Δ_g = 1/k
/// s is the worker's own ‖Clip(g)‖_∞, or the maximum of these over the workers: then codes add, and
///   (1/N) Σ_n Q(g⁽ⁿ⁾)_i = float( s·Σ_n code_i⁽ⁿ⁾/(k·N) )   with the sum and product exact.
/// Source: Hou, Zhang, Kwok 2019, eq. (3), Lemma 3 and section 3.3 (clipping); m = 2 is TernGrad (Wen et al. 2017).
namespace qsweep {

/// What one pass over a gradient tells: ‖g‖_∞, Σ g_i and ‖g‖², the sums in double over blocks (base/blocks.h).
struct GradientStatistics {
  std::size_t elements = 0;
  float largest = 0;  ///< NaN or infinite if an element is
  double sum = 0, squared_norm = 0;

  bool finite() const { return largest <= 0x1p126F; }  ///< else the run has diverged (k/s would leave the range of float)
  double deviation() const;                            ///< σ
  GradientStatistics& operator+=(const GradientStatistics&);
};
GradientStatistics statistics(std::span<const float> tensor, Simd = simd());

inline constexpr double no_clip = std::numeric_limits<double>::infinity();

/// One tensor [begin, end) of the vector of all parameters: where its gradient is cut off, and its scale.
struct Segment {
  std::size_t begin = 0, end = 0;
  float limit = std::numeric_limits<float>::infinity();  ///< cσ
  float scale = 0;                                       ///< s, below 2⁻¹⁰⁰ as good as 0

  Segment() = default;
  /// The worker's own: limit = cσ rounded down, scale = ‖Clip(g)‖_∞. A single element has no spread and is not clipped.
  Segment(std::size_t first, std::size_t last, const GradientStatistics&, double c);
};

/// The numbers that round one worker's gradient in one iteration. Element i of the whole vector (all tensors) compares the 32 bits
///   2¹⁶·half(i) + tail half(i),   half(i) = bits 16·(i mod 2) … of word ⌊i/2⌋
/// with ⌊2³²·(position between the two codes)⌋; the tail is drawn only where the first 16 bits do not decide, once in 2¹⁶.
struct RoundingDraws {
  Stream half, tail;
  RoundingDraws(std::uint64_t seed, std::uint32_t worker, std::uint32_t iteration)
      : half(seed, Draw::GradientRounding, worker, iteration), tail(seed, Draw::GradientRoundingTail, worker, iteration) {}
};

struct GradientKernels;

/// Ranges [first, last) count elements of the whole vector, cut anywhere; segments cover it without gaps, in order, and `words`
/// hold the codes of the range alone, element `first` in the first field. Tensors follow each other without padding.
class StochasticQuantizer {
 public:
  static constexpr bool unbiased = true;
  explicit StochasticQuantizer(int bits, Simd = simd());  ///< ConfigError unless 2 ≤ bits ≤ 8

  int bits() const { return bits_; }          ///< m
  int max_code() const { return max_code_; }  ///< k
  /// Fields for the sum over `workers`, b = ⌈log2(2kN + 1)⌉ bits; for one worker b = m.
  Fields fields(int workers) const {
    return Fields::up_to(2 * static_cast<std::uint64_t>(max_code_) * static_cast<std::uint64_t>(workers));
  }

  /// words += code + k in each field. A worker adds at most 2k to a field, so N workers stay within 2kN < 2^b: no carry.
  ///   gradient [d]   squared_codes [segments], or empty: += Σ code² of the range
  void encode_add(std::span<const float> gradient, std::span<const Segment> segments, const RoundingDraws& draws, Fields fields,
                  std::size_t first, std::size_t last, std::span<std::uint64_t> words,
                  std::span<std::uint64_t> squared_codes = {}) const;

  /// mean_i = float(s·Σ_n code_i⁽ⁿ⁾/(k·N)) from the summed words of `workers` workers with shared scales;  mean [last − first]
  void decode_mean(std::span<const std::uint64_t> words, std::span<const Segment> segments, int workers, std::size_t first,
                   std::size_t last, std::span<float> mean) const;

  /// sum_i += float(s·code_i/k) from one worker's words and scales; the workers in order, then divide(sum, N);  sum [last − first]
  void decode_add(std::span<const std::uint64_t> words, std::span<const Segment> segments, std::size_t first, std::size_t last,
                  std::span<float> sum) const;

  /// sum_i /= N
  void divide(std::span<float> sum, int workers) const;

  /// ‖Q(g)‖² of a tensor = (s/k)²·Σ code²
  double squared_norm(float scale, std::uint64_t squared_codes) const;

 private:
  template <bool add>
  void decode_narrow(std::span<const std::uint64_t> words, std::span<const Segment> segments, int workers, std::size_t first,
                     std::size_t last, std::span<float> out) const;  // fields of at most 8 bits: bytes and a table
  void decode_mean_wide(std::span<const std::uint64_t> words, std::span<const Segment> segments, int workers, std::size_t first,
                        std::size_t last, std::span<float> mean) const;

  int bits_, max_code_;
  const GradientKernels* kernels_;
};

}  // namespace qsweep
