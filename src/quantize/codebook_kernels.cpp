#include "quantize/codebook_kernels.h"

#include <algorithm>

namespace qsweep::QSWEEP_SIMD {
namespace {

constexpr std::size_t piece = 512;  // stays in the first-level cache while the thresholds pass over it

/// Number of thresholds that each of m ≤ piece values reaches.
void count(const float* __restrict x, std::size_t m, const float* thresholds, std::size_t thresholds_count, std::int32_t* __restrict code) {
  for (std::size_t i = 0; i < m; ++i) code[i] = 0;
  for (std::size_t k = 0; k < thresholds_count; ++k) {
    const float theta = thresholds[k];
    for (std::size_t i = 0; i < m; ++i) code[i] += x[i] >= theta ? 1 : 0;
  }
}

void encode(const float* x, std::size_t n, const float* thresholds, std::size_t thresholds_count, std::uint8_t* code) {
  std::int32_t wide[piece];
  for (std::size_t begin = 0; begin < n; begin += piece) {
    const std::size_t m = std::min(piece, n - begin);
    count(x + begin, m, thresholds, thresholds_count, wide);
    for (std::size_t i = 0; i < m; ++i) code[begin + i] = static_cast<std::uint8_t>(wide[i]);
  }
}

void apply(const float* x, std::size_t n, const float* thresholds, const float* values, std::size_t thresholds_count, float* quantized) {
  std::int32_t wide[piece];
  for (std::size_t begin = 0; begin < n; begin += piece) {
    const std::size_t m = std::min(piece, n - begin);
    count(x + begin, m, thresholds, thresholds_count, wide);
    for (std::size_t i = 0; i < m; ++i) quantized[begin + i] = values[wide[i]];
  }
}

}  // namespace

extern const CodebookKernels codebook_kernels;
const CodebookKernels codebook_kernels = {encode, apply};

}  // namespace qsweep::QSWEEP_SIMD
