#include "model/layer.h"

#include <algorithm>
#include <cmath>

#include "model/blas.h"

namespace qsweep {

void Layer::initialize(const Stream&, std::span<float>) const {}

Dense::Dense(Layout& layout, const std::string& name, std::size_t inputs, std::size_t outputs)
    : inputs_(inputs), outputs_(outputs), weight_(layout.dimension()), bias_(weight_ + inputs * outputs) {
  layout.add(name + "/weight", {outputs, inputs}, true);
  layout.add(name + "/bias", {outputs}, false);
}

void Dense::initialize(const Stream& draws, std::span<float> w) const {
  const float limit = std::sqrt(6.0F / static_cast<float>(inputs_ + outputs_));
  draws.uniform(weight_, -limit, limit, w.subspan(weight_, inputs_ * outputs_));
  std::ranges::fill(w.subspan(bias_, outputs_), 0.0F);
}

void Dense::forward(std::span<const float> w, std::size_t batch, std::span<const float> x, std::span<float> y) {
  for (std::size_t b = 0; b < batch; ++b) std::copy_n(&w[bias_], outputs_, &y[b * outputs_]);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, blas_int(batch), blas_int(outputs_), blas_int(inputs_), 1, x.data(), blas_int(inputs_), &w[weight_],
              blas_int(inputs_), 1, y.data(), blas_int(outputs_));
}

void Dense::backward(std::span<const float> w, std::size_t batch, std::span<const float> x, std::span<const float>, std::span<const float> dy,
                     std::span<float> dx, std::span<float> gradient) {
  transposed_multiply(outputs_, inputs_, batch, dy.data(), x.data(), &gradient[weight_]);
  const std::span<float> bias = gradient.subspan(bias_, outputs_);
  std::ranges::fill(bias, 0.0F);
  for (std::size_t b = 0; b < batch; ++b)
    for (std::size_t o = 0; o < outputs_; ++o) bias[o] += dy[b * outputs_ + o];
  if (!dx.empty()) multiply(batch, inputs_, outputs_, dy.data(), &w[weight_], dx.data());
}

void Relu::forward(std::span<const float>, std::size_t batch, std::span<const float> x, std::span<float> y) {
  for (std::size_t i = 0; i < batch * size_; ++i) y[i] = x[i] > 0 ? x[i] : (x[i] != x[i] ? x[i] : 0.0F);  // NaN stays visible
}

void Relu::backward(std::span<const float>, std::size_t batch, std::span<const float>, std::span<const float> y, std::span<const float> dy,
                    std::span<float> dx, std::span<float>) {
  for (std::size_t i = 0; i < batch * size_; ++i) dx[i] = y[i] > 0 ? dy[i] : 0.0F;
}

void Tanh::forward(std::span<const float>, std::size_t batch, std::span<const float> x, std::span<float> y) {
  for (std::size_t i = 0; i < batch * size_; ++i) y[i] = std::tanh(x[i]);
}

void Tanh::backward(std::span<const float>, std::size_t batch, std::span<const float>, std::span<const float> y, std::span<const float> dy,
                    std::span<float> dx, std::span<float>) {
  for (std::size_t i = 0; i < batch * size_; ++i) dx[i] = dy[i] * (1 - y[i] * y[i]);
}

}  // namespace qsweep
