// What a trainer stores: the points of its curves, and at the end the whole record of the run.
#include <algorithm>
#include <cmath>

#include "results/weights.h"
#include "train/histogram.h"
#include "train/replay.h"
#include "train/runtime.h"
#include "train/trainer.h"

namespace qsweep {
namespace {

/// What one worker sends a round: Σ_l (m·n_l + 32), or 32 bits for each parameter.
std::uint64_t bits_of_gradient(const Settings& s, const Layout& layout) {
  if (!s.gradients.quantized()) return 32 * layout.dimension();
  return static_cast<std::uint64_t>(s.gradients.bits()) * layout.dimension() + 32 * layout.tensors().size();
}

}  // namespace

/// Mean over workers of ‖Q_g‖²/‖ĝ‖²: the whole gradient first, then each weight tensor. 1 where there is no gradient.
std::vector<double> Trainer::norm_ratios() {
  const auto& tensors = model_->layout().tensors();
  const std::span<const double> full = workers_.squared_norms();
  const auto ratio = [](double quantized, double plain) { return plain > 0 ? quantized / plain : 1.0; };
  std::vector<double> mine;
  std::size_t columns = 1;
  for (const Tensor& t : tensors) columns += t.is_weight ? 1 : 0;
  for (std::size_t i = 0; i < block_.count; ++i) {
    const std::size_t row = i * tensors.size();
    double quantized_sum = 0, full_sum = 0;
    mine.push_back(0);
    for (std::size_t l = 0; l < tensors.size(); ++l) {
      const double norm = settings_.gradients.quantized() ? quantized_norms_[row + l] : full[row + l];
      quantized_sum += norm;
      full_sum += full[row + l];
      if (tensors[l].is_weight) mine.push_back(ratio(norm, full[row + l]));
    }
    mine[i * columns] = ratio(quantized_sum, full_sum);
  }
  std::vector<double> all(settings_.workers.count * columns), mean(columns, 0.0);
  gather_from_workers(mine, columns, all);
  for (std::size_t n = 0; n < settings_.workers.count; ++n)
    for (std::size_t c = 0; c < columns; ++c) mean[c] += all[n * columns + c];
  for (double& value : mean) value /= static_cast<double>(settings_.workers.count);
  return mean;
}

/// How the workers' gradients, before clipping and quantizing, are spread over each weight tensor.
void Trainer::record_histogram(std::uint64_t t) {
  const Timed timed(watch_, Phase::output);
  std::vector<std::uint64_t> counts;
  std::vector<double> mine;  // σ [my workers, weight tensors]
  const std::size_t layers = metrics_.layers().size();
  counts.resize(layers * histogram_bins);
  for (std::size_t i = 0; i < block_.count; ++i) {
    std::size_t layer = 0;
    for (const Tensor& tensor : model_->layout().tensors()) {
      if (!tensor.is_weight) continue;
      const std::span<const float> g = std::span<const float>(workers_.gradients()[i]).subspan(tensor.offset, tensor.size);
      mine.push_back(statistics(g).deviation());
      count_into_histogram(g, mine.back(), std::span(counts).subspan(histogram_bins * layer++, histogram_bins));
    }
  }
  team_.sum(counts);
  std::vector<double> all(settings_.workers.count * layers), sigma(layers, 0.0);
  gather_from_workers(mine, layers, all);
  for (std::size_t i = 0; i < all.size(); ++i) sigma[i % layers] += all[i] / static_cast<double>(settings_.workers.count);
  if (team_.is_root()) metrics_.record_histogram(t, counts, sigma);
}

void Trainer::record(std::uint64_t t) {
  const Timed timed(watch_, Phase::output);
  const std::vector<double> ratios = norm_ratios();
  std::vector<float> room;
  const std::span<const float> w = settings_.weights.quantized() ? whole(optimizer_.weights(), room) : std::span<const float>();  // for ‖w − ŵ‖
  if (!team_.is_root()) return metrics_.skip(t);
  const auto rounds = static_cast<double>(t);
  metrics_.record(t, ratios, w, quantized_.values(), rounds * static_cast<double>(bits_of_gradient(settings_, model_->layout())),
                  rounds * static_cast<double>(quantized_.bits()));
}

Record Trainer::finish(std::uint64_t t, bool diverged) {
  std::vector<float> room;
  const std::span<const float> w = compression_ && !diverged ? std::span<const float>(compression_->w) : whole(optimizer_.weights(), room);
  if (exchange_->holds_state() && !diverged) diverged = !std::all_of(w.begin(), w.end(), [](float x) { return std::isfinite(x); });
  watch_.enter(Phase::output);
  std::optional<std::vector<double>> hindsight;
  std::vector<double> comparator;
  if (settings_.theory.hindsight && team_.is_root()) {
    Replay replay = best_fixed_weights(settings_, t, metrics_.curves().iterations());
    hindsight = std::move(replay.losses);
    comparator = std::move(replay.weights);
  }
  watch_.enter(Phase::output);
  const Runtime runtime = execution();
  const std::vector<float> state = evaluated_state();
  const std::optional<Profile> profile = one_iteration(t);
  Record record;
  if (!team_.is_root()) return record;
  describe(record, diverged ? "diverged" : "complete", t);
  if (diverged) record.attributes["diverged_iteration"] = static_cast<std::int64_t>(t);
  metrics_.write(record, hindsight);
  for (const Tensor& tensor : model_->layout().tensors())
    record.datasets.push_back(weights_dataset(tensor.name, tensor.shape, w.subspan(tensor.offset, tensor.size)));
  describe_state(record, state);
  if (compression_) describe_compression(record);
  if (!diverged) quantized_.describe(w, record);
  describe_problem(record);
  if (hindsight) record.datasets.push_back({"problem/comparator", "weight", "best fixed weights in hindsight", {comparator.size()}, comparator});
  describe_execution(runtime, t, record);
  if (profile) describe_network(settings_, model_->layout(), *profile, record);
  return record;
}

/// What one worker of the slowest rank takes in one iteration, of those that this process made, without the first where there are more.
/// Nothing where no network is modelled, or nothing was trained. Collective.
std::optional<Profile> Trainer::one_iteration(std::uint64_t t) const {
  if (settings_.network.bandwidth.empty() || t == resumed_) return std::nullopt;
  const Runtime all = gather_runtime(team_, watch_, {}), first = gather_runtime(team_, first_iteration_, {});
  const std::size_t slowest = slowest_rank(all);
  const std::uint64_t made = t - resumed_;
  const auto of = [&](Phase phase) {
    const std::size_t i = slowest * Runtime::columns + static_cast<std::size_t>(phase);
    return made == 1 ? all.rows[i] : (all.rows[i] - first.rows[i]) / static_cast<double>(made - 1);
  };
  const double carried = static_cast<double>(workers_of(static_cast<int>(slowest), team_.ranks(), settings_.workers.count).count);
  return Profile{of(Phase::compute) / carried, of(Phase::quantize) / carried, of(Phase::update)};
}

void Trainer::describe(Record& record, const char* status, std::uint64_t t) const {
  for (const auto& [key, value] : settings_.point) record.attributes[key] = value;
  record.attributes["status"] = status;
  record.attributes["iterations"] = static_cast<std::int64_t>(t);
  if (settings_.activations.quantized()) record.attributes["activation_alpha"] = settings_.activations.alpha;
  record.attributes["interruptions"] = static_cast<std::int64_t>(interruptions_);
}

void Trainer::describe_state(Record& record, std::span<const float> state) const {
  for (const Tensor& tensor : model_->state_layout().tensors())
    record.datasets.push_back(weights_dataset(tensor.name, tensor.shape, state.subspan(tensor.offset, tensor.size)));
}

void Trainer::describe_problem(Record& record) const {
  const auto* linear = dynamic_cast<const LinearFeed*>(feed_.get());
  if (linear == nullptr) return;
  const auto truth = linear->true_weights();
  record.datasets.push_back({"problem/w_star", "weight", "true weights", {truth.size()}, std::vector<double>(truth.begin(), truth.end())});
  record.datasets.push_back({"problem/w_1", "weight", "initial weights", {initial_.size()}, std::vector<double>(initial_.begin(), initial_.end())});
}

/// What this run has taken, also before it was interrupted. Collective.
Runtime Trainer::execution() const {
  return together(gather_runtime(team_, watch_, exchange_->traffic()), before_);
}

void Trainer::describe_execution(const Runtime& runtime, std::uint64_t t, Record& record) const {
  qsweep::describe(runtime, static_cast<double>(settings_.workers.count * settings_.workers.batch) * static_cast<double>(t), record);
  if (const std::vector<std::string> algorithms = model_->algorithms(); !algorithms.empty()) record.groups["runtime"]["algorithms"] = algorithms;
}

}  // namespace qsweep
