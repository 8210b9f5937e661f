#include "quantize/sorted_values.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>

#include "base/blocks.h"

namespace qsweep {
namespace {

constexpr int digits = 3, digit_bits = 11;
constexpr std::uint32_t buckets = 1U << digit_bits, sign = 0x80000000U;

/// Unsigned integers in the order of the floats, and back.
std::uint32_t key(std::uint32_t bits) { return (bits & sign) != 0 ? ~bits : bits | sign; }
std::uint32_t bits_of_key(std::uint32_t key) { return (key & sign) != 0 ? key ^ sign : ~key; }

std::uint32_t digit(std::uint32_t key, int number) { return key >> (digit_bits * number) & (buckets - 1); }

}  // namespace

void radix_sort(std::span<float> values) {
  const std::size_t n = values.size();
  std::vector<std::uint32_t> from(n), to(n);
  std::vector<std::array<std::size_t, buckets>> counts(digits);
  for (std::size_t i = 0; i < n; ++i) {
    from[i] = key(std::bit_cast<std::uint32_t>(values[i]));
    for (int d = 0; d < digits; ++d) ++counts[d][digit(from[i], d)];
  }
  for (int d = 0; d < digits; ++d) {
    std::size_t next = 0;
    for (std::size_t& count : counts[d]) next += std::exchange(count, next);
    for (const std::uint32_t k : from) to[counts[d][digit(k, d)]++] = k;
    from.swap(to);
  }
  for (std::size_t i = 0; i < n; ++i) values[i] = std::bit_cast<float>(bits_of_key(from[i]));
}

SortedValues::SortedValues(std::span<const float> x) : values_(x.begin(), x.end()) {
  radix_sort(values_);
  centre_ = sum_blocks(size(), [&](std::size_t begin, std::size_t end) {
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += values_[i];
    return sum;
  }) / static_cast<double>(size());
  marks_.reserve(size() / stride + 1);
  PowerSums total;
  for (std::size_t begin = 0; begin < size(); begin += stride) {
    marks_.push_back(total);
    PowerSums part;
    for (std::size_t i = begin; i < std::min(size(), begin + stride); ++i) {
      const double d = values_[i] - centre_;
      part.first += d;
      part.second += d * d;
    }
    total.first += part.first;
    total.second += part.second;
  }
  if (size() % stride == 0) marks_.push_back(total);
}

double SortedValues::largest() const { return std::max(std::fabs(double{values_.front()}), std::fabs(double{values_.back()})); }

PowerSums SortedValues::before(std::size_t i) const {
  PowerSums sums = marks_[i / stride], part;
  for (std::size_t l = i / stride * stride; l < i; ++l) {
    const double d = values_[l] - centre_;
    part.first += d;
    part.second += d * d;
  }
  return {sums.first + part.first, sums.second + part.second};
}

std::size_t SortedValues::first_at_least(double bound) const {
  const auto found = std::lower_bound(values_.begin(), values_.end(), bound, [](float x, double b) { return x < b; });
  return static_cast<std::size_t>(found - values_.begin());
}

double SortedValues::mean(std::size_t i, std::size_t j) const {
  return centre_ + (before(j).first - before(i).first) / static_cast<double>(j - i);
}

double SortedValues::spread_about(std::size_t i, std::size_t j, double a) const {
  const PowerSums low = before(i), high = before(j);
  const double s = high.first - low.first, q = high.second - low.second, shift = a - centre_;
  return std::max(0.0, q - 2 * shift * s + static_cast<double>(j - i) * shift * shift);
}

}  // namespace qsweep
