// Every C step against every assignment there is. What a codebook in floats can lose: entries off by c·2⁻²⁴ change the objective at
// its minimum by no more than n·c²·2⁻⁴⁸ < 1e-11 ‖x‖² (and sums in double by less).
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "quantize/codebook.h"
#include "quantize/kmeans.h"
#include "quantize/codebook_draws.h"

namespace qsweep {
namespace {

constexpr double slack = 1e-11;
const Stream no_draws(1, Draw::Clusters);

double objective(const CodebookQuantizer& quantizer, std::span<const float> x, const Codebook* previous = nullptr) {
  std::vector<float> quantized(x.size());
  quantizer.apply(x, quantizer.solve(x, previous, no_draws).codebook, quantized);
  return squared_distance(x, quantized);
}

/// Least spread over all partitions of the sorted values into at most K intervals.
double best_partition(std::vector<float> x, std::size_t clusters) {
  std::ranges::sort(x);
  double best = std::numeric_limits<double>::infinity();
  for (unsigned cuts = 0; cuts < 1U << (x.size() - 1); ++cuts) {
    if (static_cast<std::size_t>(__builtin_popcount(cuts)) + 1 > clusters) continue;
    double sum = 0;
    for (std::size_t i = 0; i < x.size();) {
      std::size_t j = i + 1;
      while (j < x.size() && (cuts >> (j - 1) & 1U) == 0) ++j;
      double mean = 0;
      for (std::size_t l = i; l < j; ++l) mean += x[l] / static_cast<double>(j - i);
      for (std::size_t l = i; l < j; ++l) sum += (x[l] - mean) * (x[l] - mean);
      i = j;
    }
    best = std::min(best, sum);
  }
  return best;
}

/// Least ‖x − a·c_κ‖² over all assignments κ and a ≥ 0.
double best_scaled(std::span<const float> x, std::span<const double> entries) {
  double best = squared_norm(x);
  std::vector<std::size_t> code(x.size(), 0);
  for (;;) {
    double a = 0, b = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      a += x[i] * entries[code[i]];
      b += entries[code[i]] * entries[code[i]];
    }
    if (a > 0 && b > 0) best = std::min(best, squared_norm(x) - a * a / b);
    std::size_t i = 0;
    while (i < x.size() && ++code[i] == entries.size()) code[i++] = 0;
    if (i == x.size()) return best;
  }
}

double nearest(std::span<const float> x, std::span<const float> entries) {
  double sum = 0;
  for (const float value : x) {
    double least = std::numeric_limits<double>::infinity();
    for (const float c : entries) least = std::min(least, (double{value} - c) * (double{value} - c));
    sum += least;
  }
  return sum;
}

TEST(CodebookBruteForce, kmeans_exact_is_the_best_partition_and_kmeans_never_better) {
  for (std::uint32_t id = 0; id < 1400; ++id) {
    const std::size_t n = 1 + id % 11;
    const std::vector<float> x = codebook_problem(n, id);
    for (const std::size_t clusters : {2, 3, 4}) {
      const double best = best_partition(x, clusters), tolerance = slack * squared_norm(x);
      ASSERT_NEAR(objective(CodebookQuantizer({.kind = "kmeans_exact", .size = clusters}), x), best, tolerance) << "problem " << id << ", K = " << clusters;
      ASSERT_GE(objective(CodebookQuantizer({.kind = "kmeans", .size = clusters}), x), best - tolerance) << "problem " << id << ", K = " << clusters;
    }
  }
}

TEST(CodebookBruteForce, scaled_binary_is_the_best_of_all_signs) {
  const std::vector<double> entries = {-1, 1};
  for (std::uint32_t id = 0; id < 2100; ++id) {
    const std::vector<float> x = codebook_problem(9, id);
    ASSERT_NEAR(objective(CodebookQuantizer({.kind = "scaled_binary"}), x), best_scaled(x, entries), slack * squared_norm(x)) << "problem " << id;
  }
}

TEST(CodebookBruteForce, scaled_ternary_is_the_best_of_all_patterns) {
  const std::vector<double> entries = {-1, 0, 1};
  for (std::uint32_t id = 0; id < 1400; ++id) {
    const std::vector<float> x = codebook_problem(8, id);
    ASSERT_NEAR(objective(CodebookQuantizer({.kind = "scaled_ternary"}), x), best_scaled(x, entries), slack * squared_norm(x)) << "problem " << id;
  }
}

TEST(CodebookBruteForce, scaled_codebooks_are_the_best_of_all_assignments) {
  const std::vector<std::vector<double>> codebooks = {{-1, -0.25, 0.5, 2}, {1, 2, 3}, {-3, -1, -0.5}, {-2, 0, 0.5, 1}, {-1, 1}, {-1, 0, 1}, {0, 1, 4}, {-1, 1, 1.5}};
  for (std::uint32_t id = 0; id < 2800; ++id) {
    const std::vector<float> x = codebook_problem(1 + id % 6, id);
    const std::vector<double>& entries = codebooks[id / 7 % codebooks.size()];
    // Each product a·c_k is rounded by itself: 2·Σ|x − Δ||Δ|·2⁻²⁴ ≤ 2⁻²³ ‖x‖², as neither ‖Δ‖ nor ‖x − Δ‖ exceeds ‖x‖.
    ASSERT_NEAR(objective(CodebookQuantizer({.kind = "scaled", .values = entries}), x), best_scaled(x, entries), 0x1p-23 * squared_norm(x)) << "problem " << id;
  }
}

TEST(CodebookBruteForce, the_scan_gives_the_closed_forms) {
  for (std::uint32_t id = 0; id < 2100; ++id) {
    const std::vector<float> x = codebook_problem(1 + id % 200, id);
    const double tolerance = slack * squared_norm(x);
    ASSERT_NEAR(objective(CodebookQuantizer({.kind = "scaled", .values = {-1, 1}}), x), objective(CodebookQuantizer({.kind = "scaled_binary"}), x), tolerance) << "problem " << id;
    ASSERT_NEAR(objective(CodebookQuantizer({.kind = "scaled", .values = {-1, 0, 1}}), x), objective(CodebookQuantizer({.kind = "scaled_ternary"}), x), tolerance) << "problem " << id;
  }
}

TEST(CodebookBruteForce, fixed_entries_are_the_nearest) {
  for (std::uint32_t id = 0; id < 3500; ++id) {
    const std::vector<float> x = codebook_problem(50, id);
    std::vector<CodebookChoice> choices = {{.kind = "binary"}, {.kind = "ternary"}, {.kind = "fixed", .values = {-0.5, -0.125, 0.25, 1}}};
    for (int c = 0; c <= 8; ++c) choices.push_back({.kind = "powers_of_two", .smallest_power = c});
    for (const CodebookChoice& choice : choices) {
      const CodebookQuantizer quantizer(choice);
      ASSERT_EQ(objective(quantizer, x), nearest(x, quantizer.solve(x, nullptr, no_draws).codebook.levels)) << choice.kind << ", problem " << id;
    }
  }
}

/// The recursion over all positions, without excluding any: what kmeans_exact does to few values, done here in O(K n²).
double plain_recursion(std::vector<float> x, std::size_t clusters) {
  std::ranges::sort(x);
  const std::size_t n = x.size();
  std::vector<double> s(n + 1), q(n + 1), cost(n + 1);
  for (std::size_t i = 0; i < n; ++i) s[i + 1] = s[i] + x[i], q[i + 1] = q[i] + double{x[i]} * x[i];
  const auto spread_of = [&](std::size_t i, std::size_t j) { return i == j ? 0 : q[j] - q[i] - (s[j] - s[i]) * (s[j] - s[i]) / static_cast<double>(j - i); };
  for (std::size_t j = 0; j <= n; ++j) cost[j] = spread_of(0, j);
  for (std::size_t k = 1; k < clusters; ++k)
    for (std::size_t j = n + 1; j-- > 0;)
      for (std::size_t i = 0; i <= j; ++i) cost[j] = std::min(cost[j], cost[i] + spread_of(i, j));
  return cost[n];
}

TEST(CodebookBruteForce, excluding_positions_keeps_the_optimum) {
  for (std::uint32_t id = 0; id < 28; ++id) {
    const std::vector<float> x = codebook_problem(2000 + 37 * id, id);  // more values than blocks of the first grid
    const SortedValues sorted(x);
    for (const std::size_t clusters : {2, 5, 16}) {
      const double plain = plain_recursion(x, clusters);
      const KMeans exact = exact_kmeans(sorted, clusters);
      // The plain sums are not centred: their rounding, n·2⁻⁵³ of ‖x‖² at most, is the tolerance.
      EXPECT_NEAR(kmeans_objective(sorted, exact.centroids), plain, 1e-12 * squared_norm(x)) << "problem " << id << ", K = " << clusters;
      EXPECT_LE(kmeans_objective(sorted, exact.centroids), kmeans_objective(sorted, first_kmeans(sorted, clusters, Stream(3, Draw::Clusters, id)).centroids) * (1 + 1e-9) + 1e-12 * squared_norm(x));
    }
  }
}

}  // namespace
}  // namespace qsweep
