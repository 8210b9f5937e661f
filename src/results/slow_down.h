#pragma once
#include <optional>
#include <span>
#include <vector>

#include "results/points.h"

/// How much longer quantized gradients take, measured against the theorems. A run with quantized gradients is paired with the one
/// that has full-precision gradients and otherwise equal settings, the seed too, hence the same data and the same beginning:
///   level     = 1.25 · max of the two average regrets at the end: both runs get there, late enough for the rate to show
///   measured  = t_quantized / t_full,   t: iterations from which on the average regret R(t)/t stays at or below the level
///   predicted = s²: theorems 2 and 3 bound R(t)/t by K·s·d/√t + floors, theorem 1 by the same with s = 1, so the term K·s·d/√t
///               falls to a given value after s² times as many iterations
/// s is a worst case over all gradients, and a bound need not be attained: measured far below predicted is the rule.
/// Source: Hou, Zhang, Kwok 2019, theorems 1 to 3.
namespace qsweep {

inline constexpr double slow_down_margin = 1.25;

/// Iterations after which a curve stays at or below the level, between recorded points by linear interpolation. None if it ends
/// above, or is never above, or is not finite.
std::optional<double> iterations_to(double level, std::span<const double> iteration, std::span<const double> curve);

struct SlowDown {
  const RunSummary* row = nullptr;             ///< any run of the point
  std::vector<double> quantized, full, ratio;  ///< t and t/t, one for each seed that has both runs
  std::optional<double> predicted;             ///< s² with the tight constant of ‖g‖_∞‖g‖₁ ≤ …‖g‖²
  std::optional<double> predicted_printed;     ///< s² as the theorem prints it
};

struct SlowDowns {
  std::vector<SlowDown> points;  ///< those with at least one pair
  std::size_t unpaired = 0;      ///< runs with quantized gradients and a measured regret, but no partner that reaches the level
};

SlowDowns slow_downs(const Points&);

}  // namespace qsweep
