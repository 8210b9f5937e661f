#include "quantize/activation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>

namespace qsweep {
namespace {

/// Where the codes of one rule change: code j for x in (from(j), from(j + 1)], from(1) = 0 where every positive x has one.
enum class Rounding { nearest, ceil, positive };

double from(Rounding rounding, int j, int top, double alpha) {
  if (j > top) return std::numeric_limits<double>::infinity();
  switch (rounding) {
    case Rounding::nearest: return (j - 0.5) * alpha;
    case Rounding::ceil: return (j - 1) * alpha;
    default: return j == 1 ? 0 : (j - 0.5) * alpha;
  }
}

double density(double x) { return std::isinf(x) ? 0 : std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }

/// ⟨x, j⟩ and ⟨j, j⟩ over x > 0 of a standard normal variable.
struct Products {
  double mixed = 0, square = 0;
};

Products products(Rounding rounding, int bits, double alpha) {
  const int top = (1 << bits) - 1;
  Products sum;
  for (int j = 1; j <= top; ++j) {
    const double a = from(rounding, j, top, alpha), b = from(rounding, j + 1, top, alpha);
    sum.mixed += j * (density(a) - density(b));
    sum.square += j * j * (std::erfc(a / std::numbers::sqrt2) - std::erfc(b / std::numbers::sqrt2)) / 2;
  }
  return sum;
}

/// E(x − q(x))² over x > 0, less ½.
double error(Rounding rounding, int bits, double alpha) {
  const Products p = products(rounding, bits, alpha);
  return alpha * alpha * p.square - 2 * alpha * p.mixed;
}

double fixed_point(Rounding rounding, int bits) {
  double alpha = 2.0 / (1 << bits);
  for (int step = 0; step < 100'000; ++step) {
    const Products p = products(rounding, bits, alpha);
    const double next = p.mixed / p.square;
    if (std::abs(next - alpha) < 1e-14) return next;
    alpha = next;
  }
  return alpha;
}

double least_error(Rounding rounding, int bits) {  // golden section; the error has one minimum
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  double low = 1e-4, high = 4;
  while (high - low > 1e-9) {
    const double left = high - ratio * (high - low), right = low + ratio * (high - low);
    (error(rounding, bits, left) < error(rounding, bits, right) ? high : low) = error(rounding, bits, left) < error(rounding, bits, right) ? right : left;
  }
  return (low + high) / 2;
}

}  // namespace

float ActivationQuantizer::bound() const { return surrogate == Surrogate::clipped_relu ? top() : std::numeric_limits<float>::infinity(); }

Surrogate surrogate(const std::string& name) {
  if (name == "identity") return Surrogate::identity;
  if (name == "relu") return Surrogate::relu;
  if (name == "clipped_relu") return Surrogate::clipped_relu;
  throw std::invalid_argument(name);
}

const std::vector<std::string>& alpha_rules() {
  static const std::vector<std::string> rules = {"published", "nearest", "ceil", "positive", "lloyd"};
  return rules;
}

bool has_published_alpha(int bits) { return bits == 1 || bits == 2 || bits == 4; }

double alpha_of(const std::string& rule, int bits) {
  if (rule == "published" && has_published_alpha(bits)) return bits == 1 ? 1.2221 : bits == 2 ? 0.6511 : 0.1946;
  if (rule == "nearest") return least_error(Rounding::nearest, bits);
  if (rule == "ceil") return least_error(Rounding::ceil, bits);
  if (rule == "positive") return least_error(Rounding::positive, bits);
  if (rule == "lloyd") return fixed_point(Rounding::ceil, bits);
  throw std::invalid_argument(rule);
}

}  // namespace qsweep
