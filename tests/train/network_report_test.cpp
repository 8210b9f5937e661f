// network/ of the results, from a profile and settings: shapes, speed-up, time until each point of the curves.
#include "train/network_report.h"

#include <gtest/gtest.h>

#include "base/layout.h"
#include "config/keys.h"
#include "exchange/network.h"

namespace qsweep {
namespace {

Layout two_layers() {
  Layout layout;
  layout.add("conv1/weight", {1000}, true);
  layout.add("fc2/weight", {100000}, true);
  return layout;
}

Record report(const Point& more, const Profile& profile = {0.5, 0.1, 0.02}) {
  Point point = {{"run.iterations", "10"}, {"workers.count", "4"}, {"gradients.quantizer", "sq2"}, {"weights.quantizer", "laq3"}};
  for (const auto& [key, value] : more) point[key] = value;
  Record record;
  record.datasets.push_back({"curves/iteration", "1", "iteration", {3}, std::vector<std::int64_t>{1, 5, 10}});
  describe_network(settings_of(effective_point(point)), two_layers(), profile, record);
  return record;
}

const std::vector<double>& values(const Record& record, const std::string& path) { return std::get<std::vector<double>>(record.find(path)->values); }

TEST(NetworkReport, is_absent_without_a_network) { EXPECT_EQ(report({}).datasets.size(), 1U); }

TEST(NetworkReport, a_given_time_of_computing_takes_the_place_of_the_measured_one) {
  const Point widening = {{"network.bandwidth", "1"}, {"network.exchange", "widening"}};
  Point given = widening;
  given["network.compute_time"] = "0.25";
  EXPECT_EQ(values(report(widening), "network/compute_time"), (std::vector<double>{0.5}));
  EXPECT_EQ(values(report(given), "network/compute_time"), (std::vector<double>{0.25}));
  EXPECT_DOUBLE_EQ(values(report(widening), "network/iteration_time").back() - values(report(given), "network/iteration_time").back(), 0.25);
}

TEST(NetworkReport, the_runs_own_workers_and_exchange) {
  const Record record = report({{"network.bandwidth", "1 10"}, {"network.latency", "50 5"}, {"workers.exchange", "sharded"}});
  EXPECT_EQ(values(record, "network/ranks"), (std::vector<double>{1, 2, 4}));
  EXPECT_EQ(values(record, "network/bandwidth"), (std::vector<double>{1, 10}));
  EXPECT_EQ(record.find("network/iteration_time")->shape, (std::vector<std::size_t>{2, 1, 3}));
  const ModelledTraffic traffic = modelled_traffic("sharded", two_layers(), 2, 3, {});
  const double slow = communication_time(traffic, {1e9, 50e-6, 96e9, 5e-6}, {4, 1});
  EXPECT_DOUBLE_EQ(values(record, "network/communication_time")[2], slow);
  EXPECT_DOUBLE_EQ(values(record, "network/iteration_time")[2], 0.62 + slow);
  EXPECT_DOUBLE_EQ(values(record, "network/speed_up")[2], 4 * 0.5 / (0.62 + slow));
  EXPECT_DOUBLE_EQ(values(record, "network/speed_up")[0], 0.5 / 0.62);  // one worker sends nothing, but quantizes
  ASSERT_EQ(record.find("network/elapsed_time")->shape, (std::vector<std::size_t>{2, 3}));
  EXPECT_DOUBLE_EQ(values(record, "network/elapsed_time")[1], 5 * (0.62 + slow));
  EXPECT_LT(values(record, "network/elapsed_time")[4], 5 * (0.62 + slow));  // the faster network
}

TEST(NetworkReport, figure_8_takes_quantizing_for_free) {
  const Record record = report({{"network.bandwidth", "1"}, {"network.nodes", "2"}, {"network.ranks_per_node", "4"}, {"network.exchange", "widening"},
                                {"network.gradients", "fp sq2 sq4"}, {"network.full_precision", "conv1"}});
  EXPECT_EQ(values(record, "network/ranks"), (std::vector<double>{1, 2, 4, 8}));
  EXPECT_EQ(values(record, "network/gradient_bits"), (std::vector<double>{32, 2, 4}));
  EXPECT_DOUBLE_EQ(values(record, "network/speed_up")[0], 1);
  const double time = communication_time(modelled_traffic("widening", two_layers(), 4, 3, {"conv1"}), {1e9, 50e-6, 96e9, 5e-6}, {2, 4});
  EXPECT_DOUBLE_EQ(values(record, "network/iteration_time")[11], 0.5 + time);
  const std::string assumed = std::get<std::string>(record.find("network/iteration_time")->attributes.at("assumptions"));
  for (const char* word : {"4 ranks on a node", "widen", "conv1 in full precision", "no overlap"}) EXPECT_NE(assumed.find(word), std::string::npos) << word;
}

TEST(NetworkReport, a_cluster_of_fewer_ranks_has_no_time_to_loss) {
  EXPECT_EQ(report({{"network.bandwidth", "1"}, {"network.nodes", "3"}}).find("network/elapsed_time"), nullptr);
  EXPECT_NE(report({{"network.bandwidth", "1"}, {"network.nodes", "5"}}).find("network/elapsed_time"), nullptr);
}

TEST(NetworkReport, keys_without_a_network_mean_nothing) {
  const Point plain = effective_point({{"run.iterations", "10"}});
  EXPECT_EQ(plain.at("network.latency"), meaningless);
  EXPECT_EQ(identity_text(plain).find("network"), std::string::npos);
  const Settings s = settings_of(effective_point({{"run.iterations", "10"}, {"network.bandwidth", "1 10"}, {"network.latency", "1 2 3"}}));
  ASSERT_TRUE(find_conflict(s).has_value());
  EXPECT_EQ(find_conflict(s)->key, "network.latency");
}

}  // namespace
}  // namespace qsweep
