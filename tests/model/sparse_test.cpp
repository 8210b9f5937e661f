// Products of a dense layer with data that is mostly background: against plain sums in double, in each build, and inside a network.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <tuple>

#include "base/cpu.h"
#include "model/network.h"
#include "model/sparse_kernels.h"

namespace qsweep {
namespace {

std::vector<float> draws(std::size_t n, std::uint32_t seed) {
  std::vector<float> values(n);
  Stream(seed, Draw::Data).normal(0, values);
  return values;
}

/// x [batch, inputs]: about `share` of it differs from the background; row 0 is all background, row 1 has none of it.
struct Sample {
  std::vector<float> background, x;

  Sample(std::size_t batch, std::size_t inputs, double share) : background(draws(inputs, 1)), x(draws(batch * inputs, 2)) {
    for (std::size_t b = 0; b < batch; ++b)
      for (std::size_t i = 0; i < inputs; ++i)
        if (b == 0 || (b > 1 && Stream(3, Draw::Data).word(b * inputs + i) * 0x1p-32 >= share)) x[b * inputs + i] = background[i];
  }
};

/// c [m, n] = Σ_k a(i, k) b(j, k), in double, beside Σ |a b| to measure errors with.
template <class A, class B>
void expect_product(const std::vector<float>& c, std::size_t m, std::size_t n, std::size_t k, A a, B b) {
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0, size = 1e-30;
      for (std::size_t l = 0; l < k; ++l) sum += double{a(i, l)} * b(j, l), size += std::abs(double{a(i, l)} * b(j, l));
      ASSERT_LE(std::abs(c[i * n + j] - sum), 2e-6 * size) << i << ", " << j;
    }
}

TEST(SparseProduct, is_the_product_at_any_size_and_share) {
  for (const auto& [batch, inputs, outputs, share] : {std::tuple{1U, 1U, 1U, .2}, {2U, 7U, 3U, .2}, {5U, 33U, 16U, .5}, {70U, 100U, 17U, 0.}, {13U, 784U, 10U, 1.}, {67U, 130U, 333U, .2}}) {
    SCOPED_TRACE(testing::Message() << batch << " x " << inputs << " to " << outputs);
    const Sample sample(batch, inputs, share);
    const std::vector<float> w = draws(outputs * inputs, 4), dy = draws(batch * outputs, 5);
    std::vector<float> y(batch * outputs), sums(outputs), dw(outputs * inputs, NAN);
    for (std::size_t b = 0; b < batch; ++b)
      for (std::size_t o = 0; o < outputs; ++o) sums[o] += dy[b * outputs + o];
    SparseProduct product(inputs, outputs);
    for (int repeat = 0; repeat < 2; ++repeat) {  // the second time on memory in use
      std::ranges::fill(y, 0.0F);
      product.add_product_transposed(batch, sample.x.data(), sample.background, w.data(), y.data());
      product.transposed_multiply(dy.data(), sums, dw.data());
    }
    const auto x = [&](std::size_t b, std::size_t i) { return sample.x[b * inputs + i]; };
    expect_product(y, batch, outputs, inputs, x, [&](std::size_t o, std::size_t i) { return w[o * inputs + i]; });
    expect_product(dw, outputs, inputs, batch, [&](std::size_t o, std::size_t b) { return dy[b * outputs + o]; }, [&](std::size_t i, std::size_t b) { return x(b, i); });
  }
}

TEST(SparseProduct, adds_to_what_is_there) {
  const Sample sample(3, 5, .5);
  const std::vector<float> w(5);
  std::vector<float> y = {1, 2, 3};
  SparseProduct(5, 1).add_product_transposed(3, sample.x.data(), sample.background, w.data(), y.data());
  EXPECT_EQ(y, (std::vector<float>{1, 2, 3}));
}

TEST(SparseKernels, the_three_builds_give_the_same_bits) {
  std::vector<const SparseKernels*> others;
  if (simd() >= Simd::avx2) others.push_back(&avx2::sparse_kernels);
  if (simd() >= Simd::avx512) others.push_back(&avx512::sparse_kernels);
  if (others.empty()) GTEST_SKIP() << "SKIPPED: this CPU has neither AVX2 nor AVX-512";
  const std::size_t inputs = 803, lines = 5, width = 48, rows = 21, columns = 37;
  const Sample sample(lines, inputs, .2);
  const std::vector<float> table = draws(inputs * width, 6), matrix = draws(rows * 40, 7), begin = draws(lines * width, 8);
  const auto all = [&](const SparseKernels& kernels) {
    std::vector<std::size_t> first(1), next(lines);
    std::vector<std::uint32_t> places(lines * inputs + sparse_lanes);
    std::vector<float> values(places.size()), out = begin, turned(columns * 27, NAN);
    for (std::size_t b = 0; b < lines; ++b)
      first.push_back(first.back() + kernels.compress(inputs, &sample.x[b * inputs], sample.background.data(), &places[first.back()], &values[first.back()]));
    kernels.add_product({lines, first.data(), places.data(), values.data()}, inputs, table.data(), width, out.data(), next.data());
    kernels.transpose(rows, columns, matrix.data(), 40, turned.data(), 27);
    places.resize(first.back());
    values.resize(first.back());
    return std::tuple(first, places, values, out, turned);
  };
  const auto expected = all(baseline::sparse_kernels);
  EXPECT_EQ(std::get<0>(expected)[1], 0U);
  EXPECT_EQ(std::get<0>(expected)[2], inputs);
  for (std::size_t c = 0; c < columns; ++c)
    for (std::size_t r = 0; r < 27; ++r) ASSERT_EQ(std::get<4>(expected)[c * 27 + r], r < rows ? matrix[r * 40 + c] : 0);
  for (const SparseKernels* kernels : others) EXPECT_EQ(all(*kernels), expected);
}

TEST(Network, passes_over_the_background_with_the_same_gradient) {
  const std::size_t batch = 80, inputs = 150;
  const auto network = make_mlp(inputs, 33, 10, "tanh", 0);
  const std::size_t d = network->layout().dimension();
  std::vector<float> w(d), dense(d), sparse(d);
  network->initialize(1, w);
  const Sample sample(batch, inputs, .2);
  std::vector<std::int32_t> labels(batch);
  for (std::size_t b = 0; b < batch; ++b) labels[b] = static_cast<std::int32_t>(b % 10);
  Batch data{.size = batch, .x = sample.x, .targets = {}, .labels = labels};
  const double loss = network->gradient(w, data, dense);
  const double evaluated = network->evaluate(w, data).loss;
  data.background = sample.background;
  EXPECT_NEAR(network->gradient(w, data, sparse), loss, 1e-6 * loss);
  EXPECT_NEAR(network->evaluate(w, data).loss, evaluated, 1e-6 * evaluated);
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < d; ++i) difference = std::max(difference, std::abs(double{dense[i]} - sparse[i])), size = std::max(size, std::abs(double{dense[i]}));
  EXPECT_LE(difference, 1e-6 * size);
  EXPECT_NE(std::memcmp(dense.data(), sparse.data(), d * sizeof(float)), 0) << "the two ways round alike: was the background passed over?";
}

}  // namespace
}  // namespace qsweep
