#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace qsweep {

/// Of at least one value; of an even number the upper one.
inline double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

}  // namespace qsweep
