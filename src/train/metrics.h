#pragma once
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/layout.h"
#include "config/settings.h"
#include "theory/regret.h"
#include "train/evaluation.h"
#include "train/recorder.h"

/// What a run measures of itself: curves over iterations and evaluations, and with theory.measure the regret and its bounds.
/// Kept on the team's root; averages that decide when to stop are kept on every rank alike.
namespace qsweep {

/// Mean over workers of what they reported in one iteration.
struct RoundMeans {
  double loss = 0, full_precision_loss = 0, comparator_loss = 0, lipschitz = 0, clip_error = 0;
};

/// What an evaluation found, of the sets that it looked at.
struct EvaluationPoint {
  std::optional<Score> test, train, averaged_test;
};

class Metrics {
 public:
  Metrics(const Settings& settings, const Layout& layout, std::uint64_t iterations);

  /// Adds iteration t to the running averages.
  void count(std::uint64_t t, const RoundMeans& means);
  double average_loss() const { return average_loss_; }
  bool out_of_patience(std::uint64_t t) const { return settings_.run.patience != 0 && t - best_iteration_ >= settings_.run.patience; }

  bool wants(std::uint64_t t, bool last) const { return curves_.wants(t, last); }
  /// The point of iteration t, before its update. ratios: [1 + weight tensors] total first.
  void record(std::uint64_t t, std::span<const double> ratios, std::span<const float> w, std::span<const float> quantized, double bits_up, double bits_down);
  /// The same on a rank that keeps no values: what is wanted next depends on how many points there are.
  void skip(std::uint64_t t) { curves_.begin(t); }
  void record_evaluation(std::uint64_t t, const EvaluationPoint& point);
  bool wants_histogram(std::uint64_t t) const { return std::ranges::find(settings_.run.histograms, static_cast<double>(t)) != settings_.run.histograms.end(); }
  /// counts [weight tensors, bins] over all workers; sigma [weight tensors], mean over the workers.
  void record_histogram(std::uint64_t t, std::span<const std::uint64_t> counts, std::span<const double> sigma);
  const std::vector<std::string>& layers() const { return layers_; }  ///< those with weights

  bool measures_theory() const { return regret_ != nullptr; }
  /// Feeds the regret: w before the update, v after it.
  void measure(std::span<const float> w, std::span<const float> quantized, std::span<const float> gradient, std::span<const float> v, double eta, double alpha);
  /// The point of the bounds that belongs to the last recorded iteration.
  void record_bounds();

  void state(Archive& archive);

  const Recorder& curves() const { return curves_; }
  const RoundMeans& means() const { return means_; }
  /// hindsight_losses: Σ_{s≤t} f_s(u) at each recorded t, if the comparator became known only now.
  void write(Record& record, const std::optional<std::vector<double>>& hindsight_losses) const;

 private:
  void write_histograms(Record& record) const;
  void check_lengths(Archive& archive) const;

  const Settings& settings_;
  bool linear_;
  RoundMeans means_;
  double loss_sum_ = 0, full_precision_sum_ = 0, average_loss_ = 0, average_full_precision_loss_ = 0, best_ = 0;
  std::uint64_t best_iteration_ = 0;
  Recorder curves_;
  std::vector<std::int64_t> evaluation_iterations_;
  std::vector<double> test_loss_, test_accuracy_, train_loss_, train_accuracy_, averaged_test_accuracy_;
  std::vector<std::int64_t> histogram_iterations_, histogram_counts_;
  std::vector<double> histogram_sigma_;
  std::vector<std::string> layers_;
  std::unique_ptr<RegretMeter> regret_;
  std::map<std::string, bool> bounds_defined_;  ///< some need rmsprop with η/√t, the printed one also uniform levels
};

}  // namespace qsweep
