// Sharded exchange on 1, 2, 3, 4 ranks: the mean of each slice, ŵ and its scales to the bit; and what travels, counted by formula.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/blocks.h"
#include "exchange/formulas.h"
#include "exchange/reference.h"
#include "exchange/sharded.h"
#include "exchange/slices_over_ranks.h"
#include "quantize/quantized_weights.h"

namespace qsweep {
namespace {

using test::gradient_of;
using test::odd_layout;
using test::same_bits;
using test::serial_round;
using test::SerialRound;

constexpr std::uint32_t iteration = 9;

/// Tensors that one rank owns, that two or three share, and single elements between them.
Layout big_layout() {
  Layout layout;
  layout.add("fc1/weight", {1, 20001}, true);
  layout.add("fc1/bias", {1}, false);
  layout.add("fc2/weight", {59, 17}, true);
  layout.add("fc2/bias", {4099}, false);
  layout.add("fc3/weight", {9000}, true);
  return layout;
}

std::vector<Layout> layouts() {
  Layout tiny;  // less than a block: one rank owns all, the others nothing
  tiny.add("fc1/weight", {7}, true);
  tiny.add("fc1/bias", {2}, false);
  tiny.add("fc2/weight", {5}, true);
  tiny.add("fc3/weight", {3}, true);
  tiny.add("fc4/weight", {3}, true);
  return {odd_layout(), big_layout(), tiny};
}

/// More than one piece in each slice, the last of another size; tensors that end within pieces.
Layout layout_of_pieces(int ranks) {
  Layout layout;
  layout.add("fc1/weight", {static_cast<std::size_t>(ranks) * piece_elements + 30000}, true);
  for (std::size_t l = 1; l < 5; ++l) layout.add(fmt::format("fc{}/bias", l), {l}, false);
  return layout;
}

class ShardedTest : public testing::Test {
 protected:
  Team world = Team::world();
  Stopwatch watch;

  void expect_serial(const Settings& s, const Layout& layout, const std::string& what) {
    std::vector<std::vector<float>> gradients;
    for (std::size_t n = 0; n < s.workers.count; ++n) gradients.push_back(gradient_of(n, layout));
    const SerialRound r = serial_round(s, layout, std::move(gradients), iteration);
    const WorkerBlock block = workers_of(world.rank(), world.ranks(), s.workers.count);
    const std::vector<std::vector<float>> mine(r.gradients.begin() + block.first, r.gradients.begin() + block.first + block.count);
    const std::size_t tensors = layout.tensors().size();
    std::span<const float> limits = r.limits;
    if (!limits.empty()) limits = limits.subspan(block.first * tensors, block.count * tensors);
    const auto exchange = make_exchange(s, world, r.layout, watch);
    std::vector<float> mean(exchange->partition().size(world.rank()), 1e30F);
    exchange->average(mine, {1000, r.scales, limits, {}}, mean);  // another round before this one: buffers are kept
    std::vector<double> squared(s.gradients.quantized() ? block.count * tensors : 0, -1.0);
    exchange->average(mine, {iteration, r.scales, limits, squared}, mean);
    EXPECT_TRUE(same_bits(mean, exchange->partition().slice(r.mean, world.rank()))) << what;
    // Each decoded element has one rounding to float, 2^-24 of itself, so its square at most 2^-23 + 2^-48.
    for (std::size_t i = 0; i < squared.size(); ++i) {
      const double expected = r.squared_norms[block.first * tensors + i];
      EXPECT_NEAR(squared[i], expected, 0x1p-22 * expected) << what << ", tensor " << i;
    }
  }

