#pragma once
#include <cmath>
#include <span>
#include <stdexcept>
#include <vector>

#include "model/plan.h"

/// Each layer written plainly, for any scalar, in the plain order [batch, C, H, W]: what the fast layers are held to. `backward` of
/// each is itself held to central differences of its forward. Formulas stand in the headers of the fast layers.
namespace qsweep::reference {

template <class T>
using Values = std::vector<T>;

/// Plain image: the same without blocks.
inline Image plain(const Image& i) { return {i.channels, i.height, i.width, 1}; }

/// Calls visit(o, c, output index, input index, weight index) for each product of one sample's convolution.
template <class Visit>
void each_product(const Image& in, const Image& out, const Window& win, Visit visit) {
  for (std::size_t o = 0; o < out.channels; ++o)
    for (std::size_t i = 0; i < out.height; ++i)
      for (std::size_t j = 0; j < out.width; ++j)
        for (std::size_t c = 0; c < in.channels; ++c)
          for (std::size_t p = 0; p < win.size; ++p)
            for (std::size_t q = 0; q < win.size; ++q) {
              const std::size_t h = i * win.stride + p - win.before, w = j * win.stride + q - win.before;
              if (h >= in.height || w >= in.width) continue;  // also where it wrapped below zero
              visit(o, (o * out.height + i) * out.width + j, (c * in.height + h) * in.width + w, ((o * in.channels + c) * win.size + p) * win.size + q);
            }
}

template <class T>
Values<T> convolution(std::size_t batch, const Image& in, const Image& out, const Window& win, const T* weight, const T* bias, const Values<T>& x) {
  Values<T> y(batch * out.size());
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t o = 0; o < out.size(); ++o) y[b * out.size() + o] = bias == nullptr ? T(0) : bias[o / out.pixels()];
    each_product(in, out, win, [&](std::size_t, std::size_t to, std::size_t from, std::size_t w) { y[b * out.size() + to] += weight[w] * x[b * in.size() + from]; });
  }
  return y;
}

/// Gradients of a layer: of its input, its weight and its bias.
template <class T>
struct Gradients {
  Values<T> x, weight, bias;
};

template <class T>
Gradients<T> convolution_back(std::size_t batch, const Image& in, const Image& out, const Window& win, const T* weight, const Values<T>& x, const Values<T>& dy) {
  Gradients<T> g{Values<T>(batch * in.size()), Values<T>(out.channels * in.channels * win.size * win.size), Values<T>(out.channels)};
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t o = 0; o < out.size(); ++o) g.bias[o / out.pixels()] += dy[b * out.size() + o];
    each_product(in, out, win, [&](std::size_t, std::size_t to, std::size_t from, std::size_t w) {
      g.x[b * in.size() + from] += weight[w] * dy[b * out.size() + to];
      g.weight[w] += x[b * in.size() + from] * dy[b * out.size() + to];
    });
  }
  return g;
}

template <class T>
Values<T> dense(std::size_t batch, std::size_t inputs, std::size_t outputs, const T* weight, const T* bias, const Values<T>& x) {
  Values<T> y(batch * outputs);
  for (std::size_t b = 0; b < batch; ++b)
    for (std::size_t o = 0; o < outputs; ++o) {
      T sum = bias[o];
      for (std::size_t i = 0; i < inputs; ++i) sum += weight[o * inputs + i] * x[b * inputs + i];
      y[b * outputs + o] = sum;
    }
  return y;
}

/// σ(x): counts the levels that x has reached.
template <class T>
T quantized(const ActivationQuantizer& q, T x) {
  const T alpha = T(q.alpha);
  int code = 0;
  for (int j = 1; j < 1 << q.bits; ++j)
    if (q.nearest ? x >= (T(j) - T(0.5)) * alpha : x > T(j - 1) * alpha) code = j;
  return T(code) * alpha;
}

/// μ(x), whose derivative the backward pass takes for that of σ.
template <class T>
T surrogate(const ActivationQuantizer& q, T x) {
  if (q.surrogate == Surrogate::identity) return x;
  const T above = x > T(0) ? x : T(0), top = T(q.top());
  return q.surrogate == Surrogate::clipped_relu && above > top ? top : above;
}

/// where: index of each output's maximum within its own image.
template <class T>
Values<T> max_pool(std::size_t batch, const Image& in, const Image& out, const Window& win, const Values<T>& x, std::vector<std::size_t>& where) {
  Values<T> y(batch * out.size());
  where.assign(y.size(), SIZE_MAX);
  for (std::size_t n = 0; n < batch * in.channels; ++n)
    for (std::size_t i = 0; i < out.height; ++i)
      for (std::size_t j = 0; j < out.width; ++j)
        for (std::size_t p = 0; p < win.size; ++p)
          for (std::size_t q = 0; q < win.size; ++q) {
            const std::size_t h = i * win.stride + p - win.before, w = j * win.stride + q - win.before;
            if (h >= in.height || w >= in.width) continue;
            const std::size_t to = (n * out.height + i) * out.width + j, from = (n * in.height + h) * in.width + w;
            if (where[to] == SIZE_MAX || x[from] > y[to]) y[to] = x[from], where[to] = from;
          }
  return y;
}

