// Proposition 1 and what the estimators do at critical points, on random targets on both sides of the condition.
#include "theory/two_layer_landscape.h"

#include <gtest/gtest.h>

#include "theory/two_layer_points.h"

namespace qsweep {
namespace {

using namespace test;

const CriticalPoint* find(const std::vector<CriticalPoint>& points, Critical kind) {
  for (const CriticalPoint& point : points)
    if (point.kind == kind) return &point;
  return nullptr;
}

double gradient_norm(Vector v, Vector v_star, double theta) {
  Values gradient(v.size());
  gradient_of_v(v, v_star, theta, gradient);
  return norm(gradient);
}

TEST(Landscape, best_v_minimizes_and_least_loss_is_its_loss) {
  for (std::uint32_t which = 0; which < 40; ++which) {
    const Values v_star = normals(2 + which % 6, 700 + which);
    const double theta = pi * which / 39;
    const Values v = best_v(v_star, theta);
    EXPECT_LE(gradient_norm(v, v_star, theta), 1e-13) << "J is positive definite: the only stationary v";
    EXPECT_NEAR(population_loss(v, v_star, theta), least_loss(v_star, theta), 1e-13);
  }
}

TEST(Landscape, spurious_minimum_and_saddle_exist_exactly_under_the_condition) {
  for (std::uint32_t which = 0; which < 60; ++which) {
    const bool wanted = which % 2 == 0;
    const Values v_star = target(2 + which % 5, wanted, which);
    const std::vector<CriticalPoint> points = landscape(v_star);
    EXPECT_EQ(has_spurious_minimum(v_star), wanted);
    EXPECT_EQ(find(points, Critical::spurious_minimum) != nullptr, wanted);
    EXPECT_EQ(find(points, Critical::saddle) != nullptr, wanted);
    EXPECT_NE(find(points, Critical::global_minimum), nullptr);
    // The valley along θ, independently: min_v f rises towards π without the condition, and turns down with it.
    EXPECT_EQ(least_loss(v_star, pi - 1e-3) > least_loss(v_star, pi), wanted);
    // A minimum over all directions of (v, θ), from θ = π downwards: f at random neighbours of (v_min(π), π).
    const Values v = best_v(v_star, pi);
    bool rises_everywhere = true;
    for (std::uint32_t direction = 0; direction < 300; ++direction) {
      Values moved = normals(v.size(), 5000 + 300 * which + direction);
      const double turn = 1e-3 * Stream(1, Draw::Starts, 1, which).uniform(direction), size = direction % 2 == 0 ? 1e-3 : 1e-6;
      for (std::size_t i = 0; i < v.size(); ++i) moved[i] = v[i] + size * moved[i];
      rises_everywhere &= population_loss(moved, v_star, pi - turn) > population_loss(v, v_star, pi) - 1e-15;
    }
    EXPECT_EQ(rises_everywhere, wanted);
  }
}

TEST(Landscape, saddle_solves_its_equations_and_its_hessian_is_indefinite) {
  for (std::uint32_t which = 0; which < 40; ++which) {
    const Values v_star = target(2 + which % 5, true, 100 + which);
    const std::size_t m = v_star.size();
    const std::vector<CriticalPoint> points = landscape(v_star);
    const CriticalPoint& saddle = *find(points, Critical::saddle);
    const Overlap o = overlap(v_star, v_star);
    const double D = static_cast<double>(m + 1) * o.squared - o.sum * o.sum;
    EXPECT_NEAR(overlap(saddle.v, v_star).target, 0, 1e-12) << "(8): d = 0";
    EXPECT_LE(gradient_norm(saddle.v, v_star, saddle.theta), 1e-12);
    EXPECT_GE(saddle.theta, pi / 2);
    EXPECT_LT(saddle.theta, pi);
    EXPECT_NEAR(1 - 2 * saddle.theta / pi, -o.sum * o.sum / D, 1e-12);
    // v_s = J⁻¹(−(S²/D)I + 1·1ᵀ)v*, by J v_s
    const double sum = overlap(saddle.v, v_star).sum;
    for (std::size_t i = 0; i < m; ++i) EXPECT_NEAR(saddle.v[i] + sum, -o.sum * o.sum / D * v_star[i] + o.sum, 1e-11);
    EXPECT_NEAR(saddle.loss, population_loss(saddle.v, v_star, saddle.theta), 1e-12);
    EXPECT_NEAR(saddle.loss, least_loss(v_star, saddle.theta), 1e-12);
    EXPECT_GT(saddle.loss, least_loss(v_star, saddle.theta - 0.01)) << "the ridge of the valley";
    EXPECT_GT(saddle.loss, least_loss(v_star, saddle.theta + std::min(0.01, (pi - saddle.theta) / 2)));
    // Along (a·v*, b) the Hessian of 8f is 2a²·v*ᵀJv* + (8/π)ab‖v*‖²: both signs.
    const auto curvature = [&](double a, double b) {
      const double h = 1e-4;
      Values up = saddle.v, down = saddle.v;
      for (std::size_t i = 0; i < m; ++i) up[i] += h * a * v_star[i], down[i] -= h * a * v_star[i];
      return (population_loss(up, v_star, saddle.theta + h * b) + population_loss(down, v_star, saddle.theta - h * b) - 2 * saddle.loss) / (h * h);
    };
    const double along = 2 * (o.squared + o.sum * o.sum), coupling = 8 / pi * o.squared;
    EXPECT_NEAR(8 * curvature(1, 0), along, 1e-5 * along);
    EXPECT_NEAR(8 * curvature(1, 1), along + coupling, 1e-5 * (along + coupling));
    EXPECT_LT(curvature(1, -2 * along / coupling), 0);
    EXPECT_GT(curvature(1, 0), 0);
  }
}

TEST(Landscape, losses_and_identities_of_the_spurious_minimum) {
  for (std::uint32_t which = 0; which < 40; ++which) {
    const Values v_star = target(2 + which % 5, true, 200 + which);
    const double m = static_cast<double>(v_star.size());
    const std::vector<CriticalPoint> points = landscape(v_star);
    const CriticalPoint& spurious = *find(points, Critical::spurious_minimum);
    const Overlap target = overlap(v_star, v_star), o = overlap(spurious.v, v_star);
    const double S = target.sum, V2 = target.squared, inverse = V2 - S * S / (m + 1);  // v*ᵀJ⁻¹v*
    EXPECT_NEAR(spurious.loss, S * S / (2 * (m + 1)), 1e-12);
    EXPECT_NEAR(spurious.loss, population_loss(spurious.v, v_star, pi), 1e-12);
    for (std::size_t i = 0; i < v_star.size(); ++i) EXPECT_NEAR(spurious.v[i], 2 * S / (m + 1) - v_star[i], 1e-13);
    EXPECT_NEAR(o.sum, (m - 1) / (m + 1) * S, 1e-12);
    EXPECT_NEAR(o.target, 2 * S * S / (m + 1) - V2, 1e-12) << "(21)";
    EXPECT_LT(o.target, 0);
    EXPECT_NEAR(o.squared + o.target, 2 * (m - 1) * S * S / ((m + 1) * (m + 1)), 1e-12);
    EXPECT_NEAR(o.h(), 0, 1e-12);
    const double at_zero = population_loss(spurious.v, v_star, 0);
    EXPECT_NEAR(at_zero, inverse / 2, 1e-12);
    EXPECT_NEAR(at_zero - spurious.loss, -o.target / 2, 1e-12) << "the jump where w flips its sign";
    for (const double theta : {0.3, 2.0, 3.1}) {
      Values gradient(v_star.size());
      gradient_of_v(spurious.v, v_star, theta, gradient);
      for (std::size_t i = 0; i < v_star.size(); ++i) EXPECT_NEAR(gradient[i], -0.5 * (1 - theta / pi) * v_star[i], 1e-12);
    }
  }
}

TEST(Landscape, mirrored_minimum_is_global_where_the_target_sums_to_zero) {
  const Values v_star = {1, -0.25, -0.75};
  const std::vector<CriticalPoint> points = landscape(v_star);
  ASSERT_NE(find(points, Critical::mirrored_minimum), nullptr);
  EXPECT_EQ(find(points, Critical::spurious_minimum), nullptr);
  const Values& v = find(points, Critical::mirrored_minimum)->v;
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(v[i], -v_star[i]);
  EXPECT_NEAR(population_loss(v, v_star, pi), 0, 1e-15);
}

TEST(Landscape, one_row_has_no_spurious_minimum) { EXPECT_EQ(landscape(Values{0.7}).size(), 1U); }

TEST(CoarseGradient, vanishes_at_critical_points_but_for_the_identity) {  // Lemmas 6, 8, 9
  for (std::uint32_t which = 0; which < 40; ++which) {
    const Values v_star = target(2 + which % 5, true, 300 + which);
    for (const double length : {0.3, 1.0, 5.0})
      for (const CriticalPoint& point : landscape(v_star)) {
        const Overlap o = overlap(point.v, v_star);
        for (const Estimator e : {Estimator::relu, Estimator::clipped_relu}) {
          const Split s = expected_coarse_gradient(e, o, point.theta, length);
          EXPECT_NEAR(s.radial, 0, 1e-12) << critical_names[static_cast<std::size_t>(point.kind)];
          EXPECT_NEAR(s.tangential * o.target, 0, 1e-12);
        }
        const Split s = expected_coarse_gradient(Estimator::identity, o, point.theta, length);
        EXPECT_NEAR(s.tangential * o.target, 0, 1e-12);
        const double expected = point.kind == Critical::global_minimum     ? 0
                                : point.kind == Critical::spurious_minimum ? identity_drift(v_star)
                                                                           : o.squared / std::sqrt(2 * pi);
        EXPECT_NEAR(s.radial, expected, 1e-12) << critical_names[static_cast<std::size_t>(point.kind)];
        EXPECT_EQ(s.radial > 1e-6, point.kind != Critical::global_minimum);
      }
  }
}

TEST(CoarseGradient, of_relus_vanishes_nowhere_else) {  // where v is best for θ: |ρ| + |τd| grows away from critical points
  const Values v_star = {1, 0.5, -0.3, 0.8, -0.4};
  for (double theta = 0.1; theta < pi - 0.1; theta += 0.05) {
    const Values v = best_v(v_star, theta);
    if (nearest_critical_point(landscape(v_star), v, theta).distance < 0.05) continue;
    for (const Estimator e : {Estimator::relu, Estimator::clipped_relu}) {
      const Overlap o = overlap(v, v_star);
      const Split s = expected_coarse_gradient(e, o, theta, 1);
      EXPECT_GT(std::hypot(s.radial, s.tangential * o.target), 1e-3) << theta;
    }
  }
}

TEST(CoarseGradient, ratio_at_the_spurious_minimum_grows_for_the_identity_and_decays_for_the_others) {  // (16)
  const Values v_star = {1, 0.5, -0.3, 0.8, -0.4};
  const Values v = best_v(v_star, pi);
  const Overlap o = overlap(v, v_star);
  const double length = 1.3, drift = identity_drift(v_star);
  for (const double delta : {1e-3, 1e-4, 1e-5}) {
    Values gradient(5);
    gradient_of_v(v, v_star, pi - delta, gradient);
    const auto ratio = [&](Estimator e) {
      const Split s = expected_coarse_gradient(e, o, pi - delta, length);
      const double squared = s.radial * s.radial + std::pow(s.tangential * o.target, 2);
      return squared / (dot(gradient, gradient) + gradient_product(s, o.target, length));
    };
    // Leading terms; the next ones are of relative order δ.
    EXPECT_NEAR(ratio(Estimator::identity) * delta, drift * drift * std::pow(2 * pi, 1.5) * length / (o.target * o.target), 20 * delta);
    EXPECT_NEAR(ratio(Estimator::relu) / delta, std::sqrt(2 * pi) / 2 * length, 20 * delta);
    EXPECT_LT(ratio(Estimator::clipped_relu) / delta, 5) << "decays likewise";
    EXPECT_GT(ratio(Estimator::clipped_relu) / delta, 0.1);
  }
}

TEST(Nearest, is_the_distance_in_v_and_theta) {
  const Values v_star = {1, 0.5, -0.3, 0.8, -0.4};
  const std::vector<CriticalPoint> points = landscape(v_star);
  Values v = find(points, Critical::spurious_minimum)->v;
  v[2] += 0.03;
  const Nearest near = nearest_critical_point(points, v, pi - 0.04);
  EXPECT_EQ(near.kind, Critical::spurious_minimum);
  EXPECT_NEAR(near.distance, 0.05, 1e-12);
  EXPECT_EQ(nearest_critical_point(points, v_star, 0).kind, Critical::global_minimum);
  EXPECT_EQ(nearest_critical_point(points, v_star, 0).distance, 0);
}

}  // namespace
}  // namespace qsweep
