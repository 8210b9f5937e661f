// The exact solvers against every code there is, and everything else against the exact solvers.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "base/random.h"
#include "quantize/weight.h"
#include "quantize/weight_sweep.h"

namespace qsweep {
namespace {

struct Problem {
  std::vector<float> w, v;
};

/// Problem number `id` of n weights: Gaussian, small integers with ties and zeros, one sign, heavy tails or two humps, with mild,
/// extreme, partly zero or uniform curvature.
Problem problem(std::size_t n, std::uint32_t id) {
  const Stream weights(7, Draw::TrueWeights, id), moments(7, Draw::Noise, id);
  Problem p{std::vector<float>(n), std::vector<float>(n)};
  for (std::size_t i = 0; i < n; ++i) {
    const double g = weights.normal(i), h = moments.normal(i);
    switch (id % 5) {
      case 0:
        p.w[i] = static_cast<float>(0.1 * g);
        break;
      case 1:
        p.w[i] = static_cast<float>(std::round(1.2 * g));
        break;
      case 2:
        p.w[i] = static_cast<float>(std::fabs(g));
        break;
      case 3:
        p.w[i] = static_cast<float>(g * g * g * g * g);
        break;
      default:
        p.w[i] = static_cast<float>((i % 4 == 0 ? 5 : 1) * (1 + 0.05 * g));
        break;
    }
    switch (id / 5 % 4) {
      case 0:
        p.v[i] = static_cast<float>(h * h);
        break;
      case 1:
        p.v[i] = static_cast<float>(std::exp(6 * h));
        break;
      case 2:
        p.v[i] = i % 2 == 0 ? 0.0f : 1.0f;
        break;
      default:
        break;
    }
  }
  if (id / 5 % 4 == 3) p.v.clear();
  return p;
}

double curvature(const Problem& p, std::size_t i) { return p.v.empty() ? 1.0 : static_cast<double>(std::sqrt(p.v[i]) + 1e-8f); }

/// The largest (Σ d b w)²/Σ d b² over all b, signs included.
double brute_force(const Problem& p, const std::vector<double>& levels) {
  double best = 0;
  const std::function<void(std::size_t, double, double)> extend = [&](std::size_t i, double numerator, double denominator) {
    if (i == p.w.size()) {
      if (numerator > 0) best = std::max(best, numerator * numerator / denominator);
      return;
    }
    for (const double b : levels) extend(i + 1, numerator + curvature(p, i) * b * p.w[i], denominator + curvature(p, i) * b * b);
  };
  extend(0, 0, 0);
  return best;
}

/// ‖w‖²_D − ‖w − ŵ‖²_D
double gain(const Problem& p, const WeightQuantizer& quantizer, float alpha) {
  std::vector<float> quantized(p.w.size());
  quantizer.apply(p.w, alpha, quantized);
  return objective(p.w, p.v, std::vector<float>(p.w.size())) - objective(p.w, p.v, quantized);
}

double norm2(const Problem& p) { return objective(p.w, p.v, std::vector<float>(p.w.size())); }

// Sums of n ≤ 6 terms of one sign in double err by less than 1e-14 of themselves.
constexpr double rounding = 1e-13;

TEST(ExactTernary, IsTheBestOfAllCodes) {
  const WeightQuantizer lat("lat");
  for (std::uint32_t id = 0; id < 3000; ++id) {
    const Problem p = problem(1 + id % 6, id);
    const double best = brute_force(p, {-1, 0, 1});
    EXPECT_NEAR(exact_ternary(p.w, p.v).gain, best, rounding * best) << "problem " << id;
    // α rounded to float is off by 2^-24 of itself; the objective is flat there, but ŵ = α·b is rounded too.
    EXPECT_NEAR(gain(p, lat, lat.solve(p.w, p.v, 0)), best, 1e-6 * norm2(p)) << "problem " << id;
  }
}

TEST(Sweep, IsTheBestOfAllCodes) {
  const struct {
    const char* name;
    std::size_t most_weights;
  } cases[] = {{"laq2", 6}, {"laq3", 4}, {"laq4", 3}, {"log2", 6}, {"log3", 4}, {"log4", 3}};
  for (const auto& c : cases) {
    const WeightQuantizer quantizer(c.name);
    std::vector<double> levels;
    for (const double m : magnitudes(quantizer.level_set())) {
      levels.push_back(m);
      if (m > 0) levels.push_back(-m);
    }
    for (std::uint32_t id = 0; id < 600; ++id) {
      const Problem p = problem(1 + id % c.most_weights, id);
      const double best = brute_force(p, levels);
      EXPECT_NEAR(sweep(p.w, p.v, magnitudes(quantizer.level_set())).gain, best, rounding * best) << c.name << " problem " << id;
    }
  }
}

TEST(Sweep, TakesAnySymmetricLevels) {
  const std::vector<double> odd = {0, 0.3, 0.35, 1};
  for (std::uint32_t id = 0; id < 600; ++id) {
    const Problem p = problem(1 + id % 4, id);
    const double best = brute_force(p, {0, 0.3, 0.35, 1, -0.3, -0.35, -1});
    EXPECT_NEAR(sweep(p.w, p.v, odd).gain, best, rounding * best) << "problem " << id;
  }
}

TEST(ExactTernary, AgreesWithTheSweepAboveAndBelowTheSizeFromWhichItUsesRanges) {
  for (const std::size_t n : {64, 511, 512, 1003, 20001})
    for (std::uint32_t id = 0; id < 40; ++id) {
      const Problem p = problem(n, id);
      const Optimum swept = sweep(p.w, p.v, std::vector<double>{0, 1}), exact = exact_ternary(p.w, p.v);
      // Sums of n terms in double, in another order: n·2^-53 at most.
      EXPECT_NEAR(exact.gain, swept.gain, 1e-11 * swept.gain) << n << " weights, problem " << id;
    }
}

TEST(Alternation, IsNeverBetterThanTheSweepAndReachesItFromItsAlpha) {
  for (const char* name : {"laq2", "laq3", "laq4", "laq5", "log2", "log3", "log5"})
    for (const AlphaRule rule : {AlphaRule::exact, AlphaRule::released})
      for (std::uint32_t id = 0; id < 200; ++id) {
        const WeightQuantizer quantizer(name, rule);
        const Problem p = problem(1 + id * 7 % 300, id);
        const Optimum best = sweep(p.w, p.v, magnitudes(quantizer.level_set()));
        // ŵ is rounded to float: its error is within 2^-23 of |w|.
        const double tolerance = 1e-6 * norm2(p);
        EXPECT_LE(gain(p, quantizer, quantizer.solve(p.w, p.v, 0)), best.gain + tolerance) << name << " problem " << id;
        if (rule == AlphaRule::exact && best.gain > 0) {
          const float alpha = quantizer.solve(p.w, p.v, static_cast<float>(best.alpha));
          EXPECT_NEAR(gain(p, quantizer, alpha), best.gain, tolerance) << name << " problem " << id;
        }
      }
}

TEST(Sweep, ZeroWeightsHaveScaleZero) {
  const std::vector<float> w(5), v(5, 1.0f);
  EXPECT_EQ(sweep(w, v, std::vector<double>{0, 0.5, 1}).alpha, 0);
  EXPECT_EQ(exact_ternary(w, v).alpha, 0);
}

}  // namespace
}  // namespace qsweep