template <class T>
Values<T> max_pool_back(std::size_t inputs, const std::vector<std::size_t>& where, const Values<T>& dy) {
  Values<T> dx(inputs);
  for (std::size_t i = 0; i < dy.size(); ++i) dx[where[i]] += dy[i];
  return dx;
}

template <class T>
Values<T> average_pool(std::size_t planes, std::size_t pixels, const Values<T>& x) {
  Values<T> y(planes);
  for (std::size_t i = 0; i < x.size(); ++i) y[i / pixels] += x[i] / T(pixels);
  return y;
}

template <class T>
Values<T> average_pool_back(std::size_t planes, std::size_t pixels, const Values<T>& dy) {
  Values<T> dx(planes * pixels);
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] = dy[i / pixels] / T(pixels);
  return dx;
}

/// s of local response norm: its base, before the power.
template <class T>
Values<T> response_base(std::size_t batch, const Image& in, std::size_t radius, T bias, T alpha, const Values<T>& x) {
  Values<T> base(x.size(), bias);
  const std::size_t pixels = in.pixels();
  for (std::size_t b = 0; b < batch; ++b)
    for (std::size_t c = 0; c < in.channels; ++c)
      for (std::size_t k = c < radius ? 0 : c - radius; k < in.channels && k <= c + radius; ++k)
        for (std::size_t p = 0; p < pixels; ++p) {
          const T value = x[(b * in.channels + k) * pixels + p];
          base[(b * in.channels + c) * pixels + p] += alpha * value * value;
        }
  return base;
}

template <class T>
Values<T> response_norm(std::size_t batch, const Image& in, std::size_t radius, T bias, T alpha, const Values<T>& x) {
  Values<T> y = response_base(batch, in, radius, bias, alpha, x);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] * std::pow(y[i], T(-0.75));
  return y;
}

template <class T>
Values<T> response_norm_back(std::size_t batch, const Image& in, std::size_t radius, T bias, T alpha, const Values<T>& x, const Values<T>& dy) {
  const Values<T> base = response_base(batch, in, radius, bias, alpha, x);
  Values<T> dx(x.size());
  const std::size_t pixels = in.pixels();
  for (std::size_t b = 0; b < batch; ++b)
    for (std::size_t c = 0; c < in.channels; ++c)
      for (std::size_t p = 0; p < pixels; ++p) {
        const std::size_t at = (b * in.channels + c) * pixels + p;
        dx[at] += dy[at] * std::pow(base[at], T(-0.75));
        for (std::size_t k = c < radius ? 0 : c - radius; k < in.channels && k <= c + radius; ++k) {
          const std::size_t other = (b * in.channels + k) * pixels + p;
          dx[other] -= T(1.5) * alpha * x[other] * dy[at] * x[at] * std::pow(base[at], T(-1.75));
        }
      }
  return dx;
}

/// Mean and biased variance of each channel.
template <class T>
void moments(std::size_t batch, const Image& in, const Values<T>& x, Values<T>& mean, Values<T>& variance) {
  const auto channel = [&](std::size_t i) { return i / in.pixels() % in.channels; };
  const T n = T(batch * in.pixels());
  mean.assign(in.channels, T(0));
  variance.assign(in.channels, T(0));
  for (std::size_t i = 0; i < x.size(); ++i) mean[channel(i)] += x[i] / n;
  for (std::size_t i = 0; i < x.size(); ++i) variance[channel(i)] += (x[i] - mean[channel(i)]) * (x[i] - mean[channel(i)]) / n;
}

/// gamma, beta: null for plain batch norm.
template <class T>
Values<T> batch_norm(const Image& in, const T* gamma, const T* beta, T epsilon, const Values<T>& mean, const Values<T>& variance, const Values<T>& x) {
  Values<T> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i / in.pixels() % in.channels;
    y[i] = (x[i] - mean[c]) / std::sqrt(variance[c] + epsilon);
    if (gamma != nullptr) y[i] = gamma[c] * y[i] + beta[c];
  }
  return y;
}

