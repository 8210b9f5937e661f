#pragma once
#include <cstddef>

#include "base/cpu.h"

/// y = tanh(x) for many x, the same bits in each build: a rational function of odd degree 13 over even degree 6 on [−c, c],
/// c = 7.9053, and ±1 beyond (coefficients: Eigen's, MathFunctionsImpl.h). |y| ≤ 1; relative error below 4.2e-7; NaN stays NaN.
namespace qsweep {

struct TanhKernels {
  void (*forward)(std::size_t n, const float* x, float* y);
  /// dx = dy·(1 − y²)
  void (*backward)(std::size_t n, const float* y, const float* dy, float* dx);
};

namespace baseline { extern const TanhKernels tanh_kernels; }
namespace avx2 { extern const TanhKernels tanh_kernels; }
namespace avx512 { extern const TanhKernels tanh_kernels; }

inline const TanhKernels& tanh_kernels() { return dispatch(baseline::tanh_kernels, avx2::tanh_kernels, avx512::tanh_kernels); }

}  // namespace qsweep
