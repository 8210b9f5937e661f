// Learning-compression on 1, 2, 3, 4 ranks: the same bits as on one, in every exchange, with quantized gradients too.
#include <gtest/gtest.h>

#include <cmath>

#include "base/errors.h"
#include "results/weights.h"
#include "train/runs.h"

namespace qsweep {
namespace {

using namespace test;

Point compressed(const std::string& method) {
  return {{"experiment.method", method},
          {"data.set", "synthetic_images"},
          {"data.limit", "150"},
          {"data.normalize", "standard"},
          {"model.kind", "mlp"},
          {"model.dimension", "9"},
          {"workers.batch", "8"},
          {"workers.count", "3"},
          {"optimizer.kind", "nesterov"},
          {"optimizer.learning_rate", "0.02"},
          {"compression.steps", "4"},
          {"compression.iterations", "6"},
          {"compression.mu0", "0.05"},
          {"compression.mu_factor", "2"},
          {"run.record_every", "1"}};
}

/// The same answer on every rank.
bool have_mnist(const Team& world) {
  std::uint64_t found = 0;
  try {
    find_file(data_directory(""), "mnist", "train-images-idx3-ubyte", "");
    found = 1;
  } catch (const DataError&) {
  }
  return world.broadcast(found) != 0;
}

class CompressionRuns : public WithImages {
 protected:
  void expect_same_bits(const Point& point) {
    const std::string expected = contents_alone(settings_with(joined(point, {{"workers.exchange", "allreduce"}})), world, *data);
    for (const char* exchange : {"allreduce", "server", "sharded"})
      EXPECT_EQ(contents_of(settings_with(joined(point, {{"workers.exchange", exchange}})), world, *data), expected) << exchange;
  }
};

TEST_F(CompressionRuns, have_the_same_bits_on_any_ranks_and_exchange) {
  for (const char* method : {"learning_compression", "iterated_direct_compression", "direct_compression"}) {
    SCOPED_TRACE(method);
    expect_same_bits(compressed(method));
  }
}

TEST_F(CompressionRuns, have_the_same_bits_with_quantized_gradients_and_any_codebook) {
  expect_same_bits(joined(compressed("learning_compression"), {{"gradients.quantizer", "sq4"}, {"gradients.clip", "3"}, {"compression.size", "4"}, {"compression.codebook", "kmeans_exact"}}));
  expect_same_bits(joined(compressed("learning_compression"), {{"gradients.quantizer", "sq2"}, {"compression.codebook", "scaled_ternary"}, {"compression.keep", "best"}}));
  expect_same_bits(joined(compressed("learning_compression"), {{"compression.penalty", "quadratic"}, {"compression.layers", "together"}, {"compression.tolerance", "0.5"}}));
  expect_same_bits(joined(compressed("iterated_direct_compression"), {{"gradients.quantizer", "sq3"}, {"optimizer.kind", "adam"}}));
}

TEST_F(CompressionRuns, images_with_a_background_have_the_same_bits_on_any_ranks) {
  const Point point = joined(compressed("learning_compression"),
                             {{"data.set", "mnist"}, {"data.limit", "1000"}, {"data.normalize", "mean"}, {"model.dimension", "17"}, {"workers.batch", "64"}, {"compression.iterations", "3"}});
  if (!have_mnist(world)) GTEST_SKIP() << "SKIPPED: MNIST is not here; QSWEEP_DATA names its folder";
  DataStore digits;
  digits.load(world, {settings_with(point)});
  ASSERT_FALSE(digits.preprocessor(settings_with(point)).background().empty());
  EXPECT_EQ(contents_of(settings_with(point), world, digits), contents_alone(settings_with(point), world, digits));
}

TEST_F(CompressionRuns, batch_norm_is_estimated_anew_alike_on_any_ranks) {
  const Settings settings = settings_with({{"experiment.method", "direct_compression"}, {"data.set", "mnist"}, {"data.limit", "1100"}, {"model.kind", "lenet5"}, {"model.batch_norm", "plain"}});
  if (!have_mnist(world)) GTEST_SKIP() << "SKIPPED: MNIST is not here; QSWEEP_DATA names its folder";
  DataStore digits;
  digits.load(world, {settings});
  EXPECT_EQ(contents_of(settings, world, digits), contents_alone(settings, world, digits));
}

TEST_F(CompressionRuns, binary_connect_has_the_same_bits_and_keeps_to_its_box) {
  Point point = joined(compressed("binary_connect"), {{"run.iterations", "20"}, {"optimizer.kind", "adam"}, {"compression.update_factor", "glorot"}, {"gradients.quantizer", "sq4"}});
  for (const char* key : {"compression.steps", "compression.iterations", "compression.mu0", "compression.mu_factor"}) point.erase(key);
  expect_same_bits(point);
  const Settings stochastic = settings_with(joined(point, {{"compression.rounding", "stochastic"}, {"compression.bound", "0.25"}}));
  EXPECT_EQ(contents_of(stochastic, world, *data), contents_alone(stochastic, world, *data));
  const auto run = on_root(settings_with(point), world, *data), drawn = on_root(stochastic, world, *data);
  if (!world.is_root()) return;
  for (const char* layer : {"fc1", "fc2"}) {
    const QuantizedTensor quantized = quantized_tensor(*run, std::string(layer) + "/weight");
    const std::size_t outputs = quantized.shape[0], inputs = quantized.shape[1];
    const auto bound = static_cast<float>(std::sqrt(1.5 / static_cast<double>(inputs + outputs)));
    EXPECT_EQ(quantized.scale, bound);
    const auto& w = std::get<std::vector<float>>(run->find(std::string("final/weights/") + layer + "/weight")->values);
    const std::vector<float> values = quantized.values();
    for (std::size_t i = 0; i < w.size(); ++i) {
      ASSERT_LE(std::fabs(w[i]), bound);
      ASSERT_EQ(values[i], w[i] < 0 ? -bound : bound);
    }
    EXPECT_EQ(quantized_tensor(*drawn, std::string(layer) + "/weight").scale, 0.25F);
  }
  EXPECT_NE(curve(*run, "curves/loss"), curve(*drawn, "curves/loss"));
}

TEST_F(CompressionRuns, the_penalty_closes_the_gap_and_none_trains_plainly) {
  const Point lc = joined(compressed("learning_compression"), {{"compression.steps", "8"}, {"compression.iterations", "40"}});
  const auto pulled = on_root(settings_with(lc), world, *data), free = on_root(settings_with(joined(lc, {{"compression.penalty", "none"}})), world, *data);
  const auto iterated = on_root(settings_with(joined(lc, {{"experiment.method", "iterated_direct_compression"}})), world, *data);
  if (!world.is_root()) return;
  const std::vector<double>& gap = curve(*pulled, "curves/compression/gap");
  ASSERT_EQ(gap.size(), 9U);
  EXPECT_LT(gap.back(), 0.2 * gap.front());
  EXPECT_GT(curve(*free, "curves/compression/gap").back(), 0.5 * gap.front());
  // Without a penalty the L steps are one training run but for fresh momentum and rates: w alone improves.
  EXPECT_LT(curve(*free, "curves/compression/full_precision_train_loss").back(), curve(*free, "curves/compression/full_precision_train_loss").front());
  EXPECT_EQ(curve(*pulled, "curves/compression/train_loss").front(), curve(*iterated, "curves/compression/train_loss").front());  // both DC
  EXPECT_LT(curve(*pulled, "curves/compression/train_loss").back(), curve(*pulled, "curves/compression/train_loss").front());
  EXPECT_EQ(curve(*pulled, "final/compression/train_loss").front(), curve(*pulled, "final/train_loss").front());  // what is evaluated in the end is Δ(Θ)
  EXPECT_EQ(index(*pulled).back(), 320);
}

TEST_F(CompressionRuns, a_tolerance_ends_the_run_and_the_best_is_kept) {
  const auto stopped = on_root(settings_with(joined(compressed("learning_compression"), {{"compression.steps", "20"}, {"compression.tolerance", "0.3"}, {"compression.keep", "best"}})), world, *data);
  if (!world.is_root()) return;
  const std::vector<double>&gap = curve(*stopped, "curves/compression/gap"), &loss = curve(*stopped, "curves/compression/train_loss");
  ASSERT_LT(gap.size(), 21U);
  EXPECT_LE(gap.back(), 0.3);
  EXPECT_GT(gap[gap.size() - 2], 0.3);
  EXPECT_EQ(index(*stopped).back(), std::get<std::int64_t>(stopped->attributes.at("iterations")));
  EXPECT_EQ(curve(*stopped, "final/train_loss").front(), *std::ranges::min_element(loss));
}

}  // namespace
}  // namespace qsweep
