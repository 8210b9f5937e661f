#include "theory/bound_report.h"

#include <fmt/format.h>

#include <cmath>

#include "base/errors.h"
#include "theory/bounds.h"

namespace qsweep {
namespace {

constexpr BoundForm printed = BoundForm::printed, repaired = BoundForm::repaired;

void require(bool holds, const char* what, double value, const char* allowed) {
  if (!holds) throw ConfigError(fmt::format("bound: {} = {}: allowed: {}", what, value, allowed));
}

void check(const BoundRequest& in) {
  const auto positive = [](double x) { return std::isfinite(x) && x > 0; };
  const auto natural = [&](double x) { return positive(x) && x == std::floor(x); };
  require(natural(in.dimension), "dimension", in.dimension, "1, 2, …");
  require(natural(in.workers), "workers", in.workers, "1, 2, …");
  require(natural(in.iterations), "iterations", in.iterations, "1, 2, …");
  require(positive(in.eta), "eta", in.eta, "above 0");
  require(in.beta >= 0 && in.beta < 1, "beta2", in.beta, "0 to below 1");
  require(in.epsilon >= 0 && std::isfinite(in.epsilon), "epsilon", in.epsilon, "0 or more");
  require(positive(in.gradient_infinity), "G_infinity", in.gradient_infinity, "above 0");
  require(positive(in.lipschitz), "L", in.lipschitz, "above 0");
  require(positive(in.radius), "radius", in.radius, "above 0");
  require(positive(in.alpha), "alpha", in.alpha, "above 0");
  require(positive(in.sigma), "sigma", in.sigma, "above 0");
  if (!in.clip) return;
  require(positive(*in.clip), "clip", *in.clip, "none, or above 0");
  if (in.gradients == "fp")
    throw ConfigError("bound: clip has no meaning with gradients = fp: leave it out, or quantize the gradients");
}

BoundConstants constants_of(const BoundRequest& in) {
  return {.dimension = in.dimension,
          .diameter = 2 * in.radius * std::sqrt(in.dimension),
          .diameter_infinity = 2 * in.radius,
          .gradient_infinity = in.gradient_infinity,
          .lipschitz = in.lipschitz,
          .alpha = in.alpha,
          .eta = in.eta,
          .beta = in.beta,
          .epsilon = in.epsilon,
          .delta_w = weight_resolution(in.weights),
          .delta_g = gradient_resolution(in.gradients),
          .clip = in.clip,
          .sigma = in.sigma};
}

std::string number(double x) {
  if (std::isnan(x)) return "none";
  if (std::isinf(x)) return "never";
  return fmt::format("{:.5g}", x);
}

class Table {
 public:
  void title(const std::string& text) { text_ += text + "\n"; }
  void row(const char* what, double as_printed, double as_repaired, const char* unit, const char* source) {
    line(what, number(as_printed), number(as_repaired), unit, source);
  }
  void line(const char* what, const std::string& left, const std::string& right, const char* unit, const char* source) {
    std::string out = fmt::format("{:<32} {:>11} {:>11} {:<7} {}", what, left, right, unit, source);
    out.erase(out.find_last_not_of(' ') + 1);
    text_ += out + "\n";
  }
  void rule() { text_ += std::string(80, '-') + "\n"; }
  std::string text() { return text_; }

