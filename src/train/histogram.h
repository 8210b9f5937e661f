#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

/// How the elements of a gradient are spread, in units of their own standard deviation σ (Figure 6(a) of Hou, Zhang, Kwok 2019):
/// equal bins over [−10σ, 10σ), larger elements in the outermost ones. Integers, so that workers and ranks add in any order.
namespace qsweep {

inline constexpr std::size_t histogram_bins = 160;
inline constexpr double histogram_first = -10, histogram_width = 0.125;  ///< left edge of the first bin; width, in σ

/// counts [histogram_bins] += the elements of one worker's gradient of one tensor. σ = 0: all in the bin that begins at 0.
void count_into_histogram(std::span<const float> gradient, double sigma, std::span<std::uint64_t> counts);

}  // namespace qsweep
