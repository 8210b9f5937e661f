// Counts of a histogram: edges, units, what lies outside.
#include "train/histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace qsweep {
namespace {

std::vector<std::uint64_t> histogram_of(const std::vector<float>& values, double sigma) {
  std::vector<std::uint64_t> counts(histogram_bins);
  count_into_histogram(values, sigma, counts);
  return counts;
}

std::size_t bin_of(float value, double sigma) {
  const auto counts = histogram_of({value}, sigma);
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}), 1U) << value;
  return static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
}

TEST(Histogram, bins_are_closed_below_and_in_units_of_the_deviation) {
  for (const double sigma : {0.25, 1.0, 8.0})  // powers of two: the edges are exact
    for (int bin = -79; bin < 80; ++bin) {
      const auto edge = static_cast<float>(bin * histogram_width * sigma);
      EXPECT_EQ(bin_of(edge, sigma), static_cast<std::size_t>(bin + 80));
      const float below = edge == 0 ? -std::numeric_limits<float>::min() : std::nextafter(edge, -1e30F);  // denormals are flushed
      EXPECT_EQ(bin_of(below, sigma), static_cast<std::size_t>(bin + 79));
    }
}

TEST(Histogram, what_lies_outside_counts_in_the_outermost_bins) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(bin_of(1e30F, 1), 159U);
  EXPECT_EQ(bin_of(infinity, 1), 159U);
  EXPECT_EQ(bin_of(-infinity, 1), 0U);
  EXPECT_EQ(bin_of(std::numeric_limits<float>::quiet_NaN(), 1), 0U);
  EXPECT_EQ(bin_of(3, 0), 80U) << "without spread";
}

TEST(Histogram, adds_to_what_is_there) {
  std::vector<std::uint64_t> counts(histogram_bins, 1);
  count_into_histogram(std::vector<float>{0.01F, 0.02F}, 1, counts);
  EXPECT_EQ(counts[80], 3U);
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}), histogram_bins + 2);
}

}  // namespace
}  // namespace qsweep
