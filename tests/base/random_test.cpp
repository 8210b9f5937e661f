#include "base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/random_kernels.h"

namespace qsweep {
namespace {

std::vector<std::pair<std::string, const RandomKernels*>> available() {
  std::vector<std::pair<std::string, const RandomKernels*>> all = {{"baseline", &baseline::random_kernels}};
  if (simd() >= Simd::avx2) all.emplace_back("avx2", &avx2::random_kernels);
  if (simd() >= Simd::avx512) all.emplace_back("avx512", &avx512::random_kernels);
  return all;
}

constexpr std::uint64_t carry = std::uint64_t{1} << 34;  // the word where the block's number passes 2³²
const std::uint64_t firsts[] = {0, 1, 2, 3, 4, 7, 1001, carry - 37, carry, carry + 5};
const std::size_t sizes[] = {0, 1, 2, 3, 4, 7, 31, 64, 65, 1003, 2051};

/// Known answers published with Random123 (kat_vectors: "philox4x32 10"): counter, key, result.
struct KnownAnswer {
  std::array<std::uint32_t, 4> counter;
  std::array<std::uint32_t, 2> key;
  std::array<std::uint32_t, 4> result;
};
const KnownAnswer known_answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

TEST(Random, known_answers_of_philox) {
  for (const KnownAnswer& known : known_answers) {
    const auto [c0, c1, c2, c3] = known.counter;
    const Stream stream(known.key[0] + (std::uint64_t{known.key[1]} << 32), static_cast<Draw>(c1), c2, c3);
    std::array<std::uint32_t, 4> bulk{};
    stream.words(4 * std::uint64_t{c0}, bulk);
    for (std::size_t j = 0; j < 4; ++j) {
      EXPECT_EQ(stream.word(4 * std::uint64_t{c0} + j), known.result[j]);
      EXPECT_EQ(bulk[j], known.result[j]);
    }
    for (const auto& [level, kernels] : available()) {
      std::array<std::uint32_t, 4> one{};
      kernels->philox({known.key[0], known.key[1], c0, c1, c2, c3}, 1, one.data());
      EXPECT_EQ(one, known.result) << level;
    }
  }
}

TEST(Random, every_instruction_set_gives_the_words_of_the_reference) {
  const Stream stream(0x123456789abcdef0, Draw::Noise, 3, 77);
  for (const auto& [level, kernels] : available())
    for (const std::size_t blocks : {1, 2, 3, 7, 8, 9, 64, 67})
      for (const std::uint32_t first : {0U, 5U, 0U - static_cast<std::uint32_t>(blocks)}) {
        std::vector<std::uint32_t> out(4 * blocks + 1, 42);
        kernels->philox({0x9abcdef0, 0x12345678, first, stream.purpose(), 3, 77}, blocks, out.data());
        for (std::size_t j = 0; j < 4 * blocks; ++j)
          ASSERT_EQ(out[j], stream.word(4 * std::uint64_t{first} + j)) << level << " " << j;
        EXPECT_EQ(out.back(), 42U) << level << ": wrote past the end";
      }
}

TEST(Random, every_instruction_set_gives_the_same_uniform_floats) {
  const Stream stream(9, Draw::Data);
  for (const auto& [level, kernels] : available())
    for (const std::size_t size : sizes) {
      std::vector<std::uint32_t> words(size);
      stream.words(0, words);
      std::vector<float> out(size), expected(size);
      kernels->uniform(words.data(), size, -0.3F, 1.1F, out.data());
      for (std::size_t j = 0; j < size; ++j) expected[j] = -0.3F + (1.1F - -0.3F) * (static_cast<float>(words[j] >> 8) * 0x1p-24F);
      EXPECT_EQ(out, expected) << level;
    }
}

TEST(Random, bulk_draws_are_the_single_draws) {
  const Stream stream(0xfeedfacecafebeef, Draw::InitialWeights, 2, 5);
  for (const std::uint64_t first : firsts)
    for (const std::size_t size : sizes) {
      std::vector<std::uint32_t> words(size);
      std::vector<float> uniforms(size), normals(size);
      stream.words(first, words);
      stream.uniform(first, -0.5F, 0.5F, uniforms);
      stream.normal(first, normals);
      for (std::size_t j = 0; j < size; ++j) {
        const std::uint32_t word = stream.word(first + j);
        ASSERT_EQ(words[j], word) << first << " + " << j;
        ASSERT_EQ(uniforms[j], -0.5F + 1.0F * (static_cast<float>(word >> 8) * 0x1p-24F)) << first << " + " << j;
        ASSERT_EQ(std::bit_cast<std::uint32_t>(normals[j]),
                  std::bit_cast<std::uint32_t>(static_cast<float>(stream.normal(first + j))))
            << first << " + " << j;
      }
    }
}

TEST(Random, a_draw_depends_on_each_of_its_keys) {
  const Stream stream(1, Draw::Data, 0, 0);
  EXPECT_NE(stream.word(0), Stream(2, Draw::Data, 0, 0).word(0));
  EXPECT_NE(stream.word(0), Stream(1 + (std::uint64_t{1} << 32), Draw::Data, 0, 0).word(0));
  EXPECT_NE(stream.word(0), Stream(1, Draw::Noise, 0, 0).word(0));
  EXPECT_NE(stream.word(0), Stream(1, Draw::Data, 1, 0).word(0));
  EXPECT_NE(stream.word(0), Stream(1, Draw::Data, 0, 1).word(0));
  EXPECT_NE(stream.word(0), stream.word(carry));
}

TEST(Random, moments_are_those_of_the_distributions) {
  constexpr std::size_t n = 100'000;
  const Stream stream(20, Draw::Starts);
  std::vector<float> uniforms(n), normals(n);
  stream.uniform(0, 0, 1, uniforms);
  stream.normal(1'000'000, normals);
  double uniform_mean = 0, normal_mean = 0, normal_square = 0, neighbours = 0;
  for (std::size_t i = 0; i < n; ++i) {
    uniform_mean += uniforms[i] / n;
    normal_mean += normals[i] / n;
    normal_square += normals[i] * normals[i] / n;
    neighbours +=
        normals[i] * normals[i ^ 1U] / n;  // the cosine and the sine of one pair: uncorrelated, each product counted twice
  }
  // Standard deviations of one term: √(1/12), 1, √2, and √2 for the doubled products; allow six standard errors.
  const double error = 6 / std::sqrt(static_cast<double>(n));
  EXPECT_NEAR(uniform_mean, 0.5, std::sqrt(1.0 / 12) * error);
  EXPECT_NEAR(normal_mean, 0, error);
  EXPECT_NEAR(normal_square, 1, std::sqrt(2.0) * error);
  EXPECT_NEAR(neighbours, 0, std::sqrt(2.0) * error);
}

TEST(Random, normals_are_box_muller_of_two_words) {
  const Stream stream(3, Draw::Noise);
  for (std::uint64_t i = 0; i < 1003; ++i) {
    const double u = (stream.word(i & ~1ULL) + 1.0) / 4294967296, angle = stream.word(i | 1) / 4294967296.0 * 2 * std::acos(-1.0);
    const double expected = std::sqrt(-2 * std::log(u)) * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
    EXPECT_NEAR(stream.normal(i), expected, 1e-14) << i;  // |normal| ≤ √(64 ln 2) = 6.66, so a few units in the last place
  }
}

}  // namespace
}  // namespace qsweep
