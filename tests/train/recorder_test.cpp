// Which iterations become points, and what a run says of itself.
#include "train/recorder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "config/keys.h"
#include "train/metrics.h"

namespace qsweep {
namespace {

/// Runs T iterations; each point's curves are functions of its iteration.
Recorder recorded(std::uint64_t interval, std::uint64_t promised, std::uint64_t T) {
  Recorder recorder(interval, promised);
  for (std::uint64_t t = 1; t <= T; ++t) {
    if (!recorder.wants(t, t == T)) continue;
    recorder.begin(t);
    recorder.add("square", static_cast<double>(t) * static_cast<double>(t));
    recorder.add("row", std::vector<double>{static_cast<double>(t), -static_cast<double>(t), 0.5});
  }
  return recorder;
}

void expect_points(const Recorder& recorder, std::uint64_t T) {
  const auto& iterations = recorder.iterations();
  ASSERT_FALSE(iterations.empty());
  EXPECT_LE(iterations.size(), Recorder::most_points) << T;
  EXPECT_EQ(iterations.front(), 1) << T;
  EXPECT_EQ(iterations.back(), static_cast<std::int64_t>(T));
  // Evenly spaced, but for the last.
  for (std::size_t i = 2; i + 1 < iterations.size(); ++i)
    ASSERT_EQ(iterations[i] - iterations[i - 1], iterations[1] - iterations[0]) << "T = " << T << ", point " << i;
  ASSERT_EQ(recorder.values("square").size(), iterations.size());
  ASSERT_EQ(recorder.values("row").size(), 3 * iterations.size());
  for (std::size_t i = 0; i < iterations.size(); ++i) {  // values stay with their iterations
    const auto t = static_cast<double>(iterations[i]);
    EXPECT_EQ(recorder.values("square")[i], t * t);
    EXPECT_EQ(recorder.values("row")[3 * i + 1], -t);
  }
}

TEST(Recorder, auto_has_at_most_two_thousand_points_and_the_last_always) {
  for (const std::uint64_t T : {1U, 2U, 7U, 64U, 1003U, 1998U, 1999U, 2000U, 2001U, 3998U, 3999U, 4000U, 50'000U, 123'457U}) {
    const Recorder recorder = recorded(0, T, T);
    expect_points(recorder, T);
    EXPECT_GE(recorder.points(), std::min<std::uint64_t>(T, 999)) << "not thinner than it must be, T = " << T;
  }
}

TEST(Recorder, a_run_of_unknown_length_is_thinned_as_it_goes) {
  for (const std::uint64_t T : {1U, 2U, 7U, 64U, 1003U, 1997U, 1998U, 1999U, 2000U, 2001U, 3995U, 3996U, 3997U, 3998U, 4000U, 7991U,
                                7993U, 50'000U, 123'457U}) {
    const Recorder recorder = recorded(0, 0, T);
    expect_points(recorder, T);
    EXPECT_GE(recorder.points(), std::min<std::uint64_t>(T, 999)) << T;
    EXPECT_TRUE(T >= 1999 || recorder.points() == T);
  }
}

TEST(Recorder, a_given_interval_is_kept_whatever_it_costs) {
  const Recorder every = recorded(1, 5000, 5000);
  EXPECT_EQ(every.points(), 5000U);
  expect_points(recorded(7, 0, 100), 100);
  EXPECT_EQ(recorded(7, 0, 100).iterations(),
            (std::vector<std::int64_t>{1, 8, 15, 22, 29, 36, 43, 50, 57, 64, 71, 78, 85, 92, 99, 100}));
  EXPECT_EQ(recorded(7, 0, 99).iterations().back(), 99);
}

TEST(Recorder, writes_curves_with_their_units) {
  Recorder recorder = recorded(0, 3, 3);
  recorder.describe("square", "m", "area");
  Record record;
  recorder.write("curves", {"square", "row", "absent"}, record);
  recorder.write_index("curves/iteration", record);
  ASSERT_EQ(record.datasets.size(), 3U);
  const Dataset* square = record.find("curves/square");
  EXPECT_EQ(square->unit + square->long_name, "marea");
  EXPECT_EQ(std::get<std::vector<double>>(square->values), (std::vector<double>{1, 4, 9}));
  EXPECT_EQ(record.find("curves/row")->shape, (std::vector<std::size_t>{3, 3}));
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(record.find("curves/iteration")->values), (std::vector<std::int64_t>{1, 2, 3}));
}

Settings settings(std::initializer_list<std::pair<const std::string, std::string>> given) {
  return settings_of(effective_point(Point(given)));
}

Layout mlp_layout() {
  Layout layout;
  layout.add("fc1/weight", {2, 2}, true);
  layout.add("fc1/bias", {2}, false);
  layout.add("fc2/weight", {1, 2}, true);
  return layout;
}

double scalar(const Record& record, const std::string& path) {
  const Dataset* d = record.find(path);
  return d == nullptr ? std::numeric_limits<double>::quiet_NaN() : std::get<std::vector<double>>(d->values).at(0);
}

std::vector<double> curve(const Record& record, const std::string& path) {
  const Dataset* d = record.find(path);
  return d == nullptr ? std::vector<double>{} : std::get<std::vector<double>>(d->values);
}

TEST(Metrics, averages_are_over_all_iterations_not_over_the_recorded) {
  const Settings s = settings({{"weights.quantizer", "lab"}, {"run.iterations", "9"}, {"run.record_every", "4"}});
  Layout layout;
  layout.add("fc1/weight", {1, 2}, true);
  Metrics metrics(s, layout, 9);
  const std::vector<float> w = {3, 4}, quantized = {3, 3};
  double sum = 0, full = 0;
  for (std::uint64_t t = 1; t <= 9; ++t) {
    const double loss = 10.0 / static_cast<double>(t);
    sum += loss, full += 2 * loss;
    metrics.count(t, {loss, 2 * loss});
    EXPECT_DOUBLE_EQ(metrics.average_loss(), sum / static_cast<double>(t));
    if (metrics.wants(t, t == 9))
      metrics.record(t, std::vector<double>{1.5, 2.5}, w, quantized, 100.0 * static_cast<double>(t), 7.0 * static_cast<double>(t));
  }
  Record record;
  metrics.write(record, std::nullopt);
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(record.find("curves/iteration")->values), (std::vector<std::int64_t>{1, 5, 9}));
  EXPECT_EQ(curve(record, "curves/loss"), (std::vector<double>{10, 2, 10.0 / 9}));
  EXPECT_EQ(curve(record, "curves/full_precision_loss"), (std::vector<double>{20, 4, 20.0 / 9}));
  EXPECT_DOUBLE_EQ(curve(record, "curves/average_loss").at(1), 10 * (1 + 1 / 2.0 + 1 / 3.0 + 1 / 4.0 + 1 / 5.0) / 5);
  EXPECT_DOUBLE_EQ(scalar(record, "final/average_loss"), sum / 9);
  EXPECT_DOUBLE_EQ(scalar(record, "final/average_full_precision_loss"), full / 9);
  EXPECT_DOUBLE_EQ(scalar(record, "final/weight_error"), 1.0 / 25);
  EXPECT_EQ(curve(record, "curves/bits_up"), (std::vector<double>{100, 500, 900}));
  EXPECT_EQ(curve(record, "curves/bits_down"), (std::vector<double>{7, 35, 63}));
  EXPECT_EQ(scalar(record, "final/gradient_norm_ratio"), 1.5);
  for (const Dataset& d : record.datasets) EXPECT_FALSE(d.unit.empty() || d.long_name.empty()) << d.path;
}

