#include "train/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/blocks.h"
#include "train/histogram.h"

namespace qsweep {
namespace {

/// The bounds beside u1, which every run has: in the file where their formula has a meaning at the first recorded point.
constexpr struct {
  const char *name, *label;
  double RegretBounds::*value;
} further_bounds[] = {{"printed", "bound on the average regret as printed", &RegretBounds::printed},
                      {"u2", "bound U2 on the average regret", &RegretBounds::u2},
                      {"u3", "bound U3 on the average regret", &RegretBounds::u3}};

RegretSettings regret_settings(const Settings& s) {
  RegretSettings r;
  r.dimension = s.model.dimension;
  r.radius = *s.optimizer.projection;
  r.eta = s.optimizer.learning_rate;
  r.beta = s.optimizer.beta2;
  r.epsilon = s.optimizer.epsilon;
  r.step = s.optimizer.kind == "rmsprop" ? RegretSettings::Step::rmsprop : RegretSettings::Step::gradient;
  r.inverse_sqrt = s.optimizer.schedule == "inverse_sqrt";
  r.second_moment_max = s.optimizer.second_moment == "max";
  r.delta_w = weight_resolution(s.weights.quantizer);
  r.delta_g = gradient_resolution(s.gradients.quantizer);
  r.clip = s.gradients.clip;
  return r;
}

/// ‖w − ŵ‖²/‖w‖²
double relative_error(std::span<const float> w, std::span<const float> quantized) {
  struct Sums {
    double error = 0, norm = 0;
    Sums& operator+=(const Sums& o) { error += o.error, norm += o.norm; return *this; }
  };
  const Sums sums = sum_blocks(w.size(), [&](std::size_t begin, std::size_t end) {
    Sums part;
    for (std::size_t i = begin; i < end; ++i) {
      const double difference = double{w[i]} - quantized[i];
      part.error += difference * difference;
      part.norm += double{w[i]} * w[i];
    }
    return part;
  });
  return sums.norm > 0 ? sums.error / sums.norm : 0;
}

void describe_curves(Recorder& curves) {
  curves.describe("loss", "loss", "training loss at the quantized weights");
  curves.describe("average_loss", "loss", "average training loss at the quantized weights");
  curves.describe("full_precision_loss", "loss", "training loss at the full-precision weights");
  curves.describe("average_full_precision_loss", "loss", "average training loss at the full-precision weights");
  curves.describe("average_regret", "loss", "average regret");
  curves.describe("gradient_norm_ratio", "1", "norm ratio of quantized to full gradient, squared");
  curves.describe("gradient_norm_ratio_layers", "1", "norm ratio of quantized to full gradient, squared, per layer");
  curves.describe("weight_error", "1", "relative squared error of the quantized weights");
  curves.describe("bits_up", "bit", "bits sent by one worker");
  curves.describe("bits_down", "bit", "bits received by one worker");
  curves.describe("u1", "loss", "bound U1 on the average regret");
  for (const auto& [name, label, value] : further_bounds) curves.describe(name, "loss", label);
}

}  // namespace

Metrics::Metrics(const Settings& settings, const Layout& layout, std::uint64_t iterations)
    : settings_(settings), linear_(settings.model.kind == "linear"), curves_(settings.run.record_every, iterations) {
  for (const Tensor& t : layout.tensors())
    if (t.is_weight) layers_.push_back(t.name.substr(0, t.name.rfind('/')));
  if (settings.theory.measure) regret_ = std::make_unique<RegretMeter>(regret_settings(settings));
  describe_curves(curves_);
}

void Metrics::count(std::uint64_t t, const RoundMeans& means) {
  means_ = means;
  loss_sum_ += means.loss;
  full_precision_sum_ += means.full_precision_loss;
  average_loss_ = loss_sum_ / static_cast<double>(t);
  average_full_precision_loss_ = full_precision_sum_ / static_cast<double>(t);
  if (t == 1 || average_loss_ < best_) {
    best_ = average_loss_;
    best_iteration_ = t;
  }
}

void Metrics::record(std::uint64_t t, std::span<const double> ratios, std::span<const float> w, std::span<const float> quantized, double bits_up, double bits_down) {
  curves_.begin(t);
  curves_.add("loss", means_.loss);
  if (linear_) curves_.add("full_precision_loss", means_.full_precision_loss);
  curves_.add("average_loss", average_loss_);
  if (linear_) curves_.add("average_full_precision_loss", average_full_precision_loss_);
  curves_.add("gradient_norm_ratio", ratios.front());
  if (layers_.size() > 1) curves_.add("gradient_norm_ratio_layers", std::vector<double>(ratios.begin() + 1, ratios.end()));
  if (settings_.weights.quantized()) curves_.add("weight_error", relative_error(w, quantized));
  curves_.add("bits_up", bits_up);
  curves_.add("bits_down", bits_down);
}

void Metrics::measure(std::span<const float> w, std::span<const float> quantized, std::span<const float> gradient, std::span<const float> v, double eta, double alpha) {
  regret_->add({means_.full_precision_loss, means_.comparator_loss, w, quantized, gradient, v, eta, means_.lipschitz, alpha, means_.clip_error});
}

void Metrics::record_bounds() {
  const RegretBounds bounds = regret_->bounds();
  curves_.add("average_regret", bounds.average_regret);
  curves_.add("u1", bounds.u1);
  for (const auto& [name, label, value] : further_bounds) {
    bounds_defined_[name] |= curves_.points() == 1 && !std::isnan(bounds.*value);  // at the first point, for the whole run
    if (bounds_defined_[name]) curves_.add(name, bounds.*value);
  }
}

void Metrics::record_evaluation(std::uint64_t t, const EvaluationPoint& point) {
  const double absent = std::numeric_limits<double>::quiet_NaN();
  evaluation_iterations_.push_back(static_cast<std::int64_t>(t));
  test_loss_.push_back(point.test ? point.test->loss : absent);
  test_accuracy_.push_back(point.test ? point.test->accuracy : absent);
  train_loss_.push_back(point.train ? point.train->loss : absent);
  train_accuracy_.push_back(point.train ? point.train->accuracy : absent);
  averaged_test_accuracy_.push_back(point.averaged_test ? point.averaged_test->accuracy : absent);
}

void Metrics::record_histogram(std::uint64_t t, std::span<const std::uint64_t> counts, std::span<const double> sigma) {
  histogram_iterations_.push_back(static_cast<std::int64_t>(t));
  histogram_counts_.insert(histogram_counts_.end(), counts.begin(), counts.end());
  histogram_sigma_.insert(histogram_sigma_.end(), sigma.begin(), sigma.end());
}

void Metrics::write_histograms(Record& record) const {
  const std::size_t points = histogram_iterations_.size(), layers = layers_.size();
  if (points == 0) return;
  record.datasets.push_back({"curves/histogram_iteration", "1", "iteration", {points}, histogram_iterations_});
  record.datasets.push_back({"curves/gradient_histogram", "1", "elements of the gradient of all workers, by size in standard deviations", {points, layers, histogram_bins}, histogram_counts_,
                             {{"layers", layers_}, {"first_edge", histogram_first}, {"bin_width", histogram_width}}});
  record.datasets.push_back({"curves/gradient_sigma", "loss", "standard deviation of the gradient's elements, mean over workers", {points, layers}, histogram_sigma_, {{"layers", layers_}}});
}

/// Each list has a value, or a row, at each point.
void Metrics::check_lengths(Archive& archive) const {
  const std::size_t evaluations = evaluation_iterations_.size(), histograms = histogram_iterations_.size(), layers = layers_.size();
  for (const std::vector<double>* values : {&test_loss_, &test_accuracy_, &train_loss_, &train_accuracy_, &averaged_test_accuracy_})
    if (values->size() != evaluations) archive.refuse("evaluations", "have different lengths");
  if (histogram_counts_.size() != histograms * layers * histogram_bins || histogram_sigma_.size() != histograms * layers) archive.refuse("histograms", "have different lengths");
}

void Metrics::state(Archive& archive) {
  archive.shared("loss_sum", loss_sum_);
  archive.shared("full_precision_sum", full_precision_sum_);
  archive.shared("average_loss", average_loss_);
  archive.shared("average_full_precision_loss", average_full_precision_loss_);
  archive.shared("best_average_loss", best_);
  archive.shared("best_iteration", best_iteration_);
  curves_.state(archive);
  archive.of_root("evaluations/iteration", evaluation_iterations_);
  archive.of_root("evaluations/test_loss", test_loss_);
  archive.of_root("evaluations/test_accuracy", test_accuracy_);
  archive.of_root("evaluations/train_loss", train_loss_);
  archive.of_root("evaluations/train_accuracy", train_accuracy_);
  archive.of_root("evaluations/averaged_test_accuracy", averaged_test_accuracy_);
  archive.of_root("histograms/iteration", histogram_iterations_);
  archive.of_root("histograms/counts", histogram_counts_);
  archive.of_root("histograms/sigma", histogram_sigma_);
  if (archive.restores()) check_lengths(archive);
  if (!regret_) return;
  for (const auto& [name, values] : regret_->state()) archive.of_root(name, values);
  for (const auto& [name, label, value] : further_bounds) archive.of_root(std::string("theory/defined/") + name, bounds_defined_[name]);
}

void Metrics::write(Record& record, const std::optional<std::vector<double>>& hindsight_losses) const {
  const auto scalar = [&](const std::string& path, const std::string& unit, const std::string& label, double value) {
    record.datasets.push_back({path, unit, label, {}, std::vector<double>{value}});
  };
  curves_.write_index("curves/iteration", record);
  std::vector<std::string> bounds = {"u1"};
  for (const auto& [name, label, value] : further_bounds) bounds.emplace_back(name);
  for (const std::string& curve : curves_.curves())
    if (std::find(bounds.begin(), bounds.end(), curve) == bounds.end()) curves_.write("curves", {curve}, record);
  for (Dataset& d : record.datasets) {
    if (d.path == "curves/gradient_norm_ratio_layers") d.attributes["layers"] = layers_;
    if (d.path != "curves/average_regret" || !hindsight_losses) continue;
    auto& regret = std::get<std::vector<double>>(d.values);
    const auto& t = std::get<std::vector<std::int64_t>>(record.find("curves/iteration")->values);
    for (std::size_t i = 0; i < regret.size(); ++i) regret[i] -= (*hindsight_losses)[i] / static_cast<double>(t[i]);
  }
  if (!evaluation_iterations_.empty()) {
    const auto points = evaluation_iterations_.size();
    record.datasets.push_back({"curves/evaluation_iteration", "1", "iteration", {points}, evaluation_iterations_});
    const auto add = [&](const char* name, const char* unit, const char* label, const std::vector<double>& values) {
      if (std::any_of(values.begin(), values.end(), [](double x) { return !std::isnan(x); })) record.datasets.push_back({std::string("curves/") + name, unit, label, {points}, values});
    };
    add("test_loss", "loss", "test loss", test_loss_);
    add("test_accuracy", "%", "test accuracy", test_accuracy_);
    add("train_loss", "loss", "training loss, whole set", train_loss_);
    add("train_accuracy", "%", "training accuracy", train_accuracy_);
    add("averaged_test_accuracy", "%", "test accuracy of the averaged weights", averaged_test_accuracy_);
  }
  std::vector<Dataset> finals;
  for (const Dataset& d : record.datasets) {
    if (!d.path.starts_with("curves/") || !std::holds_alternative<std::vector<double>>(d.values)) continue;
    const auto& values = std::get<std::vector<double>>(d.values);
    const std::string name = d.path.substr(7);
    if (values.empty()) continue;
    if (d.shape.size() == 2) {  // the last row, one value for each layer
      finals.push_back({"final/" + name, d.unit, "final " + d.long_name, {d.shape[1]}, std::vector<double>(values.end() - static_cast<std::ptrdiff_t>(d.shape[1]), values.end()), d.attributes});
      continue;
    }
    finals.push_back({"final/" + name, d.unit, "final " + d.long_name, {}, std::vector<double>{values.back()}});
    if (name == "test_accuracy" || name == "averaged_test_accuracy") {
      double best = values.back();
      for (const double value : values) best = std::isnan(best) || value > best ? value : best;
      finals.push_back({"final/best_" + name, d.unit, "best " + d.long_name, {}, std::vector<double>{best}});
    }
  }
  record.datasets.insert(record.datasets.end(), finals.begin(), finals.end());
  write_histograms(record);
  if (!regret_) return;
  curves_.write("bound", bounds, record);
  for (const RegretMeter::Constant& constant : regret_->named_constants()) scalar("bound/" + constant.name, constant.unit, constant.long_name, constant.value);
}

}  // namespace qsweep
