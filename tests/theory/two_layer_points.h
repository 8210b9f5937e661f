#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "base/random.h"
#include "theory/two_layer.h"

/// Points of the two-layer model for tests: drawn, or at a given angle and norm.
namespace qsweep::test {

using Values = std::vector<double>;
inline constexpr double pi = std::numbers::pi;

inline Values normals(std::size_t count, std::uint32_t which) {
  const Stream stream(77, Draw::Starts, 1000, which);
  Values values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = stream.normal(i);
  return values;
}

inline double dot(Vector x, Vector y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}
inline double norm(Vector x) { return std::sqrt(dot(x, x)); }

inline Values direction(std::size_t count, std::uint32_t which) {
  Values values = normals(count, which);
  const double length = norm(values);
  for (double& x : values) x /= length;
  return values;
}

/// w at angle θ to w*, of this norm, in a random plane.
inline Values at_angle(Vector w_star, double theta, double length, std::uint32_t which) {
  const Values aside = frame_of(w_star, direction(w_star.size(), which)).turn;
  Values w(w_star.size());
  for (std::size_t j = 0; j < w.size(); ++j) w[j] = length * (std::cos(theta) * w_star[j] + std::sin(theta) * aside[j]);
  return w;
}

/// Gaussian v* on the wanted side of S² = (m+1)/2·‖v*‖².
inline Values target(std::size_t m, bool with_spurious_minimum, std::uint32_t which) {
  for (std::uint32_t attempt = 0;; ++attempt) {
    Values v = normals(m, 1'000'000 + 1000 * which + attempt);
    if (!with_spurious_minimum)
      for (double& x : v) x = 1 + 0.3 * x;  // nearly along 1
    const Overlap o = overlap(v, v);
    if (o.sum != 0 && (o.sum * o.sum < static_cast<double>(m + 1) / 2 * o.squared) == with_spurious_minimum) return v;
  }
}

inline double largest_difference(Vector x, Vector y) {
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(x[i] - y[i]));
  return largest;
}

}  // namespace qsweep::test
