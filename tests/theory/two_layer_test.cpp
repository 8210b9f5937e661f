// The closed forms of the two-layer model against Monte Carlo, central differences, quadrature, and the forms that the paper prints.
#include "theory/two_layer.h"

#include <gtest/gtest.h>

#include <functional>

#include "model/two_layer_samples.h"
#include "theory/two_layer_points.h"

namespace qsweep {
namespace {

using namespace test;

constexpr Estimator estimators[] = {Estimator::identity, Estimator::relu, Estimator::clipped_relu};

/// Means of independent rows with their standard errors.
class Means {
 public:
  void add(Vector row) {
    sum_.resize(row.size(), 0.0);
    squares_.resize(row.size(), 0.0);
    for (std::size_t i = 0; i < row.size(); ++i) sum_[i] += row[i], squares_[i] += row[i] * row[i];
    ++count_;
  }
  /// |mean − expected| in standard errors, the largest.
  double deviation(Vector expected) const {
    double largest = 0;
    for (std::size_t i = 0; i < sum_.size(); ++i) {
      const double n = static_cast<double>(count_), mean = sum_[i] / n, variance = squares_[i] / n - mean * mean;
      largest = std::max(largest, std::abs(mean - expected[i]) / std::sqrt(variance / n));
    }
    return largest;
  }