template <class T>
Gradients<T> batch_norm_back(std::size_t batch, const Image& in, const T* gamma, T epsilon, const Values<T>& x, const Values<T>& dy) {
  Values<T> mean, variance;
  moments(batch, in, x, mean, variance);
  const Values<T> normal = batch_norm<T>(in, nullptr, nullptr, epsilon, mean, variance, x);
  Gradients<T> g{Values<T>(x.size()), Values<T>(in.channels), Values<T>(in.channels)};
  const auto channel = [&](std::size_t i) { return i / in.pixels() % in.channels; };
  for (std::size_t i = 0; i < x.size(); ++i) g.weight[channel(i)] += dy[i] * normal[i], g.bias[channel(i)] += dy[i];
  const T n = T(batch * in.pixels());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = channel(i);
    g.x[i] = (gamma == nullptr ? T(1) : gamma[c]) / std::sqrt(variance[c] + epsilon) * (dy[i] - g.bias[c] / n - normal[i] * g.weight[c] / n);
  }
  return g;
}

/// Option A: every `step`-th pixel, zeros for further channels.
template <class T>
void add_shortcut(std::size_t batch, const Image& in, const Image& out, const Values<T>& x, Values<T>& y) {
  const std::size_t step = in.height == out.height ? 1 : 2;
  for (std::size_t b = 0; b < batch; ++b)
    for (std::size_t c = 0; c < in.channels; ++c)
      for (std::size_t i = 0; i < out.height; ++i)
        for (std::size_t j = 0; j < out.width; ++j)
          y[((b * out.channels + c) * out.height + i) * out.width + j] += x[((b * in.channels + c) * in.height + i * step) * in.width + j * step];
}

/// Quantized activations are flat between jumps; straight-through estimators differentiate another function: with x₀ the inputs of
/// σ in a first pass, that pass's σ(x₀) + μ(x) − μ(x₀). It has the value of σ and the derivative of μ at x₀. Levels are often equal, so
/// pooling afterwards takes the maximum where the first pass found it, the first of equals.
template <class T>
struct StraightThrough {
  std::vector<Values<T>> inputs = {};                 ///< x₀ of each quantized activation
  std::vector<std::vector<std::size_t>> places = {};  ///< of each pooling's maxima
  bool recording = true;                              ///< the first pass
  std::size_t next = 0, next_place = 0;

  void begin(bool first) { recording = first, next = next_place = 0; }
  Values<T> pool(std::size_t batch, const Image& in, const Image& out, const Window& window, const Values<T>& x) {
    if (recording) return max_pool(batch, in, out, window, x, places.emplace_back());
    const std::vector<std::size_t>& where = places[next_place++];
    Values<T> y(where.size());
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[where[i]];
    return y;
  }

  Values<T> pass(const ActivationQuantizer& q, Values<T> x) {
    if (recording) inputs.push_back(x);
    const Values<T>& from = inputs[next++];
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = quantized(q, from[i]) + (surrogate(q, x[i]) - surrogate(q, from[i]));
    return x;
  }
};

/// The outputs of a whole plan in training mode, without dropout. `w` moves on over the parameters used.
template <class T>
Values<T> forward(const std::vector<LayerPlan>& layers, std::size_t batch, Image& image, const T*& w, Values<T> x, StraightThrough<T>& estimator) {
  for (const LayerPlan& layer : layers) {
    const Image in = plain(image), out = plain(image_after(layer, image));
    const auto take = [&](std::size_t n) { const T* from = w; w += n; return from; };
    switch (layer.kind) {
      case LayerKind::convolution: {
        const T* weight = take(out.channels * in.channels * layer.window.size * layer.window.size);
        x = convolution(batch, in, out, layer.window, weight, layer.flag ? take(out.channels) : nullptr, x);
        break;
      }
      case LayerKind::dense: {
        const T* weight = take(in.size() * layer.outputs);
        x = dense(batch, in.size(), layer.outputs, weight, take(layer.outputs), x);
        break;
      }
      case LayerKind::relu: for (T& v : x) v = v > T(0) ? v : T(0); break;
      case LayerKind::quantized_activation: x = estimator.pass(layer.quantizer, std::move(x)); break;
      case LayerKind::tanh: for (T& v : x) v = std::tanh(v); break;
      case LayerKind::max_pool: x = estimator.pool(batch, in, out, layer.window, x); break;
      case LayerKind::average_pool: x = average_pool(batch * in.channels, in.pixels(), x); break;
      case LayerKind::response_norm: x = response_norm(batch, in, 4, T(1), T(0.001F / 9), x); break;
      case LayerKind::batch_norm: {
        Values<T> mean, variance;
        moments(batch, in, x, mean, variance);
        const T *gamma = layer.flag ? take(in.channels) : nullptr, *beta = layer.flag ? take(in.channels) : nullptr;
        x = batch_norm(in, gamma, beta, T(1e-5F), mean, variance, x);
        break;
      }
      case LayerKind::dropout: throw std::invalid_argument("the reference has no dropout");
      case LayerKind::residual: {
        Image inner = image;
        Values<T> y = forward(layer.body, batch, inner, w, x, estimator);
        add_shortcut(batch, in, out, x, y);
        x = std::move(y);
        break;
      }
    }
    image = image_after(layer, image);
  }
  return x;
}

}  // namespace qsweep::reference
