// The C and M steps of a trainer whose iterations are the L steps of learning-compression (train/compression.h), and its baselines.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "train/trainer.h"

namespace qsweep {
namespace {

constexpr std::size_t statistics_blocks = 32;  // of 256 training samples: what batch norm's statistics are estimated from anew

}  // namespace

/// All of w on every rank. Collective.
void Trainer::gather_weights() {
  const Timed timed(watch_, Phase::exchange);
  all_gather(team_, exchange_->partition(), optimizer_.weights(), compression_->w);
}

/// Direct compression of the reference, which is also the start of the others.
void Trainer::begin_compression() {
  compression_->since = Stopwatch::Clock::now();
  {
    const Timed timed(watch_, Phase::quantize);
    compression_->method.project(compression_->w, 0);
  }
  measure_compression(0, {});
  compression_->report.add_times(0, std::chrono::duration<double>(Stopwatch::Clock::now() - compression_->since).count());
  if (settings_.method != "direct_compression") begin_l_step(0);
}

/// What the L step after iteration t starts from: fresh state of the optimizer, its rate, and the target of the penalty.
void Trainer::begin_l_step(std::uint64_t t) {
  Compressing& c = *compression_;
  const std::uint64_t k = t / settings_.compression.iterations;
  const double mu = c.method.mu(k);
  if (settings_.method == "iterated_direct_compression") {
    std::ranges::copy(c.method.quantized(c.w), c.w.begin());
    std::ranges::copy(exchange_->partition().slice(c.w, team_.rank()), optimizer_.weights().begin());
    quantized_.quantize(owns_all() ? optimizer_.weights() : std::span<const float>(c.w), {});
    if (!owns_all()) quantized_.keep_values();
  }
  c.before_l = c.train_loss + c.method.penalty(c.w, mu);
  aim_l_step(k);
  optimizer_.forget();
  c.since = Stopwatch::Clock::now();
}

/// The optimizer's rate and the penalty's target in L step k.
void Trainer::aim_l_step(std::uint64_t k) {
  const double mu = compression_->method.mu(k);
  const std::span<const float> target = exchange_->partition().slice(compression_->method.aim(mu), team_.rank());
  optimizer_.set_phase(k * settings_.compression.iterations, std::pow(settings_.compression.rate_factor, static_cast<double>(k)),
                       {mu, target, [this](const Tensor& tensor) { return compression_->method.compresses(tensor); }});
}

/// In the midst of an L step: w, gathered at its end, and the loss there are not part of it.
void Trainer::compression_state(Archive& archive) {
  Compressing& c = *compression_;
  if (archive.restores()) c.state.resize(model_->state_layout().dimension());
  c.method.state(archive);
  c.report.state(archive);
  archive.shared("compression/batch_norm", c.state);
  archive.shared("compression/lagrangian_before_l", c.before_l);
  double seconds = std::chrono::duration<double>(Stopwatch::Clock::now() - c.since).count();
  archive.shared("compression/seconds", seconds);
  if (settings_.compression.keep == "best") {
    if (archive.restores()) c.best = c.method.keep(c.w), c.best_w = c.w, c.best_state = c.state;
    c.best->state("compression/best", archive);
    archive.shared("compression/best/weights", c.best_w);
    archive.shared("compression/best/batch_norm", c.best_state);
  }
  if (!archive.restores()) return;
  c.since = Stopwatch::Clock::now() - std::chrono::duration_cast<Stopwatch::Clock::duration>(std::chrono::duration<double>(seconds));
  aim_l_step(done_ / settings_.compression.iterations);
}

/// C and M step at the end of an L step, with w on every rank. True if the weights have come near enough to the quantized ones.
bool Trainer::compress(std::uint64_t t) {
  Compressing& c = *compression_;
  const double mu = c.method.mu(t / settings_.compression.iterations - 1), before = c.method.penalty(c.w, mu);
  const auto middle = Stopwatch::Clock::now();
  {
    const Timed timed(watch_, Phase::quantize);
    c.method.project(c.w, mu);
  }
  const auto end = Stopwatch::Clock::now();
  measure_compression(mu, {c.before_l, before, c.method.penalty(c.w, mu)});
  c.report.add_times(std::chrono::duration<double>(middle - c.since).count(), std::chrono::duration<double>(end - middle).count());
  c.method.update_multipliers(c.w, mu);
  return settings_.compression.tolerance > 0 && mu > 0 && c.report.last_gap() <= settings_.compression.tolerance;
}

/// Where the network of the lowest training loss is to be kept, it takes the last one's place.
void Trainer::adopt_best() {
  Compressing& c = *compression_;
  if (!c.best) return;
  c.method.restore(*c.best);
  c.w = c.best_w;
  c.state = c.best_state;
}

/// Both networks on both sets. `lagrangian` holds the terms beside the loss of this w in its last two members. Collective.
void Trainer::measure_compression(double mu, Lagrangian lagrangian) {
  const Timed timed(watch_, Phase::evaluate);
  Compressing& c = *compression_;
  const std::span<const float> quantized = c.method.quantized(c.w);
  c.state = statistics_of(quantized);
  const std::vector<float> own = mean_state();
  const ImageSetView train = data_.train(settings_), test = data_.test(settings_);
  const CompressionScores scores{score(quantized, c.state, train), score(quantized, c.state, test), score(c.w, own, train), score(c.w, own, test)};
  c.train_loss = scores.train.loss;
  lagrangian.after_l += c.train_loss;
  lagrangian.after_c += c.train_loss;
  if (mu == 0) lagrangian.before_l = c.train_loss;
  c.report.add(c.method, c.w, scores, mu, lagrangian);
  if (settings_.compression.keep == "best" && c.report.last_is_best()) {
    c.best = c.method.keep(c.w);
    c.best_w = c.w;
    c.best_state = c.state;
  }
}

/// Batch norm's statistics under these weights: the mean over fixed blocks of training samples of each block's own. Collective.
std::vector<float> Trainer::statistics_of(std::span<const float> weights) {
  const std::size_t size = model_->state_layout().dimension();
  if (size == 0) return {};
  const ImageSetView train = data_.train(settings_);
  const Preprocessor& preprocessor = data_.preprocessor(settings_);
  const std::size_t blocks = std::min(statistics_blocks, std::max<std::size_t>(1, train.samples() / evaluation_block)), samples = std::min(evaluation_block, train.samples());
  const auto ranks = static_cast<std::size_t>(team_.ranks()), rank = static_cast<std::size_t>(team_.rank());
  std::vector<float> x(samples * preprocessor.shape().size());
  std::vector<std::int32_t> labels(samples);
  std::vector<double> mine;
  std::vector<int> counts;
  for (std::size_t p = 0; p < ranks; ++p) counts.push_back(static_cast<int>((blocks * (p + 1) / ranks - blocks * p / ranks) * size));
  for (std::size_t b = blocks * rank / ranks; b < blocks * (rank + 1) / ranks; ++b) {
    preprocessor.evaluation_batch(train, b * samples, x, labels);
    std::vector<float> state(size, 0.0F);
    model_->count_statistics(weights, {.size = samples, .x = x, .targets = {}, .labels = labels, .background = preprocessor.background()}, state);
    for (const float value : state) mine.push_back(value / model_->statistics_momentum());
  }
  std::vector<double> all(blocks * size);
  team_.all_gather(mine, counts, all);
  std::vector<float> mean(size);
  for (std::size_t i = 0; i < size; ++i) {
    double sum = 0;
    for (std::size_t b = 0; b < blocks; ++b) sum += all[b * size + i];
    mean[i] = static_cast<float>(sum / static_cast<double>(blocks));
  }
  return mean;
}

void Trainer::describe_compression(Record& record) {
  compression_->report.write(compression_->method, record);
  compression_->method.describe(record);
}

}  // namespace qsweep
