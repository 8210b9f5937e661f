// Runs of the trainer on 1, 2, 3, 4 ranks: the same bits as on one rank, in both exchanges; what is recorded, how runs end; and
// the governing line itself against a plain serial simulation.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "train/runs.h"

namespace qsweep {
namespace {

using namespace test;

class TrainerTest : public WithImages {
 protected:
  void expect_same_bits(const Point& point) {
    const std::string expected = contents_alone(settings_with(joined(point, {{"workers.exchange", "allreduce"}})), world, *data);
    for (const char* exchange : {"allreduce", "server"})
      EXPECT_EQ(contents_of(settings_with(joined(point, {{"workers.exchange", exchange}})), world, *data), expected) << exchange;
  }
};

TEST_F(TrainerTest, linear_runs_have_the_same_bits_on_any_ranks_and_exchange) {
  for (const char* workers : {"1", "2", "5"})
    for (const auto& [weights, gradients] : {std::pair("fp", "fp"), std::pair("lab", "sq2"), std::pair("laq3", "sq4"),
                                             std::pair("log4", "fp"), std::pair("fp", "sq8")}) {
      SCOPED_TRACE(fmt::format("N = {} {} {}", workers, weights, gradients));
      expect_same_bits(
          joined(linear(), {{"workers.count", workers}, {"weights.quantizer", weights}, {"gradients.quantizer", gradients}}));
    }
}

TEST_F(TrainerTest, measuring_the_theory_gives_the_same_bits_too) {
  const Point measured =
      joined(linear(),
             {{"theory.measure", "true"}, {"weights.quantizer", "lat"}, {"gradients.quantizer", "sq3"}, {"gradients.clip", "2.5"}});
  expect_same_bits(measured);
  expect_same_bits(joined(measured, {{"theory.comparator", "hindsight"}}));
}

TEST_F(TrainerTest, every_optimizer_gives_the_same_bits) {
  for (const char* kind : {"sgd", "momentum", "nesterov", "adam"}) {
    SCOPED_TRACE(kind);
    expect_same_bits(joined(linear(), {{"optimizer.kind", kind},
                                       {"weights.quantizer", "laq3"},
                                       {"gradients.quantizer", "sq2"},
                                       {"optimizer.weight_decay", "0.001"},
                                       {"run.iterations", "15"}}));
  }
}

TEST_F(TrainerTest, networks_have_the_same_bits_on_any_ranks_and_exchange) {
  expect_same_bits(joined(mlp(), {{"weights.quantizer", "laq3"}, {"gradients.quantizer", "sq2"}}));
  expect_same_bits(joined(mlp(), {{"data.augment", "crop24_flip_colour"},
                                  {"gradients.quantizer", "sq4"},
                                  {"gradients.clip", "3"},
                                  {"run.evaluate_train_every", "end"}}));
  expect_same_bits(joined(mlp(), {{"model.activation", "tanh"}, {"workers.count", "2"}, {"model.l2", "0.001"}}));
}

TEST_F(TrainerTest, convolutional_networks_have_the_same_bits_on_any_ranks_and_exchange) {
  const Point few = joined(mlp(), {{"data.limit", "40"}, {"run.epochs", "0"}, {"run.iterations", "3"}, {"workers.batch", "4"}, {"weights.quantizer", "laq3"}, {"gradients.quantizer", "sq2"}});
  expect_same_bits(joined(few, {{"model.kind", "cifarnet"}, {"data.augment", "crop24_flip_colour"}, {"gradients.clip", "3"}}));
  Point batch_norm = joined(few, {{"model.kind", "resnet20"}, {"model.batch_norm", "affine"}, {"data.augment", "pad4_crop_flip"}});
  batch_norm.erase("model.dimension");
  expect_same_bits(batch_norm);
}

TEST_F(TrainerTest, averages_and_histograms_have_the_same_bits_on_any_ranks_and_exchange) {
  const Point given = joined(mlp(), {{"weights.quantizer", "laq3"}, {"gradients.quantizer", "sq2"}, {"optimizer.kind", "adam"}, {"optimizer.average", "0.9"}, {"run.histograms", "1 4 1000"}});
  expect_same_bits(given);
  const auto record = on_root(settings_with(given), world, *data);
  if (!record) return;
  EXPECT_EQ(curve(*record, "curves/averaged_test_accuracy").size(), curve(*record, "curves/test_accuracy").size());
  EXPECT_NE(curve(*record, "curves/averaged_test_accuracy"), curve(*record, "curves/test_accuracy"));
  EXPECT_EQ(index(*record, "curves/histogram_iteration"), (std::vector<std::int64_t>{1, 4})) << "T is below 1000";
  const Dataset& histogram = *record->find("curves/gradient_histogram");
  EXPECT_EQ(histogram.shape, (std::vector<std::size_t>{2, 2, 160}));
  const auto& counts = std::get<std::vector<std::int64_t>>(histogram.values);
  const std::int64_t weights = 9 * 3 * 32 * 32, workers = 3;
  EXPECT_EQ(std::accumulate(counts.begin(), counts.begin() + 160, std::int64_t{0}), workers * weights) << "every element of every worker is counted";
  for (const double sigma : curve(*record, "curves/gradient_sigma")) EXPECT_GT(sigma, 0);
}

/// Every estimator, fused with batch norm and alone, with and without quantized weights and gradients.
TEST_F(TrainerTest, quantized_activations_have_the_same_bits_on_any_ranks_and_exchange) {
  const Point two_bits = joined(mlp(), {{"activations.bits", "2"}, {"optimizer.kind", "momentum"}});
  for (const char* estimator : {"identity", "relu", "clipped_relu"})
    for (const char* norm : {"none", "plain"}) {
      SCOPED_TRACE(fmt::format("{} {}", estimator, norm));
      expect_same_bits(joined(two_bits, {{"activations.ste", estimator}, {"model.batch_norm", norm}}));
    }
  expect_same_bits(joined(two_bits, {{"activations.type", "nearest"}, {"activations.alpha", "0.4866"}, {"weights.quantizer", "laq3"}, {"gradients.quantizer", "sq2"}, {"model.batch_norm", "affine"}}));
  Point tiny_resnet = joined(two_bits, {{"model.kind", "resnet20"}, {"model.sum_norm", "plain"}, {"data.limit", "24"}, {"workers.batch", "4"}, {"workers.count", "2"}, {"run.epochs", "0"},
                                              {"run.iterations", "2"}, {"run.evaluate_every", "never"}, {"run.evaluate_train_every", "end"}});
  tiny_resnet.erase("model.dimension");
  expect_same_bits(tiny_resnet);
}

/// The step, and how it rounds, reach the training; the estimator leaves the first loss alone and changes what follows.
TEST_F(TrainerTest, quantized_activations_train_as_their_keys_say) {
  const Point base = joined(mlp(), {{"activations.bits", "2"}, {"model.batch_norm", "plain"}, {"run.evaluate_every", "end"}, {"run.evaluate_train_every", "never"}});
  const auto losses = [&](const Point& more) {
    const std::optional<Record> record = on_root(settings_with(joined(base, more)), world, *data);
    return record ? curve(*record, "curves/loss") : std::vector<double>{};
  };
  const std::vector<double> plain = losses({});
  for (const char* estimator : {"identity", "relu"}) {
    const std::vector<double> other = losses({{"activations.ste", estimator}});
    if (!world.is_root()) continue;
    EXPECT_EQ(other[0], plain[0]) << estimator;
    EXPECT_NE(other[2], plain[2]) << estimator;
  }
  for (const Point& other : {Point{{"activations.bits", "4"}}, {{"activations.alpha", "ceil"}}, {{"activations.type", "nearest"}}, {{"activations.bits", "none"}}}) {
    const std::vector<double> changed = losses(other);
    if (world.is_root()) {
      EXPECT_NE(changed[0], plain[0]) << other.begin()->first << " = " << other.begin()->second;
    }
  }
}

TEST_F(TrainerTest, scales_of_their_own_need_a_server_and_do_not_see_the_ranks) {
  for (const Point& base : {linear(), mlp()}) {
    const Settings s = settings_with(joined(base, {{"workers.exchange", "server"},
                                                   {"gradients.quantizer", "sq3"},
                                                   {"gradients.scale", "worker"},
                                                   {"weights.quantizer", "lab"}}));
    EXPECT_EQ(contents_of(s, world, *data), contents_alone(s, world, *data));
  }
}

TEST_F(TrainerTest, different_settings_give_different_bits) {  // or the comparisons above would compare nothing
  const std::string plain = contents_alone(settings_with(linear()), world, *data);
  for (const Point& other : {Point{{"run.seed", "2"}},
                             {{"workers.count", "4"}},
                             {{"weights.quantizer", "lab"}},
                             {{"gradients.quantizer", "sq2"}},
                             {{"optimizer.learning_rate", "0.0301"}}})
    EXPECT_NE(contents_alone(settings_with(joined(linear(), other)), world, *data), plain) << other.begin()->first;
}

/// w ← clamp(w − η·(1/N) Σ_n Xᵀ(Xŵ − y)/B), ŵ = w or sign(w)·mean|w|, in double. Floats round each of the 30 steps by some
/// η·B·d·2⁻²⁴ < 10⁻⁶: 10⁻⁴ is ample, and one wrong sign, worker, or gradient at w instead of ŵ moves a weight by 10⁻² and more.
std::vector<double> simulated(const Settings& s, bool binary) {
  const std::size_t d = s.model.dimension, B = s.workers.batch;
  const LinearStream stream(d, s.run.seed);
  std::vector<float> first(d), x(B * d), y(B), noise(B);
  Stream(s.run.seed, Draw::InitialWeights).uniform(0, -0.5F, 0.5F, first);
  std::vector<double> w(first.begin(), first.end());
  for (std::uint32_t t = 1; t <= s.run.iterations; ++t) {
    double alpha = 0;
    for (const double value : w) alpha += std::abs(value) / static_cast<double>(d);
    std::vector<double> quantized = w, gradient(d, 0.0);
    if (binary)
      for (double& value : quantized) value = value < 0 ? -alpha : alpha;
    for (std::uint32_t n = 0; n < s.workers.count; ++n) {
      stream.batch(n, t, x, y, noise);
      for (std::size_t b = 0; b < B; ++b) {
        double residual = -y[b];
        for (std::size_t i = 0; i < d; ++i) residual += x[b * d + i] * quantized[i];
        for (std::size_t i = 0; i < d; ++i) gradient[i] += x[b * d + i] * residual / static_cast<double>(B * s.workers.count);
      }
    }
    const double eta = s.optimizer.learning_rate / (s.optimizer.schedule == "inverse_sqrt" ? std::sqrt(t) : 1.0);
    for (std::size_t i = 0; i < d; ++i) w[i] = std::clamp(w[i] - eta * gradient[i], -0.5, 0.5);
  }
  return w;
}

TEST_F(TrainerTest, follows_the_governing_line) {
  for (const char* weights : {"fp", "lab"})
    for (const char* schedule : {"constant", "inverse_sqrt"}) {
      const Settings s = settings_with(joined(linear(), {{"optimizer.kind", "sgd"},
                                                         {"optimizer.schedule", schedule},
                                                         {"optimizer.learning_rate", "0.5"},
                                                         {"weights.quantizer", weights},
                                                         {"run.iterations", "30"}}));
      const std::optional<Record> record = on_root(s, world, *data);
      if (!record) continue;
      const auto& w = std::get<std::vector<float>>(record->find("final/weights/fc1/weight")->values);
      const std::vector<double> expected = simulated(s, std::string(weights) == "lab");
      for (std::size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(w[i], expected[i], 1e-4) << weights << " " << schedule << " " << i;
    }
}

TEST_F(TrainerTest, curves_keep_their_definitions) {
  const Settings s = settings_with(joined(linear(), {{"weights.quantizer", "laq3"}, {"gradients.quantizer", "sq4"}}));
  const std::optional<Record> record = on_root(s, world, *data);
  if (!record) return;
  const auto& t = index(*record);
  const auto &loss = curve(*record, "curves/loss"), &average = curve(*record, "curves/average_loss"),
             &ratio = curve(*record, "curves/gradient_norm_ratio");
  ASSERT_EQ(t.size(), 40U);
  double sum = 0;
  for (std::size_t i = 0; i < t.size(); ++i) {
    EXPECT_EQ(t[i], static_cast<std::int64_t>(i) + 1);
    sum += loss[i];
    EXPECT_NEAR(average[i], sum / static_cast<double>(i + 1), 1e-14 * sum);
    EXPECT_EQ(curve(*record, "curves/bits_up")[i], static_cast<double>(t[i]) * (4 * 23 + 32));
    EXPECT_EQ(curve(*record, "curves/bits_down")[i], static_cast<double>(t[i]) * (3 * 23 + 32));
    EXPECT_GT(ratio[i], 0.5);  // |Q(g) − g| ≤ s/7 in each element, so ‖Q‖/‖g‖ is 1 ± √d/7·(s/‖g‖), at most 1 ± √23/7
    EXPECT_LE(ratio[i], std::pow(1 + std::sqrt(23) / 7, 2));
    EXPECT_GE(curve(*record, "curves/weight_error")[i], 0);
    EXPECT_LT(curve(*record, "curves/weight_error")[i], 1);  // the objective at α = 0 is 1
  }
  for (const char* name : {"loss", "average_loss", "full_precision_loss", "gradient_norm_ratio", "weight_error", "bits_up"})
    EXPECT_EQ(curve(*record, std::string("final/") + name)[0], curve(*record, std::string("curves/") + name).back()) << name;
}

TEST_F(TrainerTest, without_quantization_nothing_is_lost) {
  const std::optional<Record> record = on_root(settings_with(linear()), world, *data);
  if (!record) return;
  EXPECT_EQ(curve(*record, "curves/full_precision_loss"), curve(*record, "curves/loss"));
  for (const double ratio : curve(*record, "curves/gradient_norm_ratio")) EXPECT_EQ(ratio, 1.0);
  EXPECT_LT(curve(*record, "curves/loss").back(), curve(*record, "curves/loss").front());
}

TEST_F(TrainerTest, a_run_that_diverges_ends_and_says_so) {
  for (const char* exchange : {"allreduce", "server"})
    for (const Point& base : {linear(), mlp()})
      for (const char* gradients : {"fp", "sq2"}) {
        const Settings s = settings_with(joined(base, {{"optimizer.kind", "sgd"},
                                                       {"optimizer.schedule", "constant"},
                                                       {"optimizer.learning_rate", "9e+29"},
                                                       {"optimizer.projection", "none"},
                                                       {"gradients.quantizer", gradients},
                                                       {"workers.exchange", exchange}}));
        const std::optional<Record> record = on_root(s, world, *data);
        if (!record) continue;
        SCOPED_TRACE(fmt::format("{} {} {}", exchange, s.model.kind, gradients));
        EXPECT_EQ(std::get<std::string>(record->attributes.at("status")), "diverged");
        const std::int64_t end = std::get<std::int64_t>(record->attributes.at("diverged_iteration"));
        EXPECT_GE(end, 2);  // w_1 is sound
        EXPECT_LE(end, 5);  // each step multiplies by 10²⁹
        EXPECT_EQ(std::get<std::int64_t>(record->attributes.at("iterations")), end);
        EXPECT_EQ(index(*record).size(), static_cast<std::size_t>(end) - 1);  // points of the iterations that had an update
        for (const double loss : curve(*record, "curves/loss")) EXPECT_TRUE(std::isfinite(loss));
      }
}

TEST_F(TrainerTest, a_last_step_that_breaks_the_weights_is_a_divergence) {
  const Settings s = settings_with(joined(linear(), {{"optimizer.kind", "sgd"},
                                                     {"optimizer.schedule", "constant"},
                                                     {"optimizer.learning_rate", "9e+29"},
                                                     {"optimizer.projection", "none"},
                                                     {"run.iterations", "2"}}));
  const std::optional<Record> record = on_root(s, world, *data);
  if (!record) return;
  EXPECT_EQ(std::get<std::string>(record->attributes.at("status")), "diverged");
  EXPECT_EQ(index(*record).size(), 2U);
}

TEST_F(TrainerTest, a_box_keeps_the_same_run_alive) {
  const Settings s = settings_with(
      joined(linear(), {{"optimizer.kind", "sgd"}, {"optimizer.schedule", "constant"}, {"optimizer.learning_rate", "9e+29"}}));
  const std::optional<Record> record = on_root(s, world, *data);
  if (!record) return;
  EXPECT_EQ(std::get<std::string>(record->attributes.at("status")), "complete");
  for (const float w : std::get<std::vector<float>>(record->find("final/weights/fc1/weight")->values)) EXPECT_LE(std::abs(w), 0.5F);
}

TEST_F(TrainerTest, patience_stops_where_the_average_loss_has_not_fallen) {
  for (const int patience : {1, 5, 30}) {
    const Settings s = settings_with(joined(linear(), {{"run.iterations", "0"},
                                                       {"run.patience", std::to_string(patience)},
                                                       {"optimizer.learning_rate", "0.3"},
                                                       {"workers.batch", "2"}}));
    const std::optional<Record> record = on_root(s, world, *data);
    if (!record) continue;
    const auto& average = curve(*record, "curves/average_loss");
    std::size_t best = 0;
    for (std::size_t i = 1; i < average.size(); ++i) {
      if (average[i] < average[best]) best = i;
      EXPECT_EQ(i - best == static_cast<std::size_t>(patience), i + 1 == average.size()) << "t = " << i + 1;
    }
    EXPECT_EQ(index(*record).back(), std::get<std::int64_t>(record->attributes.at("iterations")));
  }
}

TEST_F(TrainerTest, the_lower_limit_ends_a_run) {
  const std::optional<Record> early = on_root(settings_with(joined(linear(), {{"run.patience", "1000"}})), world, *data);
  if (early) {
    EXPECT_EQ(std::get<std::int64_t>(early->attributes.at("iterations")), 40);
  }
  // ⌈2·150/(3·8)⌉ = 13 iterations; one more than all is not reached, one less ends it
  EXPECT_EQ(iteration_limit(settings_with(mlp())), 13U);
  EXPECT_EQ(iteration_limit(settings_with(joined(mlp(), {{"run.iterations", "14"}}))), 13U);
  EXPECT_EQ(iteration_limit(settings_with(joined(mlp(), {{"run.iterations", "12"}}))), 12U);
  EXPECT_EQ(iteration_limit(settings_with(joined(mlp(), {{"run.epochs", "0"}, {"run.patience", "3"}}))), 0U);
}

TEST_F(TrainerTest, recorded_points_lie_on_a_grid_and_end_at_the_end) {
  const Point tiny = {{"model.dimension", "1"}, {"workers.batch", "1"}, {"optimizer.learning_rate", "0.001"}};
  const auto points = [&](const Point& more) {
    const std::optional<Record> record = on_root(settings_with(joined(tiny, more)), world, *data);
    return record ? index(*record) : std::vector<std::int64_t>{};
  };
  const auto grid = [&](std::int64_t interval, std::int64_t last) {
    std::vector<std::int64_t> t;
    for (std::int64_t i = 1; i <= last && world.is_root(); i += interval) t.push_back(i);
    if (!t.empty() && t.back() != last) t.push_back(last);
    return t;
  };
  EXPECT_EQ(points({{"run.iterations", "50"}, {"run.record_every", "7"}}), grid(7, 50));
  EXPECT_EQ(points({{"run.iterations", "51"}, {"run.record_every", "7"}}), grid(7, 51));
  EXPECT_EQ(points({{"run.iterations", "3"}, {"run.record_every", "100"}}), grid(100, 3));
  EXPECT_EQ(points({{"run.iterations", "1999"}}), grid(1, 1999));
  EXPECT_EQ(points({{"run.iterations", "4001"}}), grid(3, 4001));
  // Nobody knows beforehand when patience ends: points are thinned out, what is left lies on one grid.
  const std::vector<std::int64_t> thinned = points({{"run.patience", "5000"}});
  if (!world.is_root()) return;
  EXPECT_LE(thinned.size(), 2000U);
  EXPECT_GT(thinned.size(), 900U);
  EXPECT_EQ(thinned, grid(thinned[1] - thinned[0], thinned.back()));
}

TEST_F(TrainerTest, evaluates_at_the_end_of_each_epoch_and_of_the_run) {
  const auto iterations = [&](const Point& more) {
    const std::optional<Record> record = on_root(settings_with(joined(mlp(), more)), world, *data);
    return record ? index(*record, "curves/evaluation_iteration") : std::vector<std::int64_t>{};
  };
  const auto expected = [&](std::vector<std::int64_t> t) { return world.is_root() ? t : std::vector<std::int64_t>{}; };
  EXPECT_EQ(iterations({}), expected({7, 13}));  // 24 samples an iteration, 150 in an epoch: 6.25 and 12.5
  EXPECT_EQ(iterations({{"run.epochs", "2.5"}}), expected({7, 13, 16}));
  EXPECT_EQ(iterations({{"run.evaluate_every", "end"}}), expected({13}));
  EXPECT_EQ(iterations({{"run.evaluate_every", "5"}}), expected({5, 10, 13}));
}

TEST_F(TrainerTest, training_a_network_helps) {
  const Settings s = settings_with(joined(
      mlp(), {{"run.epochs", "12"}, {"weights.quantizer", "laq3"}, {"gradients.quantizer", "sq4"}, {"model.dimension", "32"}}));
  const std::optional<Record> record = on_root(s, world, *data);
  if (!record) return;
  const auto& accuracy = curve(*record, "curves/test_accuracy");
  EXPECT_GT(accuracy.back(), 20.0);  // 2,000 samples of ten classes: chance is 10 ± 6·0.67 %
  EXPECT_EQ(curve(*record, "final/best_test_accuracy")[0], *std::ranges::max_element(accuracy));
  EXPECT_GT(curve(*record, "curves/train_accuracy").back(), 20.0);
  const Dataset* layers = record->find("curves/gradient_norm_ratio_layers");
  ASSERT_NE(layers, nullptr);
  EXPECT_EQ(layers->shape, (std::vector<std::size_t>{index(*record).size(), 2}));
}

TEST_F(TrainerTest, the_watcher_hears_of_every_iteration) {
  std::vector<std::uint64_t> heard;
  Trainer(settings_with(linear()), world, *data, std::nullopt, "").run([&](const Progress& p) {
    EXPECT_EQ(p.iterations, 40U);
    heard.push_back(p.iteration);
  });
  ASSERT_EQ(heard.size(), 40U);
  for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(heard[i], i + 1);
}

}  // namespace
}  // namespace qsweep
