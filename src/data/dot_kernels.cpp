#include "data/dot_kernels.h"

namespace qsweep::QSWEEP_SIMD {
namespace {

// GCC's vector types say which lane is which, for every instruction set; arrays of lanes are left in memory by GCC 12.
typedef float Floats __attribute__((vector_size(32), aligned(4), may_alias));  // eight, anywhere
typedef double Doubles __attribute__((vector_size(64)));

double dot(const float* x, const float* w, std::size_t d) {
  Doubles low = {}, high = {};
  std::size_t j = 0;
  for (; j + 16 <= d; j += 16) {
    const Floats *a = reinterpret_cast<const Floats*>(x + j), *b = reinterpret_cast<const Floats*>(w + j);
    low += __builtin_convertvector(a[0], Doubles) * __builtin_convertvector(b[0], Doubles);
    high += __builtin_convertvector(a[1], Doubles) * __builtin_convertvector(b[1], Doubles);
  }
  for (std::size_t l = 0; j + l < d; ++l) {
    const double term = static_cast<double>(x[j + l]) * static_cast<double>(w[j + l]);
    if (l < 8)
      low[l] += term;
    else
      high[l - 8] += term;
  }
  const Doubles s = low + high;
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

}  // namespace

extern const DotKernels dot_kernel_table = {dot};

}  // namespace qsweep::QSWEEP_SIMD
