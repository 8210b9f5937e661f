#pragma once
#include <cstddef>

/// The three loops of dense linear algebra that src/theory needs, in double. Written so that GCC vectorizes them without
/// reordering.
namespace qsweep::dense {

/// Σ x_i·y_i in eight fixed lanes: fast, and the same bits whatever the compiler does.
inline double dot(const double* x, const double* y, std::size_t n) {
  double lane[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::size_t l = 0; l < 8; ++l) lane[l] += x[i + l] * y[i + l];
  for (; i < n; ++i) lane[i % 8] += x[i] * y[i];
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/// y ← y + a·x
inline void add_scaled(double a, const double* __restrict x, double* __restrict y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] += a * x[i];
}

/// y ← A·x for symmetric A [n, n] row-major, as a sum of rows; rows with x_j = 0 cost nothing, four at a time spare stores of y.
inline void symmetric_product(const double* A, const double* x, double* __restrict y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = 0;
  std::size_t j = 0;
  for (; j + 4 <= n; j += 4) {
    const double x0 = x[j], x1 = x[j + 1], x2 = x[j + 2], x3 = x[j + 3];
    if (x0 == 0 && x1 == 0 && x2 == 0 && x3 == 0) continue;
    const double *a0 = A + j * n, *a1 = a0 + n, *a2 = a1 + n, *a3 = a2 + n;
    for (std::size_t i = 0; i < n; ++i) y[i] += (x0 * a0[i] + x1 * a1[i]) + (x2 * a2[i] + x3 * a3[i]);
  }
  for (; j < n; ++j) add_scaled(x[j], A + j * n, y, n);
}

}  // namespace qsweep::dense
