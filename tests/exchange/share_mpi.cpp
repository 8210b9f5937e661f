// Exchange::share: ŵ on every rank, the same bits as where it was made. And the message itself, without MPI.
#include <gtest/gtest.h>

#include "exchange/reference.h"
#include "quantize/quantized_weights.h"

namespace qsweep {
namespace {

using test::odd_layout;
using test::same_bits;

Settings::Weights weights(const std::string& quantizer) { return {quantizer, "exact"}; }

const std::vector<std::string> quantizers = {"fp", "lab", "lat", "laq2", "laq3", "laq8", "log2", "log4", "log8"};

TEST(QuantizedWeights, a_message_says_all) {
  const Layout layout = odd_layout();
  const test::State s = test::state_of(layout, 4);
  for (const std::string& quantizer : quantizers) {
    QuantizedWeights made(weights(quantizer), layout), read(weights(quantizer), layout);
    made.quantize(s.w, s.v);
    std::vector<std::byte> message(made.message_bytes());
    made.write_message(s.w, message);
    read.read_message(message);
    EXPECT_TRUE(same_bits(read.values(), made.values())) << quantizer;
    if (quantizer != "fp") {
      EXPECT_TRUE(same_bits(read.scales(), made.scales())) << quantizer;
    }
    for (const Tensor& t : layout.tensors())  // biases and everything under fp travel as they are
      if (quantizer == "fp" || !t.is_weight) {
        EXPECT_TRUE(same_bits(read.values().subspan(t.offset, t.size), std::span(s.w).subspan(t.offset, t.size))) << quantizer;
      }
    // What travels is what `bits` counts, but for the unused bits of words: less than one word, and 64 mod bits in each word.
    const double bits = static_cast<double>(made.bits()), sent = 8.0 * static_cast<double>(message.size());
    EXPECT_GE(sent, bits) << quantizer;
    EXPECT_LE(sent, bits * 64 / 57 + 64.0 * static_cast<double>(layout.tensors().size())) << quantizer;
  }
}

TEST(QuantizedWeights, bits_are_counted_tensor_by_tensor) {
  const Layout layout = odd_layout();
  const std::size_t weight_elements = 17 * 59 + 4097 + 64, others = 1 + 7;
  EXPECT_EQ(QuantizedWeights(weights("fp"), layout).bits(), 32 * (weight_elements + others));
  EXPECT_EQ(QuantizedWeights(weights("lab"), layout).bits(), weight_elements + 3 * 32 + 32 * others);
  EXPECT_EQ(QuantizedWeights(weights("laq3"), layout).bits(), 3 * weight_elements + 3 * 32 + 32 * others);
}

TEST(Share, every_rank_gets_the_same_quantized_weights) {
  const Team world = Team::world();
  const Layout layout = odd_layout();
  const test::State s = test::state_of(layout, 4);
  Stopwatch watch;
  for (const char* topology : {"server", "allreduce"})
    for (const std::string& quantizer : quantizers) {
      const Settings settings = test::settings(3, topology, "fp");
      const auto exchange = make_exchange(settings, world, layout, watch);
      QuantizedWeights expected(weights(quantizer), layout), mine(weights(quantizer), layout);
      expected.quantize(s.w, s.v);
      std::vector<float> zeros(layout.dimension(), 0.0F), copy(layout.dimension(), -1.0F),
          w = exchange->holds_state() ? s.w : zeros;
      mine.quantize(w, {});  // what was there before must not shine through
      if (exchange->holds_state()) mine.restore(std::vector<float>(layout.tensors().size(), 0.0F), 0), mine.quantize(w, s.v);
      exchange->share(mine, copy, w);
      EXPECT_TRUE(same_bits(mine.values(), expected.values())) << topology << " " << quantizer;
      if (quantizer != "fp") {
        EXPECT_TRUE(same_bits(mine.scales(), expected.scales())) << topology << " " << quantizer;
      }
      if (std::string(topology) == "server" && world.ranks() > 1) {
        EXPECT_TRUE(same_bits(copy, s.w)) << quantizer;
      }
      exchange->share(mine, {}, w);  // nothing is measured: no copy asked for
      EXPECT_TRUE(same_bits(mine.values(), expected.values())) << topology << " " << quantizer << ", second time";
    }
}

TEST(Share, the_copy_for_measuring_is_no_traffic) {
  const Team world = Team::world();
  const Layout layout = odd_layout();
  const test::State s = test::state_of(layout, 4);
  Stopwatch watch;
  const Settings settings = test::settings(2, "server", "fp");
  const auto exchange = make_exchange(settings, world, layout, watch);
  QuantizedWeights laq3(weights("laq3"), layout);
  laq3.quantize(s.w, s.v);
  std::vector<float> copy(layout.dimension());
  exchange->share(laq3, copy, s.w);
  EXPECT_EQ(exchange->traffic().bytes_sent, world.is_root() && world.ranks() > 1 ? laq3.message_bytes() : 0U);
}

}  // namespace
}  // namespace qsweep
