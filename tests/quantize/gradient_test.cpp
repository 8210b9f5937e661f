#include "quantize/gradient.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/errors.h"
#include "quantize/gradient_kernels.h"
#include "quantize/gradient_reference.h"

namespace qsweep {
namespace {

std::vector<Simd> levels() {
  std::vector<Simd> all;
  for (const Simd level : {Simd::baseline, Simd::avx2, Simd::avx512})
    if (level <= simd()) all.push_back(level);
  return all;
}

std::vector<float> normal_gradient(std::size_t size, std::uint32_t salt = 0) {
  std::vector<float> g(size);
  Stream(11, Draw::Noise, salt).normal(0, g);
  for (std::size_t i = 0; i < size; i += 17) g[i] = 0;
  return g;
}

/// Tensors of the given sizes, each with its own clipping and scale.
std::vector<Segment> segments_of(std::span<const float> g, const std::vector<std::size_t>& sizes, double c = no_clip) {
  std::vector<Segment> segments;
  std::size_t begin = 0;
  for (const std::size_t size : sizes) {
    segments.emplace_back(begin, begin + size, statistics(g.subspan(begin, size)), c);
    begin += size;
  }
  return segments;
}

const Segment& segment_of(const std::vector<Segment>& segments, std::size_t i) {
  return *std::find_if(segments.begin(), segments.end(), [&](const Segment& s) { return i < s.end; });
}

std::vector<int> codes_ref(std::span<const float> g, const std::vector<Segment>& segments, const RoundingDraws& draws,
                           int max_code) {
  std::vector<int> codes(g.size());
  for (std::size_t i = 0; i < g.size(); ++i) {
    const Segment& s = segment_of(segments, i);
    codes[i] = quantize_ref(g[i], s.limit, s.scale, max_code, rounding_bits_ref(draws, i));
  }
  return codes;
}

/// Packed codes + k, by the reference.
std::vector<std::uint64_t> packed_ref(std::span<const int> codes, int max_code, Fields fields) {
  std::vector<std::uint32_t> shifted(codes.size());
  std::transform(codes.begin(), codes.end(), shifted.begin(), [&](int c) { return static_cast<std::uint32_t>(c + max_code); });
  std::vector<std::uint64_t> words(fields.words(codes.size()));
  pack_ref<std::uint32_t>(shifted, fields, words);
  return words;
}

std::vector<int> encoded(const StochasticQuantizer& q, std::span<const float> g, std::span<const Segment> segments,
                         const RoundingDraws& draws) {
  const Fields fields = q.fields(1);
  std::vector<std::uint64_t> words(fields.words(g.size()));
  q.encode_add(g, segments, draws, fields, 0, g.size(), words);
  std::vector<std::uint32_t> shifted(g.size());
  unpack_ref<std::uint32_t>(words, fields, shifted);
  std::vector<int> codes(g.size());
  std::transform(shifted.begin(), shifted.end(), codes.begin(),
                 [&](std::uint32_t c) { return static_cast<int>(c) - q.max_code(); });
  return codes;
}

template <class Float>
std::vector<std::uint32_t> bits_of(const std::vector<Float>& x) {
  std::vector<std::uint32_t> bits(x.size());
  std::transform(x.begin(), x.end(), bits.begin(), [](Float f) { return std::bit_cast<std::uint32_t>(f); });
  return bits;
}

// ---------------------------------------------------------------------------------------------------------- packing

TEST(Fields, width_is_the_smallest_that_holds_the_sum) {
  for (int bits = 2; bits <= 8; ++bits) {
    const StochasticQuantizer q(bits);
    EXPECT_EQ(q.max_code(), (1 << (bits - 1)) - 1);
    EXPECT_EQ(q.fields(1).width, bits);
    for (const int workers : {1, 2, 3, 4, 7, 9, 64, 300, 4096}) {
      const Fields f = q.fields(workers);
      const std::uint64_t patterns = 2ULL * q.max_code() * workers + 1;
      EXPECT_GE(1ULL << f.width, patterns);
      EXPECT_LT(1ULL << (f.width - 1), patterns);
      EXPECT_EQ(f.per_word, 64 / f.width);
      EXPECT_EQ(f.words(0), 0U);
      EXPECT_EQ(f.words(f.per_word), 1U);
      EXPECT_EQ(f.words(f.per_word + 1), 2U);
    }
  }
}

TEST(StochasticQuantizer, other_widths_are_the_users_error) {
  for (const int bits : {-1, 0, 1, 9, 32}) EXPECT_THROW(StochasticQuantizer{bits}, ConfigError) << bits;
}

TEST(GradientKernels, pack_and_unpack_equal_their_references) {
  for (const auto* kernels : {&baseline::gradient_kernels, &avx2::gradient_kernels, &avx512::gradient_kernels}) {
    if (kernels == &avx2::gradient_kernels && simd() < Simd::avx2) continue;
    if (kernels == &avx512::gradient_kernels && simd() < Simd::avx512) continue;
    for (int width = 2; width <= 32; ++width)
      for (const std::size_t words : {1, 2, 7, 64}) {
        const Fields fields = {width, 64 / width};
        const std::size_t size = words * fields.per_word;
        std::vector<std::uint32_t> random(size);
        Stream(5, Draw::Noise, width).words(0, random);
        std::vector<std::uint8_t> codes(size + 8, 0xFF);  // what lies beyond the end must not be packed
        const std::uint32_t mask = width < 8 ? (1U << width) - 1 : 0xFFU;
        for (std::size_t j = 0; j < size; ++j) codes[j] = static_cast<std::uint8_t>(random[j] & mask);
        std::vector<std::uint64_t> packed(words), expected(words);
        kernels->pack_add(codes.data(), words, width, fields.per_word, packed.data());
        pack_ref<std::uint8_t>(std::span(codes).first(size), fields, expected);
        EXPECT_EQ(packed, expected) << width;

        std::vector<std::uint64_t> full(words, ~0ULL);  // also bits beyond the last field
        for (std::size_t w = 0; w < words; ++w) full[w] ^= expected[w];
        std::vector<std::uint32_t> wide(size + 1), wide_expected(size);
        unpack_ref<std::uint32_t>(full, fields, wide_expected);
        kernels->unpack_wide(full.data(), words, width, fields.per_word, wide.data());
        wide.pop_back();
        EXPECT_EQ(wide, wide_expected) << width;
        if (width <= 8) {
          std::vector<std::uint8_t> narrow(size + 8);
          kernels->unpack(full.data(), words, width, fields.per_word, narrow.data());
          for (std::size_t j = 0; j < size; ++j) ASSERT_EQ(narrow[j], wide_expected[j]) << width << ", number " << j;
        }
      }
  }
}

TEST(StochasticQuantizer, full_fields_let_no_carry_escape) {
  // Every worker sends ±k everywhere: the largest and the smallest sum side by side; the sum of words must be the packed sum.
  for (int bits = 2; bits <= 8; ++bits)
    for (const int workers : {1, 2, 3, 4, 5, 6, 7, 8, 9, 64, 300}) {
      const StochasticQuantizer q(bits);
      const Fields fields = q.fields(workers);
      std::vector<float> g(1003);
      for (std::size_t i = 0; i < g.size(); ++i) g[i] = i % 3 == 1 ? -2.0F : 2.0F;
      const std::vector<Segment> segments = segments_of(g, {1003});
      std::vector<std::uint64_t> words(fields.words(g.size()));
      for (int n = 0; n < workers; ++n) q.encode_add(g, segments, RoundingDraws(1, n, 1), fields, 0, g.size(), words);
      std::vector<std::uint32_t> sums(g.size());
      unpack_ref<std::uint32_t>(words, fields, sums);
      for (std::size_t i = 0; i < g.size(); ++i)
        ASSERT_EQ(sums[i], i % 3 == 1 ? 0U : 2U * q.max_code() * workers) << bits << " bits, " << workers << " workers";
      std::vector<float> mean(g.size());
      q.decode_mean(words, segments, workers, 0, g.size(), mean);
      EXPECT_EQ(mean, g) << bits << " bits, " << workers << " workers";
    }
}

// ------------------------------------------------------------------------------------------------------- statistics

TEST(GradientStatistics, equal_the_documented_order_of_summation) {
  for (const std::size_t size : {0, 1, 2, 7, 15, 16, 17, 64, 1003, 4096, 4097, 10'000}) {
    const std::vector<float> g = normal_gradient(size);
    double sum = 0, squares = 0;  // blocks of 4,096, sixteen lanes each, added as a tree
    float largest = 0;
    for (std::size_t begin = 0; begin < size; begin += 4096) {
      double lane_sum[16] = {}, lane_squares[16] = {};
      for (std::size_t i = begin; i < std::min(size, begin + 4096); ++i) {
        lane_sum[(i - begin) % 16] += g[i];
        lane_squares[(i - begin) % 16] += double{g[i]} * g[i];
        largest = std::max(largest, std::abs(g[i]));
      }
      for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; ++l) lane_sum[l] += lane_sum[l + half], lane_squares[l] += lane_squares[l + half];
      sum += lane_sum[0];
      squares += lane_squares[0];
    }
    for (const Simd level : levels()) {
      const GradientStatistics found = statistics(g, level);
      EXPECT_EQ(found.elements, size);
      EXPECT_EQ(found.largest, largest) << name(level) << " " << size;
      EXPECT_EQ(found.sum, sum) << name(level) << " " << size;
      EXPECT_EQ(found.squared_norm, squares) << name(level) << " " << size;
    }
  }
}

TEST(GradientStatistics, deviation_removes_the_mean) {
  const std::vector<float> g = {1, 2, 3, 4, 5, 6, 7, 8};  // population variance (8² − 1)/12
  EXPECT_DOUBLE_EQ(statistics(g).deviation(), std::sqrt(63.0 / 12));
  EXPECT_EQ(statistics(std::vector<float>(5, 0.5F)).deviation(), 0);
}

TEST(GradientStatistics, one_bad_element_anywhere_is_seen) {
  for (const float bad : {NAN, -NAN, INFINITY, -INFINITY, 3e38F})
    for (const std::size_t where : {0, 5, 4095, 4096, 5002})
      for (const Simd level : levels()) {
        std::vector<float> g = normal_gradient(5003);
        EXPECT_TRUE(statistics(g, level).finite());
        g[where] = bad;
        EXPECT_FALSE(statistics(g, level).finite()) << bad << " at " << where << ", " << name(level);
      }
}

// --------------------------------------------------------------------------------------- tuned kernels = references

TEST(StochasticQuantizer, every_instruction_set_equals_the_reference) {
  const std::vector<std::vector<std::size_t>> shapes = {
      {1}, {2}, {7}, {64}, {1003}, {3, 1, 70, 1, 1, 929, 10}, {4096, 5000, 1, 300}};
  for (const auto& sizes : shapes) {
    const std::size_t d = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
    for (int bits = 2; bits <= 8; ++bits) {
      const int k = StochasticQuantizer(bits).max_code();
      for (const int workers : {1, 3, 9, 300}) {
        const Fields fields = StochasticQuantizer(bits).fields(workers);
        const std::vector<float> g = normal_gradient(d, bits);
        const std::vector<Segment> segments = segments_of(g, sizes, bits % 2 == 0 ? 1.5 : no_clip);
        const RoundingDraws draws(99, 2, workers);
        const std::vector<int> codes = codes_ref(g, segments, draws, k);
        std::vector<std::uint64_t> squares_ref(sizes.size());
        for (std::size_t i = 0; i < d; ++i)
          squares_ref[static_cast<std::size_t>(&segment_of(segments, i) - segments.data())] += codes[i] * codes[i];
        for (const Simd level : levels()) {
          const StochasticQuantizer q(bits, level);
          std::vector<std::uint64_t> words(fields.words(d)), squares(sizes.size());
          q.encode_add(g, segments, draws, fields, 0, d, words, squares);
          ASSERT_EQ(words, packed_ref(codes, k, fields))
              << name(level) << ", " << bits << " bits, " << workers << " workers, d = " << d;
          ASSERT_EQ(squares, squares_ref) << name(level);
          std::vector<float> mean(d), mean_expected(d);
          std::vector<std::uint32_t> shifted(d);
          unpack_ref<std::uint32_t>(words, fields, shifted);
          for (std::size_t i = 0; i < d; ++i)
            mean_expected[i] = mean_ref(std::int64_t{shifted[i]} - k * workers, segment_of(segments, i).scale, k, workers);
          q.decode_mean(words, segments, workers, 0, d, mean);
          ASSERT_EQ(bits_of(mean), bits_of(mean_expected)) << name(level) << ", " << bits << " bits, " << workers << " workers";
        }
      }
    }
  }
}

TEST(StochasticQuantizer, any_range_holds_the_codes_of_the_whole) {
  const std::vector<float> g = normal_gradient(10'000);
  const std::vector<Segment> segments = segments_of(g, {1, 4999, 2, 4998}, 2);
  const RoundingDraws draws(3, 1, 4);
  for (const int bits : {2, 5, 8}) {
    const StochasticQuantizer q(bits);
    const std::vector<int> whole = codes_ref(g, segments, draws, q.max_code());
    for (const auto& [first, last] :
         {std::pair{0, 10'000}, {1, 9999}, {4096, 8192}, {4999, 5003}, {21, 22}, {7, 7}, {8192, 10'000}}) {
      const Fields fields = q.fields(2);
      const std::span<const int> part = std::span(whole).subspan(first, last - first);
      std::vector<std::uint64_t> words(fields.words(part.size()));
      q.encode_add(g, segments, draws, fields, first, last, words);
      EXPECT_EQ(words, packed_ref(part, q.max_code(), fields)) << first << " … " << last;
      q.encode_add(g, segments, draws, fields, first, last, words);  // a second worker, with the same codes
      std::vector<float> mean(part.size());
      q.decode_mean(words, segments, 2, first, last, mean);
      for (std::size_t j = 0; j < part.size(); ++j)
        ASSERT_EQ(mean[j], mean_ref(2 * part[j], segment_of(segments, first + j).scale, q.max_code(), 2)) << first << " + " << j;
    }
  }
}

TEST(StochasticQuantizer, words_of_workers_add_to_the_packed_sum_of_codes) {
  const std::vector<std::size_t> sizes = {700, 3, 300};
  for (const int bits : {2, 3, 4, 8})
    for (const int workers : {2, 9, 64}) {
      const StochasticQuantizer q(bits);
      const Fields fields = q.fields(workers);
      std::vector<int> sums(1003);
      std::vector<std::uint64_t> words(fields.words(1003)), added(fields.words(1003));
      for (int n = 0; n < workers; ++n) {
        const std::vector<float> g = normal_gradient(1003, n);
        const std::vector<Segment> segments = segments_of(g, sizes);
        const RoundingDraws draws(8, n, 5);
        const std::vector<int> codes = codes_ref(g, segments, draws, q.max_code());
        for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += codes[i];
        q.encode_add(g, segments, draws, fields, 0, 1003, words);  // all workers of one rank in one vector
        std::vector<std::uint64_t> alone(words.size());            // and ranks that add by MPI_SUM
        q.encode_add(g, segments, draws, fields, 0, 1003, alone);
        for (std::size_t w = 0; w < words.size(); ++w) added[w] += alone[w];
      }
      EXPECT_EQ(words, packed_ref(sums, q.max_code() * workers, fields));
      EXPECT_EQ(words, added);
    }
}

TEST(StochasticQuantizer, server_adds_decoded_messages_in_order) {
  const std::vector<std::size_t> sizes = {1, 600, 2, 400};
  for (const Simd level : levels())
    for (int bits = 2; bits <= 8; ++bits) {
      const StochasticQuantizer q(bits, level);
      const int workers = 3;
      std::vector<float> mean(1003), expected(1003);
      for (int n = 0; n < workers; ++n) {
        const std::vector<float> g = normal_gradient(1003, n);
        const std::vector<Segment> segments = segments_of(g, sizes, 2.5);
        const RoundingDraws draws(8, n, 5);
        std::vector<std::uint64_t> words(q.fields(1).words(1003));
        q.encode_add(g, segments, draws, q.fields(1), 0, 1003, words);
        q.decode_add(words, segments, 0, 1003, mean);
        const std::vector<int> codes = codes_ref(g, segments, draws, q.max_code());
        for (std::size_t i = 0; i < codes.size(); ++i)
          expected[i] += mean_ref(codes[i], segment_of(segments, i).scale, q.max_code(), 1);
      }
      q.divide(mean, workers);
      for (float& x : expected) x /= static_cast<float>(workers);
      EXPECT_EQ(bits_of(mean), bits_of(expected)) << name(level) << ", " << bits << " bits";
    }
}

// ------------------------------------------------------------------------------------------------- clipping and zeros

TEST(Clip, keeps_elements_within_c_sigma_and_leaves_the_rest) {
  const std::vector<float> g = normal_gradient(5000);
  for (const double c : {0.5, 1.0, 2.5, 3.0}) {
    const Segment s(0, g.size(), statistics(g), c);
    const double sigma = statistics(g).deviation();
    EXPECT_LE(s.limit, c * sigma);
    EXPECT_GT(std::nextafter(s.limit, INFINITY), c * sigma);
    EXPECT_EQ(s.scale, s.limit) << "some elements are cut";
    const StochasticQuantizer q(8);
    const std::vector<int> codes = encoded(q, g, std::span(&s, 1), RoundingDraws(1, 0, 1));
    for (std::size_t i = 0; i < g.size(); ++i) {
      const double decoded = codes[i] * double{s.scale} / q.max_code(), clipped = std::clamp<double>(g[i], -s.limit, s.limit);
      ASSERT_LE(std::abs(decoded), c * sigma);
      ASSERT_LE(std::abs(decoded - clipped), double{s.scale} / q.max_code() * (1 + 1e-6)) << "one of the two levels around it";
    }
  }
}

TEST(Clip, a_large_factor_changes_nothing) {
  const std::vector<float> g = normal_gradient(1003);
  const Segment clipped(0, g.size(), statistics(g), 1000), plain(0, g.size(), statistics(g), no_clip);
  EXPECT_EQ(clipped.scale, plain.scale);
  EXPECT_EQ(plain.limit, INFINITY);
  const StochasticQuantizer q(4);
  EXPECT_EQ(encoded(q, g, std::span(&clipped, 1), {1, 0, 1}), encoded(q, g, std::span(&plain, 1), {1, 0, 1}));
}

TEST(StochasticQuantizer, one_element_is_sent_exactly_clipped_or_not) {
  for (const float value : {3.7F, -0.001F, 0x1p-90F, -0x1p120F})
    for (const double c : {1.0, no_clip})
      for (int bits = 2; bits <= 8; ++bits) {
        const std::vector<float> g = {value};
        const StochasticQuantizer q(bits);
        const std::vector<Segment> segments = segments_of(g, {1}, c);
        std::vector<std::uint64_t> words(1);
        std::vector<float> mean(1);
        q.encode_add(g, segments, RoundingDraws(1, 0, 1), q.fields(1), 0, 1, words);
        q.decode_mean(words, segments, 1, 0, 1, mean);
        // |g|·(k/s) may fall short of k by one rounding, 2⁻²³; the chance that it matters is 2⁻²³·k, and these draws do not hit it.
        EXPECT_EQ(mean[0], value) << bits;
      }
}

TEST(StochasticQuantizer, zeros_have_zero_codes) {
  for (const Simd level : levels())
    for (const float tiny : {0.0F, -0.0F, 0x1p-110F, -0x1p-120F}) {  // s below 2⁻¹⁰⁰ is as good as 0
      const std::vector<float> g(1003, tiny);
      const std::vector<int> codes = encoded(StochasticQuantizer(3, level), g, segments_of(g, {3, 1000}), RoundingDraws(1, 0, 1));
      EXPECT_EQ(codes, std::vector<int>(1003, 0)) << tiny << " " << name(level);
    }
  // zeros among other elements
  std::vector<float> g = normal_gradient(1003);
  const std::vector<int> codes = encoded(StochasticQuantizer(2), g, segments_of(g, {1003}), RoundingDraws(1, 0, 1));
  for (std::size_t i = 0; i < g.size(); i += 17) EXPECT_EQ(codes[i], 0);
}

TEST(StochasticQuantizer, lattice_points_are_unchanged) {
  for (int bits = 2; bits <= 8; ++bits) {
    const StochasticQuantizer q(bits);
    const int k = q.max_code();
    for (const float spacing : {1.0F, 0x1p-20F, 0x1p30F}) {  // s = k·spacing: k/s is exact
      std::vector<float> g(2003);
      for (std::size_t i = 0; i < g.size(); ++i) g[i] = static_cast<float>(static_cast<int>(i % (2 * k + 1)) - k) * spacing;
      const std::vector<Segment> segments = segments_of(g, {g.size()});
      std::vector<float> mean(g.size());
      std::vector<std::uint64_t> words(q.fields(1).words(g.size()));
      std::vector<std::uint64_t> squares(1);
      q.encode_add(g, segments, RoundingDraws(4, 0, 9), q.fields(1), 0, g.size(), words, squares);
      q.decode_mean(words, segments, 1, 0, g.size(), mean);
      EXPECT_EQ(mean, g) << bits;
      EXPECT_DOUBLE_EQ(q.squared_norm(segments[0].scale, squares[0]), statistics(g).squared_norm);
    }
  }
}

// ------------------------------------------------------------------------------------------------- the random tail

TEST(StochasticQuantizer, the_tail_decides_where_the_first_half_does_not) {
  // With s = k = 3 element i lies at x = |g_i|, and its threshold is 2³²·(x − ⌊x⌋). Make the upper half of the threshold the very
  // half that element i draws, so that only the tail can decide: 2¹⁶·half + 2¹⁵ is rounded up to if and only if the tail is below
  // 2¹⁵. Where a float can hold 32 bits (half < 2⁸, below the first code), threshold = the number drawn, or that plus one.
  const RoundingDraws draws(21, 3, 17);
  std::vector<float> g(20'001);
  std::vector<int> expected(g.size());
  std::uint64_t expected_squares = 0;
  int edges[2] = {0, 0};
  for (std::size_t i = 0; i < g.size(); ++i) {
    const std::uint32_t drawn = rounding_bits_ref(draws, i);
    const bool edge = drawn < 1U << 24, above = i % 5 < 2;
    const std::uint32_t threshold = edge ? drawn + (above ? 1 : 0) : (drawn & 0xFFFF0000U) + 0x8000U;
    const int low = edge ? 0 : static_cast<int>(i % 3), sign = i % 7 < 3 ? -1 : 1;
    g[i] = static_cast<float>(sign * (low + threshold * 0x1p-32));
    ASSERT_EQ(g[i], sign * (low + threshold * 0x1p-32)) << "a float holds the position";
    expected[i] = sign * (low + (edge ? above : (drawn & 0xFFFFU) < 0x8000U));
    expected_squares += static_cast<std::uint64_t>(expected[i] * expected[i]);
    edges[above] += edge;
  }
  EXPECT_GT(std::min(edges[0], edges[1]), 10);
  Segment s(0, g.size(), statistics(g), no_clip);
  s.scale = 3;
  for (const Simd level : levels()) {
    const StochasticQuantizer q(3, level);
    EXPECT_EQ(encoded(q, g, std::span(&s, 1), draws), expected) << name(level);
    std::vector<std::uint64_t> words(q.fields(4).words(g.size())), squares(1);
    q.encode_add(g, std::span(&s, 1), draws, q.fields(4), 0, g.size(), words, squares);
    EXPECT_EQ(squares[0], expected_squares) << name(level);
  }
}

// ------------------------------------------------------------------------------------------- mean and variance, Lemma 3

/// Mean and mean squared error of Q(g) over iterations, s given.
struct Moments {
  std::vector<double> mean, squared_error;
};
Moments measure(int bits, std::span<const float> g, const Segment& s, int draws) {
  const StochasticQuantizer q(bits);
  Moments m{std::vector<double>(g.size()), std::vector<double>(g.size())};
  for (int t = 0; t < draws; ++t) {
    const std::vector<int> codes = encoded(q, g, std::span(&s, 1), RoundingDraws(77, 0, t));
    for (std::size_t i = 0; i < g.size(); ++i) {
      const double clipped = std::clamp<double>(g[i], -s.limit, s.limit), value = double{s.scale} * codes[i] / q.max_code();
      m.mean[i] += value / draws;
      m.squared_error[i] += (value - clipped) * (value - clipped) / draws;
    }
  }
  return m;
}

/// Lemma 3, exact: s²·(B_{r+1} − x)(x − B_r), x = |g|/s
double exact_variance(double g, double scale, int k) {
  const double position = std::abs(g) / scale * k, low = std::floor(position);
  return scale * scale / (k * k) * (low + 1 - position) * (position - low);
}

TEST(StochasticQuantizer, mean_is_the_clipped_input_and_variance_that_of_lemma_3) {
  constexpr int draws = 20'000;
  const std::vector<float> g = {0.0F, 1.0F, -0.4F, 0.77F, -0.013F, 0.31F, -0.9F, 0.5F, 1.4F, -1.1F};
  for (const int bits : {2, 3, 4, 8})
    for (const float scale : {1.0F, 1.7F}) {  // limit 1 cuts 1.4 and −1.1; the worker's own scale, and a larger one that is shared
      Segment s(0, g.size(), statistics(g), no_clip);
      s.limit = 1;
      s.scale = scale;
      const int k = StochasticQuantizer(bits).max_code();
      const Moments m = measure(bits, g, s, draws);
      double total = 0, norm1 = 0;
      for (std::size_t i = 0; i < g.size(); ++i) {
        const double clipped = std::clamp(g[i], -1.0F, 1.0F), variance = exact_variance(clipped, scale, k),
                     unit = double{scale} / k;
        // One draw is two-valued, unit apart: the mean's standard error is √(variance/draws); (value − g)² has a standard
        // deviation below unit²/2. Float rounding of |g|·(k/s) moves the position by at most k·2⁻²³: unit·k·2⁻²³ = scale·2⁻²³.
        EXPECT_NEAR(m.mean[i], clipped, 6 * std::sqrt(variance / draws) + scale * 0x1p-23) << bits << " bits, element " << i;
        EXPECT_NEAR(m.squared_error[i], variance, 6 * unit * unit / 2 / std::sqrt(draws)) << bits << " bits, element " << i;
        total += variance;
        norm1 += std::abs(clipped);
      }
      EXPECT_LE(total, scale * norm1 / k) << "Lemma 3: Δ_g s ‖g‖₁";
    }
}

TEST(StochasticQuantizer, ternary_has_the_squared_norm_of_lemma_3) {
  // m = 2: E‖Q(g)‖² = ‖g‖_∞ ‖g‖₁. Each code² is Bernoulli with p = |g|/s: the sum's variance is Σ p(1 − p).
  const std::vector<float> g = normal_gradient(200'000);
  const std::vector<Segment> segments = segments_of(g, {g.size()});
  const StochasticQuantizer q(2);
  std::vector<std::uint64_t> words(q.fields(1).words(g.size())), squares(1);
  q.encode_add(g, segments, RoundingDraws(5, 0, 1), q.fields(1), 0, g.size(), words, squares);
  const double s = segments[0].scale;
  double expected = 0, variance = 0;
  for (const float x : g) {
    const double p = std::abs(x) / s;
    expected += p;
    variance += p * (1 - p);
  }
  EXPECT_NEAR(q.squared_norm(segments[0].scale, squares[0]), s * s * expected, 6 * s * s * std::sqrt(variance));
}

TEST(StochasticQuantizer, more_bits_mean_a_smaller_error) {
  const std::vector<float> g = normal_gradient(20'000);
  const std::vector<Segment> segments = segments_of(g, {g.size()});
  double previous = INFINITY;
  for (int bits = 2; bits <= 8; ++bits) {
    const StochasticQuantizer q(bits);
    const std::vector<int> codes = encoded(q, g, segments, RoundingDraws(1, 0, 1));
    double error = 0;
    for (std::size_t i = 0; i < g.size(); ++i) error += std::pow(double{segments[0].scale} * codes[i] / q.max_code() - g[i], 2);
    EXPECT_LT(error, previous / 2) << bits;  // the spacing falls to half or less, the error to about a quarter
    previous = error;
  }
}

TEST(StochasticQuantizer, neighbours_and_workers_round_independently) {
  // All elements half way: codes are fair coins. The products of neighbours, of workers, of iterations have mean 0 as ±1.
  const std::vector<float> g(60'000, 0.5F);
  Segment s(0, g.size(), statistics(g), no_clip);
  s.scale = 1;
  const StochasticQuantizer q(2);
  const auto coins = [&](int worker, int iteration) {
    std::vector<int> codes = encoded(q, g, std::span(&s, 1), RoundingDraws(6, worker, iteration));
    for (int& c : codes) c = 2 * c - 1;
    return codes;
  };
  const std::vector<int> a = coins(0, 1), b = coins(1, 1), c = coins(0, 2);
  const double tolerance = 6 * std::sqrt(60'000.0);
  EXPECT_NEAR(std::inner_product(a.begin(), a.end() - 1, a.begin() + 1, 0), 0, tolerance);
  EXPECT_NEAR(std::inner_product(a.begin(), a.end(), b.begin(), 0), 0, tolerance);
  EXPECT_NEAR(std::inner_product(a.begin(), a.end(), c.begin(), 0), 0, tolerance);
}

}  // namespace
}  // namespace qsweep
