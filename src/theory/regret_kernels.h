#pragma once
#include <cstddef>

/// One pass over a block of d that gathers all that the regret bounds need of one iteration (theory/regret.h).
namespace qsweep {

struct RegretSums {
  double rise;              ///< Σ_i max(0, P_{t,i}/η_t − P_{t−1,i}/η_{t−1})
  double step;              ///< Σ_i g_i²/P_i, an entry without gradient adds 0
  double weight_error;      ///< ‖w − ŵ‖²
  double gradient_squared;  ///< ‖g‖²
  double gradient_max;      ///< ‖g‖_∞
};

struct RegretKernels {
  /// n elements, at most one block; P = √v + ε, or 1 where v is null. previous [n] holds P/η of the last iteration (0 before the
  /// first) and is overwritten with this one's. Sums in double, element i in lane i mod 8, lanes added pairwise: the same bits
  /// with any instruction set.
  RegretSums (*block)(std::size_t n, const float* w, const float* w_hat, const float* g, const float* v, double epsilon,
                      double inverse_eta, double* previous);
};

namespace baseline {
extern const RegretKernels regret_kernels;
}
namespace avx2 {
extern const RegretKernels regret_kernels;
}
namespace avx512 {
extern const RegretKernels regret_kernels;
}

}  // namespace qsweep
