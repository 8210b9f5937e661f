#pragma once
#include <span>
#include <vector>

#include "quantize/levels.h"
#include "quantize/weight_kernels.h"

/// Exact minimisers of ‖w − αb‖²_D over α > 0 and b ∈ S_w^n, which alternation may miss.
///   For fixed b the best α = Σ d b w/Σ d b² lowers ‖w‖²_D by (Σ d b w)²/Σ d b²: maximise that.
///   For fixed α the best b is the nearest level, which depends on |w_i|/α alone. So the minimum is among the b(α), α > 0.
///   w [n]  weights;   v [n]  second moment, or empty for uniform curvature;   d_i = √v_i + 1e-8, or 1
namespace qsweep {

/// α and the amount by which α·b(α) lowers ‖w‖²_D. Both 0 if w = 0.
struct Optimum {
  double alpha = 0;
  double gain = 0;
};

/// Any levels 0 = M_0 < M_1 < … < M_k = 1 with their negatives: b(α) changes only at α = 2|w_i|/(M_{r−1} + M_r), and these n·k
/// points are swept from the largest down: O(nk log nk) time, and as much memory. An oracle, and a solver for small tensors.
Optimum sweep(std::span<const float> w, std::span<const float> v, std::span<const double> magnitudes);

/// The levels of a set in that form. Only for sets with a level 0, not for Spacing::sign.
std::vector<double> magnitudes(const Levels&);

/// Ternary levels {−1, 0, 1}: with |w| sorted downwards, P_j = Σ_{i≤j} d_i|w_i| and C_j = Σ_{i≤j} d_i,
///   j* = argmax P_j²/C_j,   α = P_{j*}/C_{j*}.
/// O(n) on usual tensors: sums over narrow ranges of |w| bound P²/C inside each, and only ranges that may hold j* are sorted.
/// NaN if a value is not finite.
Optimum exact_ternary(std::span<const float> w, std::span<const float> v);

/// ‖w − ŵ‖²_D
double objective(std::span<const float> w, std::span<const float> v, std::span<const float> quantized);

/// Plain references of WeightQuantizer::solve for sign, uniform and logarithmic levels: the textbook loop, element by element.
BlockSums sums_ref(const Levels&, AlphaRule, std::span<const float> w, std::span<const float> v, float alpha);
float solve_ref(const Levels&, AlphaRule, std::span<const float> w, std::span<const float> v, float previous);

}  // namespace qsweep