 private:
  std::size_t count_ = 0;
  Values sum_, squares_;
};

struct Point {
  Values v, w, v_star, w_star;
};

Point point(std::size_t m, std::size_t n, double theta, double length, std::uint32_t which) {
  Point p{normals(m, 4 * which), {}, normals(m, 4 * which + 1), direction(n, 4 * which + 2)};
  p.w = at_angle(p.w_star, theta, length, 4 * which + 3);
  return p;
}

TEST(TwoLayer, closed_forms_are_the_means_of_samples) {
  std::uint32_t which = 0;
  for (const double length : {0.4, 1.0, 2.5})
    for (const double theta : {0.4, 1.5, 2.8}) {
      const Point p = point(3, 4, theta, length, ++which);
      const std::size_t batches = 400, batch = 50, size = 12;
      Means loss, of_v, of_w[3];
      Values gradient_v(3), gradient_w(4);
      std::vector<float> z(batch * size);
      for (std::size_t b = 0; b < batches; ++b) {
        Stream(which, Draw::Data).normal(b * z.size(), z);
        const TwoLayerSamples samples(z, p.v_star, p.w_star);
        for (const Estimator e : estimators) {
          const Values l = {samples.gradient(e, p.v, p.w, gradient_v, gradient_w)};
          EXPECT_EQ(l[0], samples.loss(p.v, p.w)) << "the estimators share the forward pass";
          of_w[static_cast<int>(e)].add(gradient_w);
          if (e == Estimator::relu) loss.add(l), of_v.add(gradient_v);
        }
      }
      const auto within = [&](const Means& means, Vector expected) { return means.deviation(expected) <= 6; };  // six standard errors
      EXPECT_TRUE(within(loss, Values{population_loss(p.v, p.v_star, theta)})) << theta << " " << length;
      Values expected_v(3), expected_w(4);
      gradient_of_v(p.v, p.v_star, theta, expected_v);
      EXPECT_TRUE(within(of_v, expected_v)) << theta << " " << length;
      for (const Estimator e : estimators) {
        expected_coarse_gradient(e, p.v, p.w, p.v_star, p.w_star, expected_w);
        EXPECT_TRUE(within(of_w[static_cast<int>(e)], expected_w)) << static_cast<int>(e) << " " << theta << " " << length;
        expected_w[0] += 0.5;  // or nothing would be found wrong
        EXPECT_FALSE(within(of_w[static_cast<int>(e)], expected_w)) << static_cast<int>(e);
      }
    }
}

TEST(TwoLayer, supporting_expectations_are_the_means_of_samples) {  // Lemmas 11, 12
  std::uint32_t which = 100;
  for (const double length : {0.4, 1.0, 2.5})
    for (const double theta : {0.4, 1.5, 2.8}) {
      const Values w_star = direction(3, ++which), w = at_angle(w_star, theta, length, which + 50);
      Means means;
      for (std::uint64_t sample = 0; sample < 20'000; ++sample) {
        Values z(3), row;
        for (std::size_t j = 0; j < 3; ++j) z[j] = Stream(which, Draw::Data).normal(3 * sample + j);
        const double x = dot(z, w);
        const bool on = x > 0, other = dot(z, w_star) > 0, inside = on && x < 1;
        row = {on ? 1.0 : 0.0, on && other ? 1.0 : 0.0};
        for (const double zj : z) row.insert(row.end(), {on ? zj : 0, on && other ? zj : 0, inside ? zj : 0, inside && other ? zj : 0});
        means.add(row);
      }
      const Frame f = frame_of(w, w_star);
      const ClipIntegrals c = clip_integrals(theta, length);
      const double root = std::sqrt(2 * pi);
      Values expected = {0.5, (pi - theta) / (2 * pi)};
      for (std::size_t j = 0; j < 3; ++j) {
        const double bisector = std::cos(theta / 2) * f.direction[j] + std::sin(theta / 2) * f.turn[j];
        expected.insert(expected.end(), {f.direction[j] / root, std::cos(theta / 2) / root * bisector, c.p0 * f.direction[j], c.p * f.direction[j] + c.q * f.turn[j]});
      }
      EXPECT_LE(means.deviation(expected), 6) << theta << " " << length;
    }
}

TEST(TwoLayer, gradients_are_the_central_differences_of_the_loss) {
  const double step = std::cbrt(2.2e-16);  // error O(step²): 4e-11 times third derivatives
  for (std::uint32_t which = 0; which < 20; ++which) {
    const Point p = point(4, 3, 0.3 + 0.12 * which, 0.5 + 0.2 * which, 200 + which);
    const auto loss = [&](const Values& v, const Values& w) { return population_loss(v, p.v_star, angle(w, p.w_star)); };
    Values of_v(4), of_w(3);
    gradient_of_v(p.v, p.v_star, angle(p.w, p.w_star), of_v);
    gradient_of_w(p.v, p.w, p.v_star, p.w_star, of_w);
    for (std::size_t i = 0; i < 7; ++i) {
      Values v_up = p.v, v_down = p.v, w_up = p.w, w_down = p.w;
      (i < 4 ? v_up[i] : w_up[i - 4]) += step;
      (i < 4 ? v_down[i] : w_down[i - 4]) -= step;
      EXPECT_NEAR((loss(v_up, w_up) - loss(v_down, w_down)) / (2 * step), i < 4 ? of_v[i] : of_w[i - 4], 1e-5) << which << " " << i;
    }
  }
}

TEST(TwoLayer, loss_is_the_printed_form) {  // Lemma 1; and f(v, 0)
  for (std::uint32_t which = 0; which < 50; ++which) {
    const Values v = normals(5, 300 + which), v_star = normals(5, 400 + which);
    const double theta = pi * which / 49, c = 1 - 2 * theta / pi;
    const Overlap o = overlap(v, v_star);
    const double printed = ((o.squared + o.sum * o.sum) - 2 * (c * o.target + o.sum * o.target_sum) + (o.target_squared + o.target_sum * o.target_sum)) / 8;
    EXPECT_NEAR(population_loss(v, v_star, theta), printed, 1e-13);
    EXPECT_NEAR(population_loss_at_zero(v_star), (o.target_squared + o.target_sum * o.target_sum) / 8, 1e-13);
    Values gradient(5);
    gradient_of_v(v, v_star, theta, gradient);
    EXPECT_NEAR(o.h(), 4 * dot(v, gradient) + 2 * (1 - theta / pi) * o.target, 1e-12) << "(23)";
  }
}

/// ∫ over [θ − π/2, π/2] of (cos or sin)(ϕ)·ξ(secϕ/‖w‖)/(2π), by Simpson's rule on 20,000 intervals.
double printed_integral(double theta, double length, const std::function<double(double)>& factor) {
  const auto xi = [](double x) { return std::isinf(x) || x > 40 ? std::sqrt(pi / 2) : std::sqrt(pi / 2) * std::erf(x / std::sqrt(2.0)) - x * std::exp(-x * x / 2); };
  const auto f = [&](double phi) { return factor(phi) * xi(1 / (std::max(std::cos(phi), 0.0) * length)); };
  const int intervals = 20'000;
  const double first = theta - pi / 2, h = (pi - theta) / intervals;
  double sum = f(first) + f(pi / 2);
  for (int i = 1; i < intervals; ++i) sum += (i % 2 == 1 ? 4 : 2) * f(first + i * h);
  return sum * h / 3 / (2 * pi);
}

TEST(TwoLayer, error_functions_are_the_printed_integrals) {
  for (const double length : {0.05, 0.3, 1.0, 2.5, 20.0})
    for (const double theta : {0.0, 1e-3, 0.5, 1.4, pi / 2, 2.0, 3.0, pi - 1e-3, pi}) {
      const ClipIntegrals c = clip_integrals(theta, length);
      EXPECT_NEAR(c.p, printed_integral(theta, length, [](double x) { return std::cos(x); }), 1e-9) << theta << " " << length;
      EXPECT_NEAR(c.q, printed_integral(theta, length, [](double x) { return std::sin(x); }), 1e-9) << theta << " " << length;
      EXPECT_NEAR(c.p0, printed_integral(0, length, [](double x) { return std::cos(x); }), 1e-9) << length;
    }
}

TEST(TwoLayer, coarse_gradients_are_the_printed_forms) {  // (11), (26), (14)
  const double root = std::sqrt(2 * pi);
  for (std::uint32_t which = 0; which < 60; ++which) {
    const double theta = 0.02 + 3.09 * which / 59;
    const Point p = point(4, 5, theta, 0.3 + 0.1 * which, 500 + which);
    const Overlap o = overlap(p.v, p.v_star);
    const Frame f = frame_of(p.w, p.w_star);
    const ClipIntegrals c = clip_integrals(theta, f.norm);
    Values bisector(5), gradient(5);
    for (std::size_t j = 0; j < 5; ++j) bisector[j] = f.direction[j] + p.w_star[j];
    const double length = norm(bisector);
    for (const Estimator e : estimators) {
      expected_coarse_gradient(e, p.v, p.w, p.v_star, p.w_star, gradient);
      for (std::size_t j = 0; j < 5; ++j) {
        const double b = bisector[j] / length, w = f.direction[j];
        const double relu = o.h() / (2 * root) * w - std::cos(theta / 2) * o.target / root * b;
        const double clipped = c.p0 * o.h() / 2 * w - o.target / std::sin(theta / 2) * c.q * b - o.target * (c.p - c.q / std::tan(theta / 2)) * w;
        const double identity = (o.squared * w - o.target * p.w_star[j]) / root;
        EXPECT_NEAR(gradient[j], e == Estimator::identity ? identity : e == Estimator::relu ? relu : clipped, 1e-9) << static_cast<int>(e) << " " << theta;
      }
    }
  }
}

TEST(TwoLayer, inner_products_are_positive_and_as_printed) {  // Lemmas 5, 7, 10
  for (std::uint32_t which = 0; which < 60; ++which) {
    const double theta = 0.02 + 3.09 * which / 59;
    const Point p = point(4, 5, theta, 0.3 + 0.1 * which, 600 + which);
    const double d = overlap(p.v, p.v_star).target, length = norm(p.w), sine = std::sin(theta);
    Values coarse(5), gradient(5);
    gradient_of_w(p.v, p.w, p.v_star, p.w_star, gradient);
    for (const Estimator e : estimators) {
      expected_coarse_gradient(e, p.v, p.w, p.v_star, p.w_star, coarse);
      const double printed = e == Estimator::identity ? sine * d * d / (std::pow(2 * pi, 1.5) * length)
                             : e == Estimator::relu   ? sine * d * d / (2 * std::pow(2 * pi, 1.5) * length)
                                                      : clip_integrals(theta, length).q * d * d / (2 * pi * length);
      EXPECT_NEAR(dot(coarse, gradient), printed, 1e-9);
      EXPECT_NEAR(gradient_product(expected_coarse_gradient(e, overlap(p.v, p.v_star), theta, length), d, length), printed, 1e-12);
      EXPECT_GT(printed, 0);
    }
  }
}

TEST(TwoLayer, limits_hold) {
  const Overlap o = overlap(normals(4, 1), normals(4, 2));
  for (const double theta : {0.0, 1e-9, 0.7, pi / 2, 2.5, pi - 1e-9, pi}) {
    const Split clipped = expected_coarse_gradient(Estimator::clipped_relu, o, theta, 1e-3), relu = expected_coarse_gradient(Estimator::relu, o, theta, 1e-3);
    EXPECT_NEAR(clipped.radial, relu.radial, 1e-12) << "clipped ReLU is ReLU for ‖w‖ → 0, θ = " << theta;
    EXPECT_NEAR(clipped.tangential, relu.tangential, 1e-12);
    for (const double length : {0.0, 1e-300, 1e-3, 1.0, 1e3, 1e300})
      for (const Estimator e : estimators) {
        const Split s = expected_coarse_gradient(e, o, theta, length);
        EXPECT_TRUE(std::isfinite(s.radial) && std::isfinite(s.tangential)) << theta << " " << length;
        EXPECT_GE(s.tangential, 0);
      }
  }
  for (const double length : {0.1, 1.0, 10.0}) {
    EXPECT_NEAR(clip_integrals(0, length).p, clip_integrals(0, length).p0, 1e-16);
    EXPECT_NEAR(clip_integrals(pi, length).p, 0, 1e-16);
    EXPECT_NEAR(clip_integrals(0, length).q, 0, 1e-16);
    EXPECT_NEAR(clip_integrals(pi, length).q, 0, 1e-16);
    for (const double theta : {0.3, 1.0, 1.5}) EXPECT_NEAR(clip_integrals(theta, length).q, clip_integrals(pi - theta, length).q, 1e-15);
    EXPECT_LE(length * clip_integrals(1.2, length).q, 1 / (2 * pi));
  }
}

TEST(TwoLayer, angles_are_accurate_near_the_axis) {
  const Values w_star = {1, 0, 0};
  for (const double theta : {1e-12, 1e-8, 1e-3, 1.0}) {
    EXPECT_NEAR(angle(Values{3 * std::cos(theta), 3 * std::sin(theta), 0}, w_star), theta, 1e-15 + 1e-12 * theta);
    EXPECT_NEAR(pi - angle(Values{-3 * std::cos(theta), 3 * std::sin(theta), 0}, w_star), theta, 1e-15);
  }
  EXPECT_EQ(norm(frame_of(Values{2, 0, 0}, w_star).turn), 0) << "u = 0 on the axis";
  EXPECT_EQ(norm(frame_of(Values{0, 0, 0}, w_star).direction), 0);
}

TEST(TwoLayerSamples, step_is_zero_at_zero_and_gradients_are_the_sums_by_hand) {
  // One sample, m = 2, n = 2: Zw = (0, 2), Zw* = (1, −1); σ(0) = 0. v = (3, 5): y = 5; v* = (7, 11): y* = 7; residual −2.
  const std::vector<float> z = {1, -1, -1, 3};
  const TwoLayerSamples samples(z, Values{7, 11}, Values{1, 0});
  Values of_v(2), of_w(2);
  EXPECT_EQ(samples.gradient(Estimator::relu, Values{3, 5}, Values{1, 1}, of_v, of_w), 2);
  EXPECT_EQ(of_v, (Values{0, -2}));
  EXPECT_EQ(of_w, (Values{10, -30}));  // 5·(−2)·(−1, 3)
  samples.gradient(Estimator::clipped_relu, Values{3, 5}, Values{1, 1}, of_v, of_w);
  EXPECT_EQ(of_w, (Values{0, 0})) << "2 is above 1";
  samples.gradient(Estimator::identity, Values{3, 5}, Values{1, 1}, of_v, of_w);
  EXPECT_EQ(of_w, (Values{4, -24}));  // + 3·(−2)·(1, −1)
  EXPECT_EQ(samples.count(), 1U);
}

}  // namespace
}  // namespace qsweep
