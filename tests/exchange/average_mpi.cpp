// Exchange::average on 1, 2, 3, 4 ranks against a serial reference (exchange/reference.h), to the bit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "exchange/chain.h"
#include "exchange/reference.h"

namespace qsweep {
namespace {

using test::gradient_of;
using test::odd_layout;
using test::same_bits;
using test::serial_round;
using test::SerialRound;

constexpr std::uint32_t iteration = 9;

std::vector<std::vector<float>> random_gradients(std::size_t workers, const Layout& layout) {
  std::vector<std::vector<float>> all;
  for (std::size_t n = 0; n < workers; ++n) all.push_back(gradient_of(n, layout));
  return all;
}

class AverageTest : public testing::Test {
 protected:
  Team world = Team::world();
  Stopwatch watch;

  struct Outcome {
    std::vector<float> mean;      ///< empty where no state is held
    std::vector<double> squared;  ///< of my workers
    WorkerBlock block;
    Traffic traffic;
  };

  /// This rank's part of a round; twice, since buffers are kept between rounds.
  Outcome exchanged(const SerialRound& r, const Team& team) {
    Outcome out;
    out.block = workers_of(team.rank(), team.ranks(), r.s.workers.count);
    const std::vector<std::vector<float>> mine(r.gradients.begin() + out.block.first,
                                               r.gradients.begin() + out.block.first + out.block.count);
    const std::size_t tensors = r.layout.tensors().size();
    std::span<const float> limits = r.limits;
    if (!limits.empty()) limits = limits.subspan(out.block.first * tensors, out.block.count * tensors);
    const auto exchange = make_exchange(r.s, team, r.layout, watch);
    std::vector<float> mean(r.layout.dimension(), 1e30F);
    exchange->average(mine, {1000, r.scales, limits, {}}, mean);  // another round before this one
    out.squared.assign(out.block.count * tensors, -1.0);
    exchange->average(
        mine, {iteration, r.scales, limits, r.s.gradients.quantized() ? std::span<double>(out.squared) : std::span<double>()},
        mean);
    if (exchange->holds_state()) out.mean = mean;
    out.traffic = exchange->traffic();
    return out;
  }

  void expect_serial(const SerialRound& r, const Team& team, const std::string& what) {
    const Outcome out = exchanged(r, team);
    if (r.s.workers.exchange == "allreduce" || team.is_root()) {
      ASSERT_EQ(out.mean.size(), r.mean.size()) << what;
      EXPECT_TRUE(same_bits(out.mean, r.mean)) << what;
    } else {
      EXPECT_TRUE(out.mean.empty()) << what;
    }
    if (!r.s.gradients.quantized()) return;
    // Each decoded element has one rounding to float, 2^-24 of itself, so its square at most 2^-23 + 2^-48.
    const std::size_t tensors = r.layout.tensors().size(), first = out.block.first * tensors;
    for (std::size_t i = 0; i < out.squared.size(); ++i)
      EXPECT_NEAR(out.squared[i], r.squared_norms[first + i], 0x1p-22 * r.squared_norms[first + i]) << what << ", tensor " << i;
  }

