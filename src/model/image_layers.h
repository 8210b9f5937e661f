#pragma once
#include <cstdint>
#include <vector>

#include "model/image.h"
#include "model/layer.h"

/// Layers between convolutions. Images are blocked by channels (image.h); b runs over the mini-batch, (i, j) over pixels.
namespace qsweep {

/// y[c, i, j] = max of x[c, i·stride + p − before, j·stride + q − before], 0 ≤ p, q < size, inside the image; derivative to the first
/// of equal maxima. Every window must touch the image. With `rectify` of max(x, 0): a ReLU before it costs no pass of its own.
class MaxPool final : public Layer {
 public:
  MaxPool(const Image& input, const Window& window, bool rectify = false);
  const Image& image() const { return output_; }
  std::size_t inputs() const override { return input_.stored(); }
  std::size_t outputs() const override { return output_.stored(); }
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;

 private:
  Image input_, output_;
  Window window_;
  bool rectify_;
  std::vector<std::uint8_t> where_;  ///< place of the maximum in its window
};

/// y[c] = mean of x[c, i, j] over the whole image.
class AveragePool final : public Layer {
 public:
  explicit AveragePool(const Image& input) : input_(input) {}
  Image image() const { return {input_.channels, 1, 1, input_.block}; }
  std::size_t inputs() const override { return input_.stored(); }
  std::size_t outputs() const override { return image().stored(); }
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;

 private:
  Image input_;
};

/// Local response normalization (Krizhevsky, Sutskever, Hinton 2012):  y_c = x_c / s_c^¾,  s_c = bias + alpha·Σ_{|k − c| ≤ radius} x_k²
/// towers: the channels fall into as many parts that do not see each other, each of whole blocks.
/// alpha is not divided by the window, as in TensorFlow; the exponent ¾ is the published one, and two square roots.
class LocalResponseNorm final : public Layer {
 public:
  LocalResponseNorm(const Image& image, std::size_t radius = 4, float bias = 1, float alpha = 0.001F / 9, std::size_t towers = 1);
  std::size_t inputs() const override { return towers_ * image_.stored(); }
  std::size_t outputs() const override { return towers_ * image_.stored(); }
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;

 private:
  Image image_;  ///< of one tower: in memory, towers lie one after the other, as samples do
  std::size_t towers_, radius_;
  float bias_, alpha_;
  std::vector<float> scratch_;
};

/// Flatten to the order C, H, W of the published networks, without the channels that only fill a block.
class Flatten final : public Layer {
 public:
  explicit Flatten(const Image& input) : input_(input) {}
  std::size_t inputs() const override { return input_.stored(); }
  std::size_t outputs() const override { return input_.size(); }
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;

 private:
  Image input_;
};

}  // namespace qsweep
