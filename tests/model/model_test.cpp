// Losses and gradients of the linear model and the mlp against a plain double forward pass and its central differences.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/blas.h"
#include "model/linear.h"
#include "model/loss.h"
#include "model/network.h"
#include "optimize/bounded.h"

namespace qsweep {
namespace {

using test::Bounded;

/// A mini-batch of draws.
struct Data {
  std::vector<float> x, targets;
  std::vector<std::int32_t> labels;

  Data(std::size_t batch, std::size_t inputs, std::size_t classes, std::uint32_t seed)
      : x(batch * inputs), targets(batch), labels(batch) {
    Stream(seed, Draw::Data).normal(0, x);
    Stream(seed, Draw::Noise).normal(0, targets);
    for (std::size_t b = 0; b < batch; ++b) labels[b] = static_cast<std::int32_t>(Stream(seed, Draw::Order).word(b) % classes);
  }
  Batch images() const { return {labels.size(), x, {}, labels}; }
  Batch samples() const { return {targets.size(), x, targets, {}}; }
};

std::vector<float> weights_of(std::size_t d, std::uint32_t seed) {
  std::vector<float> w(d);
  Stream(seed, Draw::InitialWeights).uniform(0, -0.5F, 0.5F, w);
  return w;
}

struct Shape {
  std::size_t inputs, hidden, classes;
  std::size_t w1() const { return 0; }
  std::size_t b1() const { return hidden * inputs; }
  std::size_t w2() const { return b1() + hidden; }
  std::size_t b2() const { return w2() + classes * hidden; }
  std::size_t d() const { return b2() + classes; }
};

/// The mlp written out: hidden = activation(W1 x + b1), z = W2 hidden + b2, loss = mean of log Σ exp z − z_label, + λ/2(‖W1‖² +
/// ‖W2‖²).
double plain_loss(const Shape& s, const std::vector<double>& w, const Data& data, bool tanh, double l2) {
  double sum = 0;
  for (std::size_t b = 0; b < data.labels.size(); ++b) {
    std::vector<double> z(&w[s.b2()], &w[s.b2()] + s.classes);
    for (std::size_t h = 0; h < s.hidden; ++h) {
      double a = w[s.b1() + h];
      for (std::size_t i = 0; i < s.inputs; ++i) a += w[h * s.inputs + i] * data.x[b * s.inputs + i];
      a = tanh ? std::tanh(a) : std::max(a, 0.0);
      for (std::size_t c = 0; c < s.classes; ++c) z[c] += w[s.w2() + c * s.hidden + h] * a;
    }
    double total = 0;
    for (const double value : z) total += std::exp(value);
    sum += std::log(total) - z[static_cast<std::size_t>(data.labels[b])];
  }
  double penalty = 0;
  for (std::size_t i = 0; i < s.d(); ++i)
    if (i < s.b1() || (i >= s.w2() && i < s.b2())) penalty += l2 / 2 * w[i] * w[i];
  return sum / static_cast<double>(data.labels.size()) + penalty;
}

/// Bounds on what float arithmetic can make of the loss and of each element of the gradient: the backward pass with its errors.
struct MlpBounds {
  double loss = 0;
  std::vector<double> gradient;
};

MlpBounds mlp_bounds(const Shape& s, const std::vector<float>& w, const Data& data, bool tanh, double l2) {
  const std::size_t batch = data.labels.size();
  const double n = static_cast<double>(batch);
  const auto row = [&](const float* from, std::size_t count, std::size_t stride = 1) {
    std::vector<Bounded> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = Bounded::exact(from[i * stride]);
    return values;
  };
  std::vector<std::vector<Bounded>> hidden(s.hidden, std::vector<Bounded>(batch)), delta(s.classes, std::vector<Bounded>(batch)),
      delta_hidden(s.hidden, std::vector<Bounded>(batch));
  MlpBounds bounds{0, std::vector<double>(s.d())};
  for (std::size_t b = 0; b < batch; ++b) {
    std::vector<Bounded> activations(s.hidden), z(s.classes);
    for (std::size_t h = 0; h < s.hidden; ++h) {
      Bounded a = dot(row(&w[h * s.inputs], s.inputs), row(&data.x[b * s.inputs], s.inputs)) + Bounded::exact(w[s.b1() + h]);
      if (tanh)
        a = Bounded::rounded(std::tanh(a.value), a.error + 4 * Bounded::u);  // 1-Lipschitz; the library is good to some ulp
      else
        a.value = std::max(a.value, 0.0);
      hidden[h][b] = activations[h] = a;
    }
    double total = 0, worst = 0;
    for (std::size_t c = 0; c < s.classes; ++c) {
      z[c] = dot(row(&w[s.w2() + c * s.hidden], s.hidden), activations) + Bounded::exact(w[s.b2() + c]);
      total += std::exp(z[c].value);
      worst = std::max(worst, z[c].error);
    }
    bounds.loss += 2 * worst / n + 1e-14;  // both terms are 1-Lipschitz in the largest change of z
    for (std::size_t c = 0; c < s.classes; ++c) {
      const double p = std::exp(z[c].value) / total;  // |dp| ≤ 2 p (1 − p) max|dz| to first order; doubled for the rest
      const double label = static_cast<std::size_t>(data.labels[b]) == c ? 1 : 0;
      delta[c][b] = Bounded::rounded((p - label) / n, 4 * p * (1 - p) * worst / n + 1e-15);
    }
    for (std::size_t h = 0; h < s.hidden; ++h) {
      std::vector<Bounded> column(s.classes);
      for (std::size_t c = 0; c < s.classes; ++c) column[c] = delta[c][b];
      const Bounded back = dot(column, row(&w[s.w2() + h], s.classes, s.hidden)), a = activations[h], one{1, 0};
      delta_hidden[h][b] = tanh ? back * (one - a * a) : a.value > 0 ? back : Bounded{};
    }
  }
  const auto put = [&](std::size_t at, const Bounded& g, bool is_weight) {
    const Bounded penalized = is_weight ? g + Bounded::constant(l2) * Bounded::exact(w[at]) : g;
    bounds.gradient[at] = penalized.error;
  };
  const std::vector<Bounded> ones(batch, Bounded{1, 0});
  for (std::size_t h = 0; h < s.hidden; ++h) {
    for (std::size_t i = 0; i < s.inputs; ++i) put(h * s.inputs + i, dot(delta_hidden[h], row(&data.x[i], batch, s.inputs)), true);
    put(s.b1() + h, dot(delta_hidden[h], ones), false);
  }
  for (std::size_t c = 0; c < s.classes; ++c) {
    for (std::size_t h = 0; h < s.hidden; ++h) put(s.w2() + c * s.hidden + h, dot(delta[c], hidden[h]), true);
    put(s.b2() + c, dot(delta[c], ones), false);
  }
  return bounds;
}

void expect_mlp(const Shape& s, std::size_t batch, bool tanh, double l2) {
  SCOPED_TRACE(testing::Message() << s.inputs << "-" << s.hidden << "-" << s.classes << ", batch " << batch
                                  << (tanh ? ", tanh" : ", relu") << ", l2 " << l2);
  const auto model = make_mlp(s.inputs, s.hidden, s.classes, tanh ? "tanh" : "relu", l2);
  ASSERT_EQ(model->layout().dimension(), s.d());
  const Data data(batch, s.inputs, s.classes, 11);
  const std::vector<float> w = weights_of(s.d(), 4);
  std::vector<double> exact(w.begin(), w.end());
  const MlpBounds bounds = mlp_bounds(s, w, data, tanh, l2);
  std::vector<float> gradient(s.d(), std::numeric_limits<float>::quiet_NaN());  // every element must be written
  const double loss = model->gradient(w, data.images(), gradient), expected = plain_loss(s, exact, data, tanh, l2);
  EXPECT_TRUE(std::abs(loss - expected) <= bounds.loss) << loss << " " << expected << " bound " << bounds.loss;
  EXPECT_EQ(model->loss(w, data.images()), loss) << "the same forward pass";
  const double h = std::cbrt(std::numeric_limits<double>::epsilon());
  const std::size_t stride = 1 + s.d() / 150;  // of a large network a sample
  double largest = 0, loosest = 0;
  for (std::size_t i = 0; i < s.d(); i += stride) {
    const auto at = [&](double step) {
      exact[i] = w[i] + step;
      const double value = plain_loss(s, exact, data, tanh, l2);
      exact[i] = w[i];
      return value;
    };
    const double numeric = (at(h) - at(-h)) / (2 * h);
    // Third derivatives are of order 10³ at most here; h² ≈ 4e-11, cancellation ε/h ≈ 4e-11 of the loss.
    const double tolerance = bounds.gradient[i] + 1e-7;
    ASSERT_TRUE(std::abs(gradient[i] - numeric) <= tolerance)
        << "element " << i << ": " << gradient[i] << " against " << numeric << ", tolerance " << tolerance;
    largest = std::max(largest, std::abs(numeric));
    loosest = std::max(loosest, tolerance);
  }
  EXPECT_LT(loosest, 1e-2 * largest) << "the bounds say something";
}

TEST(Mlp, gradients_are_the_central_differences_of_the_plain_loss) {
  for (const Shape& s : {Shape{1, 1, 2}, Shape{7, 5, 3}, Shape{64, 33, 10}})
    for (const std::size_t batch : {1, 2, 7, 64})
      for (const bool tanh : {false, true})
        for (const double l2 : {0.0, 0.3}) expect_mlp(s, batch, tanh, l2);
}

TEST(Mlp, a_smaller_batch_after_a_larger_one_is_the_same) {
  const auto model = make_mlp(7, 5, 3, "relu", 0), fresh = make_mlp(7, 5, 3, "relu", 0);
  const Data large(64, 7, 3, 1), small(2, 7, 3, 2);
  const std::vector<float> w = weights_of(model->layout().dimension(), 3);
  std::vector<float> a(w.size()), b(w.size());
  model->gradient(w, large.images(), a);
  EXPECT_EQ(model->gradient(w, small.images(), a), fresh->gradient(w, small.images(), b));
  EXPECT_EQ(a, b);
}

TEST(Mlp, evaluation_sums_losses_and_hits) {
  const auto model = make_mlp(7, 5, 3, "relu", 0.7);
  const Data data(64, 7, 3, 8);
  const std::vector<float> w = weights_of(model->layout().dimension(), 3);
  const Shape s{7, 5, 3};
  Evaluation parts;
  for (std::size_t b = 0; b < 64; ++b) {
    Data one(1, 7, 3, 0);
    one.x.assign(&data.x[b * 7], &data.x[b * 7] + 7);
    one.labels = {data.labels[b]};
    const Evaluation part = model->evaluate(w, one.images());
    EXPECT_TRUE(part.correct == 0 || part.correct == 1);
    // Data term alone: the plain loss without penalty; a hit if no other label would have the smaller loss.
    const std::vector<double> exact(w.begin(), w.end());
    EXPECT_NEAR(part.loss, plain_loss(s, exact, one, false, 0), 1e-5);
    bool best = true;
    for (std::int32_t c = 0; c < 3; ++c) {
      Data other = one;
      other.labels = {c};
      best &= plain_loss(s, exact, other, false, 0) >= plain_loss(s, exact, one, false, 0);
    }
    EXPECT_EQ(part.correct, best ? 1 : 0);
    parts += part;
  }
  const Evaluation whole = model->evaluate(w, data.images());
  EXPECT_EQ(whole.correct, parts.correct);
  EXPECT_NEAR(whole.loss, parts.loss, 64 * 1e-5);
  EXPECT_GT(whole.correct, 0);
  EXPECT_LT(whole.correct, 64);
}

TEST(Mlp, layout_is_that_of_pytorch) {
  const auto model = make_mlp(784, 300, 10, "relu", 0);
  const std::vector<Tensor>& t = model->layout().tensors();
  ASSERT_EQ(t.size(), 4U);
  EXPECT_EQ(t[0].name + t[1].name + t[2].name + t[3].name, "fc1/weightfc1/biasfc2/weightfc2/bias");
  EXPECT_EQ(t[0].shape, (std::vector<std::size_t>{300, 784}));
  EXPECT_EQ(t[2].shape, (std::vector<std::size_t>{10, 300}));
  EXPECT_TRUE(t[0].is_weight && !t[1].is_weight && t[2].is_weight && !t[3].is_weight);
  EXPECT_EQ(t[3].end(), 300U * 784 + 300 + 3000 + 10);
}

TEST(Mlp, what_is_not_a_number_stays_visible) {
  for (const char* activation : {"relu", "tanh"}) {
    const auto model = make_mlp(4, 3, 2, activation, 0);
    Data data(2, 4, 2, 1);
    data.x[5] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> w = weights_of(model->layout().dimension(), 1), g(w.size());
    EXPECT_TRUE(std::isnan(model->gradient(w, data.images(), g))) << activation;
    data.x[5] = 0;
    w[2] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(model->loss(w, data.images()))) << activation;
  }
}

/// Every element differs between seeds, lies in the stated range, and fills it.
void expect_initial(const Model& model, const Tensor& t, double limit) {
  std::vector<float> a(model.layout().dimension(), 7), b(a.size(), 7), again(a.size(), 7);
  model.initialize(1, a);
  model.initialize(2, b);
  model.initialize(1, again);
  EXPECT_EQ(a, again);
  double low = 1, high = -1, mean = 0, square = 0;
  std::size_t equal = 0;
  for (std::size_t i = t.offset; i < t.end(); ++i) {
    low = std::min(low, double{a[i]}), high = std::max(high, double{a[i]});
    mean += a[i] / static_cast<double>(t.size), square += double{a[i]} * a[i] / static_cast<double>(t.size);
    equal += a[i] == b[i] ? 1 : 0;
  }
  EXPECT_GE(low, -limit * (1 + 1e-6));
  EXPECT_LE(high, limit * (1 + 1e-6));
  // n uniform draws leave a gap of 10/n of the range at either end with probability e⁻¹⁰ < 1e-4; the seed is fixed.
  EXPECT_LT(low, -limit * (1 - 20 / static_cast<double>(t.size)));
  EXPECT_GT(high, limit * (1 - 20 / static_cast<double>(t.size)));
  EXPECT_LE(equal, 2 + t.size / 1000) << "two seeds draw the same numbers";
  const double n = static_cast<double>(t.size), deviation = limit / std::sqrt(3.0);
  EXPECT_NEAR(mean, 0, 6 * deviation / std::sqrt(n)) << t.name;
  // Var(U²) of U[−l, l] is l⁴(1/5 − 1/9).
  EXPECT_NEAR(square, limit * limit / 3, 6 * limit * limit * std::sqrt(4.0 / 45 / n)) << t.name;
}

TEST(InitialWeights, have_the_stated_range_and_depend_on_the_seed) {
  const LinearModel linear(1003, 0);
  expect_initial(linear, linear.layout().tensors()[0], 0.5);
  const auto mlp = make_mlp(100, 50, 10, "relu", 0);
  expect_initial(*mlp, mlp->layout().tensors()[0], std::sqrt(6.0 / 150));
  expect_initial(*mlp, mlp->layout().tensors()[2], std::sqrt(6.0 / 60));
  std::vector<float> w(mlp->layout().dimension(), 7);
  mlp->initialize(1, w);
  for (const std::size_t l : {1U, 3U})
    for (std::size_t i = mlp->layout().tensors()[l].offset; i < mlp->layout().tensors()[l].end(); ++i) EXPECT_EQ(w[i], 0);
}

TEST(InitialWeights, are_draws_of_the_whole_vector) {
  std::vector<float> w(9), all(9);
  LinearModel(9, 0).initialize(3, w);
  Stream(3, Draw::InitialWeights).uniform(0, -0.5F, 0.5F, all);
  EXPECT_EQ(w, all);
}

TEST(LinearModel, loss_and_gradient_are_those_of_the_formula) {
  for (const std::size_t d : {1, 2, 7, 64, 1003})
    for (const std::size_t batch : {1, 2, 7, 64})
      for (const double l2 : {0.0, 0.3}) {
        LinearModel model(d, l2);
        const Data data(batch, d, 2, 5);
        const std::vector<float> w = weights_of(d, 6);
        std::vector<float> gradient(d, std::numeric_limits<float>::quiet_NaN());
        const double loss = model.gradient(w, data.samples(), gradient);
        const double n = static_cast<double>(batch);
        std::vector<Bounded> residual(batch);
        double expected = 0, tolerance = 0, norm = 0;
        for (std::size_t b = 0; b < batch; ++b) {
          std::vector<Bounded> x(d), wb(d);
          for (std::size_t i = 0; i < d; ++i) x[i] = Bounded::exact(data.x[b * d + i]), wb[i] = Bounded::exact(w[i]);
          residual[b] = dot(x, wb) - Bounded::exact(data.targets[b]);
          expected += residual[b].value * residual[b].value / (2 * n);
          tolerance += (2 * std::abs(residual[b].value) + residual[b].error) * residual[b].error / (2 * n);
        }
        for (const float value : w) norm += double{value} * value;
        expected += l2 / 2 * norm;
        EXPECT_TRUE(std::abs(loss - expected) <= tolerance + 1e-12 * expected) << d << " " << batch;
        EXPECT_EQ(model.loss(w, data.samples()), loss);
        EXPECT_EQ(model.evaluate(w, data.samples()).correct, 0);
        EXPECT_TRUE(std::abs(model.evaluate(w, data.samples()).loss - (expected - l2 / 2 * norm) * n) <=
                    n * tolerance + 1e-12 * n * expected);
        for (std::size_t i = 0; i < d; ++i) {
          std::vector<Bounded> column(batch);
          for (std::size_t b = 0; b < batch; ++b) column[b] = Bounded::exact(data.x[b * d + i]);
          const Bounded g = dot(column, residual) * Bounded::constant(1 / n) + Bounded::constant(l2) * Bounded::exact(w[i]);
          // BLAS may multiply by 1/B before or after the sum: one more rounding of each.
          ASSERT_TRUE(std::abs(gradient[i] - g.value) <= 2 * g.error) << "d = " << d << ", batch " << batch << ", element " << i;
        }
      }
}

TEST(LinearModel, the_gradient_is_the_central_difference_of_the_loss) {
  LinearModel model(7, 0.3);
  const Data data(2, 7, 2, 5);
  std::vector<float> w = weights_of(7, 6), gradient(7);
  model.gradient(w, data.samples(), gradient);
  // A quadratic: the central difference has no error of its own, so a large step is best. Rounding: 2⁻²⁴ of the loss over h.
  const float h = 0.25F;
  for (std::size_t i = 0; i < 7; ++i) {
    const float at = w[i];
    w[i] = at + h;
    const double up = model.loss(w, data.samples()), up_step = double{w[i]} - at;
    w[i] = at - h;
    const double down = model.loss(w, data.samples()), down_step = double{at} - w[i];
    w[i] = at;
    EXPECT_NEAR(gradient[i], (up - down) / (up_step + down_step), 40 * 0x1p-24 * (up + down) / h);
  }
}

TEST(LinearModel, gram_matrix) {
  for (const std::size_t d : {1, 7, 1003})
    for (const std::size_t batch : {1, 2, 7, 64}) {
      const LinearModel model(d, 0);
      const Data data(batch, d, 2, 9);
      std::vector<float> gram(batch * batch, std::numeric_limits<float>::quiet_NaN());
      model.gram(data.samples(), gram);
      for (std::size_t a = 0; a < batch; ++a)
        for (std::size_t b = 0; b < batch; ++b) {
          std::vector<Bounded> x(d), y(d);
          for (std::size_t i = 0; i < d; ++i) x[i] = Bounded::exact(data.x[a * d + i]), y[i] = Bounded::exact(data.x[b * d + i]);
          const Bounded expected = dot(x, y) * Bounded::constant(1 / static_cast<double>(batch));
          ASSERT_TRUE(std::abs(gram[a * batch + b] - expected.value) <= 2 * expected.error) << d << " " << batch;
          EXPECT_EQ(gram[a * batch + b], gram[b * batch + a]);
        }
    }
}

TEST(SoftmaxCrossEntropy, closed_forms) {
  const std::vector<std::int32_t> label = {2};
  std::vector<float> derivative(4);
  // Equal logits: log C, whatever their size; derivative 1/C − [label].
  for (const float z : {0.0F, -80.0F, 1e4F, 3e38F}) {
    const Evaluation e = softmax_cross_entropy(4, std::vector<float>(4, z), label, derivative);
    EXPECT_DOUBLE_EQ(e.loss, std::log(4.0)) << z;
    EXPECT_EQ(derivative, (std::vector<float>{0.25F, 0.25F, -0.75F, 0.25F}));
    EXPECT_EQ(e.correct, 0) << "of equal outputs the first counts";
  }
  // Two classes: log(1 + exp(−margin)).
  for (const double margin : {-90.0, -2.0, 0.0, 0.5, 30.0}) {
    const std::vector<float> z = {static_cast<float>(margin), 0};
    const Evaluation e = softmax_cross_entropy(2, z, std::vector<std::int32_t>{0}, std::span(derivative).first(2));
    const double exact = margin > 0 ? std::log1p(std::exp(-margin)) : -margin + std::log1p(std::exp(margin));
    EXPECT_NEAR(e.loss, exact, 1e-14 * (1 + std::abs(margin)));
    EXPECT_NEAR(derivative[0], -1 / (1 + std::exp(margin)), 0x1p-23);
    EXPECT_NEAR(derivative[0], -derivative[1], 1e-15);
    EXPECT_EQ(e.correct, margin >= 0 ? 1 : 0);
  }
}

TEST(SoftmaxCrossEntropy, sums_over_samples_and_differentiates_the_mean) {
  for (const std::size_t batch : {1, 2, 7, 64}) {
    const Data data(batch, 5, 5, 3);
    std::vector<float> derivative(batch * 5), one(5);
    const Evaluation all = softmax_cross_entropy(5, data.x, data.labels, derivative);
    Evaluation sum;
    for (std::size_t b = 0; b < batch; ++b) {
      sum += softmax_cross_entropy(5, std::span(data.x).subspan(5 * b, 5), std::span(data.labels).subspan(b, 1), one);
      double total = 0;
      for (std::size_t c = 0; c < 5; ++c) {
        EXPECT_NEAR(derivative[5 * b + c] * static_cast<double>(batch), one[c], 2 * 0x1p-23);
        total += derivative[5 * b + c];
      }
      EXPECT_NEAR(total, 0, 5 * 0x1p-24);
    }
    EXPECT_DOUBLE_EQ(all.loss, sum.loss);
    EXPECT_EQ(all.correct, sum.correct);
    EXPECT_EQ(softmax_cross_entropy(5, data.x, data.labels, {}).loss, all.loss);
  }
  for (const std::size_t bad : {0U, 1U, 4U}) {
    std::vector<float> z(5, 1.0F);
    z[bad] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(softmax_cross_entropy(5, z, std::vector<std::int32_t>{2}, {}).loss)) << bad;
    z[bad] = std::numeric_limits<float>::infinity();
    EXPECT_FALSE(std::isfinite(softmax_cross_entropy(5, z, std::vector<std::int32_t>{2}, {}).loss)) << bad;
  }
}

TEST(Blas, says_what_it_is) {
  EXPECT_TRUE(blas_version().starts_with("OpenBLAS 0.")) << blas_version();
  EXPECT_FALSE(blas_kernel().empty());
  const std::string advice = faster_blas_kernel();
  EXPECT_TRUE(advice.empty() || advice.find("OPENBLAS_CORETYPE") != std::string::npos) << advice;
  if (blas_kernel() == "SkylakeX" || blas_kernel() == "Cooperlake" || blas_kernel() == "Zen4") {
    EXPECT_EQ(advice, "");
  }
  if (blas_kernel() == "Prescott" && __builtin_cpu_supports("avx2")) {
    EXPECT_NE(advice, "");
  }
}

}  // namespace
}  // namespace qsweep
