// Each update rule against a plain transcription of its formula, schedules, projection, and the three builds of the kernels.
#include "optimize/optimizer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "base/cpu.h"
#include "base/random.h"
#include "optimize/bounded.h"
#include "optimize/optimizer_kernels.h"

namespace qsweep {
namespace {

using test::Bounded;

Settings::Optimizer settings(const std::string& kind) {
  Settings::Optimizer s;
  s.kind = kind;
  s.schedule = "constant";
  s.second_moment = "average";
  s.learning_rate = 0.01;
  s.decay = 0.1;
  s.momentum = 0.9;
  s.beta1 = 0.9;
  s.beta2 = kind == "adam" ? 0.999 : 0.9;
  s.epsilon = 1e-8;
  return s;
}

/// A weight tensor of n elements and a bias of 3.
Layout layout_of(std::size_t n) {
  Layout layout;
  layout.add("fc1/weight", {1, n}, true);
  layout.add("fc1/bias", {3}, false);
  return layout;
}

/// Gradients of very different sizes, some always `rare`.
std::vector<float> gradient_of(std::size_t n, std::uint32_t t, float rare = 0) {
  std::vector<float> g(n);
  const Stream draws(5, Draw::Data, 0, t);
  draws.normal(0, g);
  for (std::size_t i = 0; i < n; ++i) g[i] *= i % 3 == 0 ? 1.0F : i % 3 == 1 ? 1e-3F : 30.0F;
  for (std::size_t i = 0; i < n; i += 5) g[i] = rare;
  return g;
}

/// One element of the state as optimizer.h has it, written out plainly.
struct Plain {
  Bounded w, u, m, v;

