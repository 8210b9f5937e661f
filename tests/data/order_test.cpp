#include "data/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/random.h"

namespace qsweep::test {
namespace {

using Samples = std::vector<std::uint32_t>;

Samples read(Order& order, std::uint64_t first, std::size_t size) {
  Samples samples(size, UINT32_MAX);
  order.read(first, samples);
  return samples;
}
Samples epoch(std::size_t samples, std::uint64_t seed, std::uint64_t number) {
  Order order(samples, seed, true);
  return read(order, number * samples, samples);
}
Samples counting(std::size_t size) {
  Samples samples(size);
  std::iota(samples.begin(), samples.end(), 0U);
  return samples;
}

TEST(Order, EveryEpochIsAPermutation) {
  for (const std::size_t size : {1U, 2U, 7U, 64U, 1003U})
    for (const std::uint64_t number : {0U, 1U, 2U, 1000U}) {
      Samples sorted = epoch(size, 3, number);
      std::sort(sorted.begin(), sorted.end());
      EXPECT_EQ(sorted, counting(size));
    }
}

TEST(Order, EpochsAndSeedsDiffer) {
  EXPECT_NE(epoch(64, 3, 0), epoch(64, 3, 1));
  EXPECT_NE(epoch(64, 3, 0), epoch(64, 3, 2));
  EXPECT_NE(epoch(64, 3, 0), epoch(64, 4, 0));
  EXPECT_NE(epoch(64, 3, 0), counting(64));
}

TEST(Order, IsFisherYatesOfUnbiasedDraws) {  // 3,000,000 samples: about 1,000 words must be rejected
  const std::size_t size = 3'000'000;
  Samples expected = counting(size);
  const Stream stream(9, Draw::Order, 0, 1);
  Samples words(size + 10'000);
  stream.words(0, words);
  std::size_t next = 0;
  for (std::size_t i = size - 1; i > 0; --i) {
    const std::uint64_t bound = i + 1, rejected = (std::uint64_t{1} << 32) % bound;
    std::uint64_t product;
    do product = words.at(next++) * bound;
    while (product % (std::uint64_t{1} << 32) < rejected);
    std::swap(expected[i], expected[product >> 32]);
  }
  EXPECT_GT(next, size + 500);
  EXPECT_EQ(epoch(size, 9, 1), expected);
}

TEST(Order, AllPermutationsAreEquallyLikely) {
  const int epochs = 30'000;
  Order order(3, 17, true);
  std::map<Samples, int> counts;
  for (int e = 0; e < epochs; ++e) ++counts[read(order, 3 * static_cast<std::uint64_t>(e), 3)];
  ASSERT_EQ(counts.size(), 6U);
  for (const auto& [permutation, count] : counts) EXPECT_NEAR(count, epochs / 6.0, 6 * std::sqrt(epochs * (1 / 6.0) * (5 / 6.0)));
}

TEST(Order, FileOrderIfNotShuffled) {
  Order order(7, 3, false);
  EXPECT_EQ(read(order, 5, 10), (Samples{5, 6, 0, 1, 2, 3, 4, 5, 6, 0}));
}

TEST(Order, JumpingAnywhereReadsTheSameStream) {
  const std::size_t size = 7;
  Order order(size, 3, true);
  const Samples stream = read(order, 0, 10 * size);
  for (std::uint64_t e = 0; e < 10; ++e)
    EXPECT_EQ(epoch(size, 3, e), Samples(stream.begin() + e * size, stream.begin() + (e + 1) * size));
  for (const std::uint64_t first : {60U, 3U, 0U, 31U, 6U, 55U, 14U})
    for (const std::size_t count : {1U, 2U, 7U, 8U})  // the last always reaches into the next epoch
      EXPECT_EQ(read(order, first, count), Samples(stream.begin() + first, stream.begin() + first + count))
          << first << " " << count;
  EXPECT_TRUE(read(order, 3, 0).empty());
}

TEST(Order, WorkersTogetherReadTheStreamWhateverTheirNumber) {
  const std::size_t size = 11, batch = 4, total = 24 * batch;
  Order serial(size, 3, true);
  const Samples stream = read(serial, 0, total);
  for (const std::uint64_t workers : {1U, 2U, 3U, 4U}) {
    Samples together;
    for (std::uint64_t t = 1; t <= 24 / workers; ++t)
      for (std::uint64_t n = 0; n < workers; ++n) {
        Order own(size, 3, true);
        const Samples part = read(own, first_position(t, workers, n, batch), batch);
        together.insert(together.end(), part.begin(), part.end());
      }
    EXPECT_EQ(together, stream) << workers << " workers";
  }
}

}  // namespace
}  // namespace qsweep::test
