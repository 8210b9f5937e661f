#include "train/superresolution.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/errors.h"
#include "base/random.h"
#include "base/stopwatch.h"
#include "data/bicubic.h"
#include "model/regression.h"
#include "results/weights.h"
#include "train/compression_report.h"

namespace qsweep {
namespace {

/// Inputs and targets of a set of images, pixels in [0, 1]. part: 0 training, 1 test, so that their noise differs.
RegressionMoments moments_of(const ImageSetView& images, double noise, std::uint64_t seed, std::uint32_t part) {
  const std::size_t side = images.geometry.height, outputs = side * side, inputs = outputs / 4;
  std::vector<double> all_x(images.samples() * inputs), all_y(images.samples() * outputs);
  const Stream draws(seed, Draw::Noise, part);
  std::vector<float> normal(inputs);
  for (std::size_t n = 0; n < images.samples(); ++n) {
    const std::span<double> y = std::span(all_y).subspan(n * outputs, outputs), x = std::span(all_x).subspan(n * inputs, inputs);
    for (std::size_t i = 0; i < outputs; ++i) y[i] = images.image(n)[i] / 255.0;
    halve_bicubic(side, y, x);
    draws.normal(n * inputs, normal);
    for (std::size_t i = 0; i < inputs; ++i) x[i] += noise * normal[i];
  }
  return {inputs, outputs, all_x, all_y};
}

/// The loop of train/compression.h with exact L steps.
class RegressionRun {
 public:
  explicit RegressionRun(const Task& task)
      : settings_(task.settings), regression_(moments_of(task.data.train(settings_), settings_.data.noise, settings_.run.seed, 0)),
        test_(moments_of(task.data.test(settings_), settings_.data.noise, settings_.run.seed, 1)), compression_(settings_, regression_.layout()), w_(regression_.layout().dimension()) {
    regression_.minimise(0, {}, w_);
  }

  Record run(const Task& task) {
    report_.emplace(compression_, false, w_);
    if (task.saving.resume != nullptr) {
      resume(task);
    } else {
      compression_.project(w_, 0);
      measure(0, {}, 0, 0);
    }
    if (settings_.method == "direct_compression") return record("complete");
    while (steps_ < settings_.compression.steps && !done_) {
      step(steps_++);
      if (task.watch) task.watch({steps_, settings_.compression.steps, loss_});
      if (steps_ < settings_.compression.steps && !done_) save_if_wished(task);
    }
    if (best_) compression_.restore(*best_), w_ = best_w_;
    return record("complete");
  }

 private:
  void resume(const Task& task) {
    Archive archive = Archive::restoring(task.team, *task.saving.resume);
    state(archive);
    archive.finish(task.saving.origin);
    ++interruptions_;
  }

  void save_if_wished(const Task& task) {
    const Wish wish = task.saving.agreed(task.team);
    if (wish == Wish::go_on) return;
    Record so_far = record("running");
    Archive archive = Archive::saving(task.team, so_far);
    state(archive);
    archive.finish();
    task.saving.save(std::move(so_far));
    if (wish == Wish::save_and_stop) throw Interrupted("stopped after step " + std::to_string(steps_));
  }

  void state(Archive& archive) {
    archive.shared("steps", steps_);
    archive.shared("interruptions", interruptions_);
    archive.shared("weights", w_);
    archive.shared("loss", loss_);
    seconds_before_ = seconds();
    begin_ = Stopwatch::Clock::now();
    archive.shared("seconds", seconds_before_);
    compression_.state(archive);
    report_->state(archive);
    if (settings_.compression.keep != "best") return;
    if (archive.restores()) best_ = compression_.keep(w_), best_w_ = w_;
    best_->state("compression/best", archive);
    archive.shared("compression/best/weights", best_w_);
  }

  double seconds() const { return seconds_before_ + std::chrono::duration<double>(Stopwatch::Clock::now() - begin_).count(); }

