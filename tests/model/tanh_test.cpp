#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "model/tanh_kernels.h"

namespace qsweep {
namespace {

std::vector<float> inputs() {
  std::vector<float> x = {0, -0.0F, 1e-38F, 20, -20, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
  for (float at = 1e-30F; at < 30; at *= 1.01F) x.insert(x.end(), {at, -at});
  for (int i = -9000; i <= 9000; ++i) x.push_back(static_cast<float>(i) * 1e-3F);
  return x;
}

TEST(Tanh, is_within_its_bound_and_never_beyond_one) {
  const std::vector<float> x = inputs();
  std::vector<float> y(x.size());
  tanh_kernels().forward(x.size(), x.data(), y.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exact = std::tanh(double{x[i]});
    ASSERT_TRUE(std::fabs(y[i] - exact) <= 4.2e-7 * std::fabs(exact)) << x[i] << " gives " << y[i];
    ASSERT_LE(std::fabs(y[i]), 1);
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  float out = 0;
  tanh_kernels().forward(1, &nan, &out);
  EXPECT_TRUE(std::isnan(out));
}

TEST(Tanh, the_three_builds_give_the_same_bits) {
  const std::vector<float> x = inputs();
  std::vector<float> expected(x.size()), y(x.size()), dx(x.size()), expected_dx(x.size());
  baseline::tanh_kernels.forward(x.size(), x.data(), expected.data());
  baseline::tanh_kernels.backward(x.size(), expected.data(), x.data(), expected_dx.data());
  std::vector<const TanhKernels*> others;
  if (simd() >= Simd::avx2) others.push_back(&avx2::tanh_kernels);
  if (simd() >= Simd::avx512) others.push_back(&avx512::tanh_kernels);
  if (others.empty()) GTEST_SKIP() << "SKIPPED: this CPU has neither AVX2 nor AVX-512";
  for (const TanhKernels* kernels : others) {
    kernels->forward(x.size(), x.data(), y.data());
    kernels->backward(x.size(), y.data(), x.data(), dx.data());
    EXPECT_EQ(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)), 0);
    EXPECT_EQ(std::memcmp(dx.data() + 7, expected_dx.data() + 7, (dx.size() - 7) * sizeof(float)), 0);  // ∞·0 before: the sign of a NaN is nobody's
  }
}

}  // namespace
}  // namespace qsweep
