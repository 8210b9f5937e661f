// theory.measure in whole runs on 1, 2, 3, 4 ranks: the regret keeps its bounds, and the comparator in hindsight is the best.
#include <gtest/gtest.h>

#include <cmath>

#include "train/replay.h"
#include "train/runs.h"

namespace qsweep {
namespace {

using namespace test;

class TheoryTest : public testing::Test {
 protected:
  Team world = Team::world();
  DataStore data;

  static Point measured(const Point& more) {
    return joined({{"model.dimension", "17"},
                   {"workers.batch", "4"},
                   {"workers.count", "3"},
                   {"optimizer.kind", "rmsprop"},
                   {"optimizer.schedule", "inverse_sqrt"},
                   {"optimizer.learning_rate", "0.03"},
                   {"run.iterations", "150"},
                   {"theory.measure", "true"},
                   {"run.record_every", "1"}},
                  more);
  }
};

TEST_F(TheoryTest, the_regret_keeps_its_bounds_at_every_point) {
  for (const char* weights : {"fp", "lab", "lat", "laq3", "log3"})
    for (const char* comparator : {"w_star", "hindsight"})
      for (const char* moment : {"max", "average"}) {
        const Settings s = settings_with(
            measured({{"weights.quantizer", weights}, {"theory.comparator", comparator}, {"optimizer.second_moment", moment}}));
        const std::optional<Record> record = on_root(s, world, data);
        if (!record) continue;
        SCOPED_TRACE(fmt::format("{} {} {}", weights, comparator, moment));
        const auto &regret = curve(*record, "curves/average_regret"), &u1 = curve(*record, "bound/u1"),
                   &u2 = curve(*record, "bound/u2"), &u3 = curve(*record, "bound/u3");
        for (const auto* bound : {&regret, &u1, &u2, &u3}) EXPECT_EQ(bound->size(), 150U);
        if (testing::Test::HasFailure()) continue;
        EXPECT_EQ(record->find("bound/printed") == nullptr, std::string(weights) == "log3");  // its theorem is of uniform levels
        for (std::size_t i = 0; i < regret.size(); ++i) {
          EXPECT_LE(regret[i], u1[i]) << "t = " << i + 1;  // far apart: no tolerance for the floats' rounding is needed
          if (s.optimizer.second_moment != "max") continue;
          EXPECT_LE(u1[i], u2[i]) << "t = " << i + 1;
          EXPECT_LE(u2[i], u3[i] * (1 + 1e-6)) << "t = " << i + 1;  // equal but for rounding where weights are fp
        }
      }
}

TEST_F(TheoryTest, average_regret_is_the_mean_loss_less_that_of_the_comparator) {
  const Settings s = settings_with(measured({{"weights.quantizer", "laq3"}}));
  const std::optional<Record> record = on_root(s, world, data);
  if (!record) return;
  const LinearStream stream(17, s.run.seed);
  std::vector<float> x(4 * 17), y(4), noise(4);
  double sum = 0;  // Σ f_t(w*) = Σ mean ε²/2
  for (std::uint32_t t = 1; t <= 150; ++t) {
    for (std::uint32_t n = 0; n < 3; ++n) {
      stream.batch(n, t, x, y, noise);
      for (const float e : noise) sum += double{e} * e / (2 * 4 * 3);
    }
    const double expected = curve(*record, "curves/average_full_precision_loss")[t - 1] - sum / t;
    EXPECT_NEAR(curve(*record, "curves/average_regret")[t - 1], expected, 1e-12);
  }
}

TEST_F(TheoryTest, no_fixed_weights_are_better_in_hindsight) {
  for (const char* weights : {"fp", "lab"}) {
    const Settings star = settings_with(measured({{"weights.quantizer", weights}}));
    const Settings hindsight = settings_with(measured({{"weights.quantizer", weights}, {"theory.comparator", "hindsight"}}));
    const std::optional<Record> a = on_root(star, world, data), b = on_root(hindsight, world, data);
    if (!a) continue;
    // It is best for the whole run, so at its end; w* itself is allowed, being in the box.
    EXPECT_GT(curve(*b, "curves/average_regret").back(), curve(*a, "curves/average_regret").back()) << weights;
    EXPECT_EQ(curve(*a, "curves/loss"), curve(*b, "curves/loss"));
    EXPECT_EQ(curve(*a, "bound/u1"), curve(*b, "bound/u1"));
    for (const double u : curve(*b, "problem/comparator")) EXPECT_LE(std::abs(u), 0.5);
  }
}

/// Σ_{s≤t} mean over workers of f_s(u), in double; `error` adds up what float products can lose of it.
struct Direct {
  const Settings& s;
  double sum = 0, error = 0;

