#include "data/pixel_kernels.h"

namespace qsweep::QSWEEP_SIMD {
namespace {

void affine(const std::uint8_t* __restrict__ p, std::size_t size, float scale, float shift, float* __restrict__ out) {
  for (std::size_t i = 0; i < size; ++i) out[i] = scale * static_cast<float>(p[i]) + shift;
}

void affine_minus(const std::uint8_t* __restrict__ p, const float* __restrict__ mean, std::size_t size, float scale, float shift,
                  float* __restrict__ out) {
  for (std::size_t i = 0; i < size; ++i) out[i] = (scale * static_cast<float>(p[i]) + shift) - mean[i];
}

void sums(const std::uint8_t* p, std::size_t size, std::uint32_t* sums) {
  std::uint32_t sum = 0, squares = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint32_t value = p[i];
    sum += value;
    squares += value * value;
  }
  sums[0] = sum;
  sums[1] = squares;
}

void accumulate(const std::uint8_t* __restrict__ p, std::size_t size, std::uint32_t* __restrict__ totals) {
  for (std::size_t i = 0; i < size; ++i) totals[i] += p[i];
}

}  // namespace

extern const PixelKernels pixel_kernel_table = {affine, affine_minus, sums, accumulate};

}  // namespace qsweep::QSWEEP_SIMD