  void step(std::size_t k) {
    const auto begin = Stopwatch::Clock::now();
    const double mu = compression_.mu(k), before = loss_ + compression_.penalty(w_, mu);
    regression_.minimise(mu, compression_.aim(mu), w_);  // where it starts from does not matter: iterated compression cycles
    const double terms = compression_.penalty(w_, mu);
    const auto middle = Stopwatch::Clock::now();
    compression_.project(w_, mu);
    const auto end = Stopwatch::Clock::now();
    measure(mu, {before, terms, compression_.penalty(w_, mu)}, std::chrono::duration<double>(middle - begin).count(), std::chrono::duration<double>(end - middle).count());
    compression_.update_multipliers(w_, mu);
    done_ = settings_.compression.tolerance > 0 && mu > 0 && report_->last_gap() <= settings_.compression.tolerance;
  }

  void measure(double mu, Lagrangian lagrangian, double l_step, double c_step) {
    const std::span<const float> quantized = compression_.quantized(w_);
    const auto score = [](std::span<const float> w, const RegressionMoments& moments) { return Score{moments.loss(w), 0}; };
    const RegressionMoments& train = regression_.moments();
    const CompressionScores scores{score(quantized, train), score(quantized, test_), score(w_, train), score(w_, test_)};
    loss_ = scores.train.loss;
    lagrangian.after_l += loss_;
    lagrangian.after_c += loss_;
    if (mu == 0) lagrangian.before_l = loss_;
    report_->add(compression_, w_, scores, mu, lagrangian);
    report_->add_times(l_step, c_step);
    if (settings_.compression.keep != "best" || !report_->last_is_best()) return;
    best_ = compression_.keep(w_);
    best_w_ = w_;
  }

  Record record(const char* status) const {
    Record record;
    for (const auto& [key, value] : settings_.point) record.attributes[key] = value;
    record.attributes["status"] = status;
    record.attributes["interruptions"] = static_cast<std::int64_t>(interruptions_);
    record.attributes["iterations"] = static_cast<std::int64_t>(steps_);  // L steps
    for (const Tensor& t : regression_.layout().tensors()) record.datasets.push_back(weights_dataset(t.name, t.shape, std::span<const float>(w_).subspan(t.offset, t.size)));
    report_->write(compression_, record);
    compression_.describe(record);
    record.datasets.push_back({"runtime/total", "s", "time of the run", {}, std::vector<double>{seconds()}});
    return record;
  }

  Stopwatch::Clock::time_point begin_ = Stopwatch::Clock::now();
  const Settings& settings_;
  Regression regression_;
  RegressionMoments test_;
  Compression compression_;
  std::optional<CompressionReport> report_;
  std::vector<float> w_, best_w_;
  std::optional<Compression::Kept> best_;
  double loss_ = 0, seconds_before_ = 0;
  std::uint64_t steps_ = 0, interruptions_ = 0;
  bool done_ = false;  ///< near enough
};

}  // namespace

Record compress_regression(const Task& task) {
  Record record = RegressionRun(task).run(task);
  return task.team.is_root() ? record : Record{};
}

Cost regression_cost(const Settings& s, std::size_t, const Speed& speed) {
  Cost cost;
  const double n = static_cast<double>(training_samples(s)), tests = 10'000, weights = 196 * 784;
  cost.parameters = 196 * 784 + 784;
  cost.iterations = std::max<std::uint64_t>(s.compression.steps, 1);
  cost.flops_per_iteration = weights * 2 * 196 * 6;
  cost.core_seconds = static_cast<double>(cost.iterations + 1) * cost.flops_per_iteration / (speed.flops / 2) + 1 + (n + tests) * weights * 2 / (speed.flops / 2);  // in double
  cost.bytes_per_rank = static_cast<std::size_t>((n + tests) * 2 * 980 * 8) + (std::size_t{80} << 20);
  return cost;
}

}  // namespace qsweep
