// The method coarse_gradient on 1, 2, 3, 4 ranks: the same bits whatever the ranks and the exchange, on the population and on samples;
// what it stores; one run of samples against a plain simulation; the starting points.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <numbers>
#include <numeric>

#include "base/errors.h"
#include "results/file.h"
#include "theory/two_layer_landscape.h"
#include "train/coarse_gradient.h"
#include "train/runs.h"
#include "train/starts.h"

namespace qsweep {
namespace {

using namespace test;

Point toy(const Point& more = {}) {
  return joined({{"experiment.method", "coarse_gradient"},
                 {"model.rows", "4"},
                 {"model.dimension", "3"},
                 {"problem.starts", "7"},
                 {"optimizer.learning_rate", "0.05"},
                 {"run.iterations", "60"},
                 {"run.record_every", "7"}},
                more);
}

Point sampled(const Point& more = {}) { return joined(toy({{"data.samples", "24"}, {"workers.count", "4"}, {"problem.line", "0:0.05:0.2"}}), more); }

class CoarseGradientTest : public testing::Test {
 protected:
  Team world = Team::world();
  DataStore data;

  Record record_on(const Team& team, const Point& point) {
    const Settings s = settings_with(point);
    return train_coarse_gradient({s, team, data});
  }
  std::string together(const Point& point) {
    const Settings s = settings_with(point);
    std::string text = contents_or_empty(train_coarse_gradient({s, world, data}), world);
    world.broadcast(text);
    return text;
  }
  std::string alone(const Point& point) {
    const Team part = world.split(world.is_root() ? 0 : 1);
    const Settings s = settings_with(point);
    std::string text = world.is_root() ? contents_or_empty(train_coarse_gradient({s, part, data}), part) : "";
    world.broadcast(text);
    return text;
  }
  static std::string contents_or_empty(const Record& record, const Team& team) { return team.is_root() ? contents(record) : ""; }
};

TEST_F(CoarseGradientTest, population_runs_have_the_same_bits_on_any_ranks) {
  for (const char* ste : {"identity", "relu", "clipped_relu"})
    for (const char* starts : {"1", "2", "7", "40"}) {
      const Point point = toy({{"activations.ste", ste}, {"problem.starts", starts}, {"problem.line", "0:0.1:0.3"}});
      EXPECT_EQ(together(point), alone(point)) << ste << " " << starts;
    }
  EXPECT_NE(alone(toy()), alone(toy({{"run.seed", "2"}})));
}

TEST_F(CoarseGradientTest, sample_runs_have_the_same_bits_on_any_ranks_and_exchange) {
  for (const Point& more : {Point{}, Point{{"gradients.quantizer", "sq4"}}, Point{{"gradients.quantizer", "sq2"}, {"gradients.clip", "2"}}, Point{{"activations.ste", "identity"}, {"problem.starts", "1"}}}) {
    const std::string expected = alone(sampled(more));
    for (const char* exchange : {"allreduce", "server", "sharded"}) EXPECT_EQ(together(sampled(joined(more, {{"workers.exchange", exchange}}))), expected) << exchange;
  }
  const Point own = sampled({{"gradients.quantizer", "sq3"}, {"gradients.scale", "worker"}, {"workers.exchange", "server"}});
  EXPECT_EQ(together(own), alone(own));
  EXPECT_NE(alone(sampled()), alone(sampled({{"gradients.quantizer", "sq4"}})));
}

/// Algorithm 1 on samples, without workers, ranks or float.
TEST_F(CoarseGradientTest, sample_run_is_the_plain_simulation) {
  const Settings s = settings_with(sampled({{"run.record_every", "1"}, {"run.iterations", "20"}, {"activations.ste", "relu"}}));
  const Record record = train_coarse_gradient({s, world, data});
  if (!world.is_root()) return;
  const Starts starts = make_starts(s);
  const std::size_t N = 24, m = 4, n = 3;
  const auto& stored = curve(record, "curves/starts/loss");
  const auto& line = curve(record, "curves/line/loss");
  ASSERT_EQ(stored.size(), 20U * 7);
  ASSERT_EQ(line.size(), 5U * 7);
  for (std::size_t start = 0; start < 7; ++start) {
    std::vector<double> v(starts.start_v(start).begin(), starts.start_v(start).end()), w(starts.start_w(start).begin(), starts.start_w(start).end());
    const auto evaluate = [&](Vector at_v, Vector at_w, std::vector<double>& of_v, std::vector<double>& of_w) {
      double loss = 0;
      of_v.assign(m, 0.0);
      of_w.assign(n, 0.0);
      for (std::size_t sample = 0; sample < N; ++sample) {
        std::vector<double> x(m);
        double e = 0;
        const auto z = [&](std::size_t i, std::size_t j) { return static_cast<float>(Stream(1, Draw::Data).normal(((start * N + sample) * m + i) * n + j)); };
        for (std::size_t i = 0; i < m; ++i) {
          double label = 0;
          for (std::size_t j = 0; j < n; ++j) x[i] += z(i, j) * at_w[j], label += z(i, j) * starts.target_w(start)[j];
          e += (x[i] > 0 ? at_v[i] : 0) - (label > 0 ? starts.target_v(start)[i] : 0);
        }
        loss += e * e / 2 / N;
        for (std::size_t i = 0; i < m; ++i)
          if (x[i] > 0) {
            of_v[i] += e / N;
            for (std::size_t j = 0; j < n; ++j) of_w[j] += z(i, j) * at_v[i] * e / N;
          }
      }
      return loss;
    };
    std::vector<double> of_v, of_w, ignored_v, ignored_w;
    for (std::size_t t = 0; t < 20; ++t) {
      EXPECT_NEAR(evaluate(v, w, of_v, of_w), stored[t * 7 + start], 1e-5) << "gradients travel in float; start " << start << ", t = " << t + 1;
      for (std::size_t point = 0; t == 0 && point < 5; ++point) {
        std::vector<double> moved_v = v, moved_w = w;
        for (std::size_t i = 0; i < m; ++i) moved_v[i] -= 0.05 * static_cast<double>(point) * of_v[i];
        for (std::size_t j = 0; j < n; ++j) moved_w[j] -= 0.05 * static_cast<double>(point) * of_w[j];
        EXPECT_NEAR(evaluate(moved_v, moved_w, ignored_v, ignored_w), line[point * 7 + start], 1e-5);
      }
      for (std::size_t i = 0; i < m; ++i) v[i] -= 0.05 * of_v[i];
      for (std::size_t j = 0; j < n; ++j) w[j] -= 0.05 * of_w[j];
    }
  }
}

TEST_F(CoarseGradientTest, stores_means_over_starts_and_each_start_or_quantiles) {
  const Record few = record_on(world, toy()), many = record_on(world, toy({{"problem.starts", "40"}}));
  if (!world.is_root()) return;
  for (const char* name : {"loss", "theta", "w_norm", "v_distance", "gradient_product", "descent"}) {
    const std::string curves = "curves/", of = name;
    const auto& mean = curve(few, curves + of);
    const auto& each = curve(few, curves + "starts/" + of);
    ASSERT_EQ(each.size(), 7 * mean.size());
    for (std::size_t t = 0; t < mean.size(); ++t) EXPECT_NEAR(std::accumulate(each.begin() + 7 * static_cast<std::ptrdiff_t>(t), each.begin() + 7 * static_cast<std::ptrdiff_t>(t + 1), 0.0) / 7, mean[t], 1e-14);
    const auto& last = curve(few, "final/" + of);
    EXPECT_EQ(few.find("final/" + of)->shape, std::vector<std::size_t>{7});
    EXPECT_TRUE(std::equal(last.begin(), last.end(), each.end() - 7));
    EXPECT_EQ(many.find(curves + "starts/" + of), nullptr);
    EXPECT_EQ(many.find(curves + "quantiles/" + of)->shape.at(1), 5U);
    const auto& quantiles = curve(many, curves + "quantiles/" + of);
    auto sorted = curve(many, "final/" + of);
    std::ranges::sort(sorted);
    EXPECT_EQ(std::vector<double>(quantiles.end() - 5, quantiles.end()), (std::vector<double>{sorted[0], sorted[3], sorted[19], sorted[35], sorted[39]}));
  }
  EXPECT_EQ(index(few), (std::vector<std::int64_t>{1, 8, 15, 22, 29, 36, 43, 50, 57, 60}));
  EXPECT_EQ(few.find("problem/v_star")->shape, (std::vector<std::size_t>{7, 4}));
  EXPECT_EQ(few.find("problem/w_0")->shape, (std::vector<std::size_t>{7, 3}));
}

TEST_F(CoarseGradientTest, tells_where_each_start_ended_and_what_steps_did) {
  const Record record = record_on(world, toy({{"model.rows", "5"}, {"problem.target", "1 0.5 -0.3 0.8 -0.4"}, {"problem.starts", "60"}, {"problem.w_norm", "1"}, {"run.iterations", "20000"}, {"run.record_every", "1000"}, {"activations.ste", "relu"}}));
  if (!world.is_root()) return;
  const auto& ends = std::get<std::vector<std::int64_t>>(record.find("final/critical_point")->values);
  const auto& losses = curve(record, "final/loss");
  const double spurious = 1.6 * 1.6 / 12;  // S²/(2(m+1))
  std::size_t counts[critical_kinds] = {};
  for (std::size_t s = 0; s < 60; ++s) {
    ++counts[ends[s]];
    EXPECT_NEAR(losses[s], ends[s] == 3 ? spurious : 0, ends[s] == 1 || ends[s] == 3 ? 1e-3 : 1e3);
  }
  EXPECT_GT(counts[1], 5U);
  EXPECT_GT(counts[3], 5U);
  EXPECT_NEAR(curve(record, "final/share_global")[0], 100.0 * static_cast<double>(counts[1]) / 60, 1e-9);
  EXPECT_NEAR(curve(record, "final/share_spurious")[0], 100.0 * static_cast<double>(counts[3]) / 60, 1e-9);
  const auto& least = curve(record, "final/least_w_norm");
  const auto& rise = curve(record, "final/largest_rise");
  for (std::size_t s = 0; s < 60; ++s)
    EXPECT_TRUE(least[s] < 0.1 || rise[s] <= 1e-9);
}

TEST_F(CoarseGradientTest, a_run_that_grows_without_bound_is_marked_diverged) {
  for (const Point& point : {toy({{"optimizer.learning_rate", "50"}, {"run.iterations", "2000"}}), sampled({{"optimizer.learning_rate", "50"}, {"run.iterations", "2000"}, {"gradients.quantizer", "sq4"}})}) {
    const Record record = record_on(world, point);
    EXPECT_TRUE(!world.is_root() || std::get<std::string>(record.attributes.at("status")) == "diverged");
  }
}

TEST(CoarseGradientCost, grows_with_what_takes_time_and_room) {
  const auto cost = [](const Point& more) { return estimate(settings_with(more), 1); };
  for (const auto& [key, value] : {std::pair("problem.starts", "1000"), std::pair("run.iterations", "6000"), std::pair("model.rows", "90")})
    EXPECT_GT(cost(toy({{key, value}, {"problem.target", "gaussian"}})).core_seconds, cost(toy()).core_seconds) << key;
  for (const auto& [key, value] : {std::pair("data.samples", "2400"), std::pair("model.dimension", "300")}) {
    EXPECT_GT(cost(sampled({{key, value}})).core_seconds, cost(sampled()).core_seconds) << key;
    EXPECT_GT(cost(sampled({{key, value}})).bytes_per_rank, cost(sampled()).bytes_per_rank) << key;
  }
  EXPECT_EQ(cost(toy()).iterations, 60U);
  EXPECT_EQ(coarse_gradient_parts(settings_with(toy())), 7U) << "starts";
  EXPECT_EQ(coarse_gradient_parts(settings_with(sampled())), 4U) << "workers";
}

TEST(Starts, meet_what_the_keys_promise) {
  const auto starts_of = [](const Point& more) { return make_starts(settings_with(toy(joined({{"problem.starts", "50"}, {"model.rows", "5"}, {"model.dimension", "4"}}, more)))); };
  const auto norm = [](Vector x) { return std::sqrt(overlap(x, x).squared); };
  const Starts random = starts_of({{"problem.target", "spurious"}, {"problem.target_norm", "2.2"}, {"problem.w_norm", "3"}});
  for (std::size_t s = 0; s < 50; ++s) {
    EXPECT_TRUE(has_spurious_minimum(random.target_v(s)));
    EXPECT_NEAR(norm(random.target_v(s)), 2.2, 1e-12);
    EXPECT_NEAR(norm(random.target_w(s)), 1, 1e-12);
    EXPECT_NEAR(norm(random.start_w(s)), 3, 1e-12);
  }
  EXPECT_NE(random.target_v(0)[0], random.target_v(1)[0]);
  const Starts theorem2 = starts_of({{"problem.start", "theorem2"}});
  for (std::size_t s = 0; s < 50; ++s) {
    const Overlap o = overlap(theorem2.start_v(s), theorem2.target_v(s));
    EXPECT_GT(o.target, 0);
    EXPECT_LE(o.sum * o.target_sum, o.target_sum * o.target_sum + 1e-12);
    EXPECT_LT(angle(theorem2.start_w(s), theorem2.target_w(s)), std::numbers::pi / 2);
  }
  const Starts near = starts_of({{"problem.target", "spurious"}, {"problem.start", "spurious"}, {"problem.angle_offset", "0.05"}, {"problem.v_offset", "0.2"}});
  const Starts saddle = starts_of({{"problem.target", "spurious"}, {"problem.start", "saddle"}});
  for (std::size_t s = 0; s < 50; ++s) {
    EXPECT_NEAR(angle(near.start_w(s), near.target_w(s)), std::numbers::pi - 0.05, 1e-12);
    EXPECT_NEAR(distance(near.start_v(s), best_v(near.target_v(s), std::numbers::pi)), 0.2, 1e-12);
    const Nearest at = nearest_critical_point(landscape(saddle.target_v(s)), saddle.start_v(s), angle(saddle.start_w(s), saddle.target_w(s)));
    EXPECT_EQ(at.kind, Critical::saddle);
    EXPECT_LE(at.distance, 1e-12);
  }
  const Starts alike = starts_of({{"problem.shared", "start"}}), targets = starts_of({{"problem.shared", "target"}});
  EXPECT_EQ(alike.start_v(0)[2], alike.start_v(9)[2]);
  EXPECT_EQ(targets.target_v(0)[2], targets.target_v(9)[2]);
  EXPECT_NE(targets.start_v(0)[2], targets.start_v(9)[2]);
  const Starts more = starts_of({{"problem.starts", "60"}}), fewer = starts_of({});
  EXPECT_TRUE(std::equal(fewer.v_0.begin(), fewer.v_0.end(), more.v_0.begin())) << "a start does not depend on how many there are";
}

TEST_F(CoarseGradientTest, starts_are_read_from_a_file) {
  if (!world.is_root()) return;
  const auto file = std::filesystem::temp_directory_path() / fmt::format("starts_{}.h5", getpid());
  Record record{"0123456789abcdef", {}, {}, {}};
  const std::vector<double> v_star = {1, 0.5, -0.3, 0.8}, w_star = {0, 2, 0}, v_0 = {1, 2, 3, 4, 5, 6, 7, 8}, w_0 = {1, 1, 0, 0, -1, 1};
  const auto add = [&](const char* name, std::vector<std::size_t> shape, const std::vector<double>& values) { record.datasets.push_back({std::string("problem/") + name, "weight", name, std::move(shape), values}); };
  add("v_star", {4}, v_star);
  add("w_star", {1, 3}, w_star);
  add("v_0", {2, 4}, v_0);
  add("w_0", {2, 3}, w_0);
  write_results(file, {"x", "", {}, {record}});
  const auto read = [&](const char* starts, const char* rows) { return make_starts(settings_with(toy({{"problem.start", file.string()}, {"problem.starts", starts}, {"model.rows", rows}}))); };
  const Starts starts = read("2", "4");
  EXPECT_EQ(starts.v_0, v_0);
  EXPECT_EQ(starts.w_0, w_0);
  EXPECT_EQ(starts.target_v(1)[3], 0.8);
  EXPECT_EQ(starts.target_w(1)[1], 1) << "w* is made a direction";
  EXPECT_THROW(read("3", "4"), DataError);
  EXPECT_THROW(read("2", "5"), DataError);
  EXPECT_THROW(make_starts(settings_with(toy({{"problem.start", "/absent.h5"}}))), DataError);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace qsweep
