#include "model/tanh_kernels.h"

namespace qsweep::QSWEEP_SIMD {
namespace {

inline float rational_tanh(float value) {
  constexpr float c = 7.90531110763549805F;
  const float x = value > c ? c : value < -c ? -c : value, x2 = x * x;
  float p = x2 * -2.76076847742355e-16F + 2.00018790482477e-13F;
  p = x2 * p + -8.60467152213735e-11F;
  p = x2 * p + 5.12229709037114e-08F;
  p = x2 * p + 1.48572235717979e-05F;
  p = x2 * p + 6.37261928875436e-04F;
  p = x2 * p + 4.89352455891786e-03F;
  float q = x2 * 1.19825839466702e-06F + 1.18534705686654e-04F;
  q = x2 * q + 2.26843463243900e-03F;
  q = x2 * q + 4.89352518554385e-03F;
  return x * p / q;
}

void forward(std::size_t n, const float* __restrict x, float* __restrict y) {
  for (std::size_t i = 0; i < n; ++i) y[i] = rational_tanh(x[i]);
}

void backward(std::size_t n, const float* __restrict y, const float* __restrict dy, float* __restrict dx) {
  for (std::size_t i = 0; i < n; ++i) dx[i] = dy[i] * (1 - y[i] * y[i]);
}

}  // namespace

extern const TanhKernels tanh_kernels;
const TanhKernels tanh_kernels = {forward, backward};

}  // namespace qsweep::QSWEEP_SIMD
