#include "train/worker.h"

#include <algorithm>
#include <cmath>

#include "base/blocks.h"
#include "theory/spectrum.h"

namespace qsweep {

Workers::Workers(const Settings& settings, const WorkerBlock& block, Model& model, Feed& feed, Stopwatch& watch)
    : settings_(settings), block_(block), model_(model), linear_(dynamic_cast<LinearModel*>(&model)), feed_(feed),
      linear_feed_(dynamic_cast<LinearFeed*>(&feed)), watch_(watch) {
  const std::size_t tensors = model.layout().tensors().size();
  gradients_.assign(block.count, std::vector<float>(model.layout().dimension()));
  reports_.assign(block.count * report_size(), 0.0);
  limits_.assign(block.count * tensors, std::numeric_limits<float>::infinity());
  squared_norms_.assign(block.count * tensors, 0.0);
  std::vector<float> state(model.state_layout().dimension());
  model.initialize_state(state);
  set_states(state);
}

void Workers::set_states(std::span<const float> state) {
  states_.clear();
  for (std::size_t i = 0; i < block_.count; ++i) states_.insert(states_.end(), state.begin(), state.end());
}

void Workers::state(Archive& archive) { archive.of_workers("batch_norm", states_, model_.state_layout().dimension(), settings_.workers.count); }

void Workers::set_wish(Wish wish) {
  for (std::size_t i = 0; i < block_.count; ++i) reports_[i * report_size() + Report::wish] = static_cast<double>(wish);
}

void Workers::compute(std::span<const float> quantized, std::span<const float> w, std::uint64_t iteration) {
  const Timed timed(watch_, Phase::compute);
  for (std::size_t i = 0; i < block_.count; ++i) {
    const std::span<double> report = std::span(reports_).subspan(i * report_size(), report_size());
    const auto worker = block_.first + static_cast<std::uint32_t>(i);
    Batch batch = feed_.next(worker, iteration);
    batch.seed = settings_.run.seed;
    batch.worker = worker;
    batch.iteration = static_cast<std::uint32_t>(iteration);
    const std::size_t state = model_.state_layout().dimension();
    report[Report::loss] = model_.gradient(quantized, batch, gradients_[i], std::span(states_).subspan(i * state, state));
    if (linear_ != nullptr) measure_linear(batch, w, report);
    if (settings_.gradients.quantized()) prepare_quantizing(i, report);
  }
}

/// f_t at the full-precision weights; for the theory also f_t(w*) and the largest eigenvalue of the Hessian.
void Workers::measure_linear(const Batch& batch, std::span<const float> w, std::span<double> report) {
  report[Report::full_precision_loss] = settings_.weights.quantized() ? linear_->loss(w, batch) : report[Report::loss];
  if (!settings_.theory.measure) return;
  if (!settings_.theory.hindsight) report[Report::comparator_loss] = linear_feed_->loss_at_true_weights();
  gram_.resize(batch.size * batch.size);
  linear_->gram(batch, gram_);
  report[Report::lipschitz] = largest_eigenvalue(std::span<const float>(gram_), batch.size).upper;
}

/// One pass over each tensor finds ‖g‖∞ and σ: clip limit cσ, own scale s = ‖Clip(g)‖∞ = min(‖g‖∞, cσ).
void Workers::prepare_quantizing(std::size_t i, std::span<double> report) {
  const Timed timed(watch_, Phase::quantize);
  const auto& tensors = model_.layout().tensors();
  const std::optional<double> clip = settings_.gradients.clip;
  double clip_error = 0;
  for (std::size_t l = 0; l < tensors.size(); ++l) {
    const std::span<const float> g = std::span<const float>(gradients_[i]).subspan(tensors[l].offset, tensors[l].size);
    const GradientStatistics statistics = qsweep::statistics(g);
    const Segment own(tensors[l].offset, tensors[l].end(), statistics, clip.value_or(no_clip));
    limits_[i * tensors.size() + l] = own.limit;
    squared_norms_[i * tensors.size() + l] = statistics.squared_norm;
    report[Report::items + l] = statistics.finite() ? own.scale : std::numeric_limits<float>::quiet_NaN();
    if (settings_.theory.measure && clip)
      clip_error += sum_blocks(g.size(), [&](std::size_t begin, std::size_t end) {
        double sum = 0;
        for (std::size_t j = begin; j < end; ++j) {
          const double excess = std::max(0.0, std::abs(double{g[j]}) - own.limit);
          sum += excess * excess;
        }
        return sum;
      });
  }
  report[Report::clip_error] = std::sqrt(clip_error);
}

void Workers::measure_squared_norms() {
  if (settings_.gradients.quantized()) return;
  const auto& tensors = model_.layout().tensors();
  for (std::size_t i = 0; i < block_.count; ++i)
    for (std::size_t l = 0; l < tensors.size(); ++l)
      squared_norms_[i * tensors.size() + l] = statistics(std::span<const float>(gradients_[i]).subspan(tensors[l].offset, tensors[l].size)).squared_norm;
}

}  // namespace qsweep
