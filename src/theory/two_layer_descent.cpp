#include "theory/two_layer_descent.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace qsweep {

void StepTally::add(std::uint64_t t, double norm, double change, bool passed) {
  least_norm = std::min(least_norm, norm);
  largest_rise = std::max(largest_rise, change);
  if (!(change <= rise_tolerance)) ++rises;
  if (passed && passes++ == 0) first_pass = static_cast<std::int64_t>(t);
}

double descend(Estimator estimator, double eta, Vector v_star, Descending& point, double loss, std::uint64_t first, std::uint64_t steps, StepTally& tally) {
  constexpr double pi = std::numbers::pi;
  for (std::uint64_t t = first; t < first + steps; ++t) {
    const Overlap o = overlap(point.v, v_star);
    const Split split = expected_coarse_gradient(estimator, o, point.theta, point.norm);
    const double c = 1 - 2 * point.theta / pi;
    for (std::size_t i = 0; i < point.v.size(); ++i) point.v[i] -= eta / 4 * (point.v[i] - c * v_star[i] + (o.sum - o.target_sum));
    const double a = point.norm - eta * split.radial, b = eta * split.tangential * o.target;
    const double turned = std::abs(point.theta - std::atan2(b, a));
    point.theta = turned > pi ? 2 * pi - turned : turned;
    point.norm = std::sqrt(a * a + b * b);
    const double before = loss;
    loss = population_loss(point.v, v_star, point.theta);
    tally.add(t, point.norm, loss - before, a < 0);
  }
  return loss;
}

}  // namespace qsweep
