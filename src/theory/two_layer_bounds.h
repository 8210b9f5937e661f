#pragma once
#include <cstddef>

/// Constants of the two-layer network's descent theory (two_layer.h), carried through the printed proofs.
///   ‖E g‖² ≤ A·(‖∂f/∂v‖² + ⟨E g, ∂f/∂w⟩)  for ‖v‖ ≤ C_v                                                   (12)
///     ReLU:          A = max(6C_v²/π, 2(2π)^{3/2}(3π/32 + 3/(2π))·‖w‖)     grows with ‖w‖: no constant of C_v alone will do
///     clipped ReLU:  A = max(16·p(0,w)²·C_v², 4(2 + π²/4)·2π‖w‖q) ≤ max(8C_v²/π, 8 + π²)
///   with the Lipschitz constant L of the gradient on ‖v‖ ≤ C_v, ‖w‖ ≥ c_w, in one plane and on one side of its axis (Lemma 3)
///     L² = [¼(m + 1 + ‖v*‖/c_w)]² + [(C_v + c_w)·‖v*‖/(2πc_w²)]²
///   a step descends:  f⁺ − f ≤ −(η − (1+A)Lη²/2)·‖∂f/∂v‖² − (η − ALη²/2)·⟨∂f/∂w, E g⟩  if η < 2/((1+A)L)      (13)
/// For the identity no such A exists near a spurious minimum (Lemma 10).
/// Source: Yin et al. 2019, Lemmas 3, 5, 7 and Theorem 1; (12) is printed without the factor ‖w‖, its proof takes ‖w‖ = 1.
namespace qsweep {

double relu_constant(double C_v, double norm);                              ///< A of ReLU at this ‖w‖
double clipped_relu_constant(double C_v, double theta, double norm);        ///< A of clipped ReLU at this θ and ‖w‖
double clipped_relu_constant(double C_v);                                   ///< at any θ and ‖w‖
double gradient_lipschitz(std::size_t m, double target_norm, double C_v, double c_w);  ///< L
double step_limit(double A, double L);                                      ///< 2/((1+A)L)
/// The right-hand side of (13): the loss changes by no more. squared: ‖∂f/∂v‖², product: ⟨∂f/∂w, E g⟩.
double descent_bound(double eta, double A, double L, double squared, double product);

}  // namespace qsweep
