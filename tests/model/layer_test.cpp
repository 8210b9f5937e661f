// Each layer: its plain reference in double against central differences, the fast layer against the reference, at odd sizes.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/cpu.h"
#include "model/batch_norm.h"
#include "model/chain.h"
#include "model/image_kernels.h"
#include "model/image_layers.h"
#include "model/loss.h"
#include "model/reference.h"

namespace qsweep {
namespace {

using reference::Values;

Values<double> draws(std::size_t n, std::uint32_t seed) {
  std::vector<float> values(n);
  Stream(seed, Draw::Data).normal(0, values);
  return {values.begin(), values.end()};
}

/// [batch, C, H, W] in double to the image's own order in float, channels that fill up zero; and back.
std::vector<float> store(std::size_t batch, const Image& image, const Values<double>& x) {
  std::vector<float> stored(batch * image.stored());
  for (std::size_t b = 0; b < batch; ++b)
    for (std::size_t c = 0; c < image.channels; ++c)
      for (std::size_t h = 0; h < image.height; ++h)
        for (std::size_t w = 0; w < image.width; ++w)
          stored[b * image.stored() + image.index(c, h, w)] = static_cast<float>(x[((b * image.channels + c) * image.height + h) * image.width + w]);
  return stored;
}

/// Largest difference over the largest value of the reference; NaN, and anything but zero in a channel that only fills a block, fail.
double error(std::size_t batch, const Image& image, std::span<const float> stored, const Values<double>& expected) {
  double worst = 0, largest = 1e-30;
  std::vector<float> rest(stored.begin(), stored.end());
  for (std::size_t b = 0; b < batch; ++b)
    for (std::size_t c = 0; c < image.channels; ++c)
      for (std::size_t h = 0; h < image.height; ++h)
        for (std::size_t w = 0; w < image.width; ++w) {
          float& value = rest[b * image.stored() + image.index(c, h, w)];
          const double wanted = expected[((b * image.channels + c) * image.height + h) * image.width + w];
          if (!(std::abs(value - wanted) <= worst)) worst = std::isnan(value) ? std::numeric_limits<double>::infinity() : std::abs(value - wanted);
          largest = std::max(largest, std::abs(wanted));
          value = 0;
        }
  for (const float value : rest)
    if (!(value == 0)) return std::numeric_limits<double>::infinity();
  return worst / largest;
}
double error(std::span<const float> values, const Values<double>& expected) { return error(1, {expected.size()}, values, expected); }

/// Σ y·dy as a function of x, differentiated along random directions, beside dx. h = cbrt(eps); kinks must not lie within h of x.
void expect_derivative(const std::function<Values<double>(const Values<double>&)>& f, const Values<double>& x, const Values<double>& dy, const Values<double>& dx) {
  const double h = std::cbrt(std::numeric_limits<double>::epsilon());
  for (std::uint32_t seed = 100; seed < 103; ++seed) {
    const Values<double> direction = draws(x.size(), seed);
    Values<double> up = x, down = x;
    for (std::size_t i = 0; i < x.size(); ++i) up[i] += h * direction[i], down[i] -= h * direction[i];
    const Values<double> above = f(up), below = f(down);
    double difference = 0, product = 0, size = 0;
    for (std::size_t i = 0; i < dy.size(); ++i) difference += dy[i] * (above[i] - below[i]) / (2 * h);
    for (std::size_t i = 0; i < x.size(); ++i) product += dx[i] * direction[i], size += std::abs(dx[i] * direction[i]);
    EXPECT_TRUE(std::abs(difference - product) <= 1e-7 * (size + 1)) << difference << " beside " << product;
  }
}

const std::vector<float> no_weights;

/// Runs one fast layer forward and backward; offers what came out.
struct Passed {
  std::vector<float> y, dx, gradient;
  Passed(Layer& layer, std::size_t batch, std::span<const float> w, std::span<const float> x, std::span<const float> dy, std::span<float> state = {})
      : y(batch * layer.outputs(), NAN), dx(batch * layer.inputs(), NAN), gradient(w.size(), NAN) {
    const Pass pass{.w = w, .batch = batch, .training = true, .state = state};
    layer.forward(pass, x, y);
    layer.backward(pass, x, y, dy, dx, gradient);
  }
};

Image blocked(std::size_t channels, std::size_t height, std::size_t width) { return {channels, height, width, channel_block()}; }

/// Each image in blocks of 8 and of 16 channels, whatever this CPU's own are; vectors as they are. (oneDNN's layers take its own only.)
std::vector<Image> both_blocks(std::initializer_list<Image> images) {
  std::vector<Image> all;
  for (Image image : images) {
    if (image.block == 1) all.push_back(image);
    else
      for (const std::size_t block : {8U, 16U}) image.block = block, all.push_back(image);
  }
  return all;
}

struct ConvolutionCase {
  std::size_t batch;
  Image input;
  std::size_t outputs;
  Window window;
  bool bias;
  ConvolutionKind kind = ConvolutionKind::direct;
  double tolerance = 1e-5;
};

void expect_convolution(const ConvolutionCase& t) {
  Layout layout;
  layout.add("before", {3}, true);  // the layer's own do not begin at 0
  const auto made = make_convolution(layout, "conv1", t.input, t.outputs, t.window, t.bias, t.kind);
  Convolution& layer = *made;
  const Image in = reference::plain(t.input), out = reference::plain(layer.image());
  SCOPED_TRACE(testing::Message() << "batch " << t.batch << ", " << in.channels << "x" << in.height << "x" << in.width << " block " << t.input.block << " to " << out.channels << "x"
                                  << out.height << "x" << out.width << ", window " << t.window.size << "/" << t.window.stride << " padded " << t.window.before << "+" << t.window.after);
  const std::size_t weights = out.channels * in.channels * t.window.size * t.window.size;
  ASSERT_EQ(layout.dimension(), 3 + weights + (t.bias ? out.channels : 0));
  const Values<double> x = draws(t.batch * in.size(), 1), w = draws(layout.dimension(), 2), dy = draws(t.batch * out.size(), 3);
  const double* bias = t.bias ? &w[3 + weights] : nullptr;
  const Values<double> y = reference::convolution(t.batch, in, out, t.window, &w[3], bias, x);
  const auto g = reference::convolution_back(t.batch, in, out, t.window, &w[3], x, dy);
  const std::vector<float> fw(w.begin(), w.end());
  const Passed fast(layer, t.batch, fw, store(t.batch, t.input, x), store(t.batch, layer.image(), dy));
  EXPECT_LE(error(t.batch, layer.image(), fast.y, y), t.tolerance);
  EXPECT_LE(error(t.batch, t.input, fast.dx, g.x), t.tolerance);
  EXPECT_LE(error(std::span(fast.gradient).subspan(3, weights), g.weight), t.tolerance);
  if (t.bias) {
    EXPECT_LE(error(std::span(fast.gradient).subspan(3 + weights, out.channels), g.bias), t.tolerance);
  }
}

TEST(Convolution, reference_has_the_derivative_of_its_sum) {
  const Image in{3, 5, 4}, out{2, 3, 2};
  const Window window{3, 2, 1, 1};
  const Values<double> x = draws(2 * in.size(), 1), w = draws(2 * 3 * 9, 2), b = draws(2, 4), dy = draws(2 * out.size(), 3);
  const auto g = reference::convolution_back(2, in, out, window, w.data(), x, dy);
  expect_derivative([&](const auto& v) { return reference::convolution(2, in, out, window, w.data(), b.data(), v); }, x, dy, g.x);
  expect_derivative([&](const auto& v) { return reference::convolution(2, in, out, window, v.data(), b.data(), x); }, w, dy, g.weight);
  expect_derivative([&](const auto& v) { return reference::convolution(2, in, out, window, w.data(), v.data(), x); }, b, dy, g.bias);
}

TEST(Convolution, is_the_reference) {
  for (const bool bias : {false, true}) {
    expect_convolution({1, {1, 7, 5, 1}, 20, {5, 1, 0, 0}, bias});
    expect_convolution({7, {3, 9, 9, 1}, 16, {5, 1, 2, 2}, bias});
    expect_convolution({2, {3, 8, 7, 1}, 17, {3, 2, 1, 1}, bias});
    expect_convolution({2, blocked(20, 6, 7), 50, {5, 1, 0, 0}, bias});
    expect_convolution({3, blocked(16, 7, 7), 32, {3, 2, 1, 1}, bias});
    expect_convolution({2, blocked(16, 8, 8), 32, {3, 2, 0, 1}, bias});  // asymmetric: TensorFlow's SAME on an even size
    expect_convolution({2, blocked(3, 5, 5), 1, {3, 1, 1, 1}, bias});
    expect_convolution({1, blocked(64, 2, 2), 64, {3, 1, 1, 1}, bias});
    expect_convolution({5, blocked(33, 3, 11), 7, {1, 1, 0, 0}, bias});
  }
}

TEST(Convolution, winograd_is_the_reference_to_ten_times_the_error) {
  for (const ConvolutionKind kind : {ConvolutionKind::winograd, ConvolutionKind::automatic}) {
    expect_convolution({3, blocked(32, 8, 8), 64, {3, 1, 1, 1}, false, kind, 1e-4});
    expect_convolution({2, blocked(64, 9, 7), 32, {3, 1, 1, 1}, true, kind, 1e-4});
    expect_convolution({2, blocked(16, 4, 4), 20, {3, 2, 1, 1}, true, kind, 1e-4});  // not Winograd's: direct
    expect_convolution({5, blocked(20, 12, 12), 50, {5, 1, 0, 0}, true, kind, 1e-4});
    expect_convolution({9, blocked(64, 12, 12), 64, {5, 1, 2, 2}, true, kind, 1e-4});
    expect_convolution({3, blocked(17, 9, 7), 33, {5, 1, 2, 2}, false, kind, 1e-4});  // tiles that hang over the edge
    expect_convolution({2, blocked(8, 11, 5), 9, {5, 1, 0, 1}, true, kind, 1e-4});
    expect_convolution({1, blocked(64, 6, 13), 96, {5, 1, 4, 4}, false, kind, 1e-4});
  }
}

TEST(Convolution, repeats_its_bits_after_another_batch) {
  const Image input = blocked(32, 6, 6);
  for (const ConvolutionKind kind : {ConvolutionKind::direct, ConvolutionKind::winograd}) {
    Layout layout, same_layout;
    LibraryConvolution layer(layout, "conv1", input, 32, {3, 1, 1, 1}, true, kind, {}), fresh(same_layout, "conv1", input, 32, {3, 1, 1, 1}, true, kind, {});
    const Values<double> x = draws(5 * input.size(), 1), w = draws(layout.dimension(), 2);
    const std::vector<float> fw(w.begin(), w.end()), large = store(5, input, x), small(large.begin(), large.begin() + static_cast<std::ptrdiff_t>(2 * input.stored()));
    const Passed one(layer, 5, fw, large, large), two(layer, 2, fw, small, small), again(layer, 5, fw, large, large), other(fresh, 5, fw, large, large);
    EXPECT_TRUE(one.y == again.y && one.dx == again.dx && one.gradient == again.gradient);
    EXPECT_TRUE(one.y == other.y && one.dx == other.dx && one.gradient == other.gradient);
    EXPECT_EQ(two.y, std::vector<float>(one.y.begin(), one.y.begin() + static_cast<std::ptrdiff_t>(two.y.size())));
  }
}

TEST(Convolution, tells_the_algorithm_that_it_chose) {
  const auto told = [](const Image& input, std::size_t outputs, const Window& window, ConvolutionKind kind) {
    Layout layout;
    const auto layer = make_convolution(layout, "conv7", input, outputs, window, false, kind);
    const std::vector<float> x(input.stored()), w(layout.dimension()), dy(layer->outputs());
    const Passed passed(*layer, 1, w, x, dy);
    std::vector<std::string> all;
    layer->tell_algorithm(all);
    return all;
  };
  using Told = std::vector<std::string>;
  const Window five{5, 1, 2, 2}, three{3, 1, 1, 1};
  for (const auto kind : {ConvolutionKind::automatic, ConvolutionKind::winograd}) EXPECT_EQ(told(blocked(16, 8, 8), 16, five, kind), Told{"conv7 winograd"});
  EXPECT_EQ(told(blocked(16, 8, 8), 16, five, ConvolutionKind::direct), Told{"conv7 direct"});
  EXPECT_EQ(told(blocked(16, 8, 8), 16, three, ConvolutionKind::automatic), Told{"conv7 winograd"});
  EXPECT_EQ(told(blocked(3, 8, 8), 16, three, ConvolutionKind::automatic), Told{"conv7 direct"}) << "too few channels to pay";
  EXPECT_EQ(told({3, 8, 8, 1}, 16, five, ConvolutionKind::winograd), Told{"conv7 direct"}) << "the network's input is not in blocks";
  EXPECT_EQ(told(blocked(16, 8, 8), 16, {3, 2, 1, 1}, ConvolutionKind::winograd), Told{"conv7 direct"}) << "stride 2";
}

TEST(Window, same_is_that_of_tensorflow) {
  for (const auto& [size, stride, inputs, before, after, outputs] : {std::tuple{3U, 2U, 24U, 0U, 1U, 12U}, {3U, 2U, 12U, 0U, 1U, 6U}, {3U, 2U, 7U, 1U, 1U, 4U}, {5U, 1U, 9U, 2U, 2U, 9U}, {2U, 2U, 5U, 0U, 1U, 3U}}) {
    const Window w = Window::same(size, stride, inputs);
    EXPECT_EQ(w.before, before);
    EXPECT_EQ(w.after, after);
    EXPECT_EQ(w.outputs(inputs), outputs);
  }
}

TEST(MaxPool, is_the_reference) {
  for (const Image& input : both_blocks({blocked(1, 2, 2), blocked(20, 7, 5), blocked(16, 24, 24), blocked(64, 12, 12), blocked(33, 9, 11)}))
    for (const Window& window : {Window{2, 2, 0, 0}, Window::same(3, 2, input.height), Window{3, 2, 1, 1}}) {
      if (window.after == 0 && window.size == 3) continue;
      const Window w = input.height == input.width ? window : Window{window.size, window.stride, window.before, window.before};
      if (w.size > input.height + 2 * w.before) continue;
      MaxPool layer(input, w);
      const Image in = reference::plain(input), out = reference::plain(layer.image());
      const Values<double> x = draws(3 * in.size(), 5), dy = draws(3 * out.size(), 6);
      std::vector<std::size_t> where;
      const Values<double> y = reference::max_pool(3, in, out, w, x, where), dx = reference::max_pool_back(x.size(), where, dy);
      const Passed fast(layer, 3, no_weights, store(3, input, x), store(3, layer.image(), dy));
      EXPECT_EQ(error(3, layer.image(), fast.y, y), 0);
      EXPECT_LE(error(3, input, fast.dx, dx), 4 * 0x1p-24);  // up to four windows share a maximum
      if (input.channels == 20)
        expect_derivative([&](const auto& v) { std::vector<std::size_t> at; return reference::max_pool(3, in, out, w, v, at); }, x, dy, dx);
    }
}

TEST(MaxPool, rectified_is_that_of_a_relu_before_it) {
  for (const Image& input : {blocked(20, 7, 5), blocked(64, 12, 12)}) {
    const Window w = Window::same(3, 2, 12);
    MaxPool fused(input, w, true), plain(input, w);
    Relu relu(input.stored());
    const Values<double> x = draws(2 * reference::plain(input).size(), 5);
    Values<double> shifted = x;
    for (double& value : shifted) value -= 1;  // windows without a positive value among them
    const Values<double> dy = draws(2 * reference::plain(fused.image()).size(), 6);
    const std::vector<float> fx = store(2, input, shifted), fdy = store(2, fused.image(), dy);
    const Passed one(fused, 2, no_weights, fx, fdy);
    const Passed first(relu, 2, no_weights, fx, fx), second(plain, 2, no_weights, first.y, fdy);
    std::vector<float> dx(fx.size());
    relu.backward({.batch = 2, .training = true}, fx, first.y, second.dx, dx, {});
    EXPECT_EQ(one.y, second.y);
    EXPECT_EQ(one.dx, dx);
  }
}

TEST(MaxPool, equal_values_and_what_is_not_a_number) {
  const Image input = blocked(1, 2, 2);
  MaxPool layer(input, {2, 2, 0, 0});
  const Passed equal(layer, 1, no_weights, store(1, input, {-3, -3, -3, -3}), store(1, layer.image(), {5}));
  EXPECT_EQ(error(1, input, equal.dx, {5, 0, 0, 0}), 0) << "the first of equal maxima";
  for (std::size_t bad = 0; bad < 4; ++bad) {
    Values<double> x = {1, 2, 3, 4};
    x[bad] = NAN;
    EXPECT_TRUE(std::isnan(Passed(layer, 1, no_weights, store(1, input, x), store(1, layer.image(), {5})).y[0])) << bad;
  }
}

TEST(AveragePool, is_the_reference) {
  for (const Image& input : both_blocks({blocked(64, 8, 8), blocked(20, 3, 5), blocked(1, 1, 1)})) {
    AveragePool layer(input);
    const Image in = reference::plain(input);
    const Values<double> x = draws(7 * in.size(), 5), dy = draws(7 * in.channels, 6);
    const Values<double> y = reference::average_pool(7 * in.channels, in.pixels(), x), dx = reference::average_pool_back(7 * in.channels, in.pixels(), dy);
    const Passed fast(layer, 7, no_weights, store(7, input, x), store(7, layer.image(), dy));
    EXPECT_LE(error(7, layer.image(), fast.y, y), 1e-6);
    EXPECT_LE(error(7, input, fast.dx, dx), 1e-6);
    expect_derivative([&](const auto& v) { return reference::average_pool(7 * in.channels, in.pixels(), v); }, x, dy, dx);
  }
}

/// Two towers of a convolution are one convolution whose weights between the towers are zero.
TEST(Convolution, towers_do_not_see_each_other) {
  constexpr std::size_t channels = 32, outputs = 64, batch = 3, area = 9, half = channels / 2;
  const Image input = blocked(channels, 7, 6);
  const Window window{3, 1, 1, 1};
  Layout apart, together;
  LibraryConvolution towers(apart, "conv1", input, outputs, window, true, ConvolutionKind::direct, {}, 2);
  LibraryConvolution whole(together, "conv1", input, outputs, window, true, ConvolutionKind::direct, {});
  ASSERT_EQ(apart.tensors()[0].shape, (std::vector<std::size_t>{outputs, half, 3, 3}));
  const Values<double> w = draws(apart.dimension(), 1), x = draws(batch * input.size(), 2), dy = draws(batch * towers.image().size(), 3);
  std::vector<float> narrow(w.begin(), w.end()), wide(together.dimension(), 0.0F);
  const auto at = [&](std::size_t o, std::size_t c) { return (o * channels + o / (outputs / 2) * half + c) * area; };  // in the whole
  for (std::size_t o = 0; o < outputs; ++o)
    for (std::size_t c = 0; c < half; ++c) std::copy_n(&narrow[(o * half + c) * area], area, &wide[at(o, c)]);
  std::copy(narrow.end() - outputs, narrow.end(), wide.end() - outputs);
  const auto fx = store(batch, input, x), fdy = store(batch, towers.image(), dy);
  const Passed a(towers, batch, narrow, fx, fdy), b(whole, batch, wide, fx, fdy);
  const auto close = [](std::span<const float> found, std::span<const float> expected) {
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-3) << i;  // sums of 144 and of 126 products
  };
  close(a.y, b.y);
  close(a.dx, b.dx);
  for (std::size_t o = 0; o < outputs; ++o)
    for (std::size_t c = 0; c < half; ++c) close(std::span(a.gradient).subspan((o * half + c) * area, area), std::span(b.gradient).subspan(at(o, c), area));
  close(std::span(a.gradient).last(outputs), std::span(b.gradient).last(outputs));
}

TEST(LocalResponseNorm, towers_do_not_see_each_other) {
  const Image both = blocked(64, 3, 5), one = blocked(32, 3, 5);
  LocalResponseNorm towers(both, 2, 2, 1e-2F, 2), tower(one, 2, 2, 1e-2F);
  const Values<double> x = draws(both.size(), 1), dy = draws(both.size(), 2);
  const Passed whole(towers, 1, {}, store(1, both, x), store(1, both, dy));
  for (std::size_t t = 0; t < 2; ++t) {  // in memory the second tower lies behind the first
    const auto half = [&](const std::vector<float>& v) { return std::vector<float>(v.begin() + static_cast<std::ptrdiff_t>(t * one.stored()), v.begin() + static_cast<std::ptrdiff_t>((t + 1) * one.stored())); };
    const Passed part(tower, 1, {}, half(store(1, both, x)), half(store(1, both, dy)));
    EXPECT_EQ(half(whole.y), part.y);
    EXPECT_EQ(half(whole.dx), part.dx);
  }
  EXPECT_THROW(LocalResponseNorm(blocked(24, 3, 5), 2, 2, 1e-2F, 2), std::invalid_argument);
}

TEST(LocalResponseNorm, is_the_reference) {
  for (const Image& input : both_blocks({blocked(64, 6, 6), blocked(20, 3, 5), blocked(3, 2, 2), blocked(1, 1, 1), blocked(33, 1, 7)}))
    for (const auto& [radius, alpha] : {std::pair{4U, 0.001F / 9}, {4U, 0.7F}, {1U, 0.7F}, {7U, 0.2F}}) {  // large alphas, so that the sum counts
      LocalResponseNorm layer(input, radius, 1, alpha);
      const Image in = reference::plain(input);
      const Values<double> x = draws(3 * in.size(), 5), dy = draws(3 * in.size(), 6);
      const Values<double> y = reference::response_norm<double>(3, in, radius, 1, alpha, x), dx = reference::response_norm_back<double>(3, in, radius, 1, alpha, x, dy);
      const Passed fast(layer, 3, no_weights, store(3, input, x), store(3, input, dy));
      EXPECT_LE(error(3, input, fast.y, y), 1e-6);
      EXPECT_LE(error(3, input, fast.dx, dx), 1e-5);
      expect_derivative([&](const auto& v) { return reference::response_norm<double>(3, in, radius, 1, alpha, v); }, x, dy, dx);
    }
}

TEST(BatchNorm, is_the_reference) {
  for (const Image& input : both_blocks({blocked(64, 6, 6), blocked(20, 9, 9), blocked(3, 2, 2), Image{500}, Image{7}, Image{24}}))
    for (const bool affine : {false, true})
      for (const bool rectify : {false, true}) {
        constexpr std::size_t batch = 7;
        Layout layout, state_layout;
        BatchNorm layer(layout, state_layout, "bn1", input, affine, rectify);
        const Image in = reference::plain(input);
        Values<double> x = draws(batch * in.size(), 5), dy = draws(batch * in.size(), 6), w = draws(2 * in.channels, 7);
        for (double& v : x) v = v * 2 + 3;
        Values<double> rounded(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) rounded[i] = static_cast<float>(x[i]);
        x = rounded;
        const double *gamma = affine ? w.data() : nullptr, *beta = affine ? &w[in.channels] : nullptr;
        Values<double> mean, variance;
        reference::moments(batch, in, x, mean, variance);
        const double epsilon = BatchNorm::epsilon;
        Values<double> y = reference::batch_norm<double>(in, gamma, beta, epsilon, mean, variance, x), masked = dy;
        if (rectify)
          for (std::size_t i = 0; i < y.size(); ++i) masked[i] = y[i] > 0 ? dy[i] : 0, y[i] = std::max(y[i], 0.0);
        const auto g = reference::batch_norm_back<double>(batch, in, gamma, epsilon, x, masked);
        std::vector<float> state(state_layout.dimension()), fw(w.begin(), w.begin() + static_cast<std::ptrdiff_t>(layout.dimension()));
        ASSERT_EQ(state.size(), 2 * in.channels);
        layer.initialize_state(state);
        const Passed fast(layer, batch, fw, store(batch, input, x), store(batch, input, dy), state);
        EXPECT_LE(error(batch, input, fast.y, y), 1e-5);
        EXPECT_LE(error(batch, input, fast.dx, g.x), 1e-5);
        if (affine) {
          EXPECT_LE(error(std::span(fast.gradient).first(in.channels), g.weight), 1e-5);
          EXPECT_LE(error(std::span(fast.gradient).subspan(in.channels), g.bias), 1e-5);
        }
        const double n = static_cast<double>(batch * in.pixels());
        Values<double> running_mean(in.channels), running_variance(in.channels);
        for (std::size_t c = 0; c < in.channels; ++c) running_mean[c] = 0.1 * mean[c], running_variance[c] = 0.9 + 0.1 * variance[c] * n / (n - 1);
        EXPECT_LE(error(std::span(state).first(in.channels), running_mean), 1e-6);
        EXPECT_LE(error(std::span(state).subspan(in.channels), running_variance), 1e-6);
        std::vector<float> evaluated(fast.y.size());
        layer.forward({.w = fw, .batch = batch, .state = state}, store(batch, input, x), evaluated);
        Values<double> expected = reference::batch_norm<double>(in, gamma, beta, epsilon, running_mean, running_variance, x);
        if (rectify)
          for (double& v : expected) v = std::max(v, 0.0);
        EXPECT_LE(error(batch, input, evaluated, expected), 1e-5);
        expect_derivative([&](const auto& v) {
          Values<double> m, s;
          reference::moments(batch, in, v, m, s);
          return reference::batch_norm<double>(in, gamma, beta, epsilon, m, s, v);
        }, x, masked, g.x);
      }
}

TEST(BatchNorm, a_mean_far_from_zero_costs_no_accuracy) {
  const Image input = blocked(16, 8, 8);
  Layout layout, state_layout;
  BatchNorm layer(layout, state_layout, "bn1", input, false, false);
  Values<double> x = draws(16 * input.size(), 5);
  for (double& v : x) v = static_cast<float>(v + 1000);
  Values<double> mean, variance;
  reference::moments(16, reference::plain(input), x, mean, variance);
  const Values<double> y = reference::batch_norm<double>(reference::plain(input), nullptr, nullptr, BatchNorm::epsilon, mean, variance, x);
  std::vector<float> fast(16 * input.stored());
  layer.forward({.batch = 16, .training = true}, store(16, input, x), fast);
  EXPECT_LE(error(16, input, fast, y), 1e-4);  // the mean itself is rounded to 1000·2⁻²⁴ = 6e-5 of the deviation
}

TEST(Flatten, has_the_order_of_pytorch) {
  for (const Image& input : both_blocks({blocked(20, 3, 5), blocked(32, 2, 2), blocked(1, 1, 1)})) {
    Flatten layer(input);
    const Values<double> x = draws(2 * input.size(), 5);
    const std::vector<float> flat(x.begin(), x.end());
    const Passed fast(layer, 2, no_weights, store(2, input, x), flat);
    EXPECT_EQ(fast.y, flat);
    EXPECT_EQ(fast.dx, store(2, input, x));
  }
}

TEST(Dense, is_the_reference) {
  for (const auto& [batch, inputs, outputs] : {std::tuple{1U, 1U, 1U}, {7U, 33U, 5U}, {64U, 100U, 10U}}) {
    Layout layout;
    layout.add("before", {2}, true);
    Dense layer(layout, "fc1", inputs, outputs);
    const Values<double> x = draws(batch * inputs, 1), w = draws(layout.dimension(), 2), dy = draws(batch * outputs, 3);
    const double *weight = &w[2], *bias = &w[2 + inputs * outputs];
    // A dense layer is a convolution of one pixel.
    const Image in{inputs}, out{outputs};
    const auto g = reference::convolution_back<double>(batch, in, out, {1, 1, 0, 0}, weight, x, dy);
    const std::vector<float> fw(w.begin(), w.end()), fx(x.begin(), x.end()), fdy(dy.begin(), dy.end());
    const Passed fast(layer, batch, fw, fx, fdy);
    EXPECT_LE(error(fast.y, reference::dense(batch, inputs, outputs, weight, bias, x)), 1e-5);
    EXPECT_LE(error(fast.dx, g.x), 1e-5);
    EXPECT_LE(error(std::span(fast.gradient).subspan(2, inputs * outputs), g.weight), 1e-5);
    EXPECT_LE(error(std::span(fast.gradient).subspan(2 + inputs * outputs), g.bias), 1e-5);
    expect_derivative([&](const auto& v) { return reference::dense(batch, inputs, outputs, weight, bias, v); }, x, dy, g.x);
  }
}

TEST(Activations, are_their_formulas) {
  const Values<double> x = draws(1003, 1), dy = draws(1003, 2);
  Values<double> rectified(x.size()), tangent(x.size()), back(x.size()), tangent_back(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    rectified[i] = std::max(x[i], 0.0), back[i] = x[i] > 0 ? dy[i] : 0;
    tangent[i] = std::tanh(x[i]), tangent_back[i] = dy[i] / std::pow(std::cosh(x[i]), 2);
  }
  const std::vector<float> fx(x.begin(), x.end()), fdy(dy.begin(), dy.end());
  Relu relu(x.size());
  Tanh tanh(x.size());
  const Passed one(relu, 1, no_weights, fx, fdy), two(tanh, 1, no_weights, fx, fdy);
  EXPECT_EQ(error(one.y, rectified), 0);
  EXPECT_EQ(error(one.dx, back), 0);
  EXPECT_LE(error(two.y, tangent), 1e-6);
  EXPECT_LE(error(two.dx, tangent_back), 1e-5);
}

/// One convolution in the body: the sum with the shortcut, at odd sizes, with and without a step of 2 and further channels.
TEST(Residual, is_the_reference) {
  for (const auto& [input, outputs, stride] : {std::tuple{blocked(16, 5, 7), 16U, 1U}, {blocked(3, 4, 4), 3U, 1U}, {blocked(16, 8, 8), 32U, 2U}, {blocked(20, 7, 5), 40U, 2U}}) {
    SCOPED_TRACE(testing::Message() << input.channels << "x" << input.height << "x" << input.width << " to " << outputs << ", step " << stride);
    const Window window{3, stride, 1, 1};
    Layout layout;
    auto convolution = make_convolution(layout, "conv1", input, outputs, window, false, ConvolutionKind::direct);
    const Image blocked_out = convolution->image(), in = reference::plain(input), out = reference::plain(blocked_out);
    auto body = std::make_unique<Chain>(input.stored());
    body->add(std::move(convolution));
    Residual layer(std::move(body), input, blocked_out);
    const std::size_t batch = 3;
    const Values<double> x = draws(batch * in.size(), 1), w = draws(layout.dimension(), 2), dy = draws(batch * out.size(), 3);
    const auto sum = [&](const Values<double>& v) {
      Values<double> y = reference::convolution<double>(batch, in, out, window, w.data(), nullptr, v);
      reference::add_shortcut(batch, in, out, v, y);
      return y;
    };
    auto g = reference::convolution_back(batch, in, out, window, w.data(), x, dy);
    for (std::size_t b = 0; b < batch; ++b)
      for (std::size_t c = 0; c < in.channels; ++c)
        for (std::size_t i = 0; i < out.height; ++i)
          for (std::size_t j = 0; j < out.width; ++j)
            g.x[((b * in.channels + c) * in.height + i * stride) * in.width + j * stride] += dy[((b * out.channels + c) * out.height + i) * out.width + j];
    expect_derivative(sum, x, dy, g.x);
    const std::vector<float> fw(w.begin(), w.end());
    const Passed fast(layer, batch, fw, store(batch, input, x), store(batch, blocked_out, dy));
    EXPECT_LE(error(batch, blocked_out, fast.y, sum(x)), 1e-5);
    EXPECT_LE(error(batch, input, fast.dx, g.x), 1e-5);
    EXPECT_LE(error(fast.gradient, g.weight), 1e-5);
  }
}

TEST(Dropout, keeps_its_share_and_scales_it) {
  constexpr std::size_t n = 100'000;
  for (const double rate : {0.1, 0.5, 0.9}) {
    Dropout layer(n, rate, 1), other(n, rate, 2);
    const std::vector<float> x(n, 2), dy(n, 3);
    const Passed fast(layer, 1, no_weights, x, dy), second(other, 1, no_weights, x, dy);
    double kept = 0;
    for (std::size_t i = 0; i < n; ++i) {
      kept += fast.y[i] != 0 ? 1 : 0;
      EXPECT_TRUE(fast.y[i] == 0 || std::abs(fast.y[i] - 2 / (1 - rate)) <= 1e-5 / (1 - rate));
      EXPECT_FLOAT_EQ(fast.dx[i], 1.5F * fast.y[i]);
    }
    EXPECT_NEAR(kept, n * (1 - rate), 6 * std::sqrt(n * rate * (1 - rate)));
    EXPECT_NE(fast.y, second.y) << "two layers draw alike";
    std::vector<float> y(n);
    layer.forward({.batch = 1, .training = true, .draws = Stream(0, Draw::Dropout, 0, 1)}, x, y);
    EXPECT_NE(fast.y, y) << "two iterations draw alike";
    layer.forward({.batch = 1}, x, y);
    EXPECT_EQ(x, y) << "evaluation drops nothing";
  }
}

TEST(ImageKernels, the_same_bits_on_every_instruction_set) {
  std::vector<const ImageKernels*> sets = {&baseline::image_kernels};
  if (simd() != Simd::baseline) sets.push_back(&avx2::image_kernels);
  if (simd() == Simd::avx512) sets.push_back(&avx512::image_kernels);
  for (const std::size_t block : {8U, 16U}) {
    const Image image{24, 7, 9, block}, pooled{24, 4, 5, block};
    const std::vector<float> x = store(2, image, draws(2 * image.size(), 1)), dy = store(2, image, draws(2 * image.size(), 2));
    std::vector<std::vector<float>> results;
    for (const ImageKernels* k : sets) {
      std::vector<float> all, y(x.size()), dx(x.size()), scratch(3 * (image.groups() * block + 8 + 16));
      const auto keep = [&](std::span<const float> v) { all.insert(all.end(), v.begin(), v.end()); };
      const ResponseShape response{2, image.groups(), image.pixels(), block, 4, 1, 0.3F};
      k->response(response, x.data(), y.data(), scratch.data());
      keep(y);
      k->response_back(response, x.data(), dy.data(), dx.data(), scratch.data());
      keep(dx);
      for (const bool rectify : {false, true}) {
        const PoolShape pool{2 * image.groups(), 7, 9, 4, 5, 3, 2, 1, block, rectify};
        std::vector<std::uint8_t> where(2 * pooled.stored());
        k->max_pool(pool, x.data(), y.data(), where.data());
        keep(y);
        k->max_pool_back(pool, y.data(), dy.data(), where.data(), dx.data());
        keep(dx);
      }
      for (const std::size_t lanes : {block, std::size_t{5}})
        for (const bool rectify : {false, true}) {
          const LaneShape shape{2, image.pixels(), image.stored(), block, lanes};
          std::vector<double> mean(16), square(16), sum(16), product(16);
          std::vector<float> m(16), scale(16, 1.7F), shift(16, 0.1F);
          k->moments(shape, x.data(), mean.data(), square.data());
          m.assign(mean.begin(), mean.end());
          k->normalize(shape, x.data(), m.data(), scale.data(), shift.data(), rectify, y.data());
          k->normalize_sums(shape, x.data(), y.data(), dy.data(), m.data(), rectify, sum.data(), product.data());
          k->normalize_back(shape, x.data(), y.data(), dy.data(), m.data(), scale.data(), shift.data(), m.data(), rectify, dx.data());
          keep(y);
          keep(dx);
          for (const auto* v : {&mean, &square, &sum, &product})
            for (const double value : *v) all.push_back(static_cast<float>(value));
        }
      results.push_back(std::move(all));
    }
    for (const auto& r : results) EXPECT_EQ(r, results[0]);
  }
}

/// A loss's derivative by central differences of its own mean; all values are doubles rounded to floats, hence h = 1e-3.
template <class Loss>
void expect_loss_derivative(Loss loss) {
  const std::vector<std::int32_t> labels = {2, 0, 4};
  const Values<double> from = draws(15, 3);
  std::vector<float> z(from.begin(), from.end()), derivative(15);
  loss(5, z, labels, derivative);
  for (std::size_t i = 0; i < z.size(); ++i) {
    std::vector<float> up = z, down = z;
    up[i] += 1e-3F, down[i] -= 1e-3F;
    const double difference = (loss(5, up, labels, {}).loss - loss(5, down, labels, {}).loss) / 3 / (double{up[i]} - down[i]);
    EXPECT_NEAR(derivative[i], difference, 1e-3) << i;  // second derivatives are at most 2, and jump once
  }
}

TEST(Losses, have_their_derivatives) {
  expect_loss_derivative(softmax_cross_entropy);
  expect_loss_derivative(squared_hinge);
  expect_loss_derivative(square_loss);
}

TEST(Losses, closed_forms) {
  const std::vector<float> z = {0.5F, -2, 3};
  EXPECT_EQ(squared_hinge(3, z, std::vector<std::int32_t>{0}, {}).loss, 0.25 + 0 + 16);
  EXPECT_EQ(squared_hinge(3, z, std::vector<std::int32_t>{2}, {}).loss, 2.25 + 0 + 0);
  EXPECT_EQ(square_loss(3, z, std::vector<std::int32_t>{0}, {}).loss, (0.25 + 4 + 9) / 2);
  EXPECT_EQ(squared_hinge(3, z, std::vector<std::int32_t>{2}, {}).correct, 1);
  EXPECT_EQ(square_loss(3, z, std::vector<std::int32_t>{1}, {}).correct, 0);
  EXPECT_TRUE(std::isnan(squared_hinge(3, std::vector<float>{1, NAN, 2}, std::vector<std::int32_t>{2}, {}).loss));
}

}  // namespace
}  // namespace qsweep
