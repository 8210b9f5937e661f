#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/errors.h"
#include "train/evaluation.h"

namespace qsweep {
namespace {

std::unique_ptr<Feed> make_feed(const Settings& s, DataStore& data) {
  if (s.data.synthetic_linear()) return std::make_unique<LinearFeed>(s);
  return std::make_unique<ImageFeed>(s, data.train(s), data.preprocessor(s));
}

/// Of BinaryConnect: signs, with scales that the trainer gives.
Settings::Weights weights_of(const Settings& s) { return s.method == "binary_connect" ? Settings::Weights{"lab", "exact"} : s.weights; }

double iterations_per_epoch(const Settings& s) {
  return static_cast<double>(training_samples(s)) / static_cast<double>(s.workers.count * s.workers.batch);
}

}  // namespace

std::uint64_t iteration_limit(const Settings& s) {
  std::uint64_t limit = s.run.iterations;
  if (s.run.epochs > 0) {
    const auto epochs = iterations_of_epochs(s.run.epochs, iterations_per_epoch(s));
    limit = limit == 0 ? epochs : std::min(limit, epochs);
  }
  return limit;
}

Record train_distributed(const Task& task) { return Trainer(task.settings, task.team, task.data, task.initial, task.settings.model.initial).run(task.watch, task.saving); }

Trainer::Trainer(const Settings& settings, const Team& team, DataStore& data, const std::optional<InitialWeights>& initial, const std::string& origin)
    : settings_(settings), team_(team), data_(data), block_(workers_of(team.rank(), team.ranks(), settings.workers.count)), model_(make_model(settings_)),
      feed_(make_feed(settings_, data)), iterations_(iteration_limit(settings_)), samples_(training_samples(settings_)),
      exchange_(make_exchange(settings_, team_, model_->layout(), watch_)), owned_(exchange_->partition().layout_of(model_->layout(), team.rank())),
      optimizer_(settings_.optimizer, owned_, iterations_per_epoch(settings_)), quantized_(weights_of(settings_), model_->layout()), workers_(settings_, block_, *model_, *feed_, watch_),
      metrics_(settings_, model_->layout(), iterations_) {
  check_network(settings_, model_->layout());
  const std::size_t tensors = model_->layout().tensors().size();
  reports_.resize(settings_.workers.count * workers_.report_size());
  if (settings_.gradients.quantized()) scales_.resize(settings_.workers.count * tensors);
  mean_gradient_.resize(owned_.dimension());
  quantized_norms_.resize(block_.count * tensors);
  std::vector<float> w(model_->layout().dimension());
  model_->initialize(settings_.run.seed, w);
  if (initial) load(*initial, origin, w);
  optimizer_.begin(exchange_->partition().slice(w, team_.rank()));
  if (settings_.data.synthetic_linear()) initial_ = w;
  if (copies_weights()) copy_of_weights_ = w;
  if (settings_.method == "binary_connect") begin_binary_connect(initial.has_value(), w);
  if (settings_.compresses()) {
    Compression method(settings_, model_->layout());
    CompressionReport report(method, true, w);
    compression_.emplace(Compressing{std::move(method), std::move(report), w, {}});
  }
  quantized_.quantize(owns_all() ? optimizer_.weights() : std::span<const float>(w), {});  // v = 0: uniform curvature
  if (!owns_all()) quantized_.keep_values();
}

void Trainer::load(const InitialWeights& initial, const std::string& origin, std::span<float> whole) {
  std::vector<float> state(model_->state_layout().dimension());
  const auto take = [&](const Tensor& t, std::span<float> target) {
    const auto found = initial.find(t.name);
    if (found == initial.end()) throw ConfigError(fmt::format("model.initial = {}: has no tensor {} of model.kind = {}", origin, t.name, settings_.model.kind));
    if (found->second.shape != t.shape)
      throw ConfigError(fmt::format("model.initial = {}: {} has shape [{}]; this model needs [{}]", origin, t.name, fmt::join(found->second.shape, ", "), fmt::join(t.shape, ", ")));
    std::copy(found->second.values.begin(), found->second.values.end(), target.begin() + static_cast<std::ptrdiff_t>(t.offset));
  };
  for (const Tensor& t : model_->layout().tensors()) take(t, whole);
  for (const Tensor& t : model_->state_layout().tensors()) take(t, state);
  workers_.set_states(state);
  const auto has = [](const Layout& layout, const std::string& name) { return std::ranges::find(layout.tensors(), name, &Tensor::name) != layout.tensors().end(); };
  for (const auto& [name, tensor] : initial)
    if (!has(model_->layout(), name) && !has(model_->state_layout(), name))
      throw ConfigError(fmt::format("model.initial = {}: holds a tensor {} that model.kind = {} does not have", origin, name, settings_.model.kind));
}

/// The linear model reports its loss at w too: then w goes to every rank that does not own all of it, for measuring.
bool Trainer::copies_weights() const { return settings_.data.synthetic_linear() && !exchange_->partition().is_replicated(); }

/// w of this iteration on every rank that computes: its own, or the copy that was sent for measuring.
std::span<const float> Trainer::full_precision_weights() const { return owns_all() ? optimizer_.weights() : std::span<const float>(copy_of_weights_); }

/// Of a field of the state all that the ranks own, on the root; elsewhere only `mine`. Collective; for measuring, not counted as traffic.
std::span<const float> Trainer::whole(std::span<const float> mine, std::vector<float>& room) const {
  if (exchange_->partition().is_whole(0)) return mine;
  if (team_.is_root()) room.resize(model_->layout().dimension());
  gather(team_, exchange_->partition(), mine, room);
  return team_.is_root() ? std::span<const float>(room) : mine;
}

Record Trainer::run(const std::function<void(const Progress&)>& watch, const Saving& saving) {
  if (saving.resume != nullptr) resume(saving);
  else if (compression_) begin_compression();
  if (settings_.method == "direct_compression") {
    evaluate(0, true);
    return finish(0, false);
  }
  resumed_ = done_;
  for (std::uint64_t t = done_ + 1;; ++t) {
    if (saving.wish) workers_.set_wish(saving.wish());
    workers_.compute(quantized_.values(), full_precision_weights(), t);  // ∇f_t^(n)(Q_w(w_t))
    share_reports();
    count_loss(t);
    if (!finite()) return finish(t, true);
    bool last = is_last(t);
    const bool recorded = metrics_.wants(t, last || ends_l_step(t));
    if (recorded && !settings_.gradients.quantized()) workers_.measure_squared_norms();
    if (metrics_.wants_histogram(t)) record_histogram(t);
    const std::span<const float> mean = average_gradient(t, recorded);  // (1/N) Σ_n Q_g(Clip(·))
    if (recorded) record(t);
    step(t, mean);  // w − η_t D⁻¹ g, projected onto S; ŵ = argmin ‖w − αb‖²_D
    exchange_->share(quantized_, copies_weights() ? std::span<float>(copy_of_weights_) : std::span<float>(), optimizer_.weights());
    if (recorded && team_.is_root() && metrics_.measures_theory()) metrics_.record_bounds();
    if (ends_l_step(t)) {
      gather_weights();
      if (!std::ranges::all_of(compression_->w, [](float x) { return std::isfinite(x); })) return finish(t, true);
      last |= compress(t);
      if (last) adopt_best();
      else begin_l_step(t);
    }
    if (t == resumed_ + 1) watch_.enter(Phase::output), first_iteration_ = watch_;
    evaluate(t, last);
    if (watch) watch({t, iterations_, metrics_.average_loss()});
    done_ = t;
    if (last) return finish(t, false);
    if (wish_ != Wish::go_on) save(saving);
    if (wish_ == Wish::save_and_stop) throw Interrupted(fmt::format("stopped after t = {}", t));
  }
}

/// The mean gradient, or the part of it that this rank owns. One worker's own full-precision gradient is the mean: no copy.
std::span<const float> Trainer::average_gradient(std::uint64_t t, bool recorded) {
  if (settings_.workers.count == 1 && team_.ranks() == 1 && !settings_.gradients.quantized()) return workers_.gradients().front();
  exchange_->average(workers_.gradients(), {static_cast<std::uint32_t>(t), scales_, workers_.limits(), recorded ? std::span<double>(quantized_norms_) : std::span<double>()},
                     mean_gradient_);
  return mean_gradient_;
}

/// `each` values of every worker, in their order, on every rank.
void Trainer::gather_from_workers(std::span<const double> mine, std::size_t each, std::span<double> all) const {
  std::vector<int> counts(static_cast<std::size_t>(team_.ranks()));
  for (int p = 0; p < team_.ranks(); ++p) counts[static_cast<std::size_t>(p)] = static_cast<int>(workers_of(p, team_.ranks(), settings_.workers.count).count * each);
  team_.all_gather(mine, counts, all);
}

/// Losses and scales of all workers, on every rank.
void Trainer::share_reports() {
  const Timed timed(watch_, Phase::exchange);
  const std::size_t size = workers_.report_size();
  gather_from_workers(workers_.reports(), size, reports_);
  if (team_.ranks() > 1) exchange_->count(workers_.reports().size_bytes());
  const std::size_t tensors = size - Report::items;
  double wish = 0;
  for (std::size_t n = 0; n < settings_.workers.count; ++n) wish = std::max(wish, reports_[n * size + Report::wish]);
  wish_ = static_cast<Wish>(wish);
  for (std::size_t n = 0; n < settings_.workers.count; ++n)
    for (std::size_t l = 0; l < tensors; ++l) scales_[n * tensors + l] = static_cast<float>(reports_[n * size + Report::items + l]);
}

/// Means over the workers, in order: the same on every rank.
void Trainer::count_loss(std::uint64_t t) {
  RoundMeans sum;
  const std::size_t size = workers_.report_size();
  for (std::size_t n = 0; n < settings_.workers.count; ++n) {
    const double* report = &reports_[n * size];
    sum.loss += report[Report::loss];
    sum.full_precision_loss += report[Report::full_precision_loss];
    sum.comparator_loss += report[Report::comparator_loss];
    sum.lipschitz += report[Report::lipschitz];
    sum.clip_error += report[Report::clip_error];
  }
  const auto count = static_cast<double>(settings_.workers.count);
  metrics_.count(t, {sum.loss / count, sum.full_precision_loss / count, sum.comparator_loss / count, sum.lipschitz / count, sum.clip_error / count});
}

bool Trainer::finite() const {
  return std::isfinite(metrics_.means().loss) && std::isfinite(metrics_.means().full_precision_loss) &&
         std::all_of(scales_.begin(), scales_.end(), [](float s) { return std::isfinite(s); });
}

bool Trainer::is_last(std::uint64_t t) const { return t == iterations_ || metrics_.out_of_patience(t); }

void Trainer::step(std::uint64_t t, std::span<const float> gradient) {
  if (!exchange_->holds_state()) return;
  const bool measures = team_.is_root() && metrics_.measures_theory();
  std::vector<float> before;
  const float alpha = quantized_.largest_scale();
  std::vector<float> quantized_before;
  if (measures) {
    before.assign(full_precision_weights().begin(), full_precision_weights().end());
    quantized_before.assign(quantized_.values().begin(), quantized_.values().end());
  }
  {
    const Timed timed(watch_, Phase::update);
    optimizer_.step(gradient, t);
  }
  if (metrics_.measures_theory()) {
    const Timed timed(watch_, Phase::output);
    std::vector<float> room, room_of_v;
    const std::span<const float> mean = whole(gradient, room);
    const std::span<const float> v = settings_.optimizer.has_second_moment() ? whole(optimizer_.second_moment(), room_of_v) : std::span<const float>();
    if (measures) metrics_.measure(before, quantized_before, mean, v, optimizer_.learning_rate(t), alpha);
  }
  const Timed timed(watch_, Phase::quantize);
  exchange_->quantize(quantized_, optimizer_.weights(), optimizer_.second_moment());
}

bool Trainer::evaluation_due(std::optional<std::uint64_t> every, std::uint64_t t, bool last) const {
  if (every == UINT64_MAX) return false;  // never
  if (last || !every) return last;
  if (*every != 0) return t % *every == 0;
  const std::uint64_t per_iteration = settings_.workers.count * settings_.workers.batch;  // an epoch's end lies in this iteration
  return t * per_iteration / samples_ != (t - 1) * per_iteration / samples_;
}

void Trainer::evaluate(std::uint64_t t, bool last) {
  if (samples_ == 0) return;
  const bool test = evaluation_due(settings_.run.evaluate_every, t, last), train = evaluation_due(settings_.run.evaluate_train_every, t, last);
  if (!test && !train) return;
  const Timed timed(watch_, Phase::evaluate);
  const std::vector<float> state = evaluated_state();
  if (compression_ && !ends_l_step(t)) gather_weights();
  // Weights that are rounded stochastically have those of full precision as their mean: these are evaluated.
  const std::span<const float> weights = compression_ ? compression_->method.quantized(compression_->w) : settings_.compression.rounding == "stochastic" ? full_precision_weights() : quantized_.values();
  EvaluationPoint point;
  if (test) point.test = score(weights, state, data_.test(settings_));
  if (train) point.train = score(weights, state, data_.train(settings_));
  if (test && settings_.optimizer.average) point.averaged_test = score(quantized_average(), state, data_.test(settings_));
  if (team_.is_root()) metrics_.record_evaluation(t, point);
}

/// Q_w of the averaged weights with the curvature of now, on every rank. Its scales begin anew, so that they do not depend on when
/// it was asked before. Collective.
std::vector<float> Trainer::quantized_average() const {
  std::vector<float> room, room_of_v, values(model_->layout().dimension());
  const std::span<const float> average = whole(optimizer_.average(), room);
  const std::span<const float> v = settings_.optimizer.has_second_moment() ? whole(optimizer_.second_moment(), room_of_v) : std::span<const float>();
  if (team_.is_root()) {
    QuantizedWeights quantized(settings_.weights, model_->layout());
    quantized.quantize(average, v);
    std::ranges::copy(quantized.values(), values.begin());
  }
  team_.broadcast(std::as_writable_bytes(std::span(values)));
  return values;
}

Score Trainer::score(std::span<const float> weights, std::span<const float> state, const ImageSetView& images) {
  return qsweep::evaluate(*model_, weights, state, images, data_.preprocessor(settings_), team_);
}

/// Running statistics of batch norm that belong to the network that counts: Δ(Θ) where weights are compressed.
std::vector<float> Trainer::evaluated_state() const { return compression_ ? compression_->state : mean_state(); }

/// Running statistics of batch norm: the mean over workers, added in order.
std::vector<float> Trainer::mean_state() const {
  const std::size_t size = model_->state_layout().dimension(), count = settings_.workers.count;
  if (size == 0) return {};
  const std::vector<double> mine(workers_.states().begin(), workers_.states().end());
  std::vector<double> all(count * size), sum(size, 0.0);
  gather_from_workers(mine, size, all);
  for (std::size_t n = 0; n < count; ++n)
    for (std::size_t i = 0; i < size; ++i) sum[i] += all[n * size + i];
  std::vector<float> mean(size);
  for (std::size_t i = 0; i < size; ++i) mean[i] = static_cast<float>(sum[i] / static_cast<double>(count));
  return mean;
}

}  // namespace qsweep
