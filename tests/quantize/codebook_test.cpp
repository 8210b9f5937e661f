#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "quantize/codebook.h"
#include "quantize/codebook_draws.h"
#include "quantize/kmeans.h"

namespace qsweep {
namespace {

float below(float x) { return std::nextafterf(x, -10); }
float above(float x) { return std::nextafterf(x, 10); }

std::vector<float> applied(const CodebookChoice& choice, std::span<const float> x, const Codebook* codebook = nullptr) {
  const CodebookQuantizer quantizer(choice);
  std::vector<float> quantized(x.size());
  quantizer.apply(x, codebook != nullptr ? *codebook : quantizer.solve(x, nullptr, Stream(1, Draw::Clusters)).codebook, quantized);
  return quantized;
}

TEST(Codebook, ties_go_where_they_are_said_to) {
  EXPECT_EQ(applied({.kind = "binary"}, std::vector<float>{0, -0.0F, -1e-30F}), (std::vector<float>{1, 1, -1}));
  EXPECT_EQ(applied({.kind = "ternary"}, std::vector<float>{0.5F, below(0.5F), -0.5F, above(-0.5F)}), (std::vector<float>{1, 0, -1, 0}));
  EXPECT_EQ(applied({.kind = "fixed", .values = {-1, 0, 2}}, std::vector<float>{-0.5F, below(-0.5F), 1, below(1)}), (std::vector<float>{0, -1, 2, 0}));
}

/// Without logarithms: 0 below 2^−(C+1); else |t| = m·2^e with ½ ≤ m < 1, exponent e if m > ¾, else e − 1, clamped to [−C, 0].
float nearest_power(float t, int smallest) {
  if (std::fabs(t) < std::ldexp(1.0F, -(smallest + 1))) return 0;
  int e = 0;
  const float m = std::frexp(std::fabs(t), &e);
  return std::copysign(std::ldexp(1.0F, std::clamp(m > 0.75F ? e : e - 1, -smallest, 0)), t);
}

TEST(Codebook, powers_of_two_follow_their_closed_form) {
  for (int c = 0; c <= 8; ++c) {
    std::vector<float> x = {0, 2, -3};
    for (int k = -1; k <= c + 2; ++k)
      for (const float at : {std::ldexp(0.75F, -k), std::ldexp(1.0F, -k)})
        for (const float near : {at, below(at), above(at)}) x.insert(x.end(), {near, -near});
    const std::vector<float> found = applied({.kind = "powers_of_two", .smallest_power = c}, x);
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(found[i], nearest_power(x[i], c)) << x[i] << ", C = " << c;
    EXPECT_EQ(CodebookQuantizer({.kind = "powers_of_two", .smallest_power = c}).size(), static_cast<std::size_t>(2 * c + 3));
  }
}

TEST(Codebook, unpacked_codes_are_what_is_applied) {
  const std::vector<float> x = codebook_problem(1003, 0);
  for (const std::string& kind : CodebookQuantizer::kinds()) {
    const CodebookQuantizer quantizer({.kind = kind, .size = 13, .values = {-1, -0.125, 0.5}, .smallest_power = 3});
    const Codebook codebook = quantizer.solve(x, nullptr, Stream(1, Draw::Clusters)).codebook;
    std::vector<std::uint8_t> codes(x.size());
    std::vector<float> quantized(x.size());
    quantizer.encode(x, codebook, codes);
    quantizer.apply(x, codebook, quantized);
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(quantized[i], codebook.scale * codebook.levels[codes[i]]) << kind;
    EXPECT_EQ(codebook.levels.size(), quantizer.size()) << kind;
  }
}

TEST(Codebook, at_an_optimum_with_ternary_scale_no_value_lies_at_the_threshold) {
  for (std::uint32_t id = 0; id < 700; ++id) {
    const std::vector<float> x = codebook_problem(1 + id % 40, id);
    const float a = CodebookQuantizer({.kind = "scaled_ternary"}).solve(x, nullptr, Stream(1, Draw::Clusters)).codebook.scale;
    for (const float value : x) EXPECT_TRUE(a == 0 || std::fabs(double{value}) != double{a} / 2) << "problem " << id;
  }
}

TEST(Codebook, degenerate_inputs) {
  const std::vector<float> zeros(100, 0.0F), two = {1, 3, 1, 3, 3};
  for (const char* kind : {"kmeans", "kmeans_exact", "scaled_binary", "scaled_ternary", "scaled"}) {
    const CodebookChoice choice{.kind = kind, .size = 4, .values = {-1, 0.5}};
    EXPECT_EQ(squared_norm(applied(choice, zeros)), 0) << kind;
  }
  EXPECT_EQ(applied({.kind = "kmeans", .size = 4}, two), two);
  EXPECT_EQ(applied({.kind = "kmeans_exact", .size = 4}, two), two);
  EXPECT_EQ(applied({.kind = "kmeans_exact", .size = 2}, std::vector<float>{5}), std::vector<float>{5});
}

TEST(KMeans, no_pass_raises_the_objective_and_the_end_is_a_fixed_point) {
  for (std::uint32_t id = 0; id < 210; ++id) {
    const std::vector<float> x = codebook_problem(300, id);
    const SortedValues sorted(x);
    std::vector<double> centroids = {-0.4, -0.1, 0.2, 0.7};
    double before = kmeans_objective(sorted, centroids);
    const KMeans end = lloyd(sorted, centroids);
    EXPECT_LE(kmeans_objective(sorted, end.centroids), before + 1e-12 * squared_norm(x));
    const KMeans again = lloyd(sorted, end.centroids);
    EXPECT_EQ(again.passes, 1U) << "problem " << id;
    EXPECT_TRUE(std::ranges::is_sorted(end.centroids));
  }
}

TEST(KMeans, an_empty_cluster_keeps_its_centroid) {
  const std::vector<float> x = {0, 0.125F, 1, 1.125F};
  EXPECT_EQ(lloyd(SortedValues(x), {-50, 0, 1}).centroids, (std::vector<double>{-50, 0.0625, 1.0625}));
}

TEST(KMeans, k_means_plus_plus_draws_by_squared_distance) {
  // Three far groups of very different size: after any first draw the squared distances of the other groups dwarf those within.
  std::vector<float> x;
  for (int i = 0; i < 1000; ++i) x.push_back(static_cast<float>(i % 7) * 1e-4F);
  for (int i = 0; i < 10; ++i) x.push_back(100 + static_cast<float>(i % 3) * 1e-4F);
  x.push_back(-300);
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    const KMeans found = first_kmeans(SortedValues(x), 3, Stream(seed, Draw::Clusters));
    EXPECT_NEAR(found.centroids[0], -300, 1e-3);
    EXPECT_NEAR(found.centroids[1], 0, 1e-2);
    EXPECT_NEAR(found.centroids[2], 100, 1e-2);
  }
}

TEST(SortedValues, radix_sort_sorts) {
  for (const std::size_t n : {1, 2, 7, 64, 1003, 70000}) {
    std::vector<float> x = codebook_problem(n, 6), expected = x;
    if (n > 3) x[1] = expected[1] = std::numeric_limits<float>::infinity(), x[2] = expected[2] = -std::numeric_limits<float>::max();
    std::ranges::sort(expected);
    radix_sort(x);
    EXPECT_EQ(x, expected);
  }
}

TEST(SortedValues, intervals_follow_their_definition) {
  const std::vector<float> x = codebook_problem(1000, 1);
  const SortedValues sorted(x);
  for (std::size_t i = 0; i < 1000; i += 37)
    for (std::size_t j = i + 1; j <= 1000; j += 41) {
      double mean = 0, sum = 0;
      for (std::size_t l = i; l < j; ++l) mean += sorted.values()[l] / static_cast<double>(j - i);
      for (std::size_t l = i; l < j; ++l) sum += (sorted.values()[l] - mean) * (sorted.values()[l] - mean);
      EXPECT_NEAR(sorted.mean(i, j), mean, 1e-12);
      EXPECT_NEAR(spread(i, sorted.before(i), j, sorted.before(j)), sum, 1e-10);
    }
}

TEST(StoredSize, ratios_of_the_published_networks) {
  const auto ratio = [](std::size_t weights, std::size_t biases, std::size_t codebooks, int bits, std::size_t floats_each) {
    return std::round(StoredSize{weights, biases, weights * static_cast<std::size_t>(bits), codebooks * floats_each}.ratio() * 100) / 100;
  };
  EXPECT_EQ(ratio(266200, 410, 3, 1, 2), 30.52);
  EXPECT_EQ(ratio(266200, 410, 1, 1, 2), 30.54);
  EXPECT_EQ(ratio(266200, 410, 3, 2, 3), 15.63);
  EXPECT_EQ(ratio(266200, 410, 3, 6, 64), 5.28);
  EXPECT_EQ(ratio(266200, 410, 3, 1, 1), 30.53);
  EXPECT_EQ(ratio(430500, 580, 4, 1, 2), 30.70);
  EXPECT_EQ(ratio(430500, 580, 4, 4, 16), 7.92);
  EXPECT_EQ(ratio(14022016, 3850, 9, 1, 2), 31.73);
}

}  // namespace
}  // namespace qsweep
