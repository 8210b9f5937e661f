#include "theory/regret.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "base/blocks.h"
#include "base/cpu.h"
#include "base/errors.h"
#include "theory/regret_kernels.h"

namespace qsweep {

RegretMeter::RegretMeter(const RegretSettings& settings) : settings_(settings), curvature_(settings.dimension), scalars_(scalars) {
  if (settings.dimension == 0) throw ConfigError("model.dimension = 0: a regret needs at least one weight");
  if (!(settings.radius > 0)) throw ConfigError("optimizer.projection: theory.measure needs a box, r > 0");
  if (!(settings.eta > 0)) throw ConfigError("optimizer.learning_rate: theory.measure needs η > 0");
}

void RegretMeter::add(const RegretInput& in) {
  static const RegretKernels& kernels = dispatch(baseline::regret_kernels, avx2::regret_kernels, avx512::regret_kernels);
  const std::size_t d = settings_.dimension;
  assert(in.w.size() == d && in.w_hat.size() == d && in.g.size() == d && (in.v.empty() || in.v.size() == d));
  RegretSums sums{};
  for (std::size_t begin = 0; begin < d; begin += block_elements) {
    const std::size_t n = std::min(block_elements, d - begin);
    const RegretSums block =
        kernels.block(n, in.w.data() + begin, in.w_hat.data() + begin, in.g.data() + begin,
                      in.v.empty() ? nullptr : in.v.data() + begin, settings_.epsilon, 1 / in.eta, curvature_.data() + begin);
    sums.rise += block.rise;
    sums.step += block.step;
    sums.weight_error += block.weight_error;
    sums.gradient_squared += block.gradient_squared;
    sums.gradient_max = std::max(sums.gradient_max, block.gradient_max);
  }
  scalars_[iteration] += 1;
  scalars_[regret] += in.loss - in.comparator_loss;
  scalars_[rise] += sums.rise;
  scalars_[step] += in.eta / 2 * sums.step;
  scalars_[weight_error] += std::sqrt(sums.weight_error);
  scalars_[clip_error] += in.clip_error;
  scalars_[gradient_squared] += sums.gradient_squared;
  scalars_[gradient_max] = std::max(scalars_[gradient_max], sums.gradient_max);
  scalars_[lipschitz] = std::max(scalars_[lipschitz], in.lipschitz);
  scalars_[alpha] = std::max(scalars_[alpha], in.alpha);
}

BoundConstants RegretMeter::constants() const {
  const auto d = static_cast<double>(settings_.dimension);
  return {.dimension = d,
          .diameter = 2 * settings_.radius * std::sqrt(d),
          .diameter_infinity = 2 * settings_.radius,
          .gradient_infinity = scalars_[gradient_max],
          .lipschitz = scalars_[lipschitz],
          .alpha = scalars_[alpha],
          .eta = settings_.eta,
          .beta = settings_.beta,
          .epsilon = settings_.epsilon,
          .delta_w = settings_.delta_w,
          .delta_g = settings_.delta_g,
          .clip = settings_.clip};
}

RegretBounds RegretMeter::bounds() const {
  const BoundConstants b = constants();
  const double t = scalars_[iteration], d = b.dimension, D_infinity_2 = b.diameter_infinity * b.diameter_infinity;
  const double clip = b.diameter * scalars_[clip_error] / t;
  const double error = b.lipschitz * b.diameter * scalars_[weight_error] / t;
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  RegretBounds out{scalars_[regret] / t, none, (D_infinity_2 / 2 * scalars_[rise] + scalars_[step]) / t + error + clip, none, none};
  if (!u2_defined()) return out;
  const double telescoped = D_infinity_2 * std::sqrt(t) / (2 * b.eta) * d * (b.gradient_infinity + b.epsilon);
  const double steps =
      b.eta * std::sqrt(1 + std::log(t)) * std::sqrt(d) / (2 * std::sqrt(1 - b.beta)) * std::sqrt(scalars_[gradient_squared]);
  out.printed = optimization_term(b, BoundForm::printed, t) + qsweep::weight_error(b, BoundForm::printed) + clip;
  out.u2 = (telescoped + steps) / t + error + clip;
  out.u3 = (telescoped + steps) / t + qsweep::weight_error(b, BoundForm::repaired) + clip;
  return out;
}

std::vector<RegretMeter::Constant> RegretMeter::named_constants() const {
  const BoundConstants b = constants();
  const double t = scalars_[iteration];
  return {{"D", "weight", "diameter of the box, 2r√d", b.diameter},
          {"D_infinity", "weight", "width of the box, 2r", b.diameter_infinity},
          {"G_infinity", "loss/weight", "largest entry of the driving gradient", b.gradient_infinity},
          {"L", "loss/weight^2", "largest eigenvalue of a round's Hessian", b.lipschitz},
          {"alpha", "weight", "largest weight scale", b.alpha},
          {"eta", "weight", "learning rate of η/√t", b.eta},
          {"beta", "1", "decay of the second moment", b.beta},
          {"epsilon", "loss/weight", "added to √v", b.epsilon},
          {"B_T", "loss/weight", "√Σ‖g‖² of the driving gradient", std::sqrt(scalars_[gradient_squared])},
          {"delta_w_printed", "1", "weight resolution as printed", b.delta_w.printed},
          {"delta_w", "1", "weight resolution", b.delta_w.repaired},
          {"delta_g", "1", "gradient resolution", b.delta_g},
          {"K_printed", "loss", "constant of the rate as printed", rate_constant(b, BoundForm::printed, t)},
          {"K", "loss", "constant of the rate, repaired, at the last iteration", rate_constant(b, BoundForm::repaired, t)},
          {"slow_down_printed", "1", "slow-down by quantized gradients as printed", slow_down(b, BoundForm::printed)},
          {"slow_down", "1", "slow-down by quantized gradients, tight constant", slow_down(b, BoundForm::repaired)},
          {"Err_w_printed", "loss", "weight-quantization floor as printed", qsweep::weight_error(b, BoundForm::printed)},
          {"Err_w", "loss", "weight-quantization floor", qsweep::weight_error(b, BoundForm::repaired)},
          {"weight_distance", "weight", "mean ‖w − ŵ‖", scalars_[weight_error] / t},
          {"clip_distance", "loss/weight", "mean ‖Clip(ĝ) − ĝ‖", scalars_[clip_error] / t},
          {"clip_floor", "loss", "D·mean ‖Clip(ĝ) − ĝ‖", b.diameter * scalars_[clip_error] / t},
          {"u1_holds", "1", "1 if average_regret ≤ u1 is promised", u1_holds() ? 1.0 : 0.0},
          {"u2_u3_hold", "1", "1 if u1 ≤ u2 ≤ u3 is promised", u2_u3_hold() ? 1.0 : 0.0}};
}

std::vector<std::pair<std::string, std::span<double>>> RegretMeter::state() {
  return {{"theory/curvature", curvature_}, {"theory/sums", scalars_}};
}

}  // namespace qsweep
