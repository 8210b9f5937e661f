#pragma once
#include "quantize/sorted_values.h"

/// The best scale a > 0 of a codebook a·{c_1 < … < c_K}, exactly: for fixed assignments κ, with A = Σ x_i c_κ(i), B = Σ c_κ(i)²,
///   min over a of ‖x − a c_κ‖² = ‖x‖² − A²/B   at a = A/B
/// and the optimum is met by a nearest assignment, so the largest A²/B over the nearest assignments of all a > 0 is the answer.
///   {−1, 1}      one assignment, sgn(x): a = mean |x|
///   {−1, 0, 1}   the j largest |x| are not 0: a = S_j/j for the smallest j with the largest S_j/√j, S_j the sum of the j largest;
///                x_i goes to 0 where |x_i| < a/2, and no |x_i| equals a/2
///   any c        they change at a = x_i/((c_k + c_{k+1})/2) only: from a = ∞ (each x_i at the entry nearest 0) down through these
///                breakpoints, merged from sorted lists, O(nK log K)
/// 0 if no a > 0 is better than a = 0. Sums are double, in the order of the sorted values.
/// Source: Carreira-Perpiñán, Idelbayev 2017; Idelbayev et al. 2021 (any c).
namespace qsweep {

double scale_of_binary(std::span<const float> x);
double scale_of_ternary(std::span<const float> x);
double scale_of_codebook(const SortedValues& x, std::span<const double> entries);

}  // namespace qsweep