TEST(Metrics, layers_of_a_network_are_named) {
  const Settings s = settings({{"data.set", "mnist"}, {"model.kind", "mlp"}, {"run.iterations", "2"}});
  const Layout layout = mlp_layout();
  Metrics metrics(s, layout, 2);
  const std::vector<float> w(8, 1);
  for (std::uint64_t t = 1; t <= 2; ++t) {
    metrics.count(t, {1, 1});
    metrics.record(t, std::vector<double>{1, 2, 3}, w, w, 0, 0);
  }
  Record record;
  metrics.write(record, std::nullopt);
  const Dataset* layers = record.find("curves/gradient_norm_ratio_layers");
  ASSERT_NE(layers, nullptr);
  EXPECT_EQ(layers->shape, (std::vector<std::size_t>{2, 2}));
  EXPECT_EQ(std::get<std::vector<double>>(layers->values), (std::vector<double>{2, 3, 2, 3}));
  EXPECT_EQ(std::get<std::vector<std::string>>(layers->attributes.at("layers")), (std::vector<std::string>{"fc1", "fc2"}));
  EXPECT_EQ(record.find("curves/full_precision_loss"), nullptr) << "of the linear model only";
  EXPECT_EQ(record.find("curves/weight_error"), nullptr) << "of quantized weights only";
}

