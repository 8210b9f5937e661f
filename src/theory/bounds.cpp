#include "theory/bounds.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "base/errors.h"

namespace qsweep {
namespace {

const double sqrt_2_over_pi = std::sqrt(2 / std::numbers::pi);

/// m of a name such as laq3, sq2: `prefix` and one digit 2 … 8; 0 if it is not one.
int bits_of(std::string_view name, std::string_view prefix) {
  if (name.size() != prefix.size() + 1 || name.substr(0, prefix.size()) != prefix) return 0;
  const char digit = name.back();
  return digit >= '2' && digit <= '8' ? digit - '0' : 0;
}

double uniform_spacing(int bits) { return 1.0 / ((1 << (bits - 1)) - 1); }

}  // namespace

WeightResolution weight_resolution(std::string_view weights) {
  if (weights == "fp") return {0, 0};
  if (weights == "lab") return {1, 2};
  if (weights == "lat") return {1, 1};
  if (const int m = bits_of(weights, "laq")) return {uniform_spacing(m), uniform_spacing(m)};
  if (const int m = bits_of(weights, "log")) return {std::numeric_limits<double>::quiet_NaN(), m == 2 ? 1 : 0.5};
  throw ConfigError(fmt::format("weights.quantizer = {}: allowed where a bound is asked for: fp, lab, lat, laq2 … laq8, log2 … log8", weights));
}

double gradient_resolution(std::string_view gradients) {
  if (gradients == "fp") return 0;
  if (const int m = bits_of(gradients, "sq")) return uniform_spacing(m);
  throw ConfigError("gradients.quantizer = " + std::string(gradients) + ": allowed: fp, sq2 … sq8");
}

double proposition1(double d, double delta_g) { return (1 + std::sqrt(2 * d - 1)) / 2 * delta_g + 1; }

double largest_norm_ratio(double d) { return (1 + std::sqrt(d)) / 2; }

double proposition1_tight(double d, double delta_g) { return largest_norm_ratio(d) * delta_g + (delta_g == 1 ? 0 : 1); }

double proposition2(double c, double delta_g) { return sqrt_2_over_pi * c * delta_g + 1; }

double proposition2_tight(double c, double delta_g) {
  const double beyond = std::erfc(c / std::numbers::sqrt2);                                       // P(|z| > c), z ~ N(0, 1)
  const double mean = sqrt_2_over_pi * -std::expm1(-c * c / 2) + c * beyond;                      // E min(|z|, c)
  const double square = 1 - beyond - sqrt_2_over_pi * c * std::exp(-c * c / 2) + c * c * beyond;  // E min(|z|, c)²
  return c * mean * delta_g + (delta_g == 1 ? 0 : square);
}

double proposition3(double d, double sigma, double c) { return d * sigma * sigma * sqrt_2_over_pi * clip_integral(c); }

// F(c) = √(8π)·i²erfc(z), z = c/√2, with iⁿerfc the repeated integrals of erfc, iⁿ⁻² = 2n·iⁿ + 2z·iⁿ⁻¹. The closed
// form cancels (two terms near c·exp(−c²/2), difference smaller by c⁴/2); run backward the recurrence adds positive terms only, and
// ρ_n = iⁿ/iⁿ⁻¹ = 1/(2z + 2(n+1)·ρ_{n+1}) forgets its start like exp(−2z√(2n)): below 1e-20 for 200 terms from c = 2 on.
double clip_integral(double c) {
  const double z = c / std::numbers::sqrt2;
  const double root_half_pi = std::sqrt(std::numbers::pi / 2);
  if (c < 2) return root_half_pi * (1 + c * c) * std::erfc(z) - c * std::exp(-c * c / 2);
  double second = 0, first = 0;
  for (int n = 200; n >= 1; --n) {
    second = first;
    first = 1 / (2 * z + 2 * (n + 1) * second);
  }
  return 4 * root_half_pi * first * second * std::erfc(z);
}

// ‖g‖_∞ = x (σ = 1) has density d·erf(x/√2)^(d−1)·φ(x), φ(x) = √(2/π)·exp(−x²/2); the other |g_i| are then φ on [0, x]. Between
// levels a, b of the scaled set E Q(z)² = z² + (b−z)(z−a) = (a+b)z − ab, so each cell needs ∫φ and ∫zφ only.
double gaussian_ratio(double d, double delta_g) {
  if (d <= 1 || delta_g == 0) return 1;
  const auto k = static_cast<int>(std::lround(1 / delta_g));
  const auto integrand = [&](double x) {
    if (x == 0) return 0.0;
    double cells = 0, erf_a = 0, exp_a = 1;
    for (int r = 1; r <= k; ++r) {
      const double a = x * (r - 1) / k, b = x * r / k;
      const double erf_b = std::erf(b / std::numbers::sqrt2), exp_b = std::exp(-b * b / 2);
      cells += (a + b) * sqrt_2_over_pi * (exp_a - exp_b) - a * b * (erf_b - erf_a);
      erf_a = erf_b, exp_a = exp_b;
    }
    const double others = std::exp((d - 2) * std::log1p(-std::erfc(x / std::numbers::sqrt2)));
    return sqrt_2_over_pi * exp_a * others * (x * x * erf_a + (d - 1) * cells);  // the factor d of the density is the ratio's 1/d
  };
  constexpr int intervals = 2000;  // Simpson
  const double h = (std::sqrt(2 * std::log(d)) + 9) / intervals;
  double sum = integrand(0) + integrand(h * intervals);
  for (int i = 1; i < intervals; ++i) sum += (i % 2 == 1 ? 4 : 2) * integrand(h * i);
  return sum * h / 3;
}

double rate_constant(const BoundConstants& b, BoundForm form, double T) {
  const double G = b.gradient_infinity, D2 = b.diameter_infinity * b.diameter_infinity;
  if (form == BoundForm::printed) return D2 * G / (2 * b.eta) + b.eta * G * G / std::sqrt(1 - b.beta);
  return D2 * (G + b.epsilon) / (2 * b.eta) + b.eta * G * std::sqrt(1 + std::log(T)) / (2 * std::sqrt(1 - b.beta));
}

double slow_down(const BoundConstants& b, BoundForm form) {
  if (b.delta_g == 0) return 1;
  const bool printed = form == BoundForm::printed;
  if (b.clip) return std::sqrt((printed ? proposition2 : proposition2_tight)(*b.clip, b.delta_g));
  return std::sqrt((printed ? proposition1 : proposition1_tight)(b.dimension, b.delta_g));
}

double optimization_term(const BoundConstants& b, BoundForm form, double T, double workers) {
  return rate_constant(b, form, T) * slow_down(b, form) * b.dimension / std::sqrt(T * workers);
}

double weight_error(const BoundConstants& b, BoundForm form) {
  const double delta_w = form == BoundForm::printed ? b.delta_w.printed : b.delta_w.repaired;
  if (delta_w == 0) return 0;
  const double step = b.alpha * delta_w;
  return b.lipschitz * b.diameter * std::sqrt(b.diameter * b.diameter + b.dimension * step * step / 4);
}

double clip_floor(const BoundConstants& b) {
  return b.clip ? b.diameter * std::sqrt(proposition3(b.dimension, b.sigma, *b.clip)) : 0;
}

double bound(const BoundConstants& b, BoundForm form, double T) {
  return optimization_term(b, form, T) + weight_error(b, form) + clip_floor(b);
}

double iterations_to_target(const BoundConstants& b, BoundForm form, double target, double workers) {
  if (!(target > 0)) return std::numeric_limits<double>::infinity();
  const double at_one = optimization_term(b, form, 1, workers) / target;
  if (form == BoundForm::printed) return at_one * at_one;
  // K(T)/√T falls for T > 1 since (1 + ln T)/T does: bisection in ln T.
  if (at_one <= 1) return 1;
  double low = 0, high = 600;
  for (int i = 0; i < 200 && high - low > 1e-14 * high; ++i) {
    const double middle = (low + high) / 2;
    (optimization_term(b, form, std::exp(middle), workers) > target ? low : high) = middle;
  }
  return std::exp(high);
}

}  // namespace qsweep
