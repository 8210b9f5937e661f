#include "theory/two_layer.h"

#include <cmath>
#include <numbers>

namespace qsweep {
namespace {

constexpr double pi = std::numbers::pi;
const double root_two_pi = std::sqrt(2 * pi);

double norm_of(Vector x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return std::sqrt(sum);
}

}  // namespace

Overlap overlap(Vector v, Vector v_star) {
  Overlap o;
  for (std::size_t i = 0; i < v.size(); ++i) {
    o.squared += v[i] * v[i];
    o.sum += v[i];
    o.target += v[i] * v_star[i];
    o.target_sum += v_star[i];
    o.target_squared += v_star[i] * v_star[i];
  }
  return o;
}

double distance(Vector v, Vector v_star) {
  double squared = 0;
  for (std::size_t i = 0; i < v.size(); ++i) squared += (v[i] - v_star[i]) * (v[i] - v_star[i]);
  return std::sqrt(squared);
}

/// In differences from v*: near a global minimum nothing cancels.
double population_loss(Vector v, Vector v_star, double theta) {
  double squared = 0, sum = 0, d = 0;
  for (std::size_t i = 0; i < v.size(); ++i) {
    const double difference = v[i] - v_star[i];
    squared += difference * difference;
    sum += difference;
    d += v[i] * v_star[i];
  }
  return (squared + sum * sum + 4 * theta / pi * d) / 8;
}

double population_loss_at_zero(Vector v_star) {
  const Overlap o = overlap(v_star, v_star);
  return (o.squared + o.sum * o.sum) / 8;
}

void gradient_of_v(Vector v, Vector v_star, double theta, std::span<double> gradient) {
  const Overlap o = overlap(v, v_star);
  const double c = 1 - 2 * theta / pi;
  for (std::size_t i = 0; i < v.size(); ++i) gradient[i] = (v[i] - c * v_star[i] + (o.sum - o.target_sum)) / 4;
}

/// p by parts, with what cancels for small k taken together: √(2π)·p = (1 − e^{−k²/2})Φ(k·cotθ) + ½[cosθ·erf(k/(√2 sinθ)) − erf(k·cotθ/√2)].
ClipIntegrals clip_integrals(double theta, double norm) {
  const double k = 1 / norm, sine = std::sin(theta), cosine = std::cos(theta);
  const double scaled = k / (std::numbers::sqrt2 * sine);  // infinite at θ = 0, and for ‖w‖ → 0
  const double e = std::erf(scaled), rise = -std::expm1(-k * k / 2);
  const double inner = cosine == 0 ? 0.0 : std::erf(scaled * cosine);
  return {rise / root_two_pi, (rise * (1 + inner) + cosine * e - inner) / (2 * root_two_pi), sine * e / (2 * root_two_pi)};
}

Split expected_coarse_gradient(Estimator which, const Overlap& o, double theta, double norm) {
  if (which == Estimator::clipped_relu) {
    const ClipIntegrals integrals = clip_integrals(theta, norm);
    return {integrals.p0 * o.h() / 2 - o.target * integrals.p, integrals.q};
  }
  const double sine = std::sin(theta), cosine = std::cos(theta);
  if (which == Estimator::relu) return {(o.h() - o.target * (1 + cosine)) / (2 * root_two_pi), sine / (2 * root_two_pi)};
  return {(o.squared - o.target * cosine) / root_two_pi, sine / root_two_pi};
}

double gradient_product(const Split& split, double d, double norm) { return split.tangential * d * d / (2 * pi * norm); }

double angle(Vector w, Vector w_star) {
  const double norm = norm_of(w);
  if (norm == 0) return pi / 2;
  double minus = 0, plus = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double direction = w[i] / norm;
    minus += (direction - w_star[i]) * (direction - w_star[i]);
    plus += (direction + w_star[i]) * (direction + w_star[i]);
  }
  return 2 * std::atan2(std::sqrt(minus), std::sqrt(plus));
}

Frame frame_of(Vector w, Vector w_star) {
  Frame frame{norm_of(w), angle(w, w_star), std::vector<double>(w.size()), std::vector<double>(w.size())};
  if (frame.norm == 0) return frame;
  double along = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    frame.direction[i] = w[i] / frame.norm;
    along += frame.direction[i] * w_star[i];
  }
  for (std::size_t i = 0; i < w.size(); ++i) frame.turn[i] = w_star[i] - along * frame.direction[i];
  const double length = norm_of(frame.turn);
  for (double& value : frame.turn) value = std::sin(frame.theta) == 0 || length == 0 ? 0 : value / length;
  return frame;
}

void gradient_of_w(Vector v, Vector w, Vector v_star, Vector w_star, std::span<double> gradient) {
  const Frame frame = frame_of(w, w_star);
  const double factor = -overlap(v, v_star).target / (2 * pi * frame.norm);
  for (std::size_t i = 0; i < w.size(); ++i) gradient[i] = factor * frame.turn[i];
}

void expected_coarse_gradient(Estimator which, Vector v, Vector w, Vector v_star, Vector w_star, std::span<double> gradient) {
  const Frame frame = frame_of(w, w_star);
  const Overlap o = overlap(v, v_star);
  const Split split = expected_coarse_gradient(which, o, frame.theta, frame.norm);
  for (std::size_t i = 0; i < w.size(); ++i) gradient[i] = split.radial * frame.direction[i] - split.tangential * o.target * frame.turn[i];
}

}  // namespace qsweep
