#include "model/activation.h"

#include <algorithm>

#include "base/cpu.h"

namespace qsweep {

const ActivationKernels& activation_kernels() {
  static const ActivationKernels& kernels = dispatch(baseline::activation_kernels, avx2::activation_kernels, avx512::activation_kernels);
  return kernels;
}

void QuantizedActivation::forward(const Pass& pass, std::span<const float> x, std::span<float> y) {
  activation_kernels().quantize(rule_of(quantizer_), pass.batch * size_, x.data(), y.data());
}

void QuantizedActivation::backward(const Pass& pass, std::span<const float> x, std::span<const float>, std::span<const float> dy, std::span<float> dx, std::span<float>) {
  const std::size_t n = pass.batch * size_;
  if (quantizer_.surrogate == Surrogate::identity) std::copy_n(dy.begin(), n, dx.begin());
  else activation_kernels().within_back(quantizer_.bound(), n, x.data(), dy.data(), dx.data());
}

}  // namespace qsweep
