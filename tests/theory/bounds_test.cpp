#include "theory/bounds.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "base/errors.h"

namespace qsweep {
namespace {

constexpr BoundForm printed = BoundForm::printed, repaired = BoundForm::repaired;

TEST(LevelSets, resolutions_by_name) {
  EXPECT_EQ(weight_resolution("lab").printed, 1);
  EXPECT_EQ(weight_resolution("lab").repaired, 2);
  EXPECT_EQ(weight_resolution("lat").printed, weight_resolution("laq2").printed);
  EXPECT_EQ(weight_resolution("laq3").repaired, 1.0 / 3);
  EXPECT_EQ(weight_resolution("laq8").printed, 1.0 / 127);
  EXPECT_EQ(weight_resolution("fp").repaired, 0);
  EXPECT_TRUE(std::isnan(weight_resolution("log3").printed));
  EXPECT_EQ(weight_resolution("log3").repaired, 0.5);
  EXPECT_EQ(weight_resolution("log2").repaired, 1);
  EXPECT_EQ(gradient_resolution("sq2"), 1);
  EXPECT_EQ(gradient_resolution("sq4"), 1.0 / 7);
  EXPECT_EQ(gradient_resolution("fp"), 0);
  for (const char* wrong : {"", "sq3", "laq1", "laq9", "laq", "laq33", "LAB", "lab2"})
    EXPECT_THROW(weight_resolution(wrong), ConfigError) << wrong;
  for (const char* wrong : {"", "sq1", "sq9", "sq", "sq22", "laq3"}) EXPECT_THROW(gradient_resolution(wrong), ConfigError) << wrong;
}

/// ∫_0^∞ u²·exp(−cu − u²/2) du · exp(−c²/2): positive terms only, composite Simpson in long double.
long double clip_integral_by_quadrature(double c) {
  const long double end = 12 / (1 + c / 6.0L);
  const int n = 20000;
  const long double h = end / n;
  const auto f = [&](long double u) { return u * u * std::exp(-c * u - u * u / 2); };
  long double sum = f(0) + f(end);
  for (int i = 1; i < n; ++i) sum += (i % 2 == 1 ? 4 : 2) * f(h * i);
  return sum * h / 3 * std::exp(-static_cast<long double>(c) * c / 2);
}

TEST(ClipIntegral, equals_quadrature) {
  EXPECT_NEAR(clip_integral(0), std::sqrt(std::numbers::pi / 2), 1e-15);  // everything clipped away: E z²
  for (const double c : {0.01, 0.5, 1.0, 1.9, 1.999999, 2.0, 2.000001, 2.5, 3.0, 4.0, 5.0, 6.5, 8.0}) {
    const auto exact = static_cast<double>(clip_integral_by_quadrature(c));
    EXPECT_NEAR(clip_integral(c) / exact, 1, 1e-12) << "c = " << c;
  }
  // Asymptotically 2/c³·exp(−c²/2)·(1 − 6/c² + 45/c⁴ − …), an alternating series: within its next term, 420/c⁶.
  const double c = 30;
  EXPECT_NEAR(clip_integral(c) / (2 / (c * c * c) * std::exp(-c * c / 2)), 1 - 6 / (c * c) + 45 / (c * c * c * c),
              420 / std::pow(c, 6));
}

TEST(ClipIntegral, falls) {
  for (double c = 0; c < 10; c += 0.125) EXPECT_LT(clip_integral(c + 0.125), clip_integral(c)) << c;
}

TEST(GaussianRatio, special_cases) {
  EXPECT_EQ(gaussian_ratio(1, 1), 1);
  EXPECT_EQ(gaussian_ratio(64, 0), 1);
  // d = 2, m = 2: E (max·sum)/‖g‖² over angles in [0, π/4]: (4/π)·∫ cos t·(cos t + sin t) dt = (4/π)·(π/8 + 1/4 + 1/4) = ½ + 2/π.
  EXPECT_NEAR(gaussian_ratio(2, 1), 0.5 + 2 / std::numbers::pi, 1e-9);
  for (const double d : {64.0, 1024.0, 1e6}) {
    EXPECT_LT(gaussian_ratio(d, 1), proposition1_tight(d, 1));
    EXPECT_LT(gaussian_ratio(d, 1.0 / 3), gaussian_ratio(d, 1));
    EXPECT_GT(gaussian_ratio(d, 1.0 / 127), 1);
    EXPECT_NEAR(gaussian_ratio(d, 1) / (std::sqrt(2 / std::numbers::pi) * std::sqrt(2 * std::log(d))), 1, 0.12) << d;
  }
  EXPECT_NEAR(gaussian_ratio(1e6, 1.0 / 127), 1, 1e-3);
}

BoundConstants constants() {
  return {.dimension = 64,
          .diameter = 8,
          .diameter_infinity = 1,
          .gradient_infinity = 0.5,
          .lipschitz = 1.5,
          .alpha = 0.25,
          .eta = 0.03125,
          .beta = 0.75,
          .epsilon = 0,
          .delta_w = weight_resolution("lab")};
}

TEST(Theorems, by_hand) {
  BoundConstants b = constants();
  // K = 1·0.5/(2/32) + (1/32)·0.25/√0.25 = 8 + 1/64.  Err_w = 1.5·8·√(64 + 64·(1/16)·Δ²/4) = 12·√(64 + Δ²).
  EXPECT_DOUBLE_EQ(rate_constant(b, printed, 100), 8 + 1.0 / 64);
  EXPECT_DOUBLE_EQ(rate_constant(b, repaired, 1), 8 + 1.0 / 64 * 0.5 / 0.5);  // η·G/(2√(1−β)) = 1/64 as well, at T = 1
  EXPECT_DOUBLE_EQ(weight_error(b, printed), 12 * std::sqrt(65.0));
  EXPECT_DOUBLE_EQ(weight_error(b, repaired), 12 * std::sqrt(68.0));
  EXPECT_DOUBLE_EQ(bound(b, printed, 256), (8 + 1.0 / 64) * 64 / 16 + 12 * std::sqrt(65.0));
  EXPECT_DOUBLE_EQ(optimization_term(b, printed, 64, 4), (8 + 1.0 / 64) * 64 / 16);  // remark 1: T·N counts
  b.epsilon = 0.25;
  EXPECT_DOUBLE_EQ(rate_constant(b, repaired, 1), 12 + 1.0 / 64);
  b.dimension = 41;  // √81 = 9: (1+9)/2 = 5
  b.delta_g = 1;
  EXPECT_DOUBLE_EQ(slow_down(b, printed), std::sqrt(6.0));
  b.dimension = 49;
  EXPECT_DOUBLE_EQ(slow_down(b, repaired), 2);  // m = 2: √((1+7)/2)
  b.delta_g = 0.75;
  EXPECT_DOUBLE_EQ(slow_down(b, repaired), 2);  // √(4·¾ + 1)
  b.clip = 2;
  EXPECT_DOUBLE_EQ(slow_down(b, printed), std::sqrt(std::sqrt(2 / std::numbers::pi) * 1.5 + 1));
  b.sigma = 0.125;
  const double floor = std::sqrt(49.0) * 8 * 0.125 * std::pow(2 / std::numbers::pi, 0.25) * std::sqrt(clip_integral(2));
  EXPECT_NEAR(clip_floor(b) / floor, 1, 1e-14);
  EXPECT_DOUBLE_EQ(bound(b, printed, 9), optimization_term(b, printed, 9) + weight_error(b, printed) + clip_floor(b));
}

TEST(Theorems, limits_and_monotonicity) {
  BoundConstants b = constants();
  const double theorem1 = bound(b, printed, 1000);
  double above = std::numeric_limits<double>::infinity();
  for (int m = 2; m <= 8; ++m) {  // theorem 2 → theorem 1 from above as the gradient's resolution becomes finer
    b.delta_g = 1.0 / ((1 << (m - 1)) - 1);
    for (const BoundForm form : {printed, repaired}) EXPECT_GE(bound(b, form, 1000), bound(constants(), form, 1000)) << m;
    EXPECT_LE(slow_down(b, repaired), slow_down(b, printed)) << m;
    EXPECT_LT(bound(b, printed, 1000), above) << m;
    above = bound(b, printed, 1000);
  }
  b.delta_g = 1e-14;
  EXPECT_NEAR(bound(b, printed, 1000) / theorem1, 1, 1e-12);
  b.delta_g = 1;
  b.sigma = 0.1;
  double speed = 0, floor = std::numeric_limits<double>::infinity();
  for (const double c : {0.5, 1.0, 2.0, 3.0, 6.0}) {  // larger c: slower, lower floor
    b.clip = c;
    EXPECT_GT(slow_down(b, printed), speed);
    EXPECT_LT(clip_floor(b), floor);
    EXPECT_LT(slow_down(b, repaired), slow_down(b, printed));
    speed = slow_down(b, printed), floor = clip_floor(b);
  }
  b.clip = 40;  // c → ∞: nothing is clipped
  EXPECT_LT(clip_floor(b), 1e-100);
  EXPECT_NEAR(proposition2_tight(40, 1.0 / 3), proposition2(40, 1.0 / 3), 1e-12);
  // Clipping makes the slow-down free of d: the same for any d, below theorem 2's for large d.
  BoundConstants wide = b;
  b.clip = wide.clip = 3;
  wide.dimension = 1e6;
  EXPECT_EQ(slow_down(b, printed), slow_down(wide, printed));
  wide.clip.reset();
  EXPECT_LT(slow_down(b, printed), slow_down(wide, printed));
}

TEST(Theorems, full_precision_weights_have_no_floor) {
  BoundConstants b = constants();
  b.delta_w = weight_resolution("fp");
  EXPECT_EQ(weight_error(b, printed), 0);
  EXPECT_EQ(weight_error(b, repaired), 0);
  EXPECT_EQ(iterations_to_target(b, printed, 0), std::numeric_limits<double>::infinity());
}

TEST(Theorems, iterations_to_target_invert_the_rate) {
  const BoundConstants b = constants();
  for (const double target : {1e-3, 0.5, 20.0})
    for (const double workers : {1.0, 4.0}) {
      for (const BoundForm form : {printed, repaired}) {
        const double T = iterations_to_target(b, form, target, workers);
        EXPECT_NEAR(optimization_term(b, form, T, workers) / target, 1, 1e-10) << target;
      }
      EXPECT_NEAR(iterations_to_target(b, printed, target, workers) * workers / iterations_to_target(b, printed, target), 1, 1e-14);
    }
}

}  // namespace
}  // namespace qsweep
