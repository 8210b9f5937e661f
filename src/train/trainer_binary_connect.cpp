// BinaryConnect (Courbariaux et al. 2015) is the trainer's line with Q_w(w) = ±H, H fixed for each layer:
//   G = √(1.5/(fan_in + fan_out)) of a layer; fans of a convolution count its window times channels
//   w begins uniform in ±H (biases 0), its update is multiplied by a factor, and it is clipped to [−H, H]
//   deterministic   H·sgn(w), sgn(0) = +1;  stochastic   +H with probability clip((w/H + 1)/2, 0, 1)
#include <algorithm>
#include <cmath>
#include <limits>

#include "train/trainer.h"

namespace qsweep {
namespace {

double glorot(const Tensor& t) {
  const double window = t.shape.size() == 4 ? static_cast<double>(t.shape[2] * t.shape[3]) : 1;
  return std::sqrt(1.5 / (window * static_cast<double>(t.shape[0] + t.shape[1])));
}

}  // namespace

/// given: the weights come from a file and stay, but for the clipping.
void Trainer::begin_binary_connect(bool given, std::vector<float>& w) {
  const auto& choice = settings_.compression;
  std::vector<float> bounds;
  std::vector<Optimizer::TensorRule> rules;
  for (const Tensor& t : model_->layout().tensors()) {
    if (!t.is_weight) {
      bounds.push_back(0);
      rules.push_back({std::numeric_limits<float>::infinity(), 1});
      continue;
    }
    const auto bound = static_cast<float>(choice.bound == "glorot" ? glorot(t) : std::stod(choice.bound));
    bounds.push_back(bound);
    rules.push_back({bound, static_cast<float>(choice.update_factor == "glorot" ? 1 / glorot(t) : std::stod(choice.update_factor))});
    const std::span<float> values = std::span(w).subspan(t.offset, t.size);
    if (!given) Stream(settings_.run.seed, Draw::InitialWeights).uniform(t.offset, -bound, bound, values);
    for (float& value : values) value = std::clamp(value, -bound, bound);
  }
  quantized_.fix_scales(std::move(bounds), choice.rounding == "stochastic", settings_.run.seed);
  optimizer_.set_rules(std::move(rules));
  optimizer_.begin(exchange_->partition().slice(w, team_.rank()));
}

}  // namespace qsweep
