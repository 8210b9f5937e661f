#pragma once
#include <limits>
#include <vector>

#include "exchange/exchange.h"
#include "model/linear.h"
#include "quantize/quantized_weights.h"
#include "train/archive.h"
#include "train/feed.h"
#include "train/saving.h"

/// The workers that one rank carries: their gradients at ŵ, and what each has to report.
namespace qsweep {

/// What every worker tells all others each iteration; the own scales of its tensors follow.
struct Report {
  enum Item : std::size_t { loss, full_precision_loss, comparator_loss, lipschitz, clip_error, wish, items };
};

class Workers {
 public:
  Workers(const Settings& settings, const WorkerBlock& block, Model& model, Feed& feed, Stopwatch& watch);

  /// ∇f_t^(n)(ŵ) of each worker; with quantized gradients their clip limits and scales. w is needed for the linear model only.
  void compute(std::span<const float> quantized, std::span<const float> w, std::uint64_t iteration);

  const std::vector<std::vector<float>>& gradients() const { return gradients_; }
  std::span<const double> reports() const { return reports_; }  ///< [my workers, report_size()]
  std::size_t report_size() const { return Report::items + tensors_with_scale(); }
  std::span<const float> limits() const { return limits_; }              ///< [my workers, tensors]
  std::span<const double> squared_norms() const { return squared_norms_; }  ///< ‖ĝ‖² [my workers, tensors]
  /// Running statistics of batch norm, each worker's own [my workers, state]; they begin alike.
  std::span<const float> states() const { return states_; }
  void set_states(std::span<const float> state);
  void state(Archive& archive);
  void set_wish(Wish wish);  ///< of this rank: each of its workers tells it the others
  void measure_squared_norms();                                            ///< for fp gradients, where quantizing does not need them

 private:
  std::size_t tensors_with_scale() const { return settings_.gradients.quantized() ? model_.layout().tensors().size() : 0; }
  void measure_linear(const Batch& batch, std::span<const float> w, std::span<double> report);
  void prepare_quantizing(std::size_t i, std::span<double> report);

  const Settings& settings_;
  WorkerBlock block_;
  Model& model_;
  LinearModel* linear_;      ///< the same, if it is the linear model
  Feed& feed_;
  LinearFeed* linear_feed_;
  Stopwatch& watch_;
  std::vector<std::vector<float>> gradients_;
  std::vector<double> reports_, squared_norms_;
  std::vector<float> limits_, gram_, states_;
};

}  // namespace qsweep
