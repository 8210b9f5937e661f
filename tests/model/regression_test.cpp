// The exact L step: the gradient vanishes at its result, by central differences; the kernel of the images' halves.
#include "model/regression.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "base/random.h"
#include "data/bicubic.h"

namespace qsweep {
namespace {

std::vector<double> normal(std::size_t n, std::uint32_t which) {
  std::vector<double> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = Stream(3, Draw::Data, which).normal(i);
  return x;
}

/// (1/N) Σ ‖y − W x − b‖², term by term.
double plain_loss(std::span<const float> w, std::size_t inputs, std::size_t outputs, const std::vector<double>& x, const std::vector<double>& y) {
  double sum = 0;
  const std::size_t rows = x.size() / inputs;
  for (std::size_t n = 0; n < rows; ++n)
    for (std::size_t o = 0; o < outputs; ++o) {
      double r = y[n * outputs + o] - w[outputs * inputs + o];
      for (std::size_t i = 0; i < inputs; ++i) r -= w[o * inputs + i] * x[n * inputs + i];
      sum += r * r;
    }
  return sum / static_cast<double>(rows);
}

TEST(Regression, the_loss_by_moments_is_the_loss) {
  const std::vector<double> x = normal(70, 1), y = normal(42, 2), drawn = normal(18, 4);
  std::vector<float> w(drawn.begin(), drawn.end());
  const double expected = plain_loss(w, 5, 3, x, y);
  EXPECT_NEAR(RegressionMoments(5, 3, x, y).loss(w), expected, 1e-12 * expected);
}

TEST(Regression, the_gradient_of_the_penalized_loss_vanishes_at_the_solution) {
  constexpr std::size_t N = 50, inputs = 5, outputs = 3, weights = inputs * outputs;
  const std::vector<double> x = normal(N * inputs, 1), y = normal(N * outputs, 2);
  const Regression regression(RegressionMoments(inputs, outputs, x, y));
  std::vector<float> target(weights + outputs);
  for (std::size_t i = 0; i < target.size(); ++i) target[i] = static_cast<float>(normal(target.size(), 3)[i]);
  for (const double mu : {0.0, 0.1, 10.0}) {
    std::vector<float> w(weights + outputs);
    regression.minimise(mu, target, w);
    const auto value = [&](const std::vector<float>& at) {
      double sum = plain_loss(at, inputs, outputs, x, y);
      for (std::size_t i = 0; i < weights; ++i) sum += mu / 2 * (double{at[i]} - target[i]) * (double{at[i]} - target[i]);
      return sum;
    };
    for (std::size_t i = 0; i < w.size(); ++i) {
      // Quadratic: central differences are exact but for rounding. w is a float, 2⁻²⁴ of ≤ 4 off the minimiser: that moves the
      // gradient by at most the curvature, below 2·λ_max(S)/N + μ < 10 + μ, times √weights·2⁻²² .
      std::vector<float> up = w, down = w;
      up[i] += 0.5F, down[i] -= 0.5F;
      EXPECT_NEAR((value(up) - value(down)) / (double{up[i]} - down[i]), 0, (10 + mu) * 4 * 0x1p-22 + 1e-10) << "mu = " << mu << ", parameter " << i;
      EXPECT_GT(value(up), value(w));
    }
  }
}

TEST(Regression, a_singular_covariance_is_refused_without_a_penalty) {
  const std::vector<double> x(40, 1.0), y = normal(20, 2);
  const Regression regression(RegressionMoments(2, 1, x, y));
  std::vector<float> w(3), target(3);
  EXPECT_THROW(regression.minimise(0, target, w), std::domain_error);
  EXPECT_NO_THROW(regression.minimise(1, target, w));
}

TEST(Bicubic, keeps_constants_and_linear_ramps_inside_and_has_its_taps) {
  constexpr std::size_t side = 28;
  std::vector<double> flat(side * side, 0.7), ramp(side * side), point(side * side, 0.0), out(side * side / 4);
  halve_bicubic(side, flat, out);
  for (const double value : out) EXPECT_NEAR(value, 0.7, 1e-15);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<double>(i % side) + 100.0 * static_cast<double>(i / side);
  halve_bicubic(side, ramp, out);
  for (std::size_t r = 2; r < 12; ++r)
    for (std::size_t c = 2; c < 12; ++c) EXPECT_NEAR(out[r * 14 + c], 2.0 * static_cast<double>(c) + 0.5 + 100 * (2.0 * static_cast<double>(r) + 0.5), 1e-10);
  point[10 * side + 12] = 1;  // row 10 is tap j = 13 − 2r of row r, column 12 tap j = 15 − 2c
  halve_bicubic(side, point, out);
  EXPECT_NEAR(out[5 * 14 + 6], 111.0 * 111 / 65536, 1e-15);
  EXPECT_NEAR(out[5 * 14 + 5], 111.0 * 29 / 65536, 1e-15);
  EXPECT_NEAR(out[3 * 14 + 6], -3.0 * 111 / 65536, 1e-15);
  EXPECT_EQ(out[9 * 14 + 6], 0);
}

}  // namespace
}  // namespace qsweep
