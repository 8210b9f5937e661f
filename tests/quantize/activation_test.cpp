// The steps of quantized activations: the table of the paper's specification recomputed, and each rule's own condition by quadrature.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "quantize/activation.h"

namespace qsweep {
namespace {

TEST(ActivationAlpha, is_that_of_the_table) {
  EXPECT_EQ(alpha_of("published", 1), 1.2221);
  EXPECT_EQ(alpha_of("published", 2), 0.6511);
  EXPECT_EQ(alpha_of("published", 4), 0.1946);
  EXPECT_NEAR(alpha_of("nearest", 1), 1.2240, 1e-3);
  for (const auto& [rule, two, four] : {std::tuple{"nearest", 0.6508, 0.1932}, {"ceil", 0.4866, 0.1666}, {"positive", 0.5388, 0.1842}, {"lloyd", 0.4125, 0.1242}}) {
    EXPECT_NEAR(alpha_of(rule, 2), two, 1e-3) << rule;
    EXPECT_NEAR(alpha_of(rule, 4), four, 1e-3) << rule;
  }
  for (const int bits : {1, 2, 4}) EXPECT_LT(std::abs(alpha_of("published", bits) / alpha_of("nearest", bits) - 1), 0.0075) << "the published ones were fitted to nearest rounding";
  EXPECT_THROW(alpha_of("published", 3), std::invalid_argument);
  EXPECT_THROW(alpha_of("best", 2), std::invalid_argument);
}

/// The code that a rule gives to x > 0, counted level by level.
int code(const std::string& rule, double x, double alpha, int bits) {
  const int top = (1 << bits) - 1;
  if (rule == "ceil" || rule == "lloyd") return std::min(top, static_cast<int>(std::ceil(x / alpha)));
  const int rounded = std::min(top, static_cast<int>(std::floor(x / alpha + 0.5)));
  return rule == "positive" ? std::max(rounded, 1) : rounded;
}

/// ∫_0^∞ f φ by the midpoint rule: its error on the jumps of the code is below 1e-4.
template <class F>
double half_normal(F f) {
  constexpr double step = 1e-4;
  double sum = 0;
  for (double x = step / 2; x < 10; x += step) sum += f(x) * std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi) * step;
  return sum;
}

TEST(ActivationAlpha, meets_its_condition) {
  for (const int bits : {1, 2, 3, 4, 8}) {
    for (const std::string rule : {"nearest", "ceil", "positive"}) {
      const double alpha = alpha_of(rule, bits);
      const auto error = [&](double a) { return half_normal([&](double x) { const double d = x - a * code(rule, x, a, bits); return d * d; }); };
      const double at_alpha = error(alpha);
      for (const double factor : {0.9, 0.97, 1.03, 1.1}) EXPECT_LT(at_alpha, error(factor * alpha)) << rule << " " << bits << " bits, factor " << factor;
    }
    for (const std::string rule : {"nearest", "positive", "lloyd"}) {  // α = ⟨x, j⟩/⟨j, j⟩
      const double alpha = alpha_of(rule, bits);
      const double mixed = half_normal([&](double x) { return x * code(rule, x, alpha, bits); }), square = half_normal([&](double x) { return std::pow(code(rule, x, alpha, bits), 2); });
      EXPECT_NEAR(mixed / square, alpha, 2e-4 * alpha) << rule << " " << bits << " bits";
    }
  }
}

}  // namespace
}  // namespace qsweep
