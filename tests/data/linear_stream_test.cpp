#include "data/linear_stream.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "base/cpu.h"
#include "base/random.h"
#include "data/dot_kernels.h"

namespace qsweep::test {
namespace {

struct Batch {
  std::vector<float> x, y, noise;

  Batch(const LinearStream& stream, std::uint32_t worker, std::uint32_t iteration, std::size_t size)
      : x(size * stream.dimension(), NAN), y(size, NAN), noise(size, NAN) {
    stream.batch(worker, iteration, x, y, noise);
  }
  bool operator==(const Batch&) const = default;
};

TEST(LinearStream, LabelsAreTheLinearModelPlusNoise) {
  for (const std::size_t d : {1U, 2U, 7U, 64U, 1003U}) {
    const LinearStream stream(d, 11);
    const Batch batch(stream, 1, 5, 7);
    for (std::size_t b = 0; b < 7; ++b) {
      long double expected = batch.noise[b], size = std::abs(batch.noise[b]);
      for (std::size_t j = 0; j < d; ++j) {
        const long double term = static_cast<long double>(batch.x[b * d + j]) * stream.true_weights()[j];
        expected += term;
        size += std::abs(term);
      }
      // One rounding to float, and d + 1 additions in double.
      const long double tolerance = std::abs(expected) * 0x1p-24L + static_cast<long double>(d + 1) * size * 0x1p-53L;
      EXPECT_LE(std::abs(batch.y[b] - expected), tolerance) << "d = " << d << ", sample " << b;
    }
  }
}

TEST(LinearStream, ElementsAreTheDocumentedDraws) {
  const std::size_t d = 7;
  const LinearStream stream(d, 11);
  const Batch batch(stream, 3, 9, 5);
  std::vector<float> x(5 * d), noise(5), weights(d);
  Stream(11, Draw::Data, 3, 9).uniform(0, -.5F, .5F, x);
  Stream(11, Draw::Noise, 3, 9).normal(0, noise);
  Stream(11, Draw::TrueWeights).uniform(0, -.5F, .5F, weights);
  EXPECT_EQ(batch.x, x);
  for (std::size_t b = 0; b < 5; ++b) EXPECT_EQ(batch.noise[b], .2F * noise[b]);
  EXPECT_TRUE(std::equal(weights.begin(), weights.end(), stream.true_weights().begin(), stream.true_weights().end()));
}

TEST(LinearStream, BatchesAreFreshAndDoNotDependOnTheOrderOfCalls) {
  const LinearStream stream(64, 11);
  const Batch a(stream, 0, 1, 64), b(stream, 1, 1, 64), c(stream, 0, 2, 64);
  EXPECT_EQ(Batch(stream, 0, 2, 64), c);
  EXPECT_EQ(Batch(LinearStream(64, 11), 1, 1, 64), b);
  EXPECT_EQ(Batch(stream, 0, 1, 64), a);
  EXPECT_FALSE(a == b || a == c || b == c || a == Batch(LinearStream(64, 12), 0, 1, 64));
  const Batch fewer(stream, 0, 1, 7);
  EXPECT_TRUE(std::equal(fewer.y.begin(), fewer.y.end(), a.y.begin()));
}

TEST(LinearStream, MomentsAreThoseOfTheModel) {
  const std::size_t d = 64, rounds = 100, size = 64;
  const LinearStream stream(d, 21);
  double x1 = 0, x2 = 0, e1 = 0, e2 = 0;
  for (std::uint32_t t = 1; t <= rounds; ++t) {
    const Batch batch(stream, 0, t, size);
    for (const float x : batch.x) x1 += x, x2 += static_cast<double>(x) * x;
    for (std::size_t b = 0; b < size; ++b) {
      double residual = batch.y[b];
      for (std::size_t j = 0; j < d; ++j) residual -= static_cast<double>(batch.x[b * d + j]) * stream.true_weights()[j];
      e1 += residual, e2 += residual * residual;
    }
    for (const float x : batch.x) ASSERT_TRUE(x >= -.5F && x < .5F);
  }
  const double n = rounds * size, m = n * d;
  EXPECT_NEAR(x1 / m, 0, 6 * std::sqrt(1 / 12.0 / m));
  EXPECT_NEAR(x2 / m, 1 / 12.0, 6 * std::sqrt(1 / 180.0 / m));  // Var u² = 1/80 − 1/144
  EXPECT_NEAR(e1 / n, 0, 6 * .2 / std::sqrt(n));
  EXPECT_NEAR(e2 / n, .04, 6 * .04 * std::sqrt(2 / n));  // a normal's square has variance 2σ⁴
  double w2 = 0;
  const LinearStream wide(100'000, 21);
  for (const float w : wide.true_weights()) w2 += static_cast<double>(w) * w;
  EXPECT_NEAR(w2 / 1e5, 1 / 12.0, 6 * std::sqrt(1 / 180.0 / 1e5));
}

TEST(DotKernels, EveryBuildGivesTheBitsOfTheReference) {
  std::vector<const DotKernels*> builds = {&baseline::dot_kernel_table};
  if (simd() >= Simd::avx2) builds.push_back(&avx2::dot_kernel_table);
  if (simd() >= Simd::avx512) builds.push_back(&avx512::dot_kernel_table);
  for (const std::size_t d : {0U, 1U, 2U, 7U, 15U, 16U, 17U, 31U, 64U, 256U, 1003U}) {
    std::vector<float> x(d + 1), w(d);
    Stream(1, Draw::Data).normal(0, x);
    Stream(2, Draw::Data).normal(0, w);
    const std::vector<double> w_double(w.begin(), w.end());
    for (const DotKernels* build : builds) {
      EXPECT_EQ(build->dot(x.data(), w_double.data(), d), dot_ref(x.data(), w_double.data(), d)) << d;
      EXPECT_EQ(build->dot(x.data() + 1, w_double.data(), d), dot_ref(x.data() + 1, w_double.data(), d)) << d << ", not aligned";
    }
  }
}

}  // namespace
}  // namespace qsweep::test
