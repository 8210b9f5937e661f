#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "base/layout.h"

/// Linear regression of vectors, solved exactly:
///   L(W, b) = (1/N) Σ_n ‖y_n − W x_n − b‖²,   penalized: L + μ/2·‖W − T‖²
///   W = ((2/N) R + μT)·((2/N) S + μI)⁻¹,  b = ȳ − W x̄,   S = Σ x_c x_cᵀ,  R = Σ y_c x_cᵀ,  x_c = x − x̄, y_c = y − ȳ
/// One eigendecomposition S = U diag(s) Uᵀ serves every μ. μ = 0 needs S of full rank: inputs with noise.
///   x [N, inputs], y [N, outputs], double;  W [outputs, inputs] and b [outputs] are floats, tensors fc1/weight and fc1/bias
/// Source: Carreira-Perpiñán, Idelbayev 2017, the L step of linear regression.
namespace qsweep {

/// What the loss of a set of samples needs of them: one pass over the samples, whatever is evaluated later.
///   L(W, b) = ( Σ‖y_c‖² − 2⟨W, R⟩ + ⟨W S, W⟩ )/N + ‖ȳ − W x̄ − b‖²
struct RegressionMoments {
  RegressionMoments(std::size_t inputs, std::size_t outputs, std::span<const double> x, std::span<const double> y);
  double loss(std::span<const float> w) const;  ///< w [W, b]

  std::size_t inputs, outputs, samples;
  std::vector<double> mean_x, mean_y;
  std::vector<double> gram, cross;  ///< S [inputs, inputs], R [outputs, inputs]
  double squares = 0;               ///< Σ‖y_c‖²
};

class Regression {
 public:
  explicit Regression(RegressionMoments moments);

  const Layout& layout() const { return layout_; }
  const RegressionMoments& moments() const { return moments_; }
  /// w [W, b] ← the minimiser. target: T in the place of W, of the whole vector's size; not read if μ = 0. std::domain_error if
  /// μ = 0 and S is singular.
  void minimise(double mu, std::span<const float> target, std::span<float> w) const;

 private:
  RegressionMoments moments_;
  Layout layout_;
  std::vector<double> eigenvalues_, vectors_;  ///< s [inputs]; row i of [inputs, inputs] is eigenvector i
};

}  // namespace qsweep
