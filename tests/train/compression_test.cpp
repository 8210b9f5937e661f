// The C and M steps without a trainer: what the multipliers have to satisfy, which layers share a codebook, what is stored.
#include "train/compression.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/errors.h"
#include "train/runs.h"

namespace qsweep {
namespace {

Layout layout_of_three() {
  Layout layout;
  layout.add("fc1/weight", {30, 41}, true);
  layout.add("fc1/bias", {30}, false);
  layout.add("fc2/weight", {10, 30}, true);
  layout.add("fc2/bias", {10}, false);
  layout.add("fc3/weight", {5, 10}, true);
  return layout;
}

Settings settings_of_codebook(const Point& given) {
  return test::settings_with(test::joined({{"data.set", "mnist"}, {"model.kind", "lenet300"}, {"experiment.method", "learning_compression"}, {"model.initial", "x"}}, given));
}

std::vector<float> weights(const Layout& layout, std::uint32_t seed) {
  std::vector<float> w(layout.dimension());
  Stream(seed, Draw::InitialWeights).normal(0, w);
  return w;
}

TEST(Compression, multipliers_cancel_in_every_cluster_whatever_the_l_step_did) {
  const Layout layout = layout_of_three();
  const std::pair<const char*, bool> kinds[] = {{"kmeans", false}, {"kmeans_exact", false}, {"scaled_binary", true}, {"scaled_ternary", true}, {"scaled", true}};
  for (const auto& [kind, scaled] : kinds) {
    Compression c(settings_of_codebook({{"compression.codebook", kind}, {"compression.size", "3"}, {"compression.values", "-2 -1 0.5 3"}}), layout);
    std::vector<float> w = weights(layout, 1);
    c.project(w, 0);
    double mu = 0.01;
    for (std::uint32_t k = 0; k < 5; ++k, mu *= 1.5) {
      w = weights(layout, 10 + k);
      c.project(w, mu);
      c.update_multipliers(w, mu);
      const std::span<const float> delta = c.quantized(w);
      for (const Tensor& t : layout.tensors()) {
        std::map<float, double> sums;
        double all = 0, tolerance = 0;
        // λ = −μ(x − Δ), x = w − λ/μ. Floats round x and the entries: μ(|x| + |Δ|)·2⁻²⁴ each; a mean moved by it is off as much.
        for (std::size_t i = t.offset; i < t.end(); ++i) {
          const double lambda = c.multipliers()[i];
          sums[delta[i]] += lambda;
          all += lambda * delta[i];
          tolerance += mu * 0x1p-23 * (std::fabs(lambda / mu) + 2 * std::fabs(delta[i])) * (scaled ? std::fabs(delta[i]) : 1) + 1e-10 * mu * 10;
          EXPECT_TRUE(t.is_weight || lambda == 0);
        }
        if (!t.is_weight) continue;
        if (scaled) sums = {{0.0F, all}};
        for (const auto& [value, sum] : sums) EXPECT_NEAR(sum, 0, tolerance) << kind << " " << t.name << " entry " << value;
      }
    }
  }
}

TEST(Compression, the_target_and_the_lagrangian_follow_their_formulas) {
  const Layout layout = layout_of_three();
  Compression c(settings_of_codebook({}), layout);
  const std::vector<float> w = weights(layout, 1), v = weights(layout, 2);
  c.project(w, 0);
  c.update_multipliers(w, 0.5);
  const std::vector<float> delta(c.quantized(v).begin(), c.quantized(v).end());
  const std::span<const float> target = c.aim(0.25);
  double penalty = 0;
  for (const Tensor& t : layout.tensors())
    for (std::size_t i = t.offset; i < t.end(); ++i) {
      if (!t.is_weight) {
        EXPECT_EQ(delta[i], v[i]);
        continue;
      }
      const double lambda = -0.5 * (double{w[i]} - delta[i]);
      EXPECT_EQ(c.multipliers()[i], lambda);
      EXPECT_EQ(target[i], static_cast<float>(delta[i] + lambda / 0.25));
      penalty += -lambda * (double{v[i]} - delta[i]) + 0.125 * (double{v[i]} - delta[i]) * (double{v[i]} - delta[i]);
    }
  EXPECT_NEAR(c.penalty(v, 0.25), penalty, 1e-12 * std::fabs(penalty));
  EXPECT_EQ(c.mu(3), 9.76e-5 * std::pow(1.1, 3));
}

TEST(Compression, the_quadratic_penalty_has_no_multipliers_and_none_has_no_pull) {
  const Layout layout = layout_of_three();
  for (const char* penalty : {"quadratic", "none"}) {
    Compression c(settings_of_codebook({{"compression.penalty", penalty}}), layout);
    const std::vector<float> w = weights(layout, 1);
    c.project(w, 0);
    c.update_multipliers(w, 0.5);
    for (const double lambda : c.multipliers()) ASSERT_EQ(lambda, 0);
    EXPECT_EQ(c.mu(0), std::string(penalty) == "none" ? 0 : 9.76e-5);
  }
}

TEST(CompressionGroups, follow_their_names) {
  const Layout layout = layout_of_three();
  const auto names = [&](const std::string& choice) {
    std::string text;
    for (const CompressionGroup& g : compression_groups(choice, layout)) text += g.name + ":" + std::to_string(g.size) + " ";
    return text;
  };
  EXPECT_EQ(names("each"), "fc1:1230 fc2:300 fc3:50 ");
  EXPECT_EQ(names("together"), "fc1+fc2+fc3:1580 ");
  EXPECT_EQ(names("fc3 fc1"), "fc3:50 fc1:1230 ");
  for (const char* wrong : {"fc4", "fc1 fc1", "fc1+", "fc1++fc2"}) EXPECT_THROW(compression_groups(wrong, layout), ConfigError) << wrong;
}

TEST(Compression, layers_left_out_stay_as_they_are_and_count_like_biases) {
  const Layout layout = layout_of_three();
  Compression c(settings_of_codebook({{"compression.layers", "fc1 fc3"}}), layout);
  const std::vector<float> w = weights(layout, 1);
  c.project(w, 0);
  const std::span<const float> delta = c.quantized(w);
  const Tensor& fc2 = layout.tensors()[2];
  for (std::size_t i = fc2.offset; i < fc2.end(); ++i) ASSERT_EQ(delta[i], w[i]);
  const double total = 1230 + 300 + 50 + 40, stored = (1230 + 50) / 32.0 + 300 + 40 + 2 * 2;
  EXPECT_NEAR(c.stored_size().ratio(), total / stored, 1e-12);
}

TEST(Compression, what_is_kept_comes_back_bit_for_bit_and_unpacks) {
  const Layout layout = layout_of_three();
  for (const char* kind : {"kmeans", "scaled", "powers_of_two", "binary"}) {
    Compression c(settings_of_codebook({{"compression.codebook", kind}, {"compression.size", "5"}, {"compression.smallest_power", "3"}}), layout);
    const std::vector<float> w = weights(layout, 1), v = weights(layout, 2);
    c.project(w, 0);
    const Compression::Kept kept = c.keep(w);
    c.project(v, 0);
    EXPECT_NE(std::vector<float>(c.quantized(v).begin(), c.quantized(v).end()), kept.quantized);
    c.restore(kept);
    EXPECT_EQ(std::vector<float>(c.quantized(w).begin(), c.quantized(w).end()), kept.quantized);
    Record record;
    EXPECT_NO_THROW(c.describe(record));
    EXPECT_EQ(record.datasets.size(), 9U);
  }
}

}  // namespace
}  // namespace qsweep
