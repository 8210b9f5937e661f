#pragma once
#include <span>
#include <vector>

#include "model/two_layer_samples.h"

/// The two-linear-layer network with binary activation: population loss, gradient, and what the coarse gradients of three
/// straight-through estimators (STE) are on average. All in double.
///   y(Z, v, w) = vᵀσ(Zw),  Z ∈ R^{m×n} with independent N(0, 1) entries,  σ(x) = 1{x > 0};  label y(Z, v*, w*),  ‖w*‖ = 1
///   f(v, w)    = E ½(y − y*)² = ⅛[ (v − v*)ᵀJ(v − v*) + 2(1 − c)·d ]                         (Lemma 1, regrouped)
///   ∂f/∂v      = ¼Jv − ¼(cI + 1·1ᵀ)v*           ∂f/∂w = −d/(2π‖w‖)·u,  0 < θ < π            (Lemma 2)
///   g_μ        = Zᵀ(μ'(Zw) ⊙ v)·(y − y*),   μ' = 1 (identity), 1{x > 0} (ReLU), 1{0 < x < 1} (clipped ReLU)
///   E[g_μ]     = ρ·ŵ − τ·d·u                                                                  (Lemmas 4, 7, 9, split here)
///     identity:      ρ = [‖v‖² − d·cosθ]/√(2π)             τ = sinθ/√(2π)
///     ReLU:          ρ = [h − d·(1 + cosθ)]/(2√(2π))       τ = sinθ/(2√(2π))
///     clipped ReLU:  ρ = p(0)·h/2 − d·p(θ)                 τ = q(θ)
/// where J = I + 1·1ᵀ, d = v·v*, S = 1ᵀv*, θ the angle between w and w*, c = 1 − 2θ/π, ŵ = w/‖w‖, u the unit vector of w* − (ŵ·w*)ŵ, and
///   h = ‖v‖² + (1ᵀv)² − (1ᵀv)·S + d = 4 v·∂f/∂v + 2(1 − θ/π)·d.
/// The estimators differ by a positive factor in the part that turns w, and in the part that changes ‖w‖, which f does not see.
///   v, v* [m]   w, w* [n], w* of norm 1   θ in rad
/// Source: Yin, Lyu, Zhang, Osher, Qi, Xin 2019, "Understanding straight-through estimator in training activation quantized neural
/// nets", sections 2 and 3.
namespace qsweep {

/// What the formulas need of v beside v itself.
struct Overlap {
  double squared = 0;         ///< ‖v‖²
  double sum = 0;             ///< 1ᵀv
  double target = 0;          ///< d = v·v*
  double target_sum = 0;      ///< S
  double target_squared = 0;  ///< ‖v*‖²

  double h() const { return squared + sum * sum - sum * target_sum + target; }
};
Overlap overlap(Vector v, Vector v_star);
double distance(Vector v, Vector v_star);  ///< ‖v − v*‖

double population_loss(Vector v, Vector v_star, double theta);
double population_loss_at_zero(Vector v_star);  ///< f(v, 0) = ⅛ v*ᵀJv*
void gradient_of_v(Vector v, Vector v_star, double theta, std::span<double> gradient);

/// p(θ, w) = ∫₀ᵏ aφ(a)Φ(a·cotθ) da and q(θ, w) = ∫₀ᵏ φ(a)φ(a·cotθ) da with k = 1/‖w‖, in error functions; p0 = p(0, w).
/// p(π) = q(0) = q(π) = 0; the forms hold in the limits θ → 0, θ → π, ‖w‖ → 0.
struct ClipIntegrals {
  double p0 = 0, p = 0, q = 0;
};
ClipIntegrals clip_integrals(double theta, double norm);

/// E[g_μ] = radial·ŵ − tangential·d·u
struct Split {
  double radial = 0;      ///< ρ
  double tangential = 0;  ///< τ ≥ 0
};
Split expected_coarse_gradient(Estimator estimator, const Overlap& overlap, double theta, double norm);

/// ⟨E[g_μ], ∂f/∂w⟩ = τd²/(2π‖w‖) ≥ 0  (Lemmas 5, 7, 10)
double gradient_product(const Split& split, double d, double norm);

/// w seen from w*: its angle and the two directions of the plane; u = 0 where sinθ = 0. Of w = 0, ŵ and u are 0 and θ is π/2.
struct Frame {
  double norm = 0, theta = 0;
  std::vector<double> direction, turn;  ///< ŵ, u
};
Frame frame_of(Vector w, Vector w_star);
double angle(Vector w, Vector w_star);  ///< 2·atan2(‖ŵ − w*‖, ‖ŵ + w*‖): accurate near 0 and π, where arccos is not

void gradient_of_w(Vector v, Vector w, Vector v_star, Vector w_star, std::span<double> gradient);
void expected_coarse_gradient(Estimator estimator, Vector v, Vector w, Vector v_star, Vector w_star, std::span<double> gradient);

}  // namespace qsweep
