#pragma once
#include "train/method.h"

/// The method `coarse_gradient`: Algorithm 1 of Yin et al. 2019 on the two-layer model with binary activation (theory/two_layer.h), from
/// S starts in one run; v and w step along their gradient and coarse gradient, both at the old point:
///   v^{t+1} = v^t − η·E[∂l/∂v](v^t, w^t),   w^{t+1} = w^t − η·E[g_μ](v^t, w^t)
/// on the whole population (data.samples = population), or with means over N samples in place of E.
namespace qsweep {

Record train_coarse_gradient(const Task& task);
Cost coarse_gradient_cost(const Settings& settings, std::size_t parts_per_rank, const Speed& speed);
std::size_t coarse_gradient_parts(const Settings& settings);  ///< starts, or workers where there are samples

/// A start has ended at a critical point if it is no farther from it than this, in (v, θ).
inline constexpr double end_tolerance = 0.01;

}  // namespace qsweep