 private:
  std::string text_;
};

void settings_part(Table& table, const BoundRequest& in) {
  table.title(fmt::format("Average regret R(T)/T, weights {}, gradients {}, clip {}", in.weights, in.gradients,
                          in.clip ? fmt::format("{:g}σ", *in.clip) : "none"));
  table.title(fmt::format("d = {:g}, N = {:g}, T = {:g}, η_t = {:g}/√t, β = {:g}, ε = {:g}", in.dimension, in.workers,
                          in.iterations, in.eta, in.beta, in.epsilon));
  table.title(fmt::format("box r = {:g}, G_∞ = {:g}, L = {:g}, α = {:g}{}", in.radius, in.gradient_infinity, in.lipschitz, in.alpha,
                          in.clip ? fmt::format(", σ = {:g}", in.sigma) : ""));
  table.rule();
  table.line("", "printed", "repaired", "unit", "source");
  table.rule();
}

void constants_part(Table& table, const BoundConstants& b, double T) {
  table.row("weight resolution Δ_w", b.delta_w.printed, b.delta_w.repaired, "1", "level set");
  table.row("gradient resolution Δ_g", b.delta_g, b.delta_g, "1", "level set");
  table.row("diameters D = 2r√d", b.diameter, b.diameter, "weight", "box");
  table.row("          D_∞ = 2r", b.diameter_infinity, b.diameter_infinity, "weight", "box");
  table.row("rate constant K (repaired: at T)", rate_constant(b, printed, T), rate_constant(b, repaired, T), "loss", "theorem 1");
  const char* proposition = b.delta_g == 0 ? "theorem 1" : b.clip ? "prop. 2" : "prop. 1";
  table.row("slow-down factor (rep.: tight)", slow_down(b, printed), slow_down(b, repaired), "1", proposition);
  if (b.delta_g > 0 && !b.clip) {
    const double expected = std::sqrt(gaussian_ratio(b.dimension, b.delta_g));
    table.row("  expected if Gaussian", expected, expected, "1", "quadrature");
  }
  table.row("weight floor Err_w", weight_error(b, printed), weight_error(b, repaired), "loss", "theorem 1");
  table.row("clip floor", clip_floor(b), clip_floor(b), "loss", "theorem 3");
}

void bound_part(Table& table, const BoundConstants& b, double T, double workers) {
  BoundConstants full = b;
  full.delta_w = {0, 0}, full.delta_g = 0, full.clip.reset();
  BoundConstants full_gradients = b;
  full_gradients.delta_g = 0, full_gradients.clip.reset();
  const char* theorem = b.delta_g == 0 ? "theorem 1" : b.clip ? "theorem 3" : "theorem 2";
  const auto both = [&](const char* what, const char* unit, const char* source, auto&& value) {
    table.row(what, value(printed), value(repaired), unit, source);
  };
  const auto floor = [&](BoundForm form) { return weight_error(b, form) + clip_floor(b); };
  table.rule();
  both("optimization term at T", "loss", theorem, [&](BoundForm f) { return optimization_term(b, f, T); });
  both("bound at T", "loss", theorem, [&](BoundForm f) { return bound(b, f, T); });
  both("  over full precision", "1", "ratio", [&](BoundForm f) { return bound(b, f, T) / bound(full, f, T); });
  both("  over full-precision gradients", "1", "ratio", [&](BoundForm f) { return bound(b, f, T) / bound(full_gradients, f, T); });
  both("iterations until term = floor", "1", theorem, [&](BoundForm f) { return iterations_to_target(b, f, floor(f)); });
  both("  with full-precision gradients", "1", "theorem 1",
       [&](BoundForm f) { return iterations_to_target(full_gradients, f, floor(f)); });
  if (workers > 1) {
    both("weak scaling: term at T, N", "loss", "remark 1", [&](BoundForm f) { return optimization_term(b, f, T, workers); });
    both("  iterations until term = floor", "1", "remark 1",
         [&](BoundForm f) { return iterations_to_target(b, f, floor(f), workers); });
  }
  table.rule();
}

}  // namespace

std::string bound_report(const BoundRequest& in) {
  check(in);
  const BoundConstants b = constants_of(in);
  Table table;
  settings_part(table, in);
  constants_part(table, b, in.iterations);
  bound_part(table, b, in.iterations, in.workers);
  table.title("Source: Hou, Zhang, Kwok 2019. Repaired: Δ_w = 2 for LAB, √(1 + ln T) instead of");
  table.title("lemma 2, ε; promised with v ← max(v_prev, v) and projection (docs/bounds.md).");
  if (b.delta_g > 0) table.title("Quantized gradients: in expectation over the rounding.");
  if (in.workers > 1) table.title("Remark 1 assumes independent zero-mean gradients and a fixed batch per worker.");
  return table.text();
}

}  // namespace qsweep