TEST(Metrics, patience_counts_iterations_since_the_average_last_fell) {
  const Settings s = settings({{"run.patience", "3"}});
  Layout layout;
  layout.add("fc1/weight", {1, 1}, true);
  Metrics metrics(s, layout, 0);
  // Averages 4, 3, 3, 3.25, 3.4: the best is that of t = 2; equal is not lower.
  const std::vector<double> losses = {4, 2, 3, 4, 4};
  for (std::uint64_t t = 1; t <= losses.size(); ++t) {
    metrics.count(t, {losses[t - 1], 0});
    EXPECT_EQ(metrics.out_of_patience(t), t == 5) << t;
  }
  Metrics recovering(s, layout, 0);
  for (std::uint64_t t = 1; t <= 20; ++t) {
    recovering.count(t, {t % 3 == 1 ? 1.0 / static_cast<double>(t) : 0.5 / static_cast<double>(t), 0});  // falls on and on
    EXPECT_FALSE(recovering.out_of_patience(t));
  }
  const Settings none = settings({{"run.iterations", "5"}});
  Metrics endless(none, layout, 5);
  for (std::uint64_t t = 1; t <= 20; ++t) {
    endless.count(t, {static_cast<double>(t), 0});
    EXPECT_FALSE(endless.out_of_patience(t)) << "no such limit";
  }
}

TEST(Metrics, evaluations_keep_their_iterations_and_the_best_accuracy) {
  const Settings s = settings({{"data.set", "mnist"}, {"model.kind", "mlp"}, {"run.iterations", "30"}});
  Metrics metrics(s, mlp_layout(), 30);
  metrics.record_evaluation(10, {.test = Score{0.5, 90}, .train = {}, .averaged_test = Score{0.7, 91}});
  metrics.record_evaluation(20, {.test = Score{0.4, 95}, .train = {}, .averaged_test = Score{0.6, 96}});
  metrics.record_evaluation(30, {.test = Score{0.6, 93}, .train = Score{0.1, 99}, .averaged_test = Score{0.5, 95}});
  Record record;
  metrics.write(record, std::nullopt);
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(record.find("curves/evaluation_iteration")->values),
            (std::vector<std::int64_t>{10, 20, 30}));
  EXPECT_EQ(curve(record, "curves/test_accuracy"), (std::vector<double>{90, 95, 93}));
  EXPECT_EQ(scalar(record, "final/test_accuracy"), 93);
  EXPECT_EQ(scalar(record, "final/best_test_accuracy"), 95);
  EXPECT_EQ(scalar(record, "final/test_loss"), 0.6);
  const std::vector<double> train = curve(record, "curves/train_loss");
  ASSERT_EQ(train.size(), 3U);
  EXPECT_TRUE(std::isnan(train[0]) && std::isnan(train[1]) && train[2] == 0.1);
  Metrics never(s, mlp_layout(), 30);
  never.record_evaluation(30, {.test = Score{0.6, 93}, .train = {}, .averaged_test = {}});
  Record without;
  never.write(without, std::nullopt);
  EXPECT_EQ(without.find("curves/train_loss"), nullptr) << "what was never measured is absent";
}

TEST(Metrics, a_run_that_diverges_at_once_can_be_stored) {
  const Settings s = settings({{"run.iterations", "5"}});
  Layout layout;
  layout.add("fc1/weight", {1, 1}, true);
  Metrics metrics(s, layout, 5);
  metrics.count(1, {std::numeric_limits<double>::quiet_NaN(), 0});
  EXPECT_TRUE(std::isnan(metrics.average_loss()));
  Record record;
  metrics.write(record, std::nullopt);
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(record.find("curves/iteration")->values).size(), 0U);
}

TEST(Metrics, the_comparator_of_hindsight_is_taken_off_at_the_end) {
  const Settings s = settings({{"run.iterations", "4"},
                               {"model.dimension", "1"},
                               {"theory.measure", "true"},
                               {"theory.comparator", "hindsight"},
                               {"optimizer.kind", "sgd"}});
  Layout layout;
  layout.add("fc1/weight", {1, 1}, true);
  Metrics metrics(s, layout, 4);
  const std::vector<float> w = {0.25F}, g = {0.5F};
  double sum = 0;
  for (std::uint64_t t = 1; t <= 4; ++t) {
    const double full = 1 + static_cast<double>(t);
    sum += full;
    metrics.count(t, {9, full, 0, 1, 0});
    metrics.record(t, std::vector<double>{1, 1}, w, w, 0, 0);
    metrics.measure(w, w, g, {}, 0.1, 0);
    metrics.record_bounds();
  }
  Record record;
  metrics.write(record, std::vector<double>{1, 2, 3, 4.5});
  EXPECT_NEAR(scalar(record, "final/average_regret"), (sum - 4.5) / 4, 1e-12);
  EXPECT_NEAR(curve(record, "curves/average_regret").at(1), (2 + 3 - 2.0) / 2, 1e-12);
  EXPECT_EQ(curve(record, "bound/u1").size(), 4U);
  EXPECT_EQ(record.find("curves/u1"), nullptr);
}

}  // namespace
}  // namespace qsweep
