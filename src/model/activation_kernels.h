#pragma once
#include <cstddef>

#include "model/image_kernels.h"

/// Inner loops of quantized activations (quantize/activation.h), alone and fused with the batch norm before them, built for each
/// instruction set (base/cpu.h): the same bits from all of them. Levels are the float products j·α; x is compared with these, so
/// that a value on a level's edge falls where the formula says.
namespace qsweep {

/// One σ: its step, 1/α, Lα, and how it rounds.
struct QuantizeRule {
  float alpha, inverse, top;
  bool nearest;
};

struct ActivationKernels {
  void (*quantize)(const QuantizeRule&, std::size_t n, const float* x, float* y);  ///< y = σ(x); NaN stays visible
  /// dx = dy where 0 < x ≤ bound, else 0
  void (*within_back)(float bound, std::size_t n, const float* x, const float* dy, float* dx);
  /// y = σ(x̂), x̂ = (x − mean)·scale + shift
  void (*normalize_quantize)(const QuantizeRule&, const LaneShape&, const float* x, const float* mean, const float* scale, const float* shift, float* y);
  /// sum[l] = Σ δ, product[l] = Σ δ·(x − mean); δ = dy where 0 < x̂ ≤ bound, else 0
  void (*within_sums)(float bound, const LaneShape&, const float* x, const float* dy, const float* mean, const float* scale, const float* shift, double* sum, double* product);
  /// dx = scale·(δ − offset − (x − mean)·slope)
  void (*within_normalize_back)(float bound, const LaneShape&, const float* x, const float* dy, const float* mean, const float* scale, const float* shift, const float* offset,
                                const float* slope, float* dx);
};

namespace baseline {
extern const ActivationKernels activation_kernels;
}
namespace avx2 {
extern const ActivationKernels activation_kernels;
}
namespace avx512 {
extern const ActivationKernels activation_kernels;
}

const ActivationKernels& activation_kernels();

}  // namespace qsweep
