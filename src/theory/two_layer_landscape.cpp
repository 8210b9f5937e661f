#include "theory/two_layer_landscape.h"

#include <cmath>
#include <limits>
#include <numbers>

namespace qsweep {
namespace {

constexpr double pi = std::numbers::pi;

/// Entries this much below those of v* are rounding: S counts as 0.
constexpr double as_good_as_zero = 1e-12;

}  // namespace

const std::array<const char*, critical_kinds> critical_names = {"none", "global", "mirrored", "spurious", "saddle"};

bool has_spurious_minimum(Vector v_star) {
  const Overlap o = overlap(v_star, v_star);
  return o.sum * o.sum < static_cast<double>(v_star.size() + 1) / 2 * o.squared;
}

std::vector<double> best_v(Vector v_star, double theta) {
  const double c = 1 - 2 * theta / pi, mean = overlap(v_star, v_star).sum / static_cast<double>(v_star.size() + 1);
  std::vector<double> v(v_star.size());
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = c * v_star[i] + (1 - c) * mean;
  return v;
}

double least_loss(Vector v_star, double theta) {
  const Overlap o = overlap(v_star, v_star);
  const double t = theta / pi;
  return t / 2 * ((1 - t) * o.squared + t * o.sum * o.sum / static_cast<double>(v_star.size() + 1));
}

std::vector<CriticalPoint> landscape(Vector v_star) {
  std::vector<CriticalPoint> points = {{Critical::global_minimum, 0, {v_star.begin(), v_star.end()}, 0}};
  if (!has_spurious_minimum(v_star)) return points;
  const Overlap o = overlap(v_star, v_star);
  const double rows = static_cast<double>(v_star.size() + 1);
  const bool mirrored = o.sum * o.sum <= as_good_as_zero * o.squared;
  points.push_back({mirrored ? Critical::mirrored_minimum : Critical::spurious_minimum, pi, best_v(v_star, pi), least_loss(v_star, pi)});
  const double theta = pi / 2 * rows * o.squared / (rows * o.squared - o.sum * o.sum);
  points.push_back({Critical::saddle, theta, best_v(v_star, theta), theta * o.squared / (4 * pi)});
  return points;
}

Nearest nearest_critical_point(const std::vector<CriticalPoint>& points, Vector v, double theta) {
  Nearest nearest{Critical::none, std::numeric_limits<double>::infinity()};
  for (const CriticalPoint& point : points) {
    double squared = (theta - point.theta) * (theta - point.theta);
    for (std::size_t i = 0; i < v.size(); ++i) squared += (v[i] - point.v[i]) * (v[i] - point.v[i]);
    if (std::sqrt(squared) < nearest.distance) nearest = {point.kind, std::sqrt(squared)};
  }
  return nearest;
}

double identity_drift(Vector v_star) {
  const double m = static_cast<double>(v_star.size()), sum = overlap(v_star, v_star).sum;
  return 2 * (m - 1) * sum * sum / (std::sqrt(2 * pi) * (m + 1) * (m + 1));
}

}  // namespace qsweep