  void step(const Settings::Optimizer& s, double learning_rate, float gradient, int t, bool projected) {
    const Bounded eta = Bounded::constant(learning_rate), mu = Bounded::constant(s.momentum), b1 = Bounded::constant(s.beta1),
                  b2 = Bounded::constant(s.beta2), lambda = Bounded::constant(s.weight_decay), one{1, 0};
    const Bounded g = Bounded::exact(gradient) + lambda * w;
    const auto second = [&] {
      const Bounded average = b2 * v + (one - b2) * (g * g);
      v = s.second_moment == "max" ? max(v, average) : average;
      return v;
    };
    Bounded step;
    if (s.kind == "sgd") step = g;
    if (s.kind == "momentum") step = u = mu * u + g;
    if (s.kind == "nesterov") {
      u = mu * u + g;
      step = g + mu * u;
    }
    if (s.kind == "rmsprop") step = divided(g, second(), one, s.epsilon);
    if (s.kind == "adam") {
      m = b1 * m + (one - b1) * g;
      second();
      step = divided(m * Bounded::constant(1 / (1 - std::pow(s.beta1, t))), v, Bounded::constant(1 / (1 - std::pow(s.beta2, t))),
                     s.epsilon);
    }
    w = w - eta * step;
    if (projected) w = clamp(w, *s.projection);
  }
  static Bounded divided(Bounded g, Bounded v, Bounded correction, double epsilon) {
    if (g.value == 0) return {0, g.error == 0 ? 0 : INFINITY};  // nothing was ever seen: no step
    return g / (sqrt(v * correction) + Bounded::constant(epsilon));
  }
};

struct Case {
  std::string kind, schedule, second_moment;
  double weight_decay;
  std::optional<double> projection;
};

void expect_formula(const Case& c, std::size_t n) {
  Settings::Optimizer s = settings(c.kind);
  s.schedule = c.schedule;
  s.second_moment = c.second_moment;
  s.weight_decay = c.weight_decay;
  s.projection = c.projection;
  s.milestones = {2, 3.5};
  const Layout layout = layout_of(n);
  Optimizer optimizer(s, layout, 10);  // milestones after iterations 20 and 35
  Stream(9, Draw::InitialWeights).uniform(0, -0.5F, 0.5F, optimizer.weights());
  std::vector<Plain> plain(layout.dimension());
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i].w = Bounded::exact(optimizer.weights()[i]);
  for (int t = 1; t <= 50; ++t) {
    double eta = s.learning_rate;
    if (c.schedule == "inverse_sqrt") eta /= std::sqrt(t);
    if (c.schedule == "step") eta *= t <= 20 ? 1 : t <= 35 ? 0.1 : 0.1 * 0.1;
    // With a penalty no gradient may be zero: a step λw/√v would be of size η whatever w is, and w jump about 0 chaotically.
    const std::vector<float> g = gradient_of(layout.dimension(), static_cast<std::uint32_t>(t), c.weight_decay > 0 ? 1e-3F : 0.0F);
    optimizer.step(g, static_cast<std::uint64_t>(t));
    for (std::size_t i = 0; i < plain.size(); ++i) {
      plain[i].step(s, eta, g[i], t, s.projection && i < n);
      const double difference = std::abs(double{optimizer.weights()[i]} - plain[i].w.value);
      ASSERT_TRUE(difference <= plain[i].w.error) << c.kind << " " << c.schedule << " t = " << t << ", element " << i << " of " << n
                                                  << ": off by " << difference << ", bound " << plain[i].w.error;
      if (optimizer.second_moment().empty()) continue;
      ASSERT_TRUE(std::abs(double{optimizer.second_moment()[i]} - plain[i].v.value) <= plain[i].v.error)
          << c.kind << " t = " << t << ", v of element " << i;
    }
  }
  double loosest = 0, size = 0;  // a bound that lets everything pass proves nothing
  for (const Plain& p : plain) loosest = std::max(loosest, p.w.error), size = std::max(size, std::abs(p.w.value));
  EXPECT_LT(loosest, 2e-4 * std::max(size, 0.1)) << c.kind;
}

TEST(Optimizer, each_rule_is_its_formula_for_fifty_steps) {
  for (const std::size_t n : {1, 2, 7, 64, 1003})
    for (const std::string kind : {"sgd", "momentum", "nesterov", "rmsprop", "adam"}) {
      expect_formula({kind, "constant", "average", 0, std::nullopt}, n);
      expect_formula({kind, "inverse_sqrt", "average", 0, 0.5}, n);
      expect_formula({kind, "step", "average", 1e-4, std::nullopt}, n);
      if (kind == "rmsprop" || kind == "adam") expect_formula({kind, "inverse_sqrt", "max", 1e-4, 0.3}, n);
    }
}

TEST(Optimizer, first_steps_worked_by_hand) {
  const auto after = [](Settings::Optimizer s, std::initializer_list<float> gradients) {
    Layout layout;
    layout.add("w", {1}, true);
    Optimizer optimizer(s, layout, 1);
    optimizer.weights()[0] = 1;
    std::uint64_t t = 0;
    for (const float g : gradients) optimizer.step(std::vector<float>{g}, ++t);
    return double{optimizer.weights()[0]};
  };
  Settings::Optimizer s = settings("sgd");
  s.learning_rate = 0.5, s.momentum = 0.5, s.beta1 = 0.5, s.beta2 = 0.75, s.epsilon = 0;
  EXPECT_EQ(after(s, {2, -1}), 1 - 0.5 * 2 + 0.5 * 1);
  s.kind = "momentum";  // u = 2, then 0
  EXPECT_EQ(after(s, {2, -1}), 1 - 0.5 * 2 - 0.5 * 0);
  s.kind = "nesterov";  // u = 2: 2 + ½·2 = 3; u = 0: −1 + 0
  EXPECT_EQ(after(s, {2, -1}), 1 - 0.5 * 3 + 0.5 * 1);
  s.kind = "rmsprop";  // v = ¼·4 = 1: step 2/1; then v = ¾ + ¼·1 = 1: step −1/1
  EXPECT_EQ(after(s, {2, -1}), 1 - 0.5 * 2 + 0.5 * 1);
  s.kind = "adam";  // corrected, the first step is η·sign(g) whatever g is
  EXPECT_EQ(after(s, {2}), 1 - 0.5);
  EXPECT_EQ(after(s, {-1e-6F}), 1 + 0.5);
  s.kind = "sgd", s.weight_decay = 0.25;
  EXPECT_EQ(after(s, {0}), 1 - 0.5 * 0.25);
}

TEST(Optimizer, starts_with_a_state_of_zeros_named_for_checkpoints) {
  const Layout layout = layout_of(4);
  const auto names = [&](const std::string& kind) {
    std::string list;
    const Optimizer optimizer(settings(kind), layout, 1);
    for (const Field& field : optimizer.state()) {
      list += field.name + " ";
      EXPECT_EQ(field.values, std::vector<float>(7, 0.0F));
    }
    EXPECT_EQ(optimizer.second_moment().size(), kind == "rmsprop" || kind == "adam" ? 7U : 0U) << kind;
    return list;
  };
  EXPECT_EQ(names("sgd"), "weights ");
  EXPECT_EQ(names("momentum"), "weights velocity ");
  EXPECT_EQ(names("nesterov"), "weights velocity ");
  EXPECT_EQ(names("rmsprop"), "weights second_moment ");
  EXPECT_EQ(names("adam"), "weights first_moment second_moment ");
}

TEST(Optimizer, projects_weights_and_never_biases) {
  for (const std::string kind : {"sgd", "momentum", "nesterov", "rmsprop", "adam"}) {
    Settings::Optimizer s = settings(kind);
    s.learning_rate = 3;
    const Layout layout = layout_of(9);
    Optimizer free(s, layout, 1);
    s.projection = 0.25;
    Optimizer boxed(s, layout, 1);
    bool touched = false;
    for (std::uint32_t t = 1; t <= 5; ++t) {
      std::vector<float> g = gradient_of(12, t);
      g[10] = 5;  // a bias that must leave the box
      free.step(g, t);
      boxed.step(g, t);
      for (std::size_t i = 0; i < 9; ++i) {
        EXPECT_LE(std::abs(boxed.weights()[i]), 0.25F) << kind;
        touched |= std::abs(boxed.weights()[i]) == 0.25F;
      }
      for (std::size_t i = 9; i < 12; ++i) EXPECT_EQ(boxed.weights()[i], free.weights()[i]) << kind;
    }
    EXPECT_TRUE(touched) << kind;
    EXPECT_GT(std::abs(boxed.weights()[10]), 0.25F) << kind;
  }
}

TEST(Optimizer, the_maximum_never_falls_and_the_average_does) {
  const Layout layout = layout_of(1);
  for (const std::string kind : {"rmsprop", "adam"})
    for (const bool maximum : {false, true}) {
      Settings::Optimizer s = settings(kind);
      s.second_moment = maximum ? "max" : "average";
      Optimizer optimizer(s, layout, 1);
      float before = 0;
      bool fell = false;
      for (std::uint64_t t = 1; t <= 20; ++t) {
        optimizer.step(std::vector<float>(4, t == 3 ? 10.0F : 0.1F), t);
        fell |= optimizer.second_moment()[0] < before;
        before = optimizer.second_moment()[0];
      }
      EXPECT_EQ(fell, !maximum) << kind;
    }
}

TEST(Optimizer, an_element_that_saw_no_gradient_stays) {
  for (const std::string kind : {"rmsprop", "adam"}) {
    Settings::Optimizer s = settings(kind);
    s.epsilon = 0;  // 0/0
    const Layout layout = layout_of(1);
    Optimizer optimizer(s, layout, 1);
    optimizer.weights()[0] = 0.125F;
    for (std::uint64_t t = 1; t <= 3; ++t) optimizer.step(std::vector<float>(4, 0.0F), t);
    EXPECT_EQ(optimizer.weights()[0], 0.125F) << kind;
  }
}

TEST(Optimizer, what_is_not_a_number_stays_visible) {
  for (const std::string kind : {"sgd", "momentum", "nesterov", "rmsprop", "adam"})
    for (const char* second : {"average", "max"}) {
      Settings::Optimizer s = settings(kind);
      s.projection = 0.5;
      s.second_moment = second;
      const Layout layout = layout_of(64);
      Optimizer optimizer(s, layout, 1);
      std::vector<float> g(67, 0.1F);
      g[3] = std::numeric_limits<float>::quiet_NaN();
      optimizer.step(g, 1);
      g[3] = 0;
      for (std::uint64_t t = 2; t <= 4; ++t) optimizer.step(g, t);
      EXPECT_TRUE(std::isnan(optimizer.weights()[3])) << kind << " " << second;
      EXPECT_TRUE(std::isfinite(optimizer.weights()[4])) << kind << " " << second;
    }
}

TEST(Schedule, rates_by_iteration) {
  EXPECT_EQ((Schedule{"constant", 0.25, 0.1, {3}}.at(1000)), 0.25);
  EXPECT_EQ((Schedule{"inverse_sqrt", 0.25, 0.1, {}}.at(16)), 0.0625);
  const Schedule step{"step", 1, 0.5, {3, 10}};
  for (const auto& [t, rate] : {std::pair(1U, 1.0), {3U, 1.0}, {4U, 0.5}, {10U, 0.5}, {11U, 0.25}, {1000U, 0.25}})
    EXPECT_EQ(step.at(t), rate) << t;
}

TEST(Schedule, each_milestone_may_have_its_factor) {
  const Schedule step{"step", 1e-5, 0.5, {2, 12, 18}, {1000, 0.1, 0.25}};
  EXPECT_DOUBLE_EQ(step.at(2), 1e-5);
  EXPECT_DOUBLE_EQ(step.at(3), 1e-2);
  EXPECT_DOUBLE_EQ(step.at(13), 1e-3);
  EXPECT_DOUBLE_EQ(step.at(19), 2.5e-4);
}

TEST(Schedule, a_milestone_is_the_end_of_its_epoch) {
  Settings::Optimizer s = settings("sgd");
  s.schedule = "step";
  s.learning_rate = 1;
  s.decay = 0.5;
  const Layout layout = layout_of(1);
  // Whole epochs, whatever samples and mini-batch: ⌈E·size/(N·B)⌉ in integers.
  for (const std::uint64_t samples : {50'000U, 60'000U, 1003U, 49'999U})
    for (const std::uint64_t batch : {1U, 64U, 128U, 192U, 7U * 64U, 1000U, 3U, 49U})
      for (const std::uint64_t epoch : {1U, 2U, 3U, 7U, 12U, 80U, 99U, 200U, 768U}) {
        s.milestones = {static_cast<double>(epoch)};
        const Optimizer optimizer(s, layout, static_cast<double>(samples) / static_cast<double>(batch));
        const std::uint64_t last = (epoch * samples + batch - 1) / batch;
        EXPECT_EQ(optimizer.learning_rate(last), 1) << samples << " " << batch << " " << epoch;
        EXPECT_EQ(optimizer.learning_rate(last + 1), 0.5) << samples << " " << batch << " " << epoch;
      }
  s.milestones = {0.5, 1.25};
  const Optimizer optimizer(s, layout, 10);
  for (const auto& [t, rate] : {std::pair(5U, 1.0), {6U, 0.5}, {13U, 0.5}, {14U, 0.25}})
    EXPECT_EQ(optimizer.learning_rate(t), rate) << t;
}

TEST(Optimizer, the_average_follows_the_weights_and_nothing_follows_it) {
  const Layout layout = layout_of(7);
  Settings::Optimizer with = settings("adam");
  with.average = 0.9;
  Optimizer averaging(with, layout, 1), plain(settings("adam"), layout, 1);
  const std::vector<float> w = gradient_of(10, 77);
  averaging.begin(w), plain.begin(w);
  std::vector<double> expected(w.begin(), w.end());
  EXPECT_TRUE(plain.average().empty());
  EXPECT_EQ(std::vector<float>(averaging.average().begin(), averaging.average().end()), w);
  for (std::uint32_t t = 1; t <= 200; ++t) {  // from t = 81 on the decay is the one that was asked for
    const std::vector<float> g = gradient_of(10, t);
    averaging.step(g, t), plain.step(g, t);
    const double decay = std::min(0.9, (1.0 + t) / (10.0 + t));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] = decay * expected[i] + (1 - decay) * double{averaging.weights()[i]};
      // Each step rounds to within 2⁻²³ of values below 40 and keeps at most .9 of the error: in all ten times that.
      ASSERT_TRUE(std::abs(expected[i] - double{averaging.average()[i]}) <= 10 * 3 * 40 * 0x1p-23) << t << " " << i;
    }
  }
  EXPECT_TRUE(std::ranges::equal(averaging.weights(), plain.weights()));
  EXPECT_TRUE(std::ranges::equal(averaging.second_moment(), plain.second_moment()));
}

/// The same state before one call of each kernel.
struct State {
  std::vector<float> g, w, a, b;
};

State state_of(std::size_t n) {
  State s{gradient_of(n, 3), std::vector<float>(n), std::vector<float>(n), std::vector<float>(n)};
  Stream(1, Draw::InitialWeights).uniform(0, -0.5F, 0.5F, s.w);
  Stream(2, Draw::InitialWeights).uniform(0, -0.5F, 0.5F, s.a);
  Stream(3, Draw::InitialWeights).uniform(0, 0.0F, 0.5F, s.b);
  if (n > 20) {
    s.g[1] = std::numeric_limits<float>::quiet_NaN();
    s.g[2] = std::numeric_limits<float>::infinity();
    s.g[3] = -std::numeric_limits<float>::infinity();
    s.g[6] = 1e30F, s.g[7] = -0.0F, s.g[8] = 1e-38F;
    s.b[9] = 0, s.w[11] = 0.4F, s.b[12] = 1e-30F;
  }
  return s;
}

bool same(const std::vector<float>& x, const std::vector<float>& y) {
  for (std::size_t i = 0; i < x.size(); ++i)
    if (std::memcmp(&x[i], &y[i], sizeof(float)) != 0 && !(std::isnan(x[i]) && std::isnan(y[i])))
      return false;  // the sign of a NaN is nobody's
  return true;
}

std::vector<State> results(const OptimizerKernels& k, const UpdateRule& rule, std::size_t n, const float* target) {
  std::vector<State> all(6, state_of(n));
  k.sgd(rule, n, all[0].g.data(), target, all[0].w.data());
  k.momentum(rule, n, all[1].g.data(), target, all[1].w.data(), all[1].a.data());
  k.nesterov(rule, n, all[2].g.data(), target, all[2].w.data(), all[2].a.data());
  k.rmsprop(rule, n, all[3].g.data(), target, all[3].w.data(), all[3].b.data());
  k.adam(rule, n, all[4].g.data(), target, all[4].w.data(), all[4].a.data(), all[4].b.data());
  k.average(0.1F, n, all[5].g.data(), all[5].w.data());
  return all;
}

TEST(Optimizer, a_pull_adds_its_gradient_to_weights_and_bounds_the_rate) {
  for (const std::string kind : {"sgd", "momentum", "nesterov", "rmsprop", "adam"}) {
    const Layout layout = layout_of(7);
    Optimizer pulled(settings(kind), layout, 10), plain(settings(kind), layout, 10);
    Stream(9, Draw::InitialWeights).uniform(0, -0.5F, 0.5F, pulled.weights());
    std::ranges::copy(pulled.weights(), plain.weights().begin());
    const std::vector<float> target = gradient_of(layout.dimension(), 4);
    pulled.set_phase(0, 0.5, {0.25, target});
    plain.set_phase(0, 0.5, {});
    for (std::uint64_t t = 1; t <= 20; ++t) {
      const std::vector<float> g = gradient_of(layout.dimension(), static_cast<std::uint32_t>(t));
      std::vector<float> sum = g;
      for (std::size_t i = 0; i < 7; ++i) sum[i] = g[i] + 0.25F * (plain.weights()[i] - target[i]);  // the bias, elements 7 …, has none
      pulled.step(g, t);
      plain.step(sum, t);
      for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_EQ(pulled.weights()[i], plain.weights()[i]) << kind << ", element " << i;
    }
    pulled.set_phase(20, 3, {400, target});
    EXPECT_EQ(pulled.learning_rate(21), 1.0 / 400);  // 3·0.01 without the bound
    pulled.set_phase(20, 0.1, {400, target});
    EXPECT_EQ(pulled.learning_rate(21), 0.1 * 0.01);
  }
}

TEST(Optimizer, a_new_phase_is_a_new_optimizer) {
  for (const std::string kind : {"nesterov", "adam"}) {
    Settings::Optimizer s = settings(kind);
    s.schedule = "inverse_sqrt";
    const Layout layout = layout_of(7);
    Optimizer used(s, layout, 10), fresh(s, layout, 10);
    for (std::uint64_t t = 1; t <= 9; ++t) used.step(gradient_of(layout.dimension(), static_cast<std::uint32_t>(t)), t);
    used.set_phase(9, 1, {});
    used.forget();
    std::ranges::copy(used.weights(), fresh.weights().begin());
    for (std::uint64_t t = 1; t <= 9; ++t) {
      used.step(gradient_of(layout.dimension(), static_cast<std::uint32_t>(t)), 9 + t);
      fresh.step(gradient_of(layout.dimension(), static_cast<std::uint32_t>(t)), t);
    }
    for (std::size_t i = 0; i < layout.dimension(); ++i) EXPECT_EQ(used.weights()[i], fresh.weights()[i]) << kind;
  }
}

TEST(Optimizer, tensors_can_have_rules_of_their_own) {
  const Layout layout = layout_of(2);
  Optimizer o(settings("sgd"), layout, 10);
  o.set_rules({{0.5F, 10}, {std::numeric_limits<float>::infinity(), 1}});
  o.step(std::vector<float>{-1, 100, 100, 0, 0}, 1);
  EXPECT_EQ(o.weights()[0], 0.01F * 10);
  EXPECT_EQ(o.weights()[1], -0.5F);
  EXPECT_EQ(o.weights()[2], -1.0F);
}

TEST(Schedule, exponential_falls_after_each_epoch) {
  const Schedule s{"exponential", 2, 0.5, {}, {}, 2.5};  // epochs end in iterations 2.5, 5, 7.5: iterations 3, 5, 8 end them
  for (const auto& [t, rate] : {std::pair{1, 2.0}, {3, 2.0}, {4, 1.0}, {5, 1.0}, {6, 0.5}, {8, 0.5}, {9, 0.25}}) EXPECT_EQ(s.at(static_cast<std::uint64_t>(t)), rate) << t;
}

TEST(OptimizerKernels, the_three_builds_give_the_same_bits) {
  std::vector<std::pair<const char*, const OptimizerKernels*>> others;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) others.emplace_back("avx2", &avx2::optimizer_kernels);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
    others.emplace_back("avx512", &avx512::optimizer_kernels);
  if (others.empty()) GTEST_SKIP() << "SKIPPED: this CPU has neither AVX2 nor AVX-512";
  for (const std::size_t n : {1, 2, 7, 64, 1003})
    for (const bool maximum : {false, true})
      for (const float bound : {0.5F, std::numeric_limits<float>::infinity()}) {
        const UpdateRule rule{0.03F, 0.9F, 0.999F, 1e-8F, 0.9F, 0.01F, 1.7F, 2.3F, bound, maximum, 0.7F};
        const std::vector<float> target = gradient_of(n, 8);
        for (const float* pulled : {static_cast<const float*>(nullptr), target.data()})
        for (const auto& [name, kernels] : others) {
          const std::vector<State> expected = results(baseline::optimizer_kernels, rule, n, pulled), actual = results(*kernels, rule, n, pulled);
          for (std::size_t kind = 0; kind < expected.size(); ++kind)
            EXPECT_TRUE(same(actual[kind].w, expected[kind].w) && same(actual[kind].a, expected[kind].a) &&
                        same(actual[kind].b, expected[kind].b))
                << name << ", kernel " << kind << ", n = " << n;
        }
      }
}

}  // namespace
}  // namespace qsweep
