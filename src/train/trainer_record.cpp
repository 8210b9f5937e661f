// What a trainer stores: the points of its curves, and at the end the whole record of the run.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "results/weights.h"
#include "train/histogram.h"
#include "train/replay.h"
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
  const std::span<const float> w = whole(optimizer_.weights(), room);
  if (exchange_->holds_state() && !diverged) diverged = !std::all_of(w.begin(), w.end(), [](float x) { return std::isfinite(x); });
  std::array<double, phases + 2> mine{};
  watch_.enter(Phase::output);
  std::optional<std::vector<double>> hindsight;
  std::vector<double> comparator;
  if (settings_.theory.hindsight && team_.is_root()) {
    Replay replay = best_fixed_weights(settings_, t, metrics_.curves().iterations());
    hindsight = std::move(replay.losses);
    comparator = std::move(replay.weights);
  }
  watch_.enter(Phase::output);
  std::copy(watch_.seconds().begin(), watch_.seconds().end(), mine.begin());
  mine[phases] = static_cast<double>(exchange_->traffic().bytes_sent);
  mine[phases + 1] = static_cast<double>(exchange_->traffic().messages);
  const auto ranks = static_cast<std::size_t>(team_.ranks());
  std::vector<double> all(ranks * mine.size());
  team_.all_gather(mine, std::vector<int>(ranks, static_cast<int>(mine.size())), all);
  const std::vector<float> state = mean_state();
  Record record;
  if (!team_.is_root()) return record;
  for (const auto& [key, value] : settings_.point) record.attributes[key] = value;
  record.attributes["status"] = diverged ? "diverged" : "complete";
  record.attributes["iterations"] = static_cast<std::int64_t>(t);
  if (diverged) record.attributes["diverged_iteration"] = static_cast<std::int64_t>(t);
  metrics_.write(record, hindsight);
  for (const Tensor& tensor : model_->layout().tensors())
    record.datasets.push_back(weights_dataset(tensor.name, tensor.shape, w.subspan(tensor.offset, tensor.size)));
  for (const Tensor& tensor : model_->state_layout().tensors())
    record.datasets.push_back(weights_dataset(tensor.name, tensor.shape, std::span(state).subspan(tensor.offset, tensor.size)));
  if (!diverged) quantized_.describe(w, record);
  if (const auto* linear = dynamic_cast<const LinearFeed*>(feed_.get())) {
    const auto truth = linear->true_weights();
    record.datasets.push_back({"problem/w_star", "weight", "true weights", {truth.size()}, std::vector<double>(truth.begin(), truth.end())});
    record.datasets.push_back({"problem/w_1", "weight", "initial weights", {initial_.size()}, std::vector<double>(initial_.begin(), initial_.end())});
    if (hindsight) record.datasets.push_back({"problem/comparator", "weight", "best fixed weights in hindsight", {comparator.size()}, comparator});
  }
  describe_runtime(all, mine.size(), t, record);
  return record;
}

/// Times are those of the rank that computed longest, so that they sum to its total; traffic is listed rank by rank.
void Trainer::describe_runtime(const std::vector<double>& all, std::size_t columns, std::uint64_t t, Record& record) const {
  const std::size_t ranks = all.size() / columns;
  const auto busy = [&](std::size_t p) { return all[p * columns + static_cast<std::size_t>(Phase::compute)] + all[p * columns + static_cast<std::size_t>(Phase::quantize)]; };
  std::size_t slowest = 0;
  for (std::size_t p = 1; p < ranks; ++p)
    if (busy(p) > busy(slowest)) slowest = p;
  const double* seconds = &all[slowest * columns];
  const auto scalar = [&](const std::string& path, const std::string& unit, const std::string& label, double value) { record.datasets.push_back({path, unit, label, {}, std::vector<double>{value}}); };
  double total = 0, training = 0;
  for (std::size_t i = 0; i < phases; ++i) {
    total += seconds[i];
    if (i <= static_cast<std::size_t>(Phase::update)) training += seconds[i];
    scalar(fmt::format("runtime/{}", phase_names[i]), "s", fmt::format("time in {}", phase_names[i]), seconds[i]);
  }
  scalar("runtime/total", "s", "time of the run", total);
  if (const std::vector<std::string> algorithms = model_->algorithms(); !algorithms.empty()) record.groups["runtime"]["algorithms"] = algorithms;
  const double samples = static_cast<double>(settings_.workers.count * settings_.workers.batch) * static_cast<double>(t);
  scalar("runtime/samples_per_second", "1/s", "training samples per second", samples / training);
  std::vector<std::int64_t> bytes, messages;
  for (std::size_t p = 0; p < ranks; ++p) {
    bytes.push_back(static_cast<std::int64_t>(all[p * columns + phases]));
    messages.push_back(static_cast<std::int64_t>(all[p * columns + phases + 1]));
  }
  record.datasets.push_back({"traffic/bytes_sent", "B", "bytes that each rank gave to the exchange", {ranks}, bytes, {{"total", std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0})}}});
  record.datasets.push_back({"traffic/messages", "1", "messages of each rank", {ranks}, messages});
}

}  // namespace qsweep
