// Algorithm 1 on the population: the scalar form against vectors, Theorems 1 and 2, the step condition, and the identity's failure.
#include "theory/two_layer_descent.h"

#include <gtest/gtest.h>

#include "theory/two_layer_bounds.h"
#include "theory/two_layer_landscape.h"
#include "theory/two_layer_points.h"

namespace qsweep {
namespace {

using namespace test;

constexpr Estimator estimators[] = {Estimator::identity, Estimator::relu, Estimator::clipped_relu};

struct Journey {
  Values v;
  double norm, theta, loss;
  StepTally tally;
};

Journey descended(Estimator e, double eta, Vector v_star, Vector v, double theta, double length, std::uint64_t steps) {
  Journey run{{v.begin(), v.end()}, length, theta, 0, {}};
  run.tally.least_norm = length;
  Descending point{run.v, length, theta};
  run.loss = descend(e, eta, v_star, point, population_loss(v, v_star, theta), 1, steps, run.tally);
  run.norm = point.norm;
  run.theta = point.theta;
  return run;
}

TEST(Descent, scalar_form_is_the_vector_form) {
  const double eta = 0.05;
  std::size_t passes = 0;
  for (const Estimator e : estimators)
    for (std::uint32_t which = 0; which < 12; ++which) {
      const std::size_t n = 2 + which % 3 * 3;
      const Values v_star = normals(4, 900 + which), w_star = direction(n, 950 + which);
      Values v = normals(4, 1000 + which), w = at_angle(w_star, 0.3 + 0.22 * which, which < 6 ? 3 : 0.3, 1050 + which);  // some pass through 0
      const Journey whole = descended(e, eta, v_star, v, angle(w, w_star), norm(w), 300);
      for (int t = 0; t < 300; ++t) {
        Values of_v(4), of_w(n);
        const Journey step = descended(e, eta, v_star, v, angle(w, w_star), norm(w), 1);
        gradient_of_v(v, v_star, angle(w, w_star), of_v);
        expected_coarse_gradient(e, v, w, v_star, w_star, of_w);
        const Values before = w;
        for (std::size_t i = 0; i < 4; ++i) v[i] -= eta * of_v[i];
        for (std::size_t j = 0; j < n; ++j) w[j] -= eta * of_w[j];
        EXPECT_LE(largest_difference(v, step.v), 1e-13);
        EXPECT_NEAR(norm(w), step.norm, 1e-13);
        EXPECT_NEAR(angle(w, w_star), step.theta, 1e-9) << "an angle of a short w is less certain";
        EXPECT_EQ(dot(before, w) < 0, step.tally.passes == 1);
        passes += dot(before, w) < 0;
      }
      if (whole.tally.least_norm < 0.1) continue;  // near 0 differences of rounding grow without bound
      EXPECT_LE(largest_difference(v, whole.v), 1e-9) << static_cast<int>(e) << " " << which;
      EXPECT_NEAR(angle(w, w_star), whole.theta, 1e-9);
      EXPECT_NEAR(norm(w), whole.norm, 1e-9);
      EXPECT_EQ(whole.loss, population_loss(whole.v, v_star, whole.theta));
    }
  EXPECT_GT(passes, 3U) << "passages through 0 should be among the steps";
}

TEST(Descent, steps_may_be_taken_in_pieces) {
  const Values v_star = normals(5, 1), v = normals(5, 2);
  const Journey whole = descended(Estimator::clipped_relu, 0.02, v_star, v, 2, 1, 100);
  Journey pieces{v, 1, 2, 0, {}};
  pieces.tally.least_norm = 1;
  Descending point{pieces.v, 1, 2};
  double loss = population_loss(v, v_star, 2);
  for (std::uint64_t t = 1; t <= 100; t += 10) loss = descend(Estimator::clipped_relu, 0.02, v_star, point, loss, t, 10, pieces.tally);
  EXPECT_EQ(loss, whole.loss);
  EXPECT_EQ(pieces.v, whole.v);
  EXPECT_EQ(pieces.tally.largest_rise, whole.tally.largest_rise);
}

TEST(Theorem1, relus_descend_and_end_at_critical_points) {
  for (const Estimator e : {Estimator::relu, Estimator::clipped_relu}) {
    std::size_t excluded = 0, ended = 0, starts = 200;
    for (std::uint32_t which = 0; which < starts; ++which) {
      const Values v_star = target(5, true, 500 + which), w_star = direction(5, 2000 + which);
      const double theta = angle(direction(5, 3000 + which), w_star);
      const std::vector<CriticalPoint> points = landscape(v_star);
      Journey run = descended(e, 0.02, v_star, normals(5, 4000 + which), theta, 5, 8'000);
      // Clipped ReLU is slow where ‖w‖ is large, q(θ) = τ(θ)·erf(1/(√2‖w‖sinθ)): up to forty times as long.
      for (int more = 0; more < 40 && nearest_critical_point(points, run.v, run.theta).distance > 0.01; ++more) {
        Descending point{run.v, run.norm, run.theta};
        run.loss = descend(e, 0.02, v_star, point, run.loss, 1, 8'000, run.tally);
        run.norm = point.norm;
        run.theta = point.theta;
      }
      if (run.tally.least_norm < 0.1) {
        ++excluded;
        continue;
      }
      EXPECT_EQ(run.tally.rises, 0) << which << ": " << run.tally.largest_rise;
      ended += nearest_critical_point(points, run.v, run.theta).distance <= 0.01;
    }
    EXPECT_LE(excluded, starts / 20);
    EXPECT_EQ(ended, starts - excluded);
    RecordProperty(e == Estimator::relu ? "excluded_relu" : "excluded_clipped_relu", static_cast<int>(excluded));
  }
}

TEST(Theorem1, a_step_below_its_own_limit_descends_as_the_bound_says) {  // (13) with L and A of the path
  std::size_t judged = 0;
  for (const Estimator e : {Estimator::relu, Estimator::clipped_relu})
    for (std::uint32_t which = 0; which < 30; ++which) {
      const Values v_star = target(4, true, 800 + which);
      Values v = normals(4, 5000 + which);
      const double theta = 0.2 + 2.7 * which / 29, length = 1 + 0.1 * which, c_w = 0.5 * length;
      const double C_v = norm(v) + norm(v_star), L = gradient_lipschitz(4, norm(v_star), C_v, c_w);
      const double A = e == Estimator::relu ? relu_constant(C_v, 2 * length) : clipped_relu_constant(C_v);
      const double eta = 0.99 * step_limit(A, L);
      Descending point{v, length, theta};
      StepTally tally;
      double loss = population_loss(v, v_star, theta);
      for (std::uint64_t t = 1; t <= 300; ++t) {
        const Overlap o = overlap(v, v_star);
        Values gradient(4);
        gradient_of_v(v, v_star, point.theta, gradient);
        const double product = gradient_product(expected_coarse_gradient(e, o, point.theta, point.norm), o.target, point.norm), before = loss;
        loss = descend(e, eta, v_star, point, loss, t, 1, tally);
        EXPECT_LE(loss - before, descent_bound(eta, A, L, dot(gradient, gradient), product) + 1e-14) << which << " " << t;
        EXPECT_LE(descent_bound(eta, A, L, dot(gradient, gradient), product), 0);
        if (norm(v) > C_v || point.norm < c_w || point.norm > 2 * length) break;  // the path leaves where the constants hold
        ++judged;
      }
    }
  EXPECT_GT(judged, 6'000U);
}

TEST(Theorem1, fails_for_the_identity_next_to_the_spurious_minimum) {
  const Values v_star = {1, 0.5, -0.3, 0.8, -0.4}, v = best_v(v_star, pi);
  const double eta = 0.02, drift = identity_drift(v_star), expected = 1 / (eta * drift);
  const auto steps = static_cast<std::uint64_t>(2 * expected);
  for (const Estimator e : {Estimator::relu, Estimator::clipped_relu}) {
    const Journey run = descended(e, eta, v_star, v, pi - 0.05, 1, steps);
    EXPECT_EQ(run.tally.rises, 0) << run.tally.largest_rise;
    EXPECT_EQ(run.tally.passes, 0);
    EXPECT_EQ(nearest_critical_point(landscape(v_star), run.v, run.theta).kind, Critical::spurious_minimum);
    EXPECT_LT(nearest_critical_point(landscape(v_star), run.v, run.theta).distance, 0.06);
  }
  const Journey run = descended(Estimator::identity, eta, v_star, v, pi - 0.05, 1, steps);
  EXPECT_NEAR(static_cast<double>(run.tally.first_pass), expected, 0.05 * expected) << "w reaches 0 after ‖w⁰‖/(ηN₉) steps";
  const double jump = -overlap(v, v_star).target / 2;  // f(v_loc, 0) − f(v_loc, π)
  EXPECT_GT(run.tally.largest_rise, 0.2 * jump);
  EXPECT_GT(run.tally.rises, 0);
}

TEST(Theorem1, needs_w_away_from_zero) {  // from a short w⁰ it comes near 0, and there the loss may rise with any estimator
  for (const Estimator e : estimators) {
    std::size_t near = 0, rose = 0;
    for (std::uint32_t which = 0; which < 200; ++which) {
      const Values v_star = target(5, true, 1500 + which), w_star = direction(5, 9000 + which);
      const Journey run = descended(e, 0.02, v_star, normals(5, 9300 + which), angle(direction(5, 9600 + which), w_star), 1, 2'000);
      if (run.tally.least_norm >= 0.1) {
        EXPECT_EQ(run.tally.rises, 0) << which << ": " << run.tally.largest_rise;
        continue;
      }
      ++near;
      rose += run.tally.rises > 0;
    }
    EXPECT_GT(near, 40U) << static_cast<int>(e);
    EXPECT_GT(rose, 20U) << static_cast<int>(e);
  }
}

TEST(Theorem1, after_the_flip_the_identity_reaches_the_global_minimum_or_chatters) {
  std::size_t global = 0, chatters = 0;
  for (std::uint32_t which = 0; which < 40; ++which) {
    const Values v_star = target(5, true, 1700 + which);
    if (identity_drift(v_star) < 0.02) continue;
    const auto steps = static_cast<std::uint64_t>(100 / identity_drift(v_star)) + 20'000;
    const Journey run = descended(Estimator::identity, 0.02, v_star, best_v(v_star, pi), pi - 0.05, 1, steps);
    const Nearest end = nearest_critical_point(landscape(v_star), run.v, run.theta);
    global += end.kind == Critical::global_minimum && end.distance < 0.01;
    chatters += run.norm < 0.1 && run.tally.passes > 100;
    EXPECT_FALSE(end.kind == Critical::spurious_minimum && end.distance < 1e-3) << which << ": it would have stayed";
  }
  EXPECT_GT(global, 0U);
  EXPECT_GT(chatters, 0U);
}

TEST(Theorem2, starts_that_meet_its_condition_reach_a_global_minimum) {
  for (const Estimator e : {Estimator::relu, Estimator::clipped_relu}) {
    std::size_t judged = 0;
    for (std::uint32_t which = 0; which < 60; ++which) {
      const Values v_star = target(5, true, 1200 + which), w_star = direction(5, 6000 + which);
      const Overlap target = overlap(v_star, v_star);
      Values v, w = direction(5, 7000 + which);
      for (std::uint32_t attempt = 0; v.empty() || std::abs(overlap(v, v_star).sum) > std::abs(target.sum); ++attempt) v = normals(5, 8000 + 100 * which + attempt);
      if (overlap(v, v_star).target < 0) for (double& x : v) x = -x;
      if (angle(w, w_star) > pi / 2) for (double& x : w) x = -x;
      Journey run{v, 5, angle(w, w_star), 0, {}};
      Descending point{run.v, run.norm, run.theta};
      double loss = population_loss(v, v_star, run.theta);
      bool kept = true;
      for (std::uint64_t t = 1; t <= 12'000 || (loss > 1e-5 && t <= 120'000); ++t) {  // clipped ReLU is slow at ‖w‖ = 5
        loss = descend(e, 0.1, v_star, point, loss, t, 1, run.tally);
        kept &= overlap(run.v, v_star).target > 0 && point.theta < pi / 2;
      }
      if (run.tally.least_norm < 0.1) continue;
      ++judged;
      EXPECT_TRUE(kept) << which;
      EXPECT_EQ(run.tally.rises, 0) << which;
      EXPECT_LE(loss, 1e-5) << which;
      EXPECT_EQ(nearest_critical_point(landscape(v_star), run.v, point.theta).kind, Critical::global_minimum) << which;
    }
    EXPECT_GE(judged, 50U);
  }
}

}  // namespace
}  // namespace qsweep
