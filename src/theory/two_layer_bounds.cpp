#include "theory/two_layer_bounds.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "theory/two_layer.h"

namespace qsweep {
namespace {

constexpr double pi = std::numbers::pi;

}  // namespace

double relu_constant(double C_v, double norm) {
  return std::max(6 * C_v * C_v / pi, 2 * std::pow(2 * pi, 1.5) * (3 * pi / 32 + 3 / (2 * pi)) * norm);
}

double clipped_relu_constant(double C_v, double theta, double norm) {
  const ClipIntegrals integrals = clip_integrals(theta, norm);
  return std::max(16 * integrals.p0 * integrals.p0 * C_v * C_v, 4 * (2 + pi * pi / 4) * 2 * pi * norm * integrals.q);
}

double clipped_relu_constant(double C_v) { return std::max(8 * C_v * C_v / pi, 8 + pi * pi); }

double gradient_lipschitz(std::size_t m, double target_norm, double C_v, double c_w) {
  return std::hypot((static_cast<double>(m + 1) + target_norm / c_w) / 4, (C_v + c_w) * target_norm / (2 * pi * c_w * c_w));
}

double step_limit(double A, double L) { return 2 / ((1 + A) * L); }

double descent_bound(double eta, double A, double L, double squared, double product) {
  return -(eta - (1 + A) * L * eta * eta / 2) * squared - (eta - A * L * eta * eta / 2) * product;
}

}  // namespace qsweep
