#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

/// A number in double beside a bound on how far the same formula in float is from it: the tolerance of a test is derived by
/// carrying both through the plain transcription. Each float operation adds a relative rounding u = 2⁻²⁴ of its result, or less
/// than the smallest normal number where results are flushed to zero.
namespace qsweep::test {

struct Bounded {
  double value = 0, error = 0;

  static constexpr double u = 0x1p-24, smallest = 0x1p-126;
  static Bounded rounded(double v, double e) {
    return {v, v == 0 && e == 0 ? 0 : e + u * (std::abs(v) + e) + smallest};
  }                                                            // a zero made of zeros is exact
  static Bounded constant(double v) { return rounded(v, 0); }  ///< a double that the code rounds to float
  static Bounded exact(float v) { return {double{v}, 0}; }
};

inline Bounded operator+(Bounded a, Bounded b) { return Bounded::rounded(a.value + b.value, a.error + b.error); }
inline Bounded operator-(Bounded a, Bounded b) { return Bounded::rounded(a.value - b.value, a.error + b.error); }
inline Bounded operator*(Bounded a, Bounded b) {
  return Bounded::rounded(a.value * b.value, std::abs(a.value) * b.error + std::abs(b.value) * a.error + a.error * b.error);
}
inline Bounded operator/(Bounded a, Bounded b) {
  const double ratio = a.value / b.value, least = std::abs(b.value) - b.error;
  return Bounded::rounded(ratio, least > 0 ? (a.error + std::abs(ratio) * b.error) / least : INFINITY);
}
inline Bounded sqrt(Bounded a) {
  const double root = std::sqrt(a.value);
  return Bounded::rounded(root, root - std::sqrt(std::max(0.0, a.value - a.error)));  // concave: the lower side is the farther one
}
inline Bounded max(Bounded a, Bounded b) { return {std::max(a.value, b.value), std::max(a.error, b.error)}; }  // 1-Lipschitz
inline Bounded clamp(Bounded a, double r) { return {std::clamp(a.value, -r, r), a.error + Bounded::u * r}; }

/// Σ a_i b_i in any order of additions: (n − 1) roundings of partial sums below Σ|a_i b_i|, and the propagated errors.
inline Bounded dot(const std::vector<Bounded>& a, const std::vector<Bounded>& b) {
  double value = 0, magnitude = 0, error = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    value += a[i].value * b[i].value;
    magnitude += (std::abs(a[i].value) + a[i].error) * (std::abs(b[i].value) + b[i].error);
    error += std::abs(a[i].value) * b[i].error + std::abs(b[i].value) * a[i].error + a[i].error * b[i].error;
  }
  const double n = static_cast<double>(a.size()) + 1;
  return {value, error + n * Bounded::u / (1 - n * Bounded::u) * magnitude + n * Bounded::smallest};
}

}  // namespace qsweep::test
