#pragma once
#include "results/page.h"
#include "results/points.h"

namespace qsweep {

/// The average regret R(T)/T at the end against U1, U2, U3 and the printed bound, for points whose runs have them. U1 / regret is
/// the ratio of the means over seeds. A run whose regret exceeds a promised U1 is marked.
void show_bounds(const Survey&, const Points&, Page&);

/// Slow-down by quantized gradients, measured against predicted (results/slow_down.h).
void show_slow_down(const Points&, Page&);

}  // namespace qsweep
