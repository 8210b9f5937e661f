#pragma once
#include <cstddef>
#include <cstdint>

/// Assigning n values to the entries of a codebook: code_i = number of thresholds θ_k ≤ x_i, thresholds ascending.
namespace qsweep {

struct CodebookKernels {
  /// code [n]; at most 255 thresholds
  void (*encode)(const float* x, std::size_t n, const float* thresholds, std::size_t count, std::uint8_t* code);
  /// quantized_i = values[code_i], values [count + 1]
  void (*apply)(const float* x, std::size_t n, const float* thresholds, const float* values, std::size_t count, float* quantized);
};

namespace baseline { extern const CodebookKernels codebook_kernels; }
namespace avx2 { extern const CodebookKernels codebook_kernels; }
namespace avx512 { extern const CodebookKernels codebook_kernels; }

}  // namespace qsweep
