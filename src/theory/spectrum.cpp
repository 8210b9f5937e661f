#include "theory/spectrum.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "theory/dense.h"

namespace qsweep {
namespace {

/// The tridiagonal matrix of Lanczos: diagonal a_1 … a_k, beside it b_1 … b_{k−1} > 0.
struct Tridiagonal {
  std::vector<double> a, b;
};

/// Right of all eigenvalues (Gershgorin).
double upper_end(const Tridiagonal& t) {
  double end = 0;
  for (std::size_t i = 0; i < t.a.size(); ++i)
    end = std::max(end, t.a[i] + (i > 0 ? t.b[i - 1] : 0) + (i + 1 < t.a.size() ? t.b[i] : 0));
  return end;
}

/// Largest eigenvalue by Laguerre's method on det(x − T) and its derivatives: from the right it falls monotonically, cubically.
double top_eigenvalue(const Tridiagonal& t) {
  const auto k = static_cast<double>(t.a.size());
  const double unit = upper_end(t);  // entries are scaled to at most 1, and the products held in range
  double x = 1;
  for (int iteration = 0; iteration < 100; ++iteration) {
    double p = 1, dp = 0, ddp = 0, p1 = 0, dp1 = 0, ddp1 = 0;  // this minor and the one before
    for (std::size_t i = 0; i < t.a.size(); ++i) {
      const double f = x - t.a[i] / unit, b = i > 0 ? t.b[i - 1] / unit : 0, b2 = b * b;
      const double p2 = f * p - b2 * p1, dp2 = p + f * dp - b2 * dp1, ddp2 = 2 * dp + f * ddp - b2 * ddp1;
      p1 = p, dp1 = dp, ddp1 = ddp, p = p2, dp = dp2, ddp = ddp2;
      const double size = std::max({std::abs(p), std::abs(dp), std::abs(ddp)});
      if (size < 1e-100 || size > 1e100)
        for (double* q : {&p, &dp, &ddp, &p1, &dp1, &ddp1}) *q /= size;
    }
    if (!(p > 0)) break;  // reached to rounding
    const double G = dp / p, H = G * G - ddp / p;
    const double next = x - k / (G + std::sqrt(std::max(0.0, (k - 1) * (k * H - G * G))));
    if (!(next < x * (1 - 1e-15))) break;
    x = next;
  }
  return x * unit;
}

/// Its eigenvector's last entry (unit norm, absolute value) by inverse iteration with x − T, x just above: positive definite.
double last_entry(const Tridiagonal& t, double top) {
  const std::size_t k = t.a.size();
  const double x = top * (1 + 1e-14), tiny = 1e-17 * top;
  std::vector<double> pivot(k), s(k, 1);
  for (std::size_t i = 0; i < k; ++i) pivot[i] = std::max(tiny, x - t.a[i] - (i > 0 ? t.b[i - 1] * t.b[i - 1] / pivot[i - 1] : 0));
  for (int pass = 0; pass < 3; ++pass) {
    for (std::size_t i = 1; i < k; ++i) s[i] += t.b[i - 1] / pivot[i - 1] * s[i - 1];
    s[k - 1] /= pivot[k - 1];
    for (std::size_t i = k - 1; i-- > 0;) s[i] = (s[i] + t.b[i] * s[i + 1]) / pivot[i];
    const double norm = std::sqrt(dense::dot(s.data(), s.data(), k));
    for (double& entry : s) entry /= norm;
  }
  return std::abs(s[k - 1]);
}

/// n ≤ 3: Jacobi rotations until the off-diagonal is zero to rounding.
double top_of_small(std::span<const double> matrix, std::size_t n) {
  std::vector<double> a(matrix.begin(), matrix.end());
  for (int sweep = 0; sweep < 20; ++sweep)
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t q = p + 1; q < n; ++q) {
        if (a[p * n + q] == 0) continue;
        const double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
        const double tangent = std::copysign(1 / (std::abs(theta) + std::hypot(theta, 1)), theta);
        const double c = 1 / std::hypot(tangent, 1), s = tangent * c;
        for (std::size_t i = 0; i < n; ++i) {
          const double x = a[i * n + p], y = a[i * n + q];
          a[i * n + p] = c * x - s * y, a[i * n + q] = s * x + c * y;
        }
        for (std::size_t i = 0; i < n; ++i) {
          const double x = a[p * n + i], y = a[q * n + i];
          a[p * n + i] = c * x - s * y, a[q * n + i] = s * x + c * y;
        }
        a[p * n + q] = a[q * n + p] = 0;
      }
  double top = 0;
  for (std::size_t i = 0; i < n; ++i) top = std::max(top, a[i * n + i]);
  return top;
}

/// Unit vector of irregular positive entries: the fractional parts of multiples of the golden section.
std::vector<double> start(std::size_t n) {
  std::vector<double> v(n);
  for (std::size_t i = 0; i < n; ++i) v[i] = 0.5 + std::fmod(static_cast<double>(i + 1) * 0.6180339887498949, 1.0);
  const double norm = std::sqrt(dense::dot(v.data(), v.data(), n));
  for (double& entry : v) entry /= norm;
  return v;
}

}  // namespace

LargestEigenvalue largest_eigenvalue(std::span<const double> matrix, std::size_t n, double tolerance) {
  assert(matrix.size() == n * n);
  double trace = 0;
  for (std::size_t i = 0; i < n; ++i) trace += matrix[i * n + i];
  if (!(trace > 0)) return {trace, trace, 0};  // a semidefinite matrix of trace 0 is 0; NaN stays NaN
  if (n <= 3) {
    const double top = top_of_small(matrix, n);
    return {top, top, 0};
  }
  std::vector<double> basis = start(n), next(n);
  Tridiagonal t;
  for (std::size_t k = 1;; ++k) {
    const double* v = basis.data() + (k - 1) * n;
    dense::symmetric_product(matrix.data(), v, next.data(), n);
    t.a.push_back(dense::dot(v, next.data(), n));
    for (std::size_t j = k; j-- > 0;)  // against every earlier vector: the coefficients of the last two are a_k and b_{k−1}
      dense::add_scaled(-dense::dot(basis.data() + j * n, next.data(), n), basis.data() + j * n, next.data(), n);
    const double b = std::sqrt(dense::dot(next.data(), next.data(), n));
    const bool last = k == n || !(b > 1e-14 * trace);  // the space is invariant: nothing more to find
    if (last || (k >= 8 && k % 4 == 0)) {
      const double top = top_eigenvalue(t), residual = b * last_entry(t, top);
      if (last || residual <= tolerance * top) return {top, std::min(top + residual, std::max(top, trace)), static_cast<int>(k)};
    }
    t.b.push_back(b);
    for (const double entry : next) basis.push_back(entry / b);
  }
}

LargestEigenvalue largest_eigenvalue(std::span<const float> matrix, std::size_t n, double tolerance) {
  return largest_eigenvalue(std::vector<double>(matrix.begin(), matrix.end()), n, tolerance);
}

}  // namespace qsweep
