#include "train/histogram.h"

#include <algorithm>
#include <cmath>

namespace qsweep {

void count_into_histogram(std::span<const float> gradient, double sigma, std::span<std::uint64_t> counts) {
  const double per_unit = sigma > 0 ? 1 / (sigma * histogram_width) : 0;
  constexpr double zero = -histogram_first / histogram_width;
  for (const float g : gradient) {
    const double bin = std::floor(double{g} * per_unit) + zero;
    ++counts[bin > 0 ? static_cast<std::size_t>(std::min(bin, double{histogram_bins - 1})) : 0];  // what is not a number, in the first
  }
}

}  // namespace qsweep
