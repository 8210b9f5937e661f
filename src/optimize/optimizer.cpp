#include "optimize/optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/cpu.h"
#include "optimize/optimizer_kernels.h"

namespace qsweep {
namespace {

const OptimizerKernels& kernels() { return dispatch(baseline::optimizer_kernels, avx2::optimizer_kernels, avx512::optimizer_kernels); }

std::vector<std::string> fields_of(const std::string& kind) {
  if (kind == "sgd") return {"weights"};
  if (kind == "rmsprop") return {"weights", "second_moment"};
  if (kind == "adam") return {"weights", "first_moment", "second_moment"};
  return {"weights", "velocity"};
}

}  // namespace

Optimizer::Optimizer(const Settings::Optimizer& settings, const Layout& layout, double iterations_per_epoch)
    : settings_(settings), layout_(layout), schedule_{settings.schedule, settings.learning_rate, settings.decay, {}, settings.decays, iterations_per_epoch} {
  for (const double epoch : settings.milestones) schedule_.milestones.push_back(iterations_of_epochs(epoch, iterations_per_epoch));
  for (const std::string& name : fields_of(settings.kind)) state_.push_back({name, std::vector<float>(layout.dimension())});
  if (settings.average) state_.push_back({"average", std::vector<float>(layout.dimension())});
}

std::span<const float> Optimizer::second_moment() const {
  return field("second_moment");
}

std::span<const float> Optimizer::average() const { return field("average"); }

std::span<const float> Optimizer::field(const std::string& name) const {
  const auto found = std::ranges::find(state_, name, &Field::name);
  return found == state_.end() ? std::span<const float>() : std::span<const float>(found->values);
}

void Optimizer::begin(std::span<const float> weights) {
  for (Field& field : state_)
    if (field.name == "weights" || field.name == "average") std::ranges::copy(weights, field.values.begin());
}

double Optimizer::learning_rate(std::uint64_t iteration) const {
  const double rate = factor_ * schedule_.at(iteration - phase_begin_);
  return pull_.strength > 0 ? std::min(rate, 1 / pull_.strength) : rate;
}

void Optimizer::set_phase(std::uint64_t begin, double factor, Pull pull) {
  phase_begin_ = begin;
  factor_ = factor;
  pull_ = std::move(pull);
}

void Optimizer::forget() {
  for (std::size_t i = 1; i < state_.size(); ++i) std::ranges::fill(state_[i].values, 0.0F);
}

void Optimizer::step(std::span<const float> gradient, std::uint64_t iteration) {
  const auto t = static_cast<double>(iteration - phase_begin_);
  UpdateRule rule;
  rule.rate = static_cast<float>(learning_rate(iteration));
  rule.pull = static_cast<float>(pull_.strength);
  rule.beta1 = static_cast<float>(settings_.beta1);
  rule.beta2 = static_cast<float>(settings_.beta2);
  rule.epsilon = static_cast<float>(settings_.epsilon);
  rule.momentum = static_cast<float>(settings_.momentum);
  rule.weight_decay = static_cast<float>(settings_.weight_decay);
  rule.correction1 = static_cast<float>(1 / (1 - std::pow(settings_.beta1, t)));
  rule.correction2 = static_cast<float>(1 / (1 - std::pow(settings_.beta2, t)));
  rule.keep_maximum = settings_.second_moment == "max";
  const float rate = rule.rate;
  for (std::size_t l = 0; l < layout_.tensors().size(); ++l) {
    const Tensor& tensor = layout_.tensors()[l];
    const bool projected = tensor.is_weight && settings_.projection.has_value();
    rule.bound = !rules_.empty() ? rules_[l].bound : projected ? static_cast<float>(*settings_.projection) : std::numeric_limits<float>::infinity();
    rule.rate = !rules_.empty() ? rate * rules_[l].factor : rate;
    update(tensor, rule, gradient);
  }
  if (!settings_.average) return;
  const double decay = std::min(*settings_.average, (1 + t) / (10 + t));
  kernels().average(static_cast<float>(1 - decay), layout_.dimension(), state_.front().values.data(), state_.back().values.data());
}

void Optimizer::update(const Tensor& tensor, const UpdateRule& rule, std::span<const float> gradient) {
  const auto field = [&](std::size_t i) { return state_[i].values.data() + tensor.offset; };
  const float* g = gradient.data() + tensor.offset;
  const float* target = pull_.strength > 0 && pull_.on(tensor) ? pull_.target.data() + tensor.offset : nullptr;
  const std::size_t n = tensor.size;
  if (settings_.kind == "sgd") kernels().sgd(rule, n, g, target, field(0));
  else if (settings_.kind == "momentum") kernels().momentum(rule, n, g, target, field(0), field(1));
  else if (settings_.kind == "nesterov") kernels().nesterov(rule, n, g, target, field(0), field(1));
  else if (settings_.kind == "rmsprop") kernels().rmsprop(rule, n, g, target, field(0), field(1));
  else kernels().adam(rule, n, g, target, field(0), field(1), field(2));
}

}  // namespace qsweep
