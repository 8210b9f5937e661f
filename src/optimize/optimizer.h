#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/layout.h"
#include "config/settings.h"
#include "optimize/schedule.h"

/// The update of the governing line, w ← w − η_t D_t⁻¹ g, and the state it keeps. With g ← g + λw (optimizer.weight_decay) first:
///   sgd       w ← w − η g
///   momentum  u ← m u + g,                 w ← w − η u
///   nesterov  u ← m u + g,                 w ← w − η (g + m u)
///   rmsprop   v ← β v + (1−β) g²,          w ← w − η g/(√v + ε)                       D = √v + ε
///   adam      m ← β₁ m + (1−β₁) g,  v as above,  w ← w − η m̂/(√v̂ + ε),  m̂ = m/(1−β₁ᵗ),  v̂ = v/(1−β₂ᵗ)
/// second_moment = max keeps v ← max(v_{t−1}, β v_{t−1} + (1−β) g²), which makes √(t·v) non-decreasing as the proofs need.
/// Weights (never biases) are then projected onto the box [−r, r]. With optimizer.average = δ the state holds beside w
///   a ← a + (1 − δ_t)(w − a),  δ_t = min(δ, (1 + t)/(10 + t)),  a_1 = w_1        all parameters
/// which nothing but the evaluation reads.
/// A pull towards t adds μ(w − t), the gradient of the penalty μ/2·‖w − t‖², to g, and holds the rate at or below 1/μ: then the
/// penalty alone never overshoots (Carreira-Perpiñán 2017, theorems 5.2 and 5.3).
/// Sources: Hou, Zhang, Kwok 2019, section 3; Kingma, Ba 2015 (adam); Sutskever et al. 2013 (nesterov).
namespace qsweep {

/// One named element-wise part of the state: w, v, m, … [d]. Checkpoints and exchanges treat all fields alike.
struct Field {
  std::string name;
  std::vector<float> values;
};

/// The pull of one phase of training.
struct Pull {
  double strength = 0;                                      ///< μ; 0: none
  std::span<const float> target = {};                       ///< t [d], of the elements that are kept here
  std::function<bool(const Tensor&)> on = [](const Tensor& t) { return t.is_weight; };  ///< which tensors
};

class Optimizer {
 public:
  /// iterations_per_epoch: turns milestones (epochs) into iterations.
  Optimizer(const Settings::Optimizer& settings, const Layout& layout, double iterations_per_epoch);

  std::vector<Field>& state() { return state_; }
  const std::vector<Field>& state() const { return state_; }
  std::span<float> weights() { return state_[0].values; }
  std::span<const float> weights() const { return state_[0].values; }
  void begin(std::span<const float> weights);       ///< w_1
  std::span<const float> average() const;           ///< a [d]; empty where none is kept
  std::span<const float> second_moment() const;     ///< v [d]; empty for sgd, momentum, nesterov: uniform curvature
  double learning_rate(std::uint64_t iteration) const;

  /// From iteration `begin` + 1 on iterations are counted from there, the schedule's rate is multiplied by `factor`, and weights are
  /// pulled. The pull's target must outlive the phase.
  void set_phase(std::uint64_t begin, double factor, Pull pull);
  void forget();  ///< all state but the weights begins anew
  /// Of single tensors, by index: r of their box, and a factor on their updates. Replaces the projection of all.
  struct TensorRule {
    float bound, factor;
  };
  void set_rules(std::vector<TensorRule> rules) { rules_ = std::move(rules); }

  void step(std::span<const float> gradient, std::uint64_t iteration);  ///< iteration t = 1 … T

 private:
  std::span<const float> field(const std::string& name) const;
  void update(const Tensor& tensor, const struct UpdateRule& rule, std::span<const float> gradient);

  Settings::Optimizer settings_;
  const Layout& layout_;
  Schedule schedule_;
  std::vector<Field> state_;
  std::uint64_t phase_begin_ = 0;
  double factor_ = 1;
  Pull pull_;
  std::vector<TensorRule> rules_;
};

}  // namespace qsweep
