#pragma once
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
/// Sources: Hou, Zhang, Kwok 2019, section 3; Kingma, Ba 2015 (adam); Sutskever et al. 2013 (nesterov).
namespace qsweep {

/// One named element-wise part of the state: w, v, m, … [d]. Checkpoints and exchanges treat all fields alike.
struct Field {
  std::string name;
  std::vector<float> values;
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
  double learning_rate(std::uint64_t iteration) const { return schedule_.at(iteration); }

  void step(std::span<const float> gradient, std::uint64_t iteration);  ///< iteration t = 1 … T

 private:
  std::span<const float> field(const std::string& name) const;
  void update(const Tensor& tensor, const struct UpdateRule& rule, std::span<const float> gradient);

  Settings::Optimizer settings_;
  const Layout& layout_;
  Schedule schedule_;
  std::vector<Field> state_;
};

}  // namespace qsweep
