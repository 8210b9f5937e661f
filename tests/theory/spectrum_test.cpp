#include "theory/spectrum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace qsweep {
namespace {

using Matrix = std::vector<double>;

/// X·Xᵀ/n for X [n, d] uniform in [−½, ½] + shift.
Matrix gram(std::size_t n, std::size_t d, double shift, std::uint32_t seed) {
  const Stream rng(seed, Draw::Data);
  Matrix X(n * d), A(n * n);
  for (std::size_t i = 0; i < n * d; ++i) X[i] = rng.uniform(i) - 0.5 + shift;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::size_t l = 0; l < d; ++l) sum += X[std::min(i, j) * d + l] * X[std::max(i, j) * d + l];
      A[i * n + j] = sum / static_cast<double>(n);
    }
  return A;
}

/// Power iteration on squares of the matrix: A^(2^20) has no second eigenvalue left unless within 1e-6 of the first.
double by_squaring(const Matrix& matrix, std::size_t n) {
  Matrix A = matrix, square(n * n);
  double log_scale = 0, power = 1;
  for (int step = 0; step < 20; ++step) {
    double largest = 0;
    for (const double x : A) largest = std::max(largest, std::abs(x));
    if (largest == 0) return 0;
    for (double& x : A) x /= largest;
    log_scale += std::log(largest) / power;
    power *= 2;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::size_t l = 0; l < n; ++l) sum += A[i * n + l] * A[l * n + j];
        square[i * n + j] = sum;
      }
    A.swap(square);
  }
  double trace = 0;
  for (std::size_t i = 0; i < n; ++i) trace += A[i * n + i];
  return std::exp(log_scale + std::log(trace) / power);  // trace ∈ [1, n]·λ^power: relative error ln n/2²⁰
}

/// Q·diag(spectrum)·Q for the reflection Q = I − 2uuᵀ.
Matrix with_spectrum(const std::vector<double>& spectrum, std::uint32_t seed) {
  const std::size_t n = spectrum.size();
  const Stream rng(seed, Draw::Noise);
  std::vector<double> u(n);
  double norm = 0;
  for (std::size_t i = 0; i < n; ++i) u[i] = rng.normal(i), norm += u[i] * u[i];
  Matrix A(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i; j < n; ++j) {
      double sum = 0;
      for (std::size_t l = 0; l < n; ++l)
        sum += ((i == l) - 2 * u[i] * u[l] / norm) * spectrum[l] * ((j == l) - 2 * u[j] * u[l] / norm);
      A[i * n + j] = A[j * n + i] = sum;
    }
  return A;
}

void expect_top(const Matrix& A, std::size_t n, double exact, double exact_tolerance, double tolerance) {
  const LargestEigenvalue found = largest_eigenvalue(A, n, tolerance);
  EXPECT_LE(found.value, exact * (1 + exact_tolerance)) << n;
  EXPECT_GE(found.upper, exact * (1 - exact_tolerance)) << n;
  EXPECT_LE(found.upper - found.value, 1.01 * tolerance * exact + 1e-14 * exact) << n;
  EXPECT_LE(found.steps, static_cast<int>(n));
}

TEST(LargestEigenvalue, of_random_gram_matrices) {
  for (const std::size_t n : {1, 2, 3, 4, 7, 64})
    for (const std::size_t d : {1, 5, 64, 256})
      for (const double shift : {0.0, 0.5}) {
        const Matrix A = gram(n, d, shift, 3);
        const double exact = by_squaring(A, n);
        for (const double tolerance : {1e-2, 1e-4, 1e-9}) expect_top(A, n, exact, 1e-5, tolerance);
      }
}

TEST(LargestEigenvalue, of_known_spectra) {
  std::vector<double> clustered(64), rank_two(64), close(64), wide(64);
  for (std::size_t i = 0; i < 64; ++i) {
    clustered[i] = i < 20 ? 3 : 1;
    close[i] = 1 - 1e-6 * static_cast<double>(i);
    wide[i] = std::pow(10.0, -static_cast<double>(i) / 4);
  }
  rank_two[5] = 2, rank_two[40] = 1.9999;
  for (const auto& spectrum : {clustered, rank_two, close, wide})
    for (std::uint32_t seed = 1; seed <= 5; ++seed) {
      const double top = *std::max_element(spectrum.begin(), spectrum.end());
      expect_top(with_spectrum(spectrum, seed), 64, top, 1e-12, 1e-4);
      expect_top(with_spectrum(spectrum, seed), 64, top, 1e-12, 1e-10);
    }
}

TEST(LargestEigenvalue, of_diagonal_matrices_and_zero) {
  for (const std::size_t n : {1, 2, 3, 4, 7, 64, 200}) {
    EXPECT_EQ(largest_eigenvalue(Matrix(n * n), n).upper, 0);
    for (const std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
      Matrix A(n * n);
      for (std::size_t i = 0; i < n; ++i) A[i * n + i] = static_cast<double>(i) / static_cast<double>(n);
      A[at * n + at] = 5;
      expect_top(A, n, 5, 1e-13, 1e-8);
      Matrix one(n * n);
      one[at * n + at] = 1e-30;  // rank one, tiny
      EXPECT_NEAR(largest_eigenvalue(one, n).value / 1e-30, 1, 1e-12) << n;
    }
    Matrix identity(n * n);
    for (std::size_t i = 0; i < n; ++i) identity[i * n + i] = 1;
    EXPECT_NEAR(largest_eigenvalue(identity, n).value, 1, 1e-14);
  }
  EXPECT_EQ(largest_eigenvalue(Matrix{}, 0).upper, 0);
}

TEST(LargestEigenvalue, exact_for_three) {
  const Matrix A = {2, -1, 0, -1, 2, -1, 0, -1, 2};  // 2 + √2
  EXPECT_NEAR(largest_eigenvalue(A, 3).value, 2 + std::sqrt(2.0), 1e-15 * 4);
  const Matrix B = {2, 1, 1, 1};  // (3 + √5)/2
  EXPECT_NEAR(largest_eigenvalue(B, 2).upper, (3 + std::sqrt(5.0)) / 2, 1e-15 * 4);
}

TEST(LargestEigenvalue, large_laplacian_whose_spectrum_is_dense) {  // 2 + 2·cos(π/(n+1)), the hardest edge: gap about 1e-4
  const std::size_t n = 300;
  Matrix A(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    A[i * n + i] = 2;
    if (i > 0) A[i * n + i - 1] = A[(i - 1) * n + i] = -1;
  }
  const double exact = 2 + 2 * std::cos(std::acos(-1.0) / (static_cast<double>(n) + 1));
  expect_top(A, n, exact, 1e-13, 1e-3);
  expect_top(A, n, exact, 1e-13, 1e-10);
}

TEST(LargestEigenvalue, float_equals_double) {
  const Matrix A = gram(64, 32, 0, 9);
  const std::vector<float> narrow(A.begin(), A.end());
  const Matrix rounded(narrow.begin(), narrow.end());
  EXPECT_EQ(largest_eigenvalue(std::span<const float>(narrow), 64).upper, largest_eigenvalue(rounded, 64).upper);
}

}  // namespace
}  // namespace qsweep
