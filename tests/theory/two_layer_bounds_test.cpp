// The constants of the descent theory on random points over many scales of ‖w‖, and where the printed statements fail.
#include "theory/two_layer_bounds.h"

#include <gtest/gtest.h>

#include "theory/two_layer_landscape.h"
#include "theory/two_layer_points.h"

namespace qsweep {
namespace {

using namespace test;

struct Sides {
  double coarse, bound;  ///< ‖E g‖², ‖∂f/∂v‖² + ⟨E g, ∂f/∂w⟩
};

Sides sides(Estimator e, Vector v, Vector v_star, double theta, double length) {
  const Overlap o = overlap(v, v_star);
  const Split s = expected_coarse_gradient(e, o, theta, length);
  Values gradient(v.size());
  gradient_of_v(v, v_star, theta, gradient);
  return {s.radial * s.radial + std::pow(s.tangential * o.target, 2), dot(gradient, gradient) + gradient_product(s, o.target, length)};
}

TEST(Bounds, constants_are_never_violated) {  // (12)
  std::size_t close = 0;
  for (std::uint32_t which = 0; which < 20'000; ++which) {
    const Stream draw(5, Draw::Starts, 2, which);
    const std::size_t m = 1 + which % 7;
    const Values v_star = normals(m, 20'000 + which);
    const double length = std::pow(10.0, -3 + 6 * draw.uniform(0)), theta = pi * draw.uniform(1);
    Values v = which % 3 == 0 ? best_v(v_star, theta) : normals(m, 40'000 + which);  // ∂f/∂v = 0 in every third: the hard case
    if (which % 3 == 1) for (double& x : v) x *= std::pow(10.0, -2 + 4 * draw.uniform(2));
    const double C_v = norm(v);
    const Sides relu = sides(Estimator::relu, v, v_star, theta, length), clipped = sides(Estimator::clipped_relu, v, v_star, theta, length);
    const double rounding = 1e-25 * (1 + std::pow(C_v, 4));
    EXPECT_LE(relu.coarse, relu_constant(C_v, length) * relu.bound * (1 + 1e-9) + rounding) << which;
    EXPECT_LE(clipped.coarse, clipped_relu_constant(C_v, theta, length) * clipped.bound * (1 + 1e-9) + rounding) << which;
    EXPECT_LE(clipped_relu_constant(C_v, theta, length), clipped_relu_constant(C_v) * (1 + 1e-12)) << which;
    close += relu.coarse > 0.02 * relu_constant(C_v, length) * relu.bound;
  }
  EXPECT_GT(close, 20U) << "the bound would not be tested by points far below it";
}

TEST(Bounds, lemma_13) {  // on [π/2, π]: p ≤ q and (1 − θ/π)·p(0) ≤ q
  for (const double length : {1e-3, 0.03, 0.3, 1.0, 3.0, 30.0, 1e3})
    for (double theta = pi / 2; theta <= pi; theta += pi / 400) {
      const ClipIntegrals c = clip_integrals(theta, length);
      EXPECT_LE(c.p, c.q + 1e-16) << theta << " " << length;
      EXPECT_LE((1 - theta / pi) * c.p0, c.q + 1e-16) << theta << " " << length;
    }
}

TEST(Bounds, of_relu_must_grow_with_the_norm_of_w) {  // the printed (12) has a constant of C_v alone
  const Values v_star = {1, 0.5, -0.3, 0.8, -0.4};
  const double theta = 2, c = 1 - 2 * theta / pi;
  const Values v = best_v(v_star, theta);
  for (const double length : {1.0, 10.0, 100.0, 1e4}) {
    const Sides relu = sides(Estimator::relu, v, v_star, theta, length), clipped = sides(Estimator::clipped_relu, v, v_star, theta, length);
    const double expected = std::sqrt(2 * pi) / 2 * length * (std::pow(std::sin(theta), 2) + std::pow(c - std::cos(theta), 2)) / std::sin(theta);
    EXPECT_NEAR(relu.coarse / relu.bound, expected, 1e-9 * expected);
    EXPECT_LE(clipped.coarse / clipped.bound, clipped_relu_constant(norm(v))) << "clipped ReLU is not affected";
  }
}

TEST(Bounds, gradient_jumps_across_the_axis_where_the_coarse_gradient_does_not) {  // Lemmas 3 and 14 hold on one side only
  const Values v = {0.7, -0.2, 0.5}, v_star = {1, 0.5, -0.3}, w_star = {1, 0};
  const double d = overlap(v, v_star).target, length = 1.7;
  for (const double axis : {0.0, pi})
    for (const double delta : {1e-3, 1e-6}) {
      const auto both_sides = [&](auto function) {
        Values up(2), down(2);
        function(Values{length * std::cos(axis - delta), length * std::sin(axis - delta)}, up);
        function(Values{length * std::cos(axis + delta), length * std::sin(axis + delta)}, down);
        for (std::size_t j = 0; j < 2; ++j) up[j] -= down[j];
        return norm(up);
      };
      EXPECT_NEAR(both_sides([&](const Values& w, Values& g) { gradient_of_w(v, w, v_star, w_star, g); }), std::abs(d) / (pi * length), 2 * delta);
      for (const Estimator e : {Estimator::identity, Estimator::relu, Estimator::clipped_relu})
        EXPECT_LE(both_sides([&](const Values& w, Values& g) { expected_coarse_gradient(e, v, w, v_star, w_star, g); }), 4 * delta);
    }
}

TEST(Bounds, gradient_is_lipschitz_in_one_plane_on_one_side) {  // Lemma 3
  const Values w_star = {1, 0};
  double largest = 0;
  for (std::uint32_t which = 0; which < 5'000; ++which) {
    const Stream draw(6, Draw::Starts, 3, which);
    const std::size_t m = 2 + which % 4;
    const Values v_star = normals(m, 60'000 + which);
    const double c_w = 0.5, size = std::pow(10.0, -4 * draw.uniform(0));
    Values v = normals(m, 70'000 + which), v_2 = v, w(2), w_2(2);
    const double theta = 0.05 + 3.0 * draw.uniform(1), length = c_w + 3 * draw.uniform(2) + size;
    const Values step = normals(m + 2, 80'000 + which);
    for (std::size_t i = 0; i < m; ++i) v_2[i] += size * step[i] / (1 + norm(step));
    w = {length * std::cos(theta), length * std::sin(theta)};
    w_2 = {w[0] + size * step[m] / (1 + norm(step)), w[1] + size * step[m + 1] / (1 + norm(step))};
    if (!(w_2[1] > 0)) continue;
    const double C_v = std::max(norm(v), norm(v_2));
    Values g(m), g_2(m), of_w(2), of_w_2(2);
    gradient_of_v(v, v_star, angle(w, w_star), g);
    gradient_of_v(v_2, v_star, angle(w_2, w_star), g_2);
    gradient_of_w(v, w, v_star, w_star, of_w);
    gradient_of_w(v_2, w_2, v_star, w_star, of_w_2);
    double change = 0, moved = 0;
    for (std::size_t i = 0; i < m; ++i) change += std::pow(g[i] - g_2[i], 2), moved += std::pow(v[i] - v_2[i], 2);
    for (std::size_t j = 0; j < 2; ++j) change += std::pow(of_w[j] - of_w_2[j], 2), moved += std::pow(w[j] - w_2[j], 2);
    const double ratio = std::sqrt(change / moved) / gradient_lipschitz(m, norm(v_star), C_v, c_w);
    EXPECT_LE(ratio, 1 + 1e-6) << which;
    largest = std::max(largest, ratio);
  }
  EXPECT_GT(largest, 0.3);
}

}  // namespace
}  // namespace qsweep
