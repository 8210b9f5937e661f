#pragma once
#include <cstddef>
#include <span>
#include <vector>

/// The best fixed w of a box in hindsight, for least squares over a whole stream of samples (x, y):
///   minimize  F(w) = wᵀAw − 2bᵀw + c = Σ (y − xᵀw)²   over |w_i| ≤ r,     A = Σ xxᵀ [d, d],  b = Σ y·x [d],  c = Σ y²
/// Method: sweeps of projected coordinate descent find which coordinates lie at ±r, conjugate gradients solve for the others,
/// and a projected step keeps every iterate in the box; F never rises. A may be singular (fewer samples than weights).
///   KKT residual: with q = Aw − b, the largest |q_i| that a feasible move of w_i could still use, over max_i(|b_i|, r·A_ii)
/// Source: Moré, Toraldo 1991, "On the solution of large quadratic programming problems with bound constraints".
namespace qsweep {

struct Hindsight {
  std::vector<double> w;  ///< [d]
  double value;           ///< F(w)
  double kkt_residual;    ///< relative; at most `tolerance` unless rounding in A·w forbids
  int rounds;             ///< of sweeps and conjugate gradients
};

/// A [d, d] row-major, symmetric positive semidefinite; r > 0. About d²·(20 to 200) operations for well-conditioned A.
Hindsight best_in_hindsight(std::span<const double> A, std::span<const double> b, double c, double r, double tolerance = 1e-10);

}  // namespace qsweep
