#pragma once
#include <vector>

#include "model/model.h"

/// Linear regression, no bias:   f_t(w) = ‖X_t w − y_t‖² / (2B)  (+ λ/2·‖w‖²),   ∇f_t(w) = X_tᵀ(X_t w − y_t)/B  (+ λ w)
///   w [d] = tensor fc1/weight [1, d];  X_t [B, d];  y_t [B]
///   Hessian X_tᵀX_t/B: its largest eigenvalue is that of the Gram matrix X_tX_tᵀ/B.
/// Source: Hou, Zhang, Kwok 2019, section 4.1.
namespace qsweep {

class LinearModel final : public Model {
 public:
  LinearModel(std::size_t dimension, double l2);
  const Layout& layout() const override { return layout_; }
  void initialize(std::uint64_t seed, std::span<float> w) const override;  ///< U[−.5, .5)
  double gradient(std::span<const float> w, const Batch& batch, std::span<float> gradient, std::span<float> state = {}) override;
  double loss(std::span<const float> w, const Batch& batch, std::span<const float> state = {}) override;
  Evaluation evaluate(std::span<const float> w, const Batch& batch, std::span<const float> state = {}) override;
  /// X_tX_tᵀ/B, both triangles [B, B].
  void gram(const Batch& batch, std::span<float> matrix) const;

 private:
  double residual_loss(std::span<const float> w, const Batch& batch);  ///< fills residual_

  Layout layout_;
  double l2_;
  std::vector<float> residual_;  ///< [B]
};

}  // namespace qsweep