  void add(std::uint32_t t, std::span<const double> u) {
    const std::size_t d = s.model.dimension, B = s.workers.batch;
    const LinearStream stream(d, s.run.seed);
    std::vector<float> x(B * d), y(B), noise(B);
    for (std::uint32_t n = 0; n < s.workers.count; ++n) {
      stream.batch(n, t, x, y, noise);
      for (std::size_t b = 0; b < B; ++b) {
        double residual = -y[b], magnitude = std::abs(y[b]);
        for (std::size_t i = 0; i < d; ++i) residual += x[b * d + i] * u[i], magnitude += std::abs(x[b * d + i] * u[i]);
        // d + 2 roundings of partial sums (u to float included), each 2^-24 of at most `magnitude`
        const double lost = static_cast<double>(d + 2) * 0x1p-24 * magnitude,
                     samples = static_cast<double>(2 * B * s.workers.count);
        sum += residual * residual / samples;
        error += (2 * std::abs(residual) + lost) * lost / samples;
      }
    }
  }
};

TEST_F(TheoryTest, the_replay_equals_direct_sums_and_is_optimal) {
  if (!world.is_root()) return;                // no collective calls in here
  for (const char* radius : {"0.5", "0.1"}) {  // the small box holds many weights at its walls
    const Settings s =
        settings_with(measured({{"theory.comparator", "hindsight"}, {"optimizer.projection", radius}, {"run.iterations", "60"}}));
    const std::vector<std::int64_t> wanted = {1, 2, 7, 31, 60};
    const Replay replay = best_fixed_weights(s, 60, wanted);
    ASSERT_EQ(replay.losses.size(), wanted.size());
    Direct direct{s};
    std::size_t next = 0;
    for (std::uint32_t t = 1; t <= 60; ++t) {
      direct.add(t, replay.weights);
      if (wanted[next] != t) continue;
      EXPECT_NEAR(replay.losses[next], direct.sum, direct.error) << "t = " << t;
      ++next;
    }
    // A step of h to either side, where the box allows one, costs h²·A_ii/2 ≈ 60·10⁻⁶/24 and more, far above the rounding of A and
    // b.
    const double h = 1e-3, r = *s.optimizer.projection;
    for (std::size_t i = 0; i < replay.weights.size(); ++i)
      for (const double step : {-h, h}) {
        std::vector<double> moved = replay.weights;
        moved[i] += step;
        if (std::abs(moved[i]) > r) continue;
        Direct other{s};
        for (std::uint32_t t = 1; t <= 60; ++t) other.add(t, moved);
        EXPECT_GT(other.sum, direct.sum) << "weight " << i << " moved by " << step;
      }
  }
}

TEST_F(TheoryTest, measuring_changes_nothing_else) {
  const Point plain = measured({{"theory.measure", "false"}, {"weights.quantizer", "laq3"}, {"gradients.quantizer", "sq2"}});
  for (const char* exchange : {"allreduce", "server"}) {
    const std::optional<Record> without = on_root(settings_with(joined(plain, {{"workers.exchange", exchange}})), world, data);
    const std::optional<Record> with =
        on_root(settings_with(joined(plain, {{"workers.exchange", exchange}, {"theory.measure", "true"}})), world, data);
    if (!with) continue;
    for (const Dataset& d : without->datasets)
      if (d.path.starts_with("curves/") || d.path.starts_with("final/")) {
        EXPECT_EQ(with->find(d.path)->values, d.values) << d.path;
      }
  }
}

}  // namespace
}  // namespace qsweep
