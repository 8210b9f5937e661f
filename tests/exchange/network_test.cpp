// The network model against numbers worked out by hand, and against what must hold for any numbers.
#include "exchange/network.h"

#include <gtest/gtest.h>

#include "base/errors.h"
#include "model/networks.h"

namespace qsweep {
namespace {

Layout two_layers() {
  Layout layout;
  layout.add("conv1/weight", {100}, true);
  layout.add("conv1/bias", {10}, false);
  layout.add("fc2/weight", {1000}, true);
  return layout;
}

constexpr double payload = 1448.0 / 1514;

TEST(NetworkModel, counts_what_is_quantized) {
  const ModelledTraffic all = modelled_traffic("sharded", two_layers(), 2, 3, {}), part = modelled_traffic("sharded", two_layers(), 2, 3, {"conv1"});
  EXPECT_EQ(all.elements, 1110U);
  EXPECT_EQ(all.quantized, 1110U);          // gradients of biases too
  EXPECT_EQ(all.quantized_weights, 1100U);  // biases travel as they are
  EXPECT_EQ(part.quantized, 1000U);
  EXPECT_EQ(part.quantized_weights, 1000U);
  EXPECT_THROW(modelled_traffic("sharded", two_layers(), 2, 3, {"conv9"}), ConfigError);
}

TEST(NetworkModel, one_rank_sends_nothing) {
  for (const char* exchange : {"widening", "allreduce", "server", "sharded", "floats"})
    EXPECT_EQ(communication_time(modelled_traffic(exchange, two_layers(), 2, 3, {}), {}, {1, 1}), 0) << exchange;
}

/// 16 nodes of 4: two steps within the nodes with 2 and 3 bits, four between them with 4, 5, 6, 7, then the broadcast.
TEST(NetworkModel, widening_by_hand) {
  const ModelledNetwork network{1e6, 1e-3, 8e6, 1e-4};
  const ModelledTraffic traffic = modelled_traffic("widening", two_layers(), 2, 4, {"conv1"});
  const double rest = 32 * 110;
  double expected = 0;
  for (const double bits : {2, 3}) expected += 1e-4 + (1000 * bits + rest) / 8e6;
  for (const double bits : {4, 5, 6, 7}) expected += 1e-3 + (1000 * bits + rest) / 1e6;
  expected += 1e-3 + (1000 * 4 + rest) / 1e6;
  EXPECT_NEAR(communication_time(traffic, network, {16, 4}), expected, 1e-12);
  const double full = 2 * (1e-4 + 32 * 1110 / 8e6) + 5 * (1e-3 + 32 * 1110 / 1e6);
  EXPECT_NEAR(communication_time(modelled_traffic("widening", two_layers(), 32, 32, {}), network, {16, 4}), full, 1e-12);
}

TEST(NetworkModel, two_nodes_by_hand) {  // without latency: the bytes over the payload's bandwidth
  const ModelledNetwork network{1e9, 0, 96e9, 0};
  const auto time = [&](const char* exchange, std::size_t up, std::size_t down) {
    return communication_time(modelled_traffic(exchange, two_layers(), up, down, {}), network, {2, 1}) * 1e9 * payload;
  };
  const double w = 1100 * 64.0 / 21 + 10 * 32;  // 3 bits, 21 to a word; biases
  EXPECT_NEAR(time("floats", 32, 32), 1110 * 32, 1e-6);
  EXPECT_NEAR(time("allreduce", 32, 32), 2 * 1110 * 32, 1e-6);  // there as a sum, back as the mean
  EXPECT_NEAR(time("server", 32, 32), 2 * 1110 * 32, 1e-6);
  EXPECT_NEAR(time("sharded", 32, 32), 1110 * 32, 1e-6);
  EXPECT_NEAR(time("allreduce", 2, 3), 1110 * 64.0 / 21, 1e-6);  // 2kN + 1 = 5 values: 3 bits
  EXPECT_NEAR(time("server", 2, 3), 1110 * 2 + w, 1e-6);
  EXPECT_NEAR(time("sharded", 2, 3), (1110 * 2 + w) / 2, 1e-6);
}

TEST(NetworkModel, a_chain_of_four_by_hand) {  // three hops; of a second piece and more only the last rank's share is not hidden
  Layout layout;
  layout.add("fc1/weight", {3 * 65536}, true);
  const double vector = 32.0 * 3 * 65536, piece = 32.0 * 65536;
  const ModelledTraffic t = modelled_traffic("allreduce", layout, 32, 32, {});
  EXPECT_NEAR(communication_time(t, {1e9, 1e-3, 96e9, 0}, {4, 1}), 2e-3 + 3e-3 + (2 * vector + 2 * piece) / (1e9 * payload), 1e-12);  // reports: two steps
}

TEST(NetworkModel, is_linear_in_bytes_and_latency) {
  for (const char* exchange : {"widening", "allreduce", "server", "sharded"}) {
    const ModelledTraffic t = modelled_traffic(exchange, two_layers(), 2, 3, {});
    const ModelledCluster cluster{8, 2};
    const double base = communication_time(t, {1e6, 1e-4, 1e7, 1e-5}, cluster);
    EXPECT_NEAR(communication_time(t, {2e6, 0.5e-4, 2e7, 0.5e-5}, cluster), base / 2, 1e-12) << exchange;
    EXPECT_LT(communication_time(t, {1e6, 0, 1e7, 0}, cluster), base) << exchange;
  }
}

TEST(NetworkModel, alexnet_has_the_sizes_of_the_paper) {
  NetworkOptions options;
  options.batch_norm = "affine";
  const Layout layout = build(network_plan("alexnet", {3, 224, 224, 1}, 1001, options, 0))->layout();
  std::size_t weights = 0;
  for (const Tensor& t : layout.tensors()) weights += t.is_weight ? t.size : 0;
  EXPECT_EQ(weights, 60'958'752U);
  EXPECT_EQ(modelled_traffic("widening", layout, 2, 4, {"conv1", "fc8"}).quantized_weights, 56'823'808U);
}

}  // namespace
}  // namespace qsweep
