#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

/// Samples of the two-linear-layer network with binary activation, y(Z, v, w) = vᵀσ(Zw), σ(x) = 1{x > 0}, and labels y* = y(Z, v*, w*):
/// the mean loss over N of them, and the mean coarse gradient
///   l = ½(vᵀσ(Zw) − y*)²,   ∂l/∂v = σ(Zw)·(vᵀσ(Zw) − y*),   g_μ = Zᵀ(μ'(Zw) ⊙ v)·(vᵀσ(Zw) − y*)
///   μ' = 1 (identity), 1{x > 0} (ReLU), 1{0 < x < 1} (clipped ReLU)
/// Only σ', which is 0 almost everywhere, is replaced by μ' of a straight-through estimator; the residual always uses σ, σ(0) = 0. Sums are
/// taken sample by sample, in double. What these are on average: theory/two_layer.h.
///   Z [m, n] independent N(0, 1)   v, v* [m]   w, w* [n]
/// Source: Yin et al. 2019, section 2.1.
namespace qsweep {

enum class Estimator { identity, relu, clipped_relu };
Estimator estimator(const std::string& name);  ///< of a value of activations.ste

using Vector = std::span<const double>;

class TwoLayerSamples {
 public:
  /// z [samples, m, n], m = v_star.size(), n = w_star.size(): makes the labels.
  TwoLayerSamples(std::vector<float> z, Vector v_star, Vector w_star);

  std::size_t count() const { return labels_.size(); }
  double loss(Vector v, Vector w) const;
  /// Returns the loss, too.  gradient_v [m], gradient_w [n]
  double gradient(Estimator estimator, Vector v, Vector w, std::span<double> gradient_v, std::span<double> gradient_w) const;

 private:
  /// vᵀσ(Zw) − y* of one sample, and x = Zw [m].
  double residual(std::size_t sample, Vector v, Vector w, std::span<double> x) const;

  std::size_t rows_, columns_;
  std::vector<float> z_;
  std::vector<double> labels_;
};

}  // namespace qsweep
