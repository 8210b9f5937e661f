#pragma once
#include <cstddef>
#include <span>

/// The largest eigenvalue λ of a symmetric positive semidefinite matrix, such as the Gram matrix XXᵀ/B of one mini-batch, whose
/// largest eigenvalue is the Lipschitz constant L of that round's least-squares gradient.
///   Lanczos with full reorthogonalization from a fixed start: θ = Ritz value, r = ‖A·y − θ·y‖ of its unit Ritz vector y
///   value ≤ λ always;  upper = min(value + r, trace): λ ≤ upper once y has turned to the top eigenvector
/// An eigenvalue of A always lies within r of θ; it is the largest unless the top eigenvector is orthogonal to the start, whose
/// entries are irregular so that no data set has that but by design. n ≤ 3: exact (Jacobi rotations).
/// Source: Parlett 1980, The Symmetric Eigenvalue Problem, chapters 4 and 13.
namespace qsweep {

struct LargestEigenvalue {
  double value;  ///< Ritz value, a lower bound
  double upper;  ///< upper estimate
  int steps;     ///< products with the matrix
};

/// matrix [n, n] row-major, symmetric positive semidefinite, finite. Stops when r ≤ tolerance·θ, at the latest after n steps.
/// n = 0 or a zero matrix: 0. Memory: (steps + 1)·n doubles, and n² more for float.
LargestEigenvalue largest_eigenvalue(std::span<const double> matrix, std::size_t n, double tolerance = 1e-3);
LargestEigenvalue largest_eigenvalue(std::span<const float> matrix, std::size_t n, double tolerance = 1e-3);

}  // namespace qsweep