  /// Three rounds of scales and messages: from the second on, the search for a scale begins at the last one.
  void expect_weights_of_the_whole(const Layout& layout, const Settings::Weights& quantizer, bool uniform) {
    const std::string what = fmt::format("{} {} d = {} uniform {}", quantizer.quantizer, quantizer.alpha_rule, layout.dimension(), uniform);
    test::State s = test::state_of(layout, 2);
    const Settings settings = test::settings(3, "sharded", "fp");
    const auto exchange = make_exchange(settings, world, layout, watch);
    const Partition& p = exchange->partition();
    QuantizedWeights expected(quantizer, layout), mine(quantizer, layout);
    for (int round = 0; round < 3; ++round) {
      for (float& w : s.w) w *= 0.9F;
      s.w[0] += 1;
      const std::span<const float> v = uniform ? std::span<const float>() : std::span<const float>(s.v);
      const std::span<const float> my_w = p.slice(s.w, world.rank()), my_v = uniform ? v : p.slice(v, world.rank());
      expected.quantize(s.w, v);
      exchange->quantize(mine, my_w, my_v);
      std::vector<float> copy(round == 1 ? layout.dimension() : 0, -1.0F);
      exchange->share(mine, copy, my_w);
      EXPECT_TRUE(same_bits(mine.values(), expected.values())) << what;
      EXPECT_TRUE(same_bits(mine.scales(), expected.scales())) << what;
      if (round == 1 && world.ranks() > 1) {
        EXPECT_TRUE(same_bits(copy, s.w)) << what;
      }
    }
  }
};

TEST_F(ShardedTest, the_mean_of_each_slice_is_the_serial_one) {
  for (const Layout& layout : layouts())
    for (std::size_t workers = 1; workers <= 9; ++workers) {
      if (layout.dimension() > 10000 && workers % 3 == 1) continue;  // seconds
      for (const char* quantizer : {"fp", "sq2", "sq3", "sq8"})
        for (const char* scale : {"shared", "worker"})
          expect_serial(test::settings(workers, "sharded", quantizer, scale), layout,
                        fmt::format("{} {} N = {} d = {}", quantizer, scale, workers, layout.dimension()));
    }
}

TEST_F(ShardedTest, clip_limits_are_each_workers_own) {
  for (const char* scale : {"shared", "worker"})
    expect_serial(test::settings(5, "sharded", "sq3", scale, 0.5), odd_layout(), scale);
}

TEST_F(ShardedTest, pieces_change_no_bit) {
  const Layout layout = layout_of_pieces(world.ranks());
  for (const char* topology : {"sharded", "server"})
    for (const auto& [quantizer, scale] : {std::pair("fp", "shared"), std::pair("sq2", "shared"), std::pair("sq3", "worker")})
      expect_serial(test::settings(3, topology, quantizer, scale), layout, fmt::format("{} {} {}", topology, quantizer, scale));
}

/// Every field holds its largest sum 2kN, its smallest 0, or both in turn: a carry would be seen in the neighbour.
TEST_F(ShardedTest, full_fields_do_not_carry) {
  Layout layout;
  layout.add("w", {9001}, true);  // three slices of whole blocks and more
  for (int bits = 2; bits <= 8; ++bits)
    for (const std::size_t workers : {1U, 2U, 4U, 5U, 9U, 16U})
      for (int pattern = 0; pattern < 3; ++pattern) {
        std::vector<float> g(9001, 0.75F);
        for (std::size_t i = 0; i < g.size(); ++i)
          if (pattern == 1 || (pattern == 2 && i % 2 == 0)) g[i] = -0.75F;
        const Settings s = test::settings(workers, "sharded", fmt::format("sq{}", bits));  // an exchange refers to its settings
        const auto exchange = make_exchange(s, world, layout, watch);
        const std::size_t mine = workers_of(world.rank(), world.ranks(), workers).count;
        std::vector<float> mean(exchange->partition().size(world.rank()));
        const std::vector<float> scales(workers, 0.75F), limits(mine, 9.0F);
        exchange->average(std::vector<std::vector<float>>(mine, g), {iteration, scales, limits, {}}, mean);
        EXPECT_TRUE(same_bits(mean, exchange->partition().slice(g, world.rank()))) << "sq" << bits << " N = " << workers << " pattern " << pattern;
      }
}

/// As if MPI's counts ended at 1,000 elements: whatever is longer goes in several calls.
TEST_F(ShardedTest, counts_beyond_the_limit_of_mpi_change_no_bit) {
  world.set_largest_count(1000);
  for (const char* topology : {"allreduce", "server", "sharded"})
    for (const char* quantizer : {"fp", "sq3"})
      expect_serial(test::settings(5, topology, quantizer), big_layout(), fmt::format("{} {}", topology, quantizer));
  expect_weights_of_the_whole(big_layout(), {"laq3", "exact"}, false);
  expect_weights_of_the_whole(big_layout(), {"lat", "exact"}, false);
  expect_weights_of_the_whole(big_layout(), {"fp", "exact"}, false);
}

TEST_F(ShardedTest, quantized_weights_and_scales_are_those_of_the_whole) {
  for (const Layout& layout : layouts())
    for (const char* name : {"fp", "lab", "lat", "laq2", "laq3", "laq8", "log4"})
      for (const char* rule : {"exact", "released"})
        for (const bool uniform : {false, true}) expect_weights_of_the_whole(layout, {name, rule}, uniform);
  for (const char* name : {"fp", "lab", "laq3"}) expect_weights_of_the_whole(layout_of_pieces(world.ranks()), {name, "exact"}, false);
}

TEST_F(ShardedTest, sums_over_blocks_are_added_in_block_order) {
  // 1, 2^53, 1, 2^53, 1: in double 2^53 + 1 = 2^53, so another order, or a sum of each rank's first, gives another total.
  const Layout layout = big_layout();
  const Tensor& t = layout.tensors()[0];
  const Partition p = Partition::sliced(layout, world.ranks());
  std::vector<BlockSums> all;
  for (std::size_t b = 0; b < block_count(t.size); ++b) all.push_back({b % 2 == 0 ? 1 : 0x1p53, b == 0 ? 0x1p53 : 1});
  const TensorPart part = part_of(t, p.first(world.rank()), p.last(world.rank()));
  const std::size_t before = block_count(part.begin - t.offset);  // of the ranks below
  const std::span<const BlockSums> mine = std::span<const BlockSums>(all).subspan(before, block_count(part.size()));
  Traffic traffic;
  const BlockSums total = SlicesOverRanks(world, p, traffic).total(t, mine), expected = in_order(all);
  EXPECT_EQ(total.numerator, expected.numerator);
  EXPECT_EQ(total.denominator, 0x1p53);
  EXPECT_EQ(traffic.bytes_sent, 16 * block_count(part.size()));
}

TEST_F(ShardedTest, slices_are_gathered_in_order) {
  const Layout layout = big_layout();
  const test::State s = test::state_of(layout, 2);
  for (const Partition& p : {Partition::sliced(layout, world.ranks()), Partition::on_root(layout.dimension(), world.ranks()),
                             Partition::everywhere(layout.dimension(), world.ranks())}) {
    const std::span<const float> mine = p.slice(s.w, world.rank());
    std::vector<float> root(layout.dimension(), -1.0F), all(layout.dimension(), -1.0F);
    gather(world, p, mine, root);
    all_gather(world, p, mine, all);
    EXPECT_TRUE(same_bits(all, s.w));
    if (world.is_root()) {
      EXPECT_TRUE(same_bits(root, s.w));
    }
  }
}

TEST_F(ShardedTest, traffic_is_what_the_formulas_say) {
  constexpr std::size_t workers = 5;
  const int me = world.rank();
  std::vector<Layout> all = layouts();
  all.push_back(layout_of_pieces(world.ranks()));
  for (const Layout& layout : all)
    for (const std::size_t gradient_bits : {32U, 2U, 3U})
      for (const std::size_t weight_bits : {32U, 1U})
        for (const char* topology : {"allreduce", "server", "sharded"}) {
          const Settings s = test::settings(workers, topology, gradient_bits == 32 ? "fp" : fmt::format("sq{}", gradient_bits));
          const auto exchange = make_exchange(s, world, layout, watch);
          const Partition& p = exchange->partition();
          const std::size_t d = layout.dimension(), mine = workers_of(me, world.ranks(), workers).count, tensors = layout.tensors().size();
          std::vector<float> mean(p.size(me)), w(p.size(me), 0.5F);
          const std::vector<float> scales(workers * tensors, 1.0F), limits(mine * tensors, 9.0F);
          exchange->average(std::vector<std::vector<float>>(mine, std::vector<float>(d, 0.25F)), {1, scales, limits, {}}, mean);
          QuantizedWeights weights({weight_bits == 32 ? "fp" : "lab", "exact"}, layout);
          exchange->quantize(weights, w, {});
          exchange->share(weights, {}, w);
          const std::size_t expected = test::bytes_of_round({topology, workers, gradient_bits, weight_bits}, layout, p, me);
          EXPECT_EQ(exchange->traffic().bytes_sent, expected)
              << fmt::format("{} m_g = {} m_w = {} d = {} rank {}", topology, gradient_bits, weight_bits, d, me);
        }
}

/// What a simulation sends in place of real codes: as many messages and bytes, whatever they hold.
TEST_F(ShardedTest, sizes_alone_are_the_same_traffic) {
  const Layout layout = layout_of_pieces(world.ranks());
  const std::vector<float> scales(3 * 5, 1.0F), w(layout.dimension(), 0.5F);
  for (const char* topology : {"allreduce", "server", "sharded"}) {
    const auto sent = [&](bool sizes_only) {
      const Settings s = test::settings(3, topology, "sq2");
      const auto exchange = make_exchange(s, world, layout, watch);
      if (sizes_only) exchange->send_sizes_only();
      const std::size_t mine = workers_of(world.rank(), world.ranks(), 3).count, owned = exchange->partition().size(world.rank());
      const std::vector<float> limits(mine * 5, 9.0F);
      std::vector<float> mean(sizes_only ? 0 : owned);
      QuantizedWeights weights({"laq3", "exact"}, layout);
      exchange->average(std::vector<std::vector<float>>(mine, std::vector<float>(sizes_only ? 0 : layout.dimension(), 0.25F)), {1, scales, limits, {}}, mean);
      exchange->quantize(weights, std::span(w).first(owned), {});
      exchange->share(weights, {}, std::span(w).first(owned));
      return exchange->traffic();
    };
    const Traffic real = sent(false), sizes = sent(true);
    EXPECT_EQ(sizes.bytes_sent, real.bytes_sent) << topology;
    EXPECT_EQ(sizes.messages, real.messages) << topology;
  }
}

}  // namespace
}  // namespace qsweep
