#include "theory/hindsight.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace qsweep {
namespace {

using Vector = std::vector<double>;

struct Problem {
  Vector A, b;
  double c = 0;
};

/// n samples x ~ U[−½, ½]^d (correlated by `common`), y = xᵀw* + noise with w* ~ U[−spread, spread].
Problem problem(std::size_t d, std::size_t n, double spread, double common, std::uint32_t seed) {
  const Stream data(seed, Draw::Data), truth(seed, Draw::TrueWeights), noise(seed, Draw::Noise);
  Problem p{Vector(d * d), Vector(d)};
  Vector x(d);
  for (std::size_t s = 0; s < n; ++s) {
    double y = 0.2 * noise.normal(s);
    for (std::size_t i = 0; i < d; ++i) x[i] = data.uniform(s * (d + 1) + i) - 0.5 + common * data.uniform(s * (d + 1) + d);
    for (std::size_t i = 0; i < d; ++i) y += x[i] * (2 * truth.uniform(i) - 1) * spread;
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = 0; j < d; ++j) p.A[i * d + j] += x[i] * x[j];
    for (std::size_t i = 0; i < d; ++i) p.b[i] += y * x[i];
    p.c += y * y;
  }
  return p;
}

double value(const Problem& p, const Vector& w) {
  const std::size_t d = w.size();
  double sum = p.c;
  for (std::size_t i = 0; i < d; ++i) {
    sum -= 2 * p.b[i] * w[i];
    for (std::size_t j = 0; j < d; ++j) sum += w[i] * p.A[i * d + j] * w[j];
  }
  return sum;
}

/// Gaussian elimination with partial pivoting.
Vector solve(Vector A, Vector b) {
  const std::size_t n = b.size();
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k + 1; i < n; ++i)
      if (std::abs(A[i * n + k]) > std::abs(A[pivot * n + k])) pivot = i;
    for (std::size_t j = 0; j < n; ++j) std::swap(A[k * n + j], A[pivot * n + j]);
    std::swap(b[k], b[pivot]);
    for (std::size_t i = k + 1; i < n; ++i) {
      const double f = A[i * n + k] / A[k * n + k];
      for (std::size_t j = k; j < n; ++j) A[i * n + j] -= f * A[k * n + j];
      b[i] -= f * b[k];
    }
  }
  for (std::size_t k = n; k-- > 0;) {
    for (std::size_t j = k + 1; j < n; ++j) b[k] -= A[k * n + j] * b[j];
    b[k] /= A[k * n + k];
  }
  return b;
}

/// Every face of the box: each coordinate at −r, at r, or solved for; the best point that lies in the box.
Vector by_faces(const Problem& p, double r) {
  const std::size_t d = p.b.size();
  Vector best;
  int faces = 1;
  for (std::size_t i = 0; i < d; ++i) faces *= 3;
  for (int face = 0; face < faces; ++face) {
    Vector w(d);
    std::vector<std::size_t> inside;
    for (std::size_t i = 0, rest = static_cast<std::size_t>(face); i < d; ++i, rest /= 3)
      if (rest % 3 == 2)
        inside.push_back(i);
      else
        w[i] = rest % 3 == 0 ? -r : r;
    Vector A, b;
    for (const std::size_t i : inside) {
      for (const std::size_t j : inside) A.push_back(p.A[i * d + j]);
      b.push_back(p.b[i]);
      for (std::size_t j = 0; j < d; ++j)
        if (std::find(inside.begin(), inside.end(), j) == inside.end()) b.back() -= p.A[i * d + j] * w[j];
    }
    const Vector solution = solve(A, b);
    for (std::size_t i = 0; i < inside.size(); ++i) w[inside[i]] = solution[i];
    if (std::all_of(w.begin(), w.end(), [&](double x) { return std::abs(x) <= r; }) &&
        (best.empty() || value(p, w) < value(p, best)))
      best = w;
  }
  return best;
}

TEST(Hindsight, equals_the_best_of_all_faces) {
  for (const std::size_t d : {1, 2, 3, 4})
    for (std::uint32_t seed = 1; seed <= 30; ++seed) {
      const Problem p = problem(d, 20, 1.0, seed % 2, seed);
      const Hindsight found = best_in_hindsight(p.A, p.b, p.c, 0.5);
      const Vector exact = by_faces(p, 0.5);
      EXPECT_LE(found.kkt_residual, 1e-10);
      EXPECT_NEAR(found.value, value(p, exact), 1e-9 * p.c);
      for (std::size_t i = 0; i < d; ++i) EXPECT_NEAR(found.w[i], exact[i], 1e-6) << "d = " << d << ", seed = " << seed;
    }
}

TEST(Hindsight, without_active_sides_solves_the_normal_equations) {
  for (const std::size_t d : {1, 7, 64}) {
    const Problem p = problem(d, 4 * d + 10, 0.4, 0.3, 5);
    const Hindsight found = best_in_hindsight(p.A, p.b, p.c, 100);
    const Vector exact = solve(p.A, p.b);
    for (std::size_t i = 0; i < d; ++i) EXPECT_NEAR(found.w[i], exact[i], 1e-6) << d;
    EXPECT_NEAR(found.value, value(p, exact), 1e-10 * p.c);
  }
}

/// The KKT conditions of the box, computed afresh.
void expect_optimal(const Problem& p, const Hindsight& found, double r) {
  const std::size_t d = p.b.size();
  double unit = 0;
  for (std::size_t i = 0; i < d; ++i) unit = std::max({unit, std::abs(p.b[i]), r * p.A[i * d + i]});
  for (std::size_t i = 0; i < d; ++i) {
    double q = -p.b[i];
    for (std::size_t j = 0; j < d; ++j) q += p.A[i * d + j] * found.w[j];
    EXPECT_LE(std::abs(found.w[i]), r);
    if (found.w[i] > -r) {
      EXPECT_LE(q, 1e-9 * unit) << i;
    }
    if (found.w[i] < r) {
      EXPECT_GE(q, -1e-9 * unit) << i;
    }
  }
  EXPECT_LE(found.kkt_residual, 1e-10);
}

TEST(Hindsight, kkt_conditions_with_many_active_sides) {
  for (const std::size_t d : {7, 64, 200})
    for (const double common : {0.0, 1.0, 10.0}) {  // condition number of A up to about 1e5
      const Problem p = problem(d, 3 * d, 1.5, common, 2);
      const Hindsight found = best_in_hindsight(p.A, p.b, p.c, 0.5);
      expect_optimal(p, found, 0.5);
      EXPECT_GT(std::count_if(found.w.begin(), found.w.end(), [](double w) { return std::abs(w) == 0.5; }), 0);
      EXPECT_NEAR(found.value, value(p, found.w), 1e-9 * p.c);
    }
}

TEST(Hindsight, singular) {  // fewer samples than weights: many minima, each with the same loss; zero rows
  Problem p = problem(64, 20, 1.5, 0.5, 3);
  expect_optimal(p, best_in_hindsight(p.A, p.b, p.c, 0.5), 0.5);
  for (std::size_t i = 0; i < 64; ++i) p.A[5 * 64 + i] = p.A[i * 64 + 5] = 0;
  p.b[5] = 0;
  const Hindsight found = best_in_hindsight(p.A, p.b, p.c, 0.5);
  EXPECT_LE(found.kkt_residual, 1e-10);
  const Hindsight nothing = best_in_hindsight(Vector(4), Vector(2), 3, 0.5);
  EXPECT_EQ(nothing.value, 3);
  EXPECT_EQ(nothing.kkt_residual, 0);
}

}  // namespace
}  // namespace qsweep
