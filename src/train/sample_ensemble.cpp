// Algorithm 1 on N samples of each start, drawn once: worker n of W holds samples n·N/W … (n+1)·N/W − 1 and takes their mean coarse
// gradient; the exchange averages it as it does any gradient, quantized or not. v and w are kept in double, on every rank.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "model/two_layer_samples.h"
#include "train/ensemble.h"

namespace qsweep {
namespace {

double mean_of_column(std::span<const double> table, std::size_t rows, std::size_t width, std::size_t column) {
  double sum = 0;
  for (std::size_t row = 0; row < rows; ++row) sum += table[row * width + column];
  return sum / static_cast<double>(rows);
}

class SampleEnsemble final : public Ensemble {
 public:
  SampleEnsemble(const Settings& s, const Team& team, const Starts& starts, Stopwatch& watch)
      : Ensemble(workers_of(team.rank(), team.ranks(), starts.count), starts), settings_(s), team_(team), watch_(watch), estimator_(estimator(s.activations.ste)),
        workers_(workers_of(team.rank(), team.ranks(), s.workers.count)), v_(starts.v_0), w_(starts.w_0), layout_(layout_of(starts)), exchange_(make_exchange(settings_, team_, layout_, watch_)) {
    draw_samples();
    const std::size_t tensors = s.gradients.quantized() ? layout_.tensors().size() : 0;
    gradients_.assign(workers_.count, std::vector<float>(layout_.dimension()));
    width_ = starts.count + tensors;
    limits_.resize(workers_.count * tensors);
    scales_.resize(s.workers.count * tensors);
    slice_.resize(exchange_->partition().size(team.rank()));
    mean_.resize(layout_.dimension());
    for (std::size_t i = 0; i < block_.count; ++i) tallies_[i].least_norm = frame(block_.first + i).norm;
    take_gradients(1);
  }

  std::vector<Observation> observe() const override {
    std::vector<Observation> all(block_.count);
    for (std::size_t i = 0; i < block_.count; ++i) {
      const std::size_t s = block_.first + i;
      const Frame frame = this->frame(s);
      std::vector<double> gradient(starts_.columns);
      gradient_of_w(v(s), w(s), starts_.target_v(s), starts_.target_w(s), gradient);
      double product = 0;
      for (std::size_t j = 0; j < starts_.columns; ++j) product += double{mean_gradient(s)[starts_.rows + j]} * gradient[j];
      all[i] = {losses_[s], population_loss(v(s), starts_.target_v(s), frame.theta), frame.theta, frame.norm, distance(v(s), starts_.target_v(s)), product, 0};
    }
    return all;
  }

  void advance(std::uint64_t first, std::uint64_t steps) override {
    for (std::uint64_t t = first; t < first + steps; ++t) {
      const std::vector<double> before = losses_;
      const std::vector<double> w_before = w_;
      move(settings_.optimizer.learning_rate, v_, w_);
      take_gradients(t + 1);
      for (std::size_t i = 0; i < block_.count; ++i) {
        const std::size_t s = block_.first + i;
        double along = 0;
        for (std::size_t j = 0; j < starts_.columns; ++j) along += w_before[s * starts_.columns + j] * w(s)[j];
        tallies_[i].add(t, frame(s).norm, losses_[s] - before[s], along < 0);
      }
    }
  }

  double loss(std::size_t i) const override { return losses_[block_.first + i]; }

  std::vector<double> losses_after(double eta) override {
    std::vector<double> v = v_, w = w_, mine;
    move(eta, v, w);
    {
      const Timed timed(watch_, Phase::compute);
      for (std::size_t i = 0; i < workers_.count; ++i)
        for (std::size_t s = 0; s < starts_.count; ++s) mine.push_back(samples_[i * starts_.count + s].loss(row(v, s, starts_.rows), row(w, s, starts_.columns)));
    }
    const std::vector<double> all = gather(mine, starts_.count);
    std::vector<double> losses;
    for (std::size_t i = 0; i < block_.count; ++i) losses.push_back(mean_of_column(all, settings_.workers.count, starts_.count, block_.first + i));
    return losses;
  }

  std::vector<double> v() const override { return block_of(v_, starts_.rows); }
  std::vector<double> w() const override { return block_of(w_, starts_.columns); }
  std::vector<double> theta() const override {
    std::vector<double> all;
    for (std::size_t i = 0; i < block_.count; ++i) all.push_back(frame(block_.first + i).theta);
    return all;
  }
  Traffic traffic() const override { return {exchange_->traffic().bytes_sent + gathered_.bytes_sent, exchange_->traffic().messages + gathered_.messages}; }

 protected:
  void point_state(Archive& archive) override {
    archive.shared("v", v_);
    archive.shared("w", w_);
    archive.shared("loss", losses_);
    archive.shared("mean_gradient", mean_);
  }

 private:
  static Layout layout_of(const Starts& starts) {
    Layout layout;
    for (std::size_t s = 0; s < starts.count; ++s) {
      layout.add("v", {starts.rows}, true);
      layout.add("w", {starts.columns}, true);
    }
    return layout;
  }

  void draw_samples() {
    const std::size_t N = settings_.problem.samples, each = N / settings_.workers.count, size = starts_.rows * starts_.columns;
    const Stream stream(settings_.run.seed, Draw::Data);
    for (std::size_t i = 0; i < workers_.count; ++i)
      for (std::size_t s = 0; s < starts_.count; ++s) {
        std::vector<float> z(each * size);
        stream.normal((s * N + (workers_.first + i) * each) * size, z);
        samples_.emplace_back(std::move(z), starts_.target_v(s), starts_.target_w(s));
      }
  }

