// ŵ of a whole network: which tensors are quantized, messages, the description in results.
#include "quantize/quantized_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/random.h"
#include "results/weights.h"

namespace qsweep {
namespace {

Layout layout_of(std::size_t n) {
  Layout layout;
  layout.add("fc1/weight", {1, n}, true);
  layout.add("fc1/bias", {3}, false);
  layout.add("fc2/weight", {7, 2}, true);
  return layout;
}

std::vector<float> normal(std::size_t d, std::uint64_t seed) {
  std::vector<float> w(d);
  Stream(seed, Draw::InitialWeights).normal(0, w);
  return w;
}

std::vector<float> second_moment(std::size_t d) {
  std::vector<float> v(d);
  Stream(4, Draw::InitialWeights).uniform(0, 0.01F, 2.0F, v);
  return v;
}

TEST(QuantizedWeights, full_precision_is_the_vector_itself) {
  const Layout layout = layout_of(64);
  const std::vector<float> w = normal(layout.dimension(), 1);
  QuantizedWeights quantized({"fp", "-"}, layout);
  quantized.quantize(w, {});
  EXPECT_EQ(quantized.values().data(), w.data());
  EXPECT_EQ(quantized.bits(), 32 * layout.dimension());
  EXPECT_EQ(quantized.largest_scale(), 0);
  Record record;
  quantized.describe(w, record);
  EXPECT_TRUE(record.datasets.empty());
}

TEST(QuantizedWeights, each_weight_tensor_has_few_levels_and_biases_stay) {
  for (const std::size_t n : {1, 2, 7, 64, 1003})
    for (const auto& [name, levels] : {std::pair<std::string, std::size_t>{"lab", 2}, {"lat", 3}, {"laq3", 7}, {"log3", 7}}) {
      const Layout layout = layout_of(n);
      const std::vector<float> w = normal(layout.dimension(), 2), v = second_moment(layout.dimension());
      QuantizedWeights quantized({name, "exact"}, layout);
      quantized.quantize(w, v);
      for (const Tensor& t : layout.tensors()) {
        const std::span<const float> values = quantized.values().subspan(t.offset, t.size);
        if (!t.is_weight) {
          EXPECT_TRUE(std::equal(values.begin(), values.end(), w.begin() + static_cast<std::ptrdiff_t>(t.offset))) << name;
          continue;
        }
        const std::set<float> different(values.begin(), values.end());
        EXPECT_LE(different.size(), levels) << name << " " << t.name;
        const float scale = quantized.scales()[t.offset == 0 ? 0 : 2];
        EXPECT_GT(scale, 0);
        EXPECT_LE(std::abs(*different.rbegin()), scale * (1 + 0x1p-23F));
      }
      EXPECT_EQ(quantized.scales()[1], 0) << "no scale of a bias";
      EXPECT_EQ(quantized.largest_scale(), std::max(quantized.scales()[0], quantized.scales()[2]));
      const std::uint64_t bits = name == "lab" ? 1 : name == "lat" ? 2 : 3;
      EXPECT_EQ(quantized.bits(), bits * (n + 14) + 2 * 32 + 3 * 32) << name;
    }
}

TEST(QuantizedWeights, tensors_do_not_see_each_other) {
  const Layout layout = layout_of(64);
  std::vector<float> w = normal(layout.dimension(), 2);
  const std::vector<float> v = second_moment(layout.dimension());
  QuantizedWeights one({"laq3", "exact"}, layout), other({"laq3", "exact"}, layout);
  one.quantize(w, v);
  const std::vector<float> before(one.values().begin(), one.values().end());
  for (std::size_t i = 67; i < w.size(); ++i) w[i] *= 100;  // fc2 alone
  other.quantize(w, v);
  EXPECT_TRUE(std::equal(before.begin(), before.begin() + 67, other.values().begin()));
  EXPECT_NE(before[70], other.values()[70]);
}

TEST(QuantizedWeights, the_curvature_counts) {
  const Layout layout = layout_of(64);
  const std::vector<float> w = normal(layout.dimension(), 2);
  QuantizedWeights uniform({"lab", "-"}, layout), weighted({"lab", "-"}, layout);
  uniform.quantize(w, {});
  weighted.quantize(w, second_moment(layout.dimension()));
  double mean = 0;
  for (std::size_t i = 0; i < 64; ++i) mean += std::abs(double{w[i]}) / 64;
  EXPECT_NEAR(uniform.scales()[0], mean, 1e-6) << "constant curvature: the mean of |w|";
  EXPECT_NE(uniform.scales()[0], weighted.scales()[0]);
}

TEST(QuantizedWeights, a_message_carries_the_same_bits) {
  for (const std::size_t n : {1, 2, 7, 64, 1003})
    for (const char* name : {"fp", "lab", "lat", "laq3", "laq4", "laq8", "log4"}) {
      const Layout layout = layout_of(n);
      const std::vector<float> w = normal(layout.dimension(), 3);
      QuantizedWeights sender({name, "exact"}, layout), receiver({name, "exact"}, layout);
      sender.quantize(w, second_moment(layout.dimension()));
      std::vector<std::byte> message(sender.message_bytes() + 8, std::byte{0x5A});
      sender.write_message(w, std::span(message).first(sender.message_bytes()));
      EXPECT_TRUE(std::all_of(message.end() - 8, message.end(), [](std::byte b) { return b == std::byte{0x5A}; }))
          << "nothing beyond its end";
      ASSERT_EQ(receiver.message_bytes(), sender.message_bytes());
      receiver.read_message(std::span(message).first(sender.message_bytes()));
      ASSERT_EQ(receiver.values().size(), layout.dimension());
      EXPECT_TRUE(std::ranges::equal(receiver.values(), sender.values())) << name << ", n = " << n;
      EXPECT_TRUE(std::ranges::equal(receiver.scales(), sender.scales())) << name;
      if (n == 1003 && sender.scales()[0] != 0) {
        EXPECT_LT(sender.message_bytes(), sender.bits() / 8 + 3 * 64) << name << ": packed, but for whole words";
      }
    }
}

TEST(QuantizedWeights, results_hold_the_codes_scale_and_levels_of_every_weight_tensor) {
  for (const char* name : {"lab", "lat", "laq3", "laq8", "log4"}) {
    const Layout layout = layout_of(64);
    const std::vector<float> w = normal(layout.dimension(), 3);
    QuantizedWeights quantized({name, "exact"}, layout);
    quantized.quantize(w, second_moment(layout.dimension()));
    Record record;
    quantized.describe(w, record);
    EXPECT_EQ(record.find("final/quantized_weights/fc1/bias/codes"), nullptr);
    for (const Tensor& t : layout.tensors()) {
      if (!t.is_weight) continue;
      const QuantizedTensor tensor = quantized_tensor(record, t.name);
      EXPECT_EQ(tensor.shape, t.shape);
      const std::vector<float> values = tensor.values();
      EXPECT_TRUE(std::ranges::equal(values, quantized.values().subspan(t.offset, t.size))) << name << " " << t.name;
    }
  }
}

TEST(QuantizedWeights, the_same_steps_from_saved_scales_give_the_same_bits) {
  const Layout layout = layout_of(1003);
  QuantizedWeights one({"laq3", "exact"}, layout), resumed({"laq3", "exact"}, layout);
  const std::vector<float> v = second_moment(layout.dimension());
  for (std::uint64_t t = 1; t <= 3; ++t) one.quantize(normal(layout.dimension(), t), v);
  resumed.restore(one.scales(), one.rounds());
  const std::vector<float> w = normal(layout.dimension(), 9);
  one.quantize(w, v);
  resumed.quantize(w, v);
  EXPECT_TRUE(std::ranges::equal(one.values(), resumed.values()));
}

TEST(QuantizedWeights, the_search_for_a_scale_starts_from_the_last_one) {
  const Layout layout = layout_of(1003);
  const std::vector<float> w = normal(layout.dimension(), 9), v = second_moment(layout.dimension()), far = {0.05F, 0, 0.05F};
  const std::span<const float> first = std::span(w).first(1003), curvature = std::span(v).first(1003);
  const WeightQuantizer quantizer("laq3", AlphaRule::exact);
  QuantizedWeights quantized({"laq3", "exact"}, layout);
  quantized.restore(far, 0);
  quantized.quantize(w, v);
  EXPECT_EQ(quantized.scales()[0], quantizer.solve(first, curvature, 0.05F));
  EXPECT_NE(quantized.scales()[0], quantizer.solve(first, curvature, 0)) << "or this test shows nothing";
}

}  // namespace
}  // namespace qsweep
