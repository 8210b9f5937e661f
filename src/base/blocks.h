#pragma once
#include <algorithm>
#include <cstddef>

/// Sums that feed a scale, a norm, a loss or α are taken in double over fixed blocks of 4,096 elements of one tensor and
/// added in block order, so that they do not depend on how a tensor is sliced over ranks (slices begin at multiples).
namespace qsweep {

inline constexpr std::size_t block_elements = 4096;

inline constexpr std::size_t block_count(std::size_t elements) { return (elements + block_elements - 1) / block_elements; }

/// Calls partial(begin, end) for each block of [0, elements) and adds what it returns in block order.
template <class Partial>
auto sum_blocks(std::size_t elements, Partial partial) -> decltype(partial(std::size_t{}, std::size_t{})) {
  decltype(partial(std::size_t{}, std::size_t{})) total{};
  for (std::size_t begin = 0; begin < elements; begin += block_elements)
    total += partial(begin, std::min(elements, begin + block_elements));
  return total;
}

}  // namespace qsweep