  void expect_serial(const Settings& s, const std::string& what) {
    const SerialRound r = serial_round(s, odd_layout(), random_gradients(s.workers.count, odd_layout()), iteration);
    expect_serial(r, world, what);
  }
};

TEST_F(AverageTest, full_precision_sums_in_the_order_of_the_workers) {
  for (const char* exchange : {"allreduce", "server"})
    for (std::size_t workers = 1; workers <= 9; ++workers)
      expect_serial(test::settings(workers, exchange, "fp"), fmt::format("{} N = {}", exchange, workers));
}

TEST_F(AverageTest, codes_with_a_shared_scale) {
  for (const char* exchange : {"allreduce", "server"})
    for (std::size_t workers = 1; workers <= 9; ++workers)
      for (const char* quantizer : {"sq2", "sq3", "sq4", "sq8"})
        expect_serial(test::settings(workers, exchange, quantizer), fmt::format("{} {} N = {}", exchange, quantizer, workers));
}

TEST_F(AverageTest, codes_of_every_width) {
  for (const char* exchange : {"allreduce", "server"})
    for (int bits = 2; bits <= 8; ++bits)
      expect_serial(test::settings(5, exchange, fmt::format("sq{}", bits)), fmt::format("{} sq{}", exchange, bits));
}

TEST_F(AverageTest, codes_with_scales_of_their_own) {
  for (std::size_t workers = 1; workers <= 9; ++workers)
    for (const char* quantizer : {"sq2", "sq4", "sq8"})
      expect_serial(test::settings(workers, "server", quantizer, "worker"), fmt::format("own {} N = {}", quantizer, workers));
}

TEST_F(AverageTest, clip_limits_are_each_workers_own) {
  for (const double clip : {0.5, 1.0, 2.5})
    for (const std::size_t workers : {1U, 4U, 7U}) {
      for (const char* exchange : {"allreduce", "server"})
        expect_serial(test::settings(workers, exchange, "sq3", "shared", clip),
                      fmt::format("{} c = {} N = {}", exchange, clip, workers));
      expect_serial(test::settings(workers, "server", "sq3", "worker", clip), fmt::format("own c = {} N = {}", clip, workers));
    }
}

TEST_F(AverageTest, clipping_changes_what_is_sent) {  // the tests above would not see limits that are ignored on both sides
  const Layout layout = odd_layout();
  const SerialRound plain = serial_round(test::settings(3, "server", "sq3"), layout, random_gradients(3, layout), iteration);
  const SerialRound clipped =
      serial_round(test::settings(3, "server", "sq3", "shared", 0.5), layout, random_gradients(3, layout), iteration);
  EXPECT_FALSE(same_bits(plain.mean, clipped.mean));
  EXPECT_LT(clipped.squared_norms[0], plain.squared_norms[0]);
}

TEST_F(AverageTest, teams_of_fewer_ranks_give_the_same_bits) {
  const Layout layout = odd_layout();
  for (const char* quantizer : {"fp", "sq4"})
    for (const char* exchange : {"allreduce", "server"}) {
      const SerialRound r = serial_round(test::settings(6, exchange, quantizer), layout, random_gradients(6, layout), iteration);
      expect_serial(r, world.split(world.rank()), "alone");
      expect_serial(r, world.split(world.rank() == 0 ? 0 : 1), "all but one");
    }
}

/// Every field holds its largest sum 2kN, its smallest 0, or both in turn: a carry would be seen in the neighbour.
TEST_F(AverageTest, full_fields_do_not_carry) {
  Layout layout;
  layout.add("w", {1003}, true);
  for (int bits = 2; bits <= 8; ++bits)
    for (std::size_t workers = 1; workers <= 9; ++workers)
      for (const char* exchange : {"allreduce", "server"})
        for (int pattern = 0; pattern < 4; ++pattern) {
          std::vector<float> g(1003, 0.75F);
          for (std::size_t i = 0; i < g.size(); ++i)
            if (pattern == 1 || (pattern == 2 && i % 2 == 0) || (pattern == 3 && i % 7 == 3)) g[i] = -0.75F;
          const SerialRound r = serial_round(test::settings(workers, exchange, fmt::format("sq{}", bits)), layout,
                                             std::vector<std::vector<float>>(workers, g), iteration);
          const Outcome out = exchanged(r, world);
          if (!out.mean.empty()) {
            EXPECT_TRUE(same_bits(out.mean, g)) << exchange << " sq" << bits << " N = " << workers << " pattern " << pattern;
          }
        }
}

TEST_F(AverageTest, as_many_workers_as_a_field_can_hold_and_one_more) {
  Layout layout;
  layout.add("w", {67}, true);
  for (const std::size_t workers : {15U, 16U, 31U, 32U, 255U, 256U}) {  // 2kN = 2^b − 2 and 2^b for sq2 (k = 1)
    std::vector<std::vector<float>> gradients(workers, std::vector<float>(67, 1.0F));
    for (std::size_t n = 0; n < workers; ++n)
      for (std::size_t i = 0; i < 67; ++i)
        if (i % 3 == 1 || (i % 3 == 2 && n % 2 == 0)) gradients[n][i] = -1.0F;
    for (const char* exchange : {"allreduce", "server"})
      expect_serial(serial_round(test::settings(workers, exchange, "sq2"), layout, gradients, iteration), world,
                    fmt::format("{} N = {}", exchange, workers));
  }
}

TEST_F(AverageTest, nothing_but_zeros_stays_zero) {
  const Layout layout = odd_layout();
  const std::vector<std::vector<float>> zeros(3, std::vector<float>(layout.dimension(), 0.0F));
  for (const char* quantizer : {"fp", "sq2", "sq8"})
    for (const char* exchange : {"allreduce", "server"})
      expect_serial(serial_round(test::settings(3, exchange, quantizer), layout, zeros, iteration), world, exchange);
}

TEST_F(AverageTest, float_sums_depend_on_their_order_and_keep_it) {
  Layout layout;
  layout.add("w", {3}, true);
  std::vector<std::vector<float>> gradients;
  for (const float g : {1e8F, 1.0F, -1e8F, 1.0F, 3e-9F, 1e8F, 7.0F, -1e8F, 0.5F}) gradients.push_back({g, g * 0.3F, -g});
  for (const char* exchange : {"allreduce", "server"})
    for (std::size_t workers = 1; workers <= 9; ++workers)
      expect_serial(serial_round(test::settings(workers, exchange, "fp"), layout,
                                 {gradients.begin(), gradients.begin() + static_cast<std::ptrdiff_t>(workers)}, iteration),
                    world, fmt::format("{} N = {}", exchange, workers));
}

TEST_F(AverageTest, the_chain_works_piece_by_piece) {
  const std::size_t d = 2 * 65536 + 7;  // two whole pieces and the rest of one
  const std::size_t workers = 5;
  std::vector<std::vector<float>> all(workers, std::vector<float>(d));
  for (std::size_t n = 0; n < workers; ++n) Stream(3, Draw::Data, static_cast<std::uint32_t>(n), 1).normal(0, all[n]);
  std::vector<float> expected(d, 0.0F), mean(d, -1.0F);
  for (const auto& g : all)
    for (std::size_t i = 0; i < d; ++i) expected[i] += g[i];
  for (float& value : expected) value /= static_cast<float>(workers);
  const WorkerBlock block = workers_of(world.rank(), world.ranks(), workers);
  Traffic traffic;
  chain_sum(world, {all.begin() + block.first, all.begin() + block.first + block.count}, workers, mean, traffic);
  if (world.rank() == world.ranks() - 1) {
    EXPECT_TRUE(same_bits(mean, expected));
  }
  const bool passes_on = world.rank() < world.ranks() - 1;
  EXPECT_EQ(traffic.bytes_sent, passes_on ? d * sizeof(float) : 0U);
  EXPECT_EQ(traffic.messages, passes_on ? 3U : 0U);
}

TEST_F(AverageTest, traffic_is_what_the_topology_sends) {  // two rounds each
  const Layout layout = odd_layout();
  const std::size_t d = layout.dimension(), workers = 6;
  const auto words = [](std::size_t numbers, int width) {
    return (numbers + static_cast<std::size_t>(64 / width) - 1) / static_cast<std::size_t>(64 / width) * 8;
  };
  const auto bytes = [&](const char* exchange, const char* quantizer) {
    return exchanged(
               serial_round(test::settings(workers, exchange, quantizer), layout, random_gradients(workers, layout), iteration),
               world)
        .traffic.bytes_sent;
  };
  const bool alone = world.ranks() == 1, root = world.is_root();
  const std::uint64_t mine = workers_of(world.rank(), world.ranks(), workers).count;
  EXPECT_EQ(bytes("allreduce", "sq4"), alone ? 0U : 2 * words(d, 7));  // 2·7·6 = 84 < 2^7
  EXPECT_EQ(bytes("server", "sq4"), root ? 0U : 2 * mine * words(d, 4));
  EXPECT_EQ(bytes("server", "fp"), root ? 0U : 2 * mine * 4 * d);
  EXPECT_EQ(bytes("allreduce", "fp"), alone ? 0U : 2 * 4 * d);  // on to the next rank; the last one sends the mean round
}

TEST_F(AverageTest, an_unknown_topology_is_refused) {
  const Layout layout = odd_layout();
  EXPECT_ANY_THROW(make_exchange(test::settings(1, "ring", "fp"), world, layout, watch));
}

}  // namespace
}  // namespace qsweep