  /// The mean coarse gradient of iteration t, and the loss, of every start at the present point. Collective.
  void take_gradients(std::uint64_t t) {
    std::vector<double> reports;
    for (std::size_t i = 0; i < workers_.count; ++i) {
      compute(i, reports);
      if (settings_.gradients.quantized()) prepare_quantizing(i, reports);
    }
    const std::vector<double> all = gather(reports, width_);
    losses_.resize(starts_.count);
    for (std::size_t s = 0; s < starts_.count; ++s) losses_[s] = mean_of_column(all, settings_.workers.count, width_, s);
    const std::size_t tensors = width_ - starts_.count;
    for (std::size_t n = 0; n < settings_.workers.count; ++n)
      for (std::size_t l = 0; l < tensors; ++l) scales_[n * tensors + l] = static_cast<float>(all[n * width_ + starts_.count + l]);
    if (!std::ranges::all_of(scales_, [](float scale) { return std::isfinite(scale); })) {  // the run has diverged: nothing to quantize
      std::ranges::fill(mean_, std::numeric_limits<float>::quiet_NaN());
      return;
    }
    exchange_->average(gradients_, {static_cast<std::uint32_t>(t), scales_, limits_}, slice_);
    const Timed timed(watch_, Phase::exchange);
    const std::size_t bytes = all_gather(team_, exchange_->partition(), slice_, mean_);
    gathered_.bytes_sent += bytes;
    gathered_.messages += bytes > 0 ? 1 : 0;
  }

  void compute(std::size_t worker, std::vector<double>& reports) {
    const Timed timed(watch_, Phase::compute);
    std::vector<double> of_v(starts_.rows), of_w(starts_.columns);
    float* gradient = gradients_[worker].data();
    for (std::size_t s = 0; s < starts_.count; ++s) {
      reports.push_back(samples_[worker * starts_.count + s].gradient(estimator_, v(s), w(s), of_v, of_w));
      for (const double g : of_v) *gradient++ = static_cast<float>(g);
      for (const double g : of_w) *gradient++ = static_cast<float>(g);
    }
  }

  /// Clip limits, and the scales that all workers must know.
  void prepare_quantizing(std::size_t worker, std::vector<double>& reports) {
    const Timed timed(watch_, Phase::quantize);
    const auto& tensors = layout_.tensors();
    for (std::size_t l = 0; l < tensors.size(); ++l) {
      const GradientStatistics found = statistics(std::span<const float>(gradients_[worker]).subspan(tensors[l].offset, tensors[l].size));
      const Segment own(tensors[l].offset, tensors[l].end(), found, settings_.gradients.clip.value_or(no_clip));
      limits_[worker * tensors.size() + l] = own.limit;
      reports.push_back(found.finite() ? own.scale : std::numeric_limits<float>::quiet_NaN());
    }
  }

  /// v − η·∂l/∂v, w − η·g of every start.
  void move(double eta, std::vector<double>& v, std::vector<double>& w) {
    const Timed timed(watch_, Phase::update);
    for (std::size_t s = 0; s < starts_.count; ++s) {
      const std::span<const float> g = mean_gradient(s);
      for (std::size_t i = 0; i < starts_.rows; ++i) v[s * starts_.rows + i] -= eta * g[i];
      for (std::size_t j = 0; j < starts_.columns; ++j) w[s * starts_.columns + j] -= eta * g[starts_.rows + j];
    }
  }

  /// `each` values of every worker, in their order, on every rank.
  std::vector<double> gather(const std::vector<double>& mine, std::size_t each) {
    const Timed timed(watch_, Phase::exchange);
    std::vector<int> counts;
    for (int p = 0; p < team_.ranks(); ++p) counts.push_back(static_cast<int>(workers_of(p, team_.ranks(), settings_.workers.count).count * each));
    std::vector<double> all(settings_.workers.count * each);
    team_.all_gather(mine, counts, all);
    return all;
  }

  static Vector row(const std::vector<double>& table, std::size_t s, std::size_t width) { return Vector(table).subspan(s * width, width); }
  Vector v(std::size_t s) const { return row(v_, s, starts_.rows); }
  Vector w(std::size_t s) const { return row(w_, s, starts_.columns); }
  Frame frame(std::size_t s) const { return frame_of(w(s), starts_.target_w(s)); }
  std::span<const float> mean_gradient(std::size_t s) const { return std::span<const float>(mean_).subspan(s * (starts_.rows + starts_.columns), starts_.rows + starts_.columns); }
  std::vector<double> block_of(const std::vector<double>& table, std::size_t width) const {
    const auto first = table.begin() + static_cast<std::ptrdiff_t>(block_.first * width);
    return {first, first + static_cast<std::ptrdiff_t>(block_.count * width)};
  }

  Settings settings_;
  const Team& team_;
  Stopwatch& watch_;
  Estimator estimator_;
  WorkerBlock workers_;
  std::vector<double> v_, w_;  ///< [S, m], [S, n]
  Layout layout_;              ///< v and w of one start after the other
  std::unique_ptr<Exchange> exchange_;
  std::vector<TwoLayerSamples> samples_;       ///< [my workers, S]
  std::vector<std::vector<float>> gradients_;  ///< [my workers][S·(m + n)]
  std::size_t width_ = 0;                      ///< of a worker's report: a loss for each start, scales of its tensors
  std::vector<float> limits_, scales_, slice_, mean_;
  std::vector<double> losses_;  ///< [S]
  Traffic gathered_;
};

}  // namespace

std::unique_ptr<Ensemble> sample_ensemble(const Settings& settings, const Team& team, const Starts& starts, Stopwatch& watch) {
  return std::make_unique<SampleEnsemble>(settings, team, starts, watch);
}

}  // namespace qsweep
