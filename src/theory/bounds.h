#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

/// What the theorems promise, in closed form. E R(T)/T is the average regret, in units of the loss:
///   Theorem 1  R(T)/T   ≤ K·d/√T + Err_w                                   weights quantized, full-precision gradients
///   Theorem 2  E R(T)/T ≤ K·√( (1+√(2d−1))/2·Δ_g + 1 )·d/√T + Err_w        gradients quantized too
///   Theorem 3  E R(T)/T ≤ K·√( √(2/π)·c·Δ_g + 1 )·d/√T + Err_w + √d·D·σ·(2/π)^(1/4)·√F(c)     and clipped at cσ before
///   K = D_∞²·G_∞/(2η) + η·G_∞²/√(1−β),     Err_w = L·D·√(D² + d·α²·Δ_w²/4)
/// Validity: f_t convex with an L-Lipschitz gradient; gradient entries at most G_∞; a compact set of diameter D (D_∞ per
/// coordinate) that holds 0 and every w_t; η_t = η/√t; v non-decreasing in √t·v; theorem 3: gradient entries N(0, σ²). N workers
/// that round independently: theorems 2 and 3 hold as they stand. As printed they can fail: K rests on a false lemma, and Δ_w = 1
/// for LAB is half its spacing (docs/bounds.md). The repaired form, which does hold with v ← max(v_prev, v) and projection, has
///   K(T) = D_∞²·(G_∞ + ε)/(2η) + η·G_∞·√(1 + ln T)/(2√(1−β)),     Δ_w = 2 for LAB
/// Source: Hou, Zhang, Kwok 2019, theorems 1 to 3, propositions 1 to 3, remark 1, eq. (9). Repairs: docs/bounds.md.
namespace qsweep {

enum class BoundForm { printed, repaired };

// ---- Level sets

/// Distance of neighbouring levels of w/α, by name (weights.quantizer). 0 for fp. NaN in `printed` where the paper has no value.
struct WeightResolution {
  double printed;   ///< Δ_w as the paper prints it: lab 1, lat 1, laqm 1/(2^(m−1) − 1)
  double repaired;  ///< lab 2; the same for lat and laqm; logm: its widest gap, 1/2 (m = 2: 1)
};
WeightResolution weight_resolution(std::string_view weights);  ///< ConfigError unless fp, lab, lat, laq2 … laq8, log2 … log8
double gradient_resolution(std::string_view gradients);  ///< Δ_g = 1/(2^(m−1) − 1), 0 for fp; ConfigError unless fp, sq2 … sq8

// ---- Propositions: how much longer a quantized gradient is

/// Proposition 1: E‖Q(g)‖² ≤ proposition1(d, Δ_g)·‖g‖²; any g, any d ≥ 1.
double proposition1(double d, double delta_g);
/// max over g ≠ 0 of ‖g‖_∞‖g‖₁/‖g‖² = (1+√d)/2, at g_d = cos t, all others sin t/√(d−1), tan 2t = √(d−1).
double largest_norm_ratio(double d);
/// Proposition 1 with that constant: Δ_g·(1+√d)/2 + 1; at m = 2 (Δ_g = 1), where E‖Q(g)‖² = ‖g‖_∞‖g‖₁, just (1+√d)/2.
double proposition1_tight(double d, double delta_g);
/// Proposition 2: E‖Q(Clip(g))‖² ≤ proposition2(c, Δ_g)·E‖g‖² for g ~ N(0, σ²I), Clip at cσ; free of d.
double proposition2(double c, double delta_g);
/// The same with E|Clip(g)_i| and E Clip(g)_i² instead of E|g_i| and E g_i², and without the last at m = 2. Attained there once s =
/// cσ.
double proposition2_tight(double c, double delta_g);
/// Proposition 3: E‖Clip(g) − g‖² = d·σ²·√(2/π)·F(c) for g ~ N(0, σ²I), Clip at cσ.
double proposition3(double d, double sigma, double c);
/// F(c) = −c·exp(−c²/2) + √(π/2)·(1+c²)·(1 − erf(c/√2)) = ∫_c^∞ (x−c)² exp(−x²/2) dx, c ≥ 0; relative error below 1e-13.
double clip_integral(double c);
/// E‖Q(g)‖²/‖g‖² for g ~ N(0, σ²I), unclipped, scale ‖g‖_∞: what to expect where proposition 1 tells the worst. By quadrature over
/// the density of ‖g‖_∞, about 1e-9 accurate. At m = 2 it grows like √(2/π)·√(2 ln d).
double gaussian_ratio(double d, double delta_g);

// ---- Theorems

/// What the theorems take as known.
struct BoundConstants {
  double dimension = 1;             ///< d
  double diameter = 1;              ///< D ≥ ‖u − w‖, unit of a weight; box [−r, r]^d: 2r√d
  double diameter_infinity = 1;     ///< D_∞ ≥ ‖u − w‖_∞; box: 2r
  double gradient_infinity = 1;     ///< G_∞ ≥ |gradient entry|, loss per weight
  double lipschitz = 1;             ///< L ≥ largest eigenvalue of any round's Hessian, loss per weight²
  double alpha = 1;                 ///< α = max α_t, unit of a weight
  double eta = 1;                   ///< η of η_t = η/√t, unit of a weight
  double beta = 0.9;                ///< β of the second moment
  double epsilon = 0;               ///< ε added to √v; enters the repaired form only
  WeightResolution delta_w{0, 0};   ///< Δ_w in both forms; 0: full-precision weights
  double delta_g = 0;               ///< Δ_g; 0: full-precision gradients
  std::optional<double> clip = {};  ///< c; none: theorem 2
  double sigma = 0;                 ///< σ of a gradient entry, loss per weight; enters with clip only
};

/// K (printed: the same for all T), or K(T) (repaired). Unit of the loss.
double rate_constant(const BoundConstants&, BoundForm, double T);
/// √(proposition 1), or √(proposition 2) if clipped; repaired: with the tight constants. 1 for full-precision gradients.
double slow_down(const BoundConstants&, BoundForm);
/// K·slow-down·d/√(T·N). N > 1 is remark 1: batch per worker fixed, the workers' gradients independent and of zero mean.
double optimization_term(const BoundConstants&, BoundForm, double T, double workers = 1);
/// Err_w; 0 for full-precision weights, where ŵ = w (the formula's limit Δ_w → 0 is L·D², for weights beyond ±α).
double weight_error(const BoundConstants&, BoundForm);
/// √d·D·σ·(2/π)^(1/4)·√F(c); 0 without clipping.
double clip_floor(const BoundConstants&);
/// The theorem that applies: optimization term + Err_w + clip floor. Average regret after T rounds is at most this (in
/// expectation).
double bound(const BoundConstants&, BoundForm, double T);
/// T at which the optimization term falls to `target` > 0: (K·slow-down·d/target)²/N (remark 1). Infinite for target 0.
double iterations_to_target(const BoundConstants&, BoundForm, double target, double workers = 1);

}  // namespace qsweep
