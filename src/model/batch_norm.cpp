#include "model/batch_norm.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/activation.h"

namespace qsweep {

constexpr std::size_t lanes = 16;

struct BatchNorm::Group {
  std::size_t first, channels, offset;  ///< first channel, how many of them are real, where they lie in a sample
  LaneShape shape;
};

BatchNorm::BatchNorm(Layout& layout, Layout& state_layout, const std::string& name, const Image& image, bool affine, bool rectify)
    : image_(image), affine_(affine), rectify_(rectify), gamma_(layout.dimension()), beta_(gamma_ + image.channels),
      running_mean_(state_layout.dimension()), running_variance_(running_mean_ + image.channels), mean_(image.channels), inverse_(image.channels) {
  if (affine) {
    layout.add(name + "/weight", {image.channels}, false);
    layout.add(name + "/bias", {image.channels}, false);
  }
  state_layout.add(name + "/running_mean", {image.channels}, false);
  state_layout.add(name + "/running_var", {image.channels}, false);
}

/// Where y tells which x̂ are positive, the ReLU estimator's backward pass is the ReLU's; the identity's has no mask.
void BatchNorm::quantize(const ActivationQuantizer& quantizer) {
  quantizer_ = quantizer;
  rectify_ = quantizer.surrogate == Surrogate::relu && !quantizer.nearest;
}

/// Else x̂ is computed once more, in the same operations, to see where 0 < x̂ ≤ bound.
bool BatchNorm::masks_by_input() const { return quantizer_ && quantizer_->surrogate != Surrogate::identity && !rectify_; }

void BatchNorm::initialize(const Stream&, std::span<float> w) const {
  if (!affine_) return;
  std::ranges::fill(w.subspan(gamma_, image_.channels), 1.0F);
  std::ranges::fill(w.subspan(beta_, image_.channels), 0.0F);
}

void BatchNorm::initialize_state(std::span<float> state) const {
  std::ranges::fill(state.subspan(running_mean_, image_.channels), 0.0F);
  std::ranges::fill(state.subspan(running_variance_, image_.channels), 1.0F);
}

/// An image's group is its block; a vector's are runs of 16 values.
BatchNorm::Group BatchNorm::group(std::size_t g, std::size_t batch) const {
  const bool vector = image_.block == 1;
  const std::size_t width = vector ? lanes : image_.block, first = g * width, real = std::min(width, image_.channels - first);
  return {first, real, vector ? first : g * image_.pixels() * width,
          {batch, image_.pixels(), image_.stored(), vector ? 0 : width, vector ? real : width}};
}

void BatchNorm::measure(const Pass& pass, std::span<const float> x) {
  const auto n = static_cast<double>(pass.batch * image_.pixels());
  for (std::size_t g = 0, c = 0; c < image_.channels; ++g) {
    const Group of = group(g, pass.batch);
    std::array<double, lanes> mean{}, square{};
    image_kernels().moments(of.shape, &x[of.offset], mean.data(), square.data());
    for (std::size_t l = 0; l < of.channels; ++l, ++c) {
      mean_[c] = static_cast<float>(mean[l]);
      inverse_[c] = static_cast<float>(1 / std::sqrt(square[l] / n + double{epsilon}));
      if (pass.state.empty()) continue;
      float& m = pass.state[running_mean_ + c];
      float& v = pass.state[running_variance_ + c];
      m = (1 - momentum) * m + momentum * mean_[c];
      v = (1 - momentum) * v + momentum * static_cast<float>(square[l] / std::max(n - 1, 1.0));
    }
  }
}

void BatchNorm::forward(const Pass& pass, std::span<const float> x, std::span<float> y) {
  if (pass.training) {
    measure(pass, x);
  } else {
    for (std::size_t c = 0; c < image_.channels; ++c) {
      mean_[c] = pass.state[running_mean_ + c];
      inverse_[c] = static_cast<float>(1 / std::sqrt(double{pass.state[running_variance_ + c]} + double{epsilon}));
    }
  }
  for (std::size_t g = 0, c = 0; c < image_.channels; ++g) {
    const Group of = group(g, pass.batch);
    std::array<float, lanes> mean{}, scale{}, shift{};  // channels that only fill the block stay 0
    for (std::size_t l = 0; l < of.channels; ++l, ++c) {
      mean[l] = mean_[c];
      scale[l] = affine_ ? pass.w[gamma_ + c] * inverse_[c] : inverse_[c];
      shift[l] = affine_ ? pass.w[beta_ + c] : 0.0F;
    }
    if (quantizer_) activation_kernels().normalize_quantize(rule_of(*quantizer_), of.shape, &x[of.offset], mean.data(), scale.data(), shift.data(), &y[of.offset]);
    else image_kernels().normalize(of.shape, &x[of.offset], mean.data(), scale.data(), shift.data(), rectify_, &y[of.offset]);
  }
}

void BatchNorm::backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx, std::span<float> gradient) {
  const auto n = static_cast<double>(pass.batch * image_.pixels());
  for (std::size_t g = 0, c = 0; c < image_.channels; ++g) {
    const Group of = group(g, pass.batch);
    std::array<float, lanes> mean{}, scale{}, shift{}, offset{}, slope{};
    std::array<double, lanes> sum{}, product{};
    for (std::size_t l = 0; l < of.channels; ++l) {
      mean[l] = mean_[c + l];
      scale[l] = affine_ ? pass.w[gamma_ + c + l] * inverse_[c + l] : inverse_[c + l];
      shift[l] = affine_ ? pass.w[beta_ + c + l] : 0.0F;
    }
    if (masks_by_input())
      activation_kernels().within_sums(quantizer_->bound(), of.shape, &x[of.offset], &dy[of.offset], mean.data(), scale.data(), shift.data(), sum.data(), product.data());
    else image_kernels().normalize_sums(of.shape, &x[of.offset], &y[of.offset], &dy[of.offset], mean.data(), rectify_, sum.data(), product.data());
    for (std::size_t l = 0; l < of.channels; ++l, ++c) {
      const double inverse = inverse_[c];
      offset[l] = static_cast<float>(sum[l] / n);
      slope[l] = static_cast<float>(product[l] * inverse * inverse / n);
      if (!affine_) continue;
      gradient[gamma_ + c] = static_cast<float>(product[l] * inverse);
      gradient[beta_ + c] = static_cast<float>(sum[l]);
    }
    if (dx.empty()) continue;
    if (masks_by_input())
      activation_kernels().within_normalize_back(quantizer_->bound(), of.shape, &x[of.offset], &dy[of.offset], mean.data(), scale.data(), shift.data(), offset.data(), slope.data(),
                                                 &dx[of.offset]);
    else
      image_kernels().normalize_back(of.shape, &x[of.offset], &y[of.offset], &dy[of.offset], mean.data(), scale.data(), offset.data(), slope.data(), rectify_, &dx[of.offset]);
  }
}

}  // namespace qsweep
