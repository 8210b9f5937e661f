#include "theory/regret.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/cpu.h"
#include "base/errors.h"
#include "theory/regret_kernels.h"
#include "theory/regret_run.h"

namespace qsweep {
namespace {

using namespace regret_test;

// ---- The links R ≤ U1 ≤ U2 ≤ U3, each by itself, on simulated runs of random convex quadratics

void expect_links(const Scenario& s, bool in_expectation_only = false) {
  const History h = simulate(s, comparator(s));
  for (const std::size_t T : {std::size_t{1}, std::size_t{2}, std::size_t{7}, s.T / 2, s.T}) {
    const Bounds b = recompute(h, s.settings(), T);
    if (!in_expectation_only) {
      EXPECT_LE(b.R, b.U1) << s.weights << ", T = " << T;
    }
    if (s.max_form && s.adaptive) {
      EXPECT_LE(b.U1, b.U2) << s.weights << ", T = " << T;
      EXPECT_LE(b.U2, b.U3 * (1 + 1e-14)) << s.weights << ", T = " << T;
    }
  }
}

TEST(RegretLinks, hold_with_full_precision_gradients) {
  for (const char* weights : {"fp", "lab", "lat", "laq3", "laq4"})
    for (std::uint32_t seed = 1; seed <= 4; ++seed)
      for (const double beta : {0.0, 0.5, 0.9, 0.999}) {
        Scenario s;
        s.weights = weights, s.seed = seed, s.beta = beta;
        if (s.weights == "lat") s.weights = "laq2";
        s.workers = 1 + seed % 3;
        s.eta = seed % 2 == 0 ? 0.03 : 0.3;
        expect_links(s);
      }
}

TEST(RegretLinks, U1_holds_for_average_second_moment_and_for_sgd) {
  for (const char* weights : {"fp", "lab", "laq3"})
    for (std::uint32_t seed = 1; seed <= 4; ++seed)
      for (const bool adaptive : {false, true}) {
        Scenario s;
        s.weights = weights, s.seed = seed, s.max_form = false, s.adaptive = adaptive, s.beta = 0.5, s.epsilon = 1e-3;
        expect_links(s);
      }
}

TEST(RegretLinks, U2_U3_hold_with_quantized_gradients) {  // they are statements about U1's terms, not in expectation
  for (const int k : {1, 3})
    for (std::uint32_t seed = 1; seed <= 4; ++seed) {
      Scenario s;
      s.k = k, s.seed = seed, s.workers = 1 + seed % 2;
      if (seed > 2) s.clip = 1.0;
      expect_links(s, true);
    }
}

// With quantized gradients R ≤ U1 in expectation over the rounding: mean of R − U1 over seeds within 5 standard errors above 0.
TEST(RegretLinks, R_below_U1_in_expectation_with_quantized_gradients) {
  for (const bool clip : {false, true}) {
    Scenario s;
    s.T = 40, s.k = 1, s.weights = "fp";
    if (clip) s.clip = 1.0;
    const Vector u = comparator(s);
    constexpr std::uint32_t seeds = 100;
    double sum = 0, squares = 0;
    for (s.rounding_seed = 1; s.rounding_seed <= seeds; ++s.rounding_seed) {
      const Bounds b = recompute(simulate(s, u), s.settings(), s.T);
      sum += b.R - b.U1, squares += (b.R - b.U1) * (b.R - b.U1);
    }
    const double mean = sum / seeds, error = std::sqrt((squares / seeds - mean * mean) / (seeds - 1));
    EXPECT_LE(mean, 5 * error) << clip;
  }
}

// f_t(w) = g·w in the box [−1, 1], sgd with constant η from w_1 = 1, u = −1: after M = 2/(ηg) rounds the iterate has crossed the
// box and R = g·Σ(w_t + 1) = 2/η + ηg²M/2 = U1. No smaller constant in either term would do.
TEST(RegretMeter, U1_is_attained) {
  constexpr double g = 0.5, eta = 0.25;
  constexpr int M = 16;
  RegretSettings s{.dimension = 3, .radius = 1, .eta = eta, .step = RegretSettings::Step::gradient, .inverse_sqrt = false};
  RegretMeter meter(s);
  float w = 1;
  for (int t = 1; t <= M; ++t) {
    const std::vector<float> all_w(3, w), all_g(3, static_cast<float>(g));
    meter.add({3 * g * w, -3 * g, all_w, all_w, all_g, {}, eta, 0, 0, 0});
    EXPECT_LE(meter.bounds().average_regret, meter.bounds().u1);
    w -= static_cast<float>(eta * g);
  }
  EXPECT_EQ(w, -1);
  EXPECT_EQ(meter.bounds().average_regret, meter.bounds().u1);
  EXPECT_EQ(meter.bounds().u1 * M, 3 * (4 / (2 * eta) + M * eta * g * g / 2));
  EXPECT_TRUE(meter.u1_holds());
  EXPECT_FALSE(meter.u2_u3_hold());
  EXPECT_TRUE(std::isnan(meter.bounds().u2));
}

// f(w) = w²/2, w kept at 0.4 by a gradient of 0, u = 0: without the term that the vanished gradient is charged to, the bound is
// false.
TEST(RegretMeter, each_error_term_is_needed) {
  const float w = 0.4F, zero = 0;
  const auto run = [&](float w_hat, double lipschitz, double clip_error) {
    RegretMeter meter({.dimension = 1, .eta = 1, .step = RegretSettings::Step::gradient, .inverse_sqrt = false});
    for (int t = 0; t < 100; ++t) meter.add({w * w / 2, 0, {&w, 1}, {&w_hat, 1}, {&zero, 1}, {}, 1, lipschitz, 0.0, clip_error});
    return meter.bounds();
  };
  const RegretBounds rounded = run(0, 1, 0), cut = run(w, 1, w), neither = run(0, 0, 0);  // ŵ = 0; all clipped away
  EXPECT_LE(rounded.average_regret, rounded.u1);
  EXPECT_LE(cut.average_regret, cut.u1);
  EXPECT_GT(neither.average_regret, neither.u1);
}

// Reddi, Kale, Kumar 2018, theorem 1: f_t(w) = C·w for t ≡ 1 (mod 3), else −w, on [−1, 1], β = 1/(1+C²). With the average form of v
// the iterate is driven to +1 and the regret is linear, above U2; U1 still holds. The maximum form obeys all links.
TEST(RegretMeter, average_second_moment_breaks_U2_but_not_U1) {
  constexpr double C = 4, eta = 0.5;
  for (const bool max_form : {false, true}) {
    RegretSettings s{.dimension = 1, .radius = 1, .eta = eta, .beta = 1 / (1 + C * C), .epsilon = 0, .second_moment_max = max_form};
    RegretMeter meter(s);
    double w = 1, v = 0;
    for (int t = 1; t <= 3000; ++t) {
      const double g = t % 3 == 1 ? C : -1;
      const double next = s.beta * v + (1 - s.beta) * g * g;
      v = max_form ? std::max(v, next) : next;
      const float w_float = static_cast<float>(w), g_float = static_cast<float>(g), v_float = static_cast<float>(v);
      const double eta_t = eta / std::sqrt(t);
      meter.add({g * w, -g, {&w_float, 1}, {&w_float, 1}, {&g_float, 1}, {&v_float, 1}, eta_t, 0, 0, 0});
      w = std::clamp(w - eta_t * g / std::sqrt(v), -1.0, 1.0);
    }
    const RegretBounds b = meter.bounds();
    EXPECT_LE(b.average_regret, b.u1);
    EXPECT_EQ(b.u1 <= b.u2, max_form);
    EXPECT_EQ(b.average_regret <= b.u2, max_form);
    EXPECT_EQ(meter.u2_u3_hold(), max_form);
    if (!max_form) {  // driven to the wrong side
      EXPECT_GT(w, 0.9);
    }
  }
}

// ---- RegretMeter against the slow recomputation

using Floats = std::vector<float>;
Floats floats(const Vector& x) { return Floats(x.begin(), x.end()); }

void feed(RegretMeter& meter, const History& h, std::size_t t) {
  const Floats w = floats(h.w[t]), w_hat = floats(h.w_hat[t]), g = floats(h.g[t]), v = h.v.empty() ? Floats{} : floats(h.v[t]);
  meter.add({h.loss[t], h.comparator[t], w, w_hat, g, v, h.eta[t], h.lipschitz[t], h.alpha[t], h.clip_error[t]});
}

void expect_same(const RegretMeter& meter, const Bounds& slow, double T, bool rate_defined) {
  const RegretBounds fast = meter.bounds();
  EXPECT_EQ(meter.iterations(), T);
  EXPECT_NEAR(fast.average_regret * T, slow.R, 1e-12 * (1 + std::abs(slow.R)));
  EXPECT_NEAR(fast.u1 * T / slow.U1, 1, 1e-12);
  if (!rate_defined) {
    EXPECT_TRUE(std::isnan(fast.u2) && std::isnan(fast.u3) && std::isnan(fast.printed));
    return;
  }
  EXPECT_NEAR(fast.u2 * T / slow.U2, 1, 1e-12);
  EXPECT_NEAR(fast.u3 * T / slow.U3, 1, 1e-12);
  EXPECT_NEAR(fast.printed * T / slow.printed, 1, 1e-12);
}

TEST(RegretMeter, equals_recomputation_on_runs) {
  for (const char* weights : {"fp", "lab", "laq3"})
    for (const int k : {0, 1, 3})
      for (const bool adaptive : {true, false}) {
        Scenario s;
        s.d = 19, s.T = 30, s.weights = weights, s.k = k, s.adaptive = adaptive, s.round_to_float = true, s.workers = 2;
        if (k == 1) s.clip = 1.5;
        const History h = simulate(s, comparator(s));
        RegretMeter meter(s.settings());
        for (std::size_t t = 0; t < s.T; ++t) {
          feed(meter, h, t);
          expect_same(meter, recompute(h, s.settings(), t + 1), static_cast<double>(t + 1), adaptive);
        }
      }
}

/// Any numbers at all, no run: w, ŵ, g with zeros, v up and down.
History random_history(std::size_t d, std::size_t T) {
  History h;
  for (std::uint32_t t = 0; t < T; ++t) {
    const Stream rng(5, Draw::Noise, 0, t);
    Vector w(d), w_hat(d), g(d), v(d);
    for (std::size_t i = 0; i < d; ++i) {
      w[i] = static_cast<float>(rng.normal(4 * i)), w_hat[i] = static_cast<float>(rng.normal(4 * i + 1));
      g[i] = i % 5 == 3 ? 0 : static_cast<float>(rng.normal(4 * i + 2)), v[i] = static_cast<float>(rng.uniform(4 * i + 3));
    }
    h.w.push_back(w), h.w_hat.push_back(w_hat), h.g.push_back(g), h.v.push_back(v);
    h.loss.push_back(rng.uniform(0)), h.comparator.push_back(rng.uniform(1)), h.eta.push_back(0.1 / (t + 1)),
        h.alpha.push_back(0.5 + t % 3);
    h.lipschitz.push_back(1 + rng.uniform(2)), h.clip_error.push_back(rng.uniform(3));
  }
  return h;
}

TEST(RegretMeter, equals_recomputation_at_any_size) {
  for (const std::size_t d : {1, 2, 7, 64, 1003, 4096, 9000})
    for (const bool adaptive : {true, false}) {
      History h = random_history(d, 5);
      if (!adaptive) h.v.clear();
      RegretSettings s{.dimension = d, .delta_w = weight_resolution("lab"), .delta_g = 1.0 / 3};
      if (!adaptive) s.step = RegretSettings::Step::gradient;
      RegretMeter meter(s);
      for (std::size_t t = 0; t < 5; ++t) feed(meter, h, t);
      expect_same(meter, recompute(h, s, 5), 5, adaptive);
    }
}

TEST(RegretMeter, state_resumes_to_the_bit) {
  const History h = random_history(67, 10);
  const RegretSettings s{.dimension = 67, .delta_w = weight_resolution("laq3")};
  RegretMeter whole(s), first(s), second(s);
  for (std::size_t t = 0; t < 10; ++t) feed(whole, h, t);
  for (std::size_t t = 0; t < 4; ++t) feed(first, h, t);
  auto from = first.state(), to = second.state();
  ASSERT_EQ(from.size(), to.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    EXPECT_EQ(from[i].first, to[i].first);
    std::copy(from[i].second.begin(), from[i].second.end(), to[i].second.begin());
  }
  for (std::size_t t = 4; t < 10; ++t) feed(second, h, t);
  const RegretBounds a = whole.bounds(), b = second.bounds();
  EXPECT_EQ(std::memcmp(&a, &b, sizeof a), 0);
  EXPECT_EQ(second.iterations(), 10);
}

TEST(RegretMeter, constants_are_those_of_the_run) {
  const History h = random_history(67, 10);
  RegretSettings s{.dimension = 67, .radius = 0.25, .delta_w = weight_resolution("lab"), .delta_g = 1};
  RegretMeter meter(s);
  for (std::size_t t = 0; t < 10; ++t) feed(meter, h, t);
  const Bounds slow = recompute(h, s, 10);
  const auto value = [&](const std::string& name) {
    for (const auto& c : meter.named_constants()) {
      EXPECT_FALSE(c.unit.empty() || c.long_name.empty()) << c.name;
      if (c.name == name) return c.value;
    }
    ADD_FAILURE() << name;
    return 0.0;
  };
  EXPECT_EQ(value("D"), 0.5 * std::sqrt(67.0));
  EXPECT_EQ(value("D_infinity"), 0.5);
  EXPECT_EQ(value("G_infinity"), slow.G);
  EXPECT_NEAR(value("B_T") / slow.B, 1, 1e-14);
  EXPECT_EQ(value("L"), *std::max_element(h.lipschitz.begin(), h.lipschitz.end()));
  EXPECT_EQ(value("alpha"), 2.5);
  EXPECT_EQ(value("delta_w_printed"), 1);
  EXPECT_EQ(value("delta_w"), 2);
  EXPECT_NEAR(value("L") * value("D") * value("weight_distance") * 10 / slow.E, 1, 1e-13);
  EXPECT_NEAR(value("slow_down_printed"), std::sqrt(proposition1(67, 1)), 1e-15);
}

TEST(RegretMeter, rejects_what_has_no_bound) {
  EXPECT_THROW(RegretMeter(RegretSettings{}), ConfigError);
  EXPECT_THROW(RegretMeter({.dimension = 1, .radius = 0}), ConfigError);
  EXPECT_THROW(RegretMeter({.dimension = 1, .eta = std::nan("")}), ConfigError);
  EXPECT_FALSE(RegretMeter({.dimension = 1, .step = RegretSettings::Step::other}).u1_holds());
}

TEST(RegretKernels, same_bits_with_any_instruction_set) {
  std::vector<const RegretKernels*> builds{&baseline::regret_kernels};
  if (simd() >= Simd::avx2) builds.push_back(&avx2::regret_kernels);
  if (simd() >= Simd::avx512) builds.push_back(&avx512::regret_kernels);
  if (builds.size() == 1) GTEST_SKIP() << "this CPU, or QSWEEP_SIMD, offers the baseline only";
  for (const std::size_t n : {1, 2, 7, 8, 9, 64, 1003, 4096})
    for (const bool second_moment : {true, false}) {
      const History h = random_history(n, 2);
      std::vector<RegretSums> sums;
      std::vector<Vector> previous;
      for (const RegretKernels* build : builds) {
        previous.emplace_back(n);
        for (std::size_t t = 0; t < 2; ++t) {
          const Floats w = floats(h.w[t]), w_hat = floats(h.w_hat[t]), g = floats(h.g[t]), v = floats(h.v[t]);
          sums.push_back(build->block(n, w.data(), w_hat.data(), g.data(), second_moment ? v.data() : nullptr, 1e-8, 1 / h.eta[t],
                                      previous.back().data()));
        }
      }
      for (std::size_t b = 1; b < builds.size(); ++b) {
        EXPECT_EQ(std::memcmp(&sums[0], &sums[2 * b], 2 * sizeof(RegretSums)), 0) << n;
        EXPECT_EQ(previous[0], previous[b]) << n;
      }
    }
}

}  // namespace
}  // namespace qsweep
