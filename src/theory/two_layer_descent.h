#pragma once
#include <cstdint>
#include <limits>

#include "theory/two_layer.h"

/// Algorithm 1 on the whole population: v and w step along E[∂l/∂v] and the expected coarse gradient (two_layer.h), both taken at the
/// old point, with one η and no normalization of w. The iterates stay in the plane of w⁰ and w*, so w is its norm r and angle θ:
///   a = r − ηρ,  b = ητd:   r⁺ = √(a² + b²),   θ⁺ = |θ − atan2(b, a)| (mod 2π),   v⁺ = v − η·∂f/∂v(v, θ)
/// a < 0: w has passed through 0, to the other side of the origin; there f may jump up.
/// Source: Yin et al. 2019, Algorithm 1.
namespace qsweep {

/// One start on its way. v [m] lies with the caller.
struct Descending {
  std::span<double> v;
  double norm = 0, theta = 0;  ///< r, θ
};

/// What every step adds to, whether its point is recorded or not.
struct StepTally {
  double least_norm = std::numeric_limits<double>::infinity();      ///< least ‖w^t‖ so far, with that of the start
  double largest_rise = -std::numeric_limits<double>::infinity();   ///< largest f^{t+1} − f^t
  std::int64_t rises = 0;                                           ///< steps with f^{t+1} − f^t > rise_tolerance
  std::int64_t passes = 0, first_pass = 0;                          ///< steps in which w passed through 0; the first t, 0: none

  void add(std::uint64_t t, double norm, double change, bool passed);
};
/// Rises of f up to this are rounding.
inline constexpr double rise_tolerance = 1e-9;

/// `steps` steps, numbers first, first + 1, … Returns the loss after them. loss: of the point as it comes.
double descend(Estimator estimator, double eta, Vector v_star, Descending& point, double loss, std::uint64_t first, std::uint64_t steps, StepTally& tally);

}  // namespace qsweep
