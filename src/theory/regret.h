#pragma once
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "theory/bounds.h"

/// The regret of a run as it goes, and the bounds on it that an executable check can hold it to:
///   R  = Σ_{s≤t} [ f_s(w_s) − f_s(u) ]                                    u: any point of the box S = [−r, r]^d
///   U1 = (D_∞²/2) Σ_i Σ_{s≤t} max(0, P_{s,i}/η_s − P_{s−1,i}/η_{s−1}) + Σ_s (η_s/2) Σ_i g_{s,i}²/P_{s,i} + E + C,   P_{0,i}/η_0 =
///   0 U2 = D_∞²√t/(2η)·d·(G_∞ + ε) + η√(1+ln t)·√d/(2√(1−β))·B_t + E + C U3 = U2 with L·D·t·√(D² + d·α²·Δ_w²/4) for E, Δ_w = 2 for
///   LAB E  = L·D·Σ_s ‖w_s − ŵ_s‖,   C = D·Σ_s ‖Clip(ĝ_s) − ĝ_s‖,   P = √v + ε (1 without a second moment),   B_t = √(Σ_s ‖g_s‖²)
///   D = 2r√d, D_∞ = 2r;  L, G_∞, α: the largest met so far;  g_s: the gradient that drives the update (averaged, quantized).
/// Guarantees, for convex f_s with w_{s+1} = clamp(w_s − η_s·g_s/P_s, ±r):
///   R ≤ U1 for any second moment and schedule;  U1 ≤ U2 with η_s = η/√s and v ← max(v_prev, v);  U2 ≤ U3 if ŵ is nearest-level.
///   With quantized gradients in expectation over the rounding only: the mean of R − U1 over seeds, at fixed data and u.
/// `printed` is the theorem as the paper prints it, K·slow-down·d/√t + Err_w, with the measured constants and, in place of the
/// Gaussian clip floor, C/t. G_∞ is taken of the driving gradient: for one worker that is also the largest entry before quantizing.
/// Source: Hou, Zhang, Kwok 2019, theorems 1 to 3; U1 to U3: docs/bounds.md.
namespace qsweep {

struct RegretSettings {
  /// How the step is made of g: g itself (sgd), g/(√v + ε) (rmsprop), or otherwise (momentum, Adam: measured, nothing promised).
  enum class Step { gradient, rmsprop, other };
  std::size_t dimension = 0;  ///< d
  double radius = 0.5;        ///< r, unit of a weight
  double eta = 0.03;          ///< η, unit of a weight
  double beta = 0.9;          ///< β of the second moment
  double epsilon = 1e-8;      ///< ε
  Step step = Step::rmsprop;
  bool inverse_sqrt = true;         ///< η_t = η/√t
  bool second_moment_max = false;   ///< v ← max(v_prev, v)
  WeightResolution delta_w{0, 0};   ///< weight_resolution(name)
  double delta_g = 0;               ///< gradient_resolution(name)
  std::optional<double> clip = {};  ///< c; only the slow-down factor of `printed` depends on it
};

/// One iteration t, before its update moved w: spans [d].
struct RegretInput {
  double loss;             ///< f_t(w_t), mean over workers, at the full-precision weights
  double comparator_loss;  ///< f_t(u)
  std::span<const float> w;
  std::span<const float> w_hat;
  std::span<const float> g;  ///< driving gradient
  std::span<const float> v;  ///< second moment that the step divides by (after its update with g); empty: P = 1
  double eta;                ///< η_t
  double lipschitz;          ///< upper estimate of λ_max of this round's Hessian, mean over workers or more
  double alpha;              ///< α_t; 0 with full-precision weights
  double clip_error;         ///< mean over workers of ‖Clip(ĝ) − ĝ‖; 0 unclipped
};

/// All divided by t, unit of the loss; u2, u3 and printed are NaN unless rmsprop with η/√t, which their formulas need.
struct RegretBounds {
  double average_regret, printed, u1, u2, u3;
};

class RegretMeter {
 public:
  explicit RegretMeter(const RegretSettings&);  ///< ConfigError unless d ≥ 1 and r, η > 0
  void add(const RegretInput&);                 ///< the next iteration
  RegretBounds bounds() const;                  ///< after at least one add

  bool u1_holds() const { return settings_.step != RegretSettings::Step::other; }
  bool u2_u3_hold() const { return u2_defined() && settings_.second_moment_max; }
  double iterations() const { return scalars_[iteration]; }

  /// What the theorems take as known, as measured so far.
  BoundConstants constants() const;
  struct Constant {
    std::string name, unit, long_name;
    double value;
  };
  /// Every constant behind the bounds, for the results group bound/: the settings' and the measured ones.
  std::vector<Constant> named_constants() const;

  /// All state, by name: what a checkpoint holds. Overwriting the spans with saved values resumes to the bit.
  std::vector<std::pair<std::string, std::span<double>>> state();

 private:
  enum Scalar {
    iteration,
    regret,
    rise,
    step,
    weight_error,
    clip_error,
    gradient_squared,
    gradient_max,
    lipschitz,
    alpha,
    scalars
  };
  bool u2_defined() const { return settings_.step == RegretSettings::Step::rmsprop && settings_.inverse_sqrt; }

  RegretSettings settings_;
  std::vector<double> curvature_;  ///< P_t/η_t [d]
  std::vector<double> scalars_;    ///< sums and maxima so far, by Scalar
};

}  // namespace qsweep
