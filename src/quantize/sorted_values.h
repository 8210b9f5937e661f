#pragma once
#include <cstddef>
#include <span>
#include <vector>

/// Values x [n] of one codebook, sorted once, with what any interval of them needs. In one dimension a cluster is an interval
/// [i, j) of the sorted values, and its mean and spread come from prefix sums:
///   spread(i, j) = Σ_{i≤l<j} (x_l − mean(i, j))² = Q − S²/(j − i),   S = Σ (x_l − c), Q = Σ (x_l − c)²,   c the mean of all
/// Sums are double, about c, so that little cancels, and added in the order of the sorted values: the same bits on every rank.
namespace qsweep {

/// Σ (x − c) and Σ (x − c)² of some values.
struct PowerSums {
  double first = 0, second = 0;
};

/// Sorts floats, not NaN, by their bits: three passes of eleven bits. −0 comes before +0.
void radix_sort(std::span<float> values);

class SortedValues {
 public:
  /// x: finite, not empty.
  explicit SortedValues(std::span<const float> x);

  std::size_t size() const { return values_.size(); }
  std::span<const float> values() const { return values_; }
  double centre() const { return centre_; }    ///< c
  double largest() const;                      ///< max |x|
  PowerSums before(std::size_t i) const;       ///< of the values [0, i)
  std::size_t first_at_least(double bound) const;  ///< number of values below the bound
  double mean(std::size_t i, std::size_t j) const;  ///< of [i, j), i < j
  /// Σ over [i, j) of (x − a)².
  double spread_about(std::size_t i, std::size_t j, double a) const;

 private:
  static constexpr std::size_t stride = 256;
  std::vector<float> values_;
  double centre_ = 0;
  std::vector<PowerSums> marks_;  ///< before(stride · i)
};

/// spread(i, j) from what stands before i and before j; 0 if the interval is empty.
inline double spread(std::size_t i, const PowerSums& before_i, std::size_t j, const PowerSums& before_j) {
  if (i >= j) return 0;
  const double s = before_j.first - before_i.first, q = before_j.second - before_i.second;
  const double result = q - s * s / static_cast<double>(j - i);
  return result > 0 ? result : 0;
}

}  // namespace qsweep
