#pragma once
#include <cstddef>
#include <cstdint>

#include "base/cpu.h"

/// Inner loops over the bytes of images.
namespace qsweep {

struct PixelKernels {
  /// out[i] = scale · p[i] + shift
  void (*affine)(const std::uint8_t* p, std::size_t size, float scale, float shift, float* out);
  /// out[i] = (scale · p[i] + shift) − mean[i]
  void (*affine_minus)(const std::uint8_t* p, const float* mean, std::size_t size, float scale, float shift, float* out);
  /// sums[0] = Σ p[i], sums[1] = Σ p[i]²; size ≤ 65,536, so that 255² · size < 2³²
  void (*sums)(const std::uint8_t* p, std::size_t size, std::uint32_t sums[2]);
  /// totals[i] += p[i]; at most 2²⁴ times from zero
  void (*accumulate)(const std::uint8_t* p, std::size_t size, std::uint32_t* totals);
};

namespace baseline {
extern const PixelKernels pixel_kernel_table;
}
namespace avx2 {
extern const PixelKernels pixel_kernel_table;
}
namespace avx512 {
extern const PixelKernels pixel_kernel_table;
}

inline const PixelKernels& pixel_kernels() {
  static const PixelKernels& chosen = dispatch(baseline::pixel_kernel_table, avx2::pixel_kernel_table, avx512::pixel_kernel_table);
  return chosen;
}

}  // namespace qsweep
