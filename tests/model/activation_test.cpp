// Quantized activations: levels and edges, the derivatives of the estimators, one forward pass for all of them; alone and fused with
// batch norm, on every instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/cpu.h"
#include "model/activation.h"
#include "model/batch_norm.h"
#include "model/networks.h"
#include "model/reference.h"

namespace qsweep {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr Surrogate surrogates[] = {Surrogate::identity, Surrogate::relu, Surrogate::clipped_relu};

std::vector<const ActivationKernels*> instruction_sets() {
  std::vector<const ActivationKernels*> sets = {&baseline::activation_kernels};
  if (simd() != Simd::baseline) sets.push_back(&avx2::activation_kernels);
  if (simd() == Simd::avx512) sets.push_back(&avx512::activation_kernels);
  return sets;
}

/// σ as the formula says, in float: levels are the float products j·α, and x is compared with them one by one.
float defined(const ActivationQuantizer& q, float x) {
  if (std::isnan(x)) return x;
  float y = 0;
  for (int j = 1; j < 1 << q.bits; ++j) {
    const float edge = q.nearest ? (static_cast<float>(j) - 0.5F) * q.alpha : static_cast<float>(j - 1) * q.alpha;
    if (q.nearest ? x >= edge : x > edge) y = static_cast<float>(j) * q.alpha;
  }
  return y;
}

std::vector<float> draws(std::size_t n, std::uint32_t seed) {
  std::vector<float> values(n);
  Stream(seed, Draw::Data).normal(0, values);
  return values;
}

/// Every level and edge with its neighbours on both sides, what is not finite, and draws.
std::vector<float> telling_inputs(const ActivationQuantizer& q) {
  std::vector<float> x = {0, -0.0F, 1e-30F, -1e-30F, -3, infinity, -infinity, NAN, 1e30F};
  for (int j = 0; j <= 1 << q.bits; ++j)
    for (const float half : {0.0F, 0.5F}) {
      const float edge = (static_cast<float>(j) + half) * q.alpha;
      x.insert(x.end(), {edge, std::nextafter(edge, infinity), std::nextafter(edge, -infinity)});
    }
  const std::vector<float> more = draws(1003, 1);
  x.insert(x.end(), more.begin(), more.end());
  return x;
}

bool same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

TEST(QuantizedActivation, has_the_levels_of_the_formula_on_every_instruction_set) {
  for (const int bits : {1, 2, 3, 4, 8})
    for (const float alpha : {0.6511F, 0.1946F, 1.2221F, 1.0F, 0.01F})
      for (const bool nearest : {false, true}) {
        const ActivationQuantizer q{bits, alpha, nearest, Surrogate::relu};
        const std::vector<float> x = telling_inputs(q);
        for (const ActivationKernels* kernels : instruction_sets()) {
          std::vector<float> y(x.size());
          kernels->quantize(rule_of(q), x.size(), x.data(), y.data());
          for (std::size_t i = 0; i < x.size(); ++i) ASSERT_TRUE(same(y[i], defined(q, x[i]))) << bits << " bits, alpha " << alpha << ", nearest " << nearest << ": sigma(" << x[i] << ") = " << y[i];
        }
      }
}

TEST(QuantizedActivation, ceil_at_ties) {
  const ActivationQuantizer q{2, 0.5F, false, Surrogate::relu}, rounded{2, 0.5F, true, Surrogate::relu};
  const auto one = [](const ActivationQuantizer& quantizer, float x) {
    float y = NAN;
    activation_kernels().quantize(rule_of(quantizer), 1, &x, &y);
    return y;
  };
  EXPECT_EQ(one(q, 0), 0);
  EXPECT_EQ(one(q, 0x1p-109F), 0.5F) << "any positive input yields at least one step";
  EXPECT_EQ(one(q, 0.5F), 0.5F);
  EXPECT_EQ(one(q, std::nextafter(0.5F, 1.0F)), 1);
  EXPECT_EQ(one(q, 1), 1);
  EXPECT_EQ(one(q, 1.25F), 1.5F);
  EXPECT_EQ(one(q, 7), 1.5F);
  EXPECT_EQ(one(rounded, 0.125F), 0);
  EXPECT_EQ(one(rounded, 0.25F), 0.5F) << "halves go up";
  EXPECT_EQ(one(rounded, 1.3F), 1.5F);
}

TEST(QuantizedActivation, estimators_have_their_derivatives_and_the_same_values) {
  const std::vector<float> x = {-2, 0, 0.01F, 1.5F, std::nextafter(1.5F, 2.0F), 9}, dy = {1, 2, 3, 4, 5, 6};
  const std::vector<std::vector<float>> expected = {{1, 2, 3, 4, 5, 6}, {0, 0, 3, 4, 5, 6}, {0, 0, 3, 4, 0, 0}};
  std::vector<std::vector<float>> values;
  for (std::size_t s = 0; s < 3; ++s) {
    QuantizedActivation layer(x.size(), {2, 0.5F, false, surrogates[s]});
    std::vector<float> y(x.size()), dx(x.size(), NAN);
    layer.forward({.batch = 1, .training = true}, x, y);
    layer.backward({.batch = 1, .training = true}, x, y, dy, dx, {});
    EXPECT_EQ(dx, expected[s]) << s;
    values.push_back(y);
  }
  EXPECT_EQ(values[0], (std::vector<float>{0, 0, 0.5F, 1.5F, 1.5F, 1.5F}));
  EXPECT_TRUE(values[1] == values[0] && values[2] == values[0]);
}

/// Batch norm that quantizes is batch norm and then the activation: forward to the bit, backward against the double references.
TEST(QuantizedActivation, fused_with_batch_norm_is_the_two_layers) {
  for (const Image& image : {Image{20, 5, 7, channel_block()}, Image{64, 3, 3, channel_block()}, Image{7}, Image{40}})
    for (const bool affine : {false, true})
      for (const bool nearest : {false, true})
        for (const Surrogate surrogate : surrogates) {
          const ActivationQuantizer q{2, 0.6511F, nearest, surrogate};
          SCOPED_TRACE(testing::Message() << image.channels << " channels, affine " << affine << ", nearest " << nearest << ", surrogate " << static_cast<int>(surrogate));
          constexpr std::size_t batch = 9;
          Layout layout, states, other_layout, other_states;
          BatchNorm fused(layout, states, "bn1", image, affine, false), alone(other_layout, other_states, "bn1", image, affine, false);
          fused.quantize(q);
          QuantizedActivation activation(image.stored(), q);
          std::vector<float> w(layout.dimension()), x(batch * image.stored()), dy(x.size());
          for (std::size_t i = 0; i < w.size(); ++i) w[i] = i < image.channels ? 1.0F + 0.1F * static_cast<float>(i % 5) : 0.2F;
          const std::vector<float> values = draws(x.size(), 2), slopes = draws(x.size(), 3);
          for (std::size_t b = 0; b < batch; ++b)
            for (std::size_t c = 0; c < image.channels; ++c)
              for (std::size_t h = 0; h < image.height; ++h)
                for (std::size_t v = 0; v < image.width; ++v) {
                  const std::size_t at = b * image.stored() + image.index(c, h, v);
                  x[at] = 3 * values[at] + 1, dy[at] = slopes[at];
                }
          const Pass pass{.w = w, .batch = batch, .training = true};
          std::vector<float> y(x.size(), NAN), normal(x.size()), expected(x.size()), dx(x.size(), NAN), dnormal(x.size()), expected_dx(x.size()), g(w.size()), expected_g(w.size());
          fused.forward(pass, x, y);
          alone.forward(pass, x, normal);
          activation.forward(pass, normal, expected);
          ASSERT_EQ(y, expected);
          fused.backward(pass, x, y, dy, dx, g);
          activation.backward(pass, normal, expected, dy, dnormal, {});
          alone.backward(pass, x, normal, dnormal, expected_dx, expected_g);
          EXPECT_EQ(dx, expected_dx) << "the same masks and the same sums";
          EXPECT_EQ(g, expected_g);
          const bool none = std::ranges::all_of(dnormal, [](float d) { return d == 0; });
          EXPECT_FALSE(none);
        }
}

TEST(QuantizedActivation, fused_kernels_have_the_same_bits_on_every_instruction_set) {
  for (const std::size_t block : {8U, 16U})
    for (const std::size_t lanes : {block, std::size_t{5}}) {
      const Image image{24, 7, 9, block};
      const std::vector<float> x = draws(2 * image.stored(), 1), dy = draws(2 * image.stored(), 2);
      const LaneShape shape{2, image.pixels(), image.stored(), block, lanes};
      const std::vector<float> mean(16, 0.1F), scale(16, 1.3F), shift(16, 0.05F), offset(16, 0.02F), slope(16, 0.3F);
      std::vector<std::vector<float>> results;
      for (const ActivationKernels* k : instruction_sets()) {
        std::vector<float> all, y(x.size()), dx(x.size());
        std::vector<double> sum(16), product(16);
        for (const bool nearest : {false, true}) {
          k->normalize_quantize({0.6511F, 1 / 0.6511F, 3 * 0.6511F, nearest}, shape, x.data(), mean.data(), scale.data(), shift.data(), y.data());
          all.insert(all.end(), y.begin(), y.end());
        }
        for (const float bound : {1.9533F, infinity}) {
          k->within_sums(bound, shape, x.data(), dy.data(), mean.data(), scale.data(), shift.data(), sum.data(), product.data());
          k->within_normalize_back(bound, shape, x.data(), dy.data(), mean.data(), scale.data(), shift.data(), offset.data(), slope.data(), dx.data());
          k->within_back(bound, x.size(), x.data(), dy.data(), y.data());
          all.insert(all.end(), dx.begin(), dx.end());
          all.insert(all.end(), y.begin(), y.end());
          for (const auto* v : {&sum, &product})
            for (const double value : *v) all.push_back(static_cast<float>(value));
        }
        results.push_back(std::move(all));
      }
      for (const auto& r : results) EXPECT_EQ(r, results[0]);
    }
}

/// One checkpoint, three estimators: the same loss; gradients that differ.
TEST(QuantizedActivation, networks_have_the_same_loss_under_all_estimators) {
  for (const char* name : {"lenet5", "resnet20"}) {
    const NetworkInfo& info = *find_network(name);
    const Image input{info.channels, info.side, info.side, 1};
    std::vector<double> losses, evaluations;
    std::vector<std::vector<float>> gradients;
    for (const Surrogate surrogate : surrogates) {
      const auto network = build(network_plan(name, input, 10, {.batch_norm = "plain", .quantizer = ActivationQuantizer{2, 0.6511F, false, surrogate}}, 0));
      std::vector<float> w(network->layout().dimension()), gradient(w.size()), state(network->state_layout().dimension());
      network->initialize(1, w);
      network->initialize_state(state);
      const std::vector<float> x = draws(4 * input.size(), 5);
      const std::vector<std::int32_t> labels = {1, 2, 3, 4};
      losses.push_back(network->gradient(w, {4, x, {}, labels}, gradient, state));
      evaluations.push_back(network->evaluate(w, {4, x, {}, labels}, state).loss);
      gradients.push_back(gradient);
    }
    EXPECT_TRUE(losses[0] == losses[1] && losses[1] == losses[2] && evaluations[0] == evaluations[1] && evaluations[1] == evaluations[2]) << name;
    EXPECT_NE(gradients[0], gradients[1]) << name;
    EXPECT_NE(gradients[1], gradients[2]) << name;
  }
}

}  // namespace
}  // namespace qsweep
