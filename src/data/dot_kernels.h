#pragma once
#include <cstddef>

#include "base/cpu.h"

/// Σ_j x_j w_j in double, w holding floats (as doubles, to be converted once), so that each product is exact. One order on every
/// machine:
///   lane l = 0 … 15 adds the terms j ≡ l (mod 16) in order of j; then lanes l and l + 8 are added, l and l + 4, l and l + 2, l and
///   l + 1.
namespace qsweep {

struct DotKernels {
  double (*dot)(const float* x, const double* w, std::size_t d);
};

namespace baseline {
extern const DotKernels dot_kernel_table;
}
namespace avx2 {
extern const DotKernels dot_kernel_table;
}
namespace avx512 {
extern const DotKernels dot_kernel_table;
}

inline const DotKernels& dot_kernels() {
  static const DotKernels& chosen = dispatch(baseline::dot_kernel_table, avx2::dot_kernel_table, avx512::dot_kernel_table);
  return chosen;
}

/// The same sum written plainly.
double dot_ref(const float* x, const double* w, std::size_t d);

}  // namespace qsweep
