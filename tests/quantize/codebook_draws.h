#pragma once
#include <cmath>
#include <vector>

#include "base/random.h"

namespace qsweep {

/// Small problem number `id`: Gaussian, Laplace, uniform, rounded (ties), one sign, half zeros, Cauchy.
inline std::vector<float> codebook_problem(std::size_t n, std::uint32_t id) {
  const Stream draws(11, Draw::TrueWeights, id);
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double g = draws.normal(2 * i), u = draws.uniform(1000 + i), sign = draws.uniform(2000 + i) < 0.5 ? -1 : 1;
    switch (id % 7) {
      case 0: x[i] = static_cast<float>(0.1 * g); break;
      case 1: x[i] = static_cast<float>(-sign * std::log(1 - u)); break;
      case 2: x[i] = static_cast<float>(2 * u - 1); break;
      case 3: x[i] = static_cast<float>(std::round(2 * g) / 4); break;
      case 4: x[i] = static_cast<float>((id % 2 == 0 ? 1 : -1) * std::fabs(g)); break;
      case 5: x[i] = u < 0.5 ? 0.0F : static_cast<float>(g); break;
      default: x[i] = static_cast<float>(std::tan(3.14159 * (u - 0.5))); break;
    }
  }
  return x;
}

inline double squared_norm(std::span<const float> x) {
  double sum = 0;
  for (const float value : x) sum += double{value} * value;
  return sum;
}

inline double squared_distance(std::span<const float> x, std::span<const float> y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += (double{x[i]} - y[i]) * (double{x[i]} - y[i]);
  return sum;
}

}  // namespace qsweep
