#pragma once
#include <memory>
#include <span>
#include <string>

#include "base/layout.h"
#include "base/random.h"

/// One layer of a network: forward and backward over a mini-batch. A layer owns no parameters; it knows where its own lie in
/// the network's vector. Adding a layer is one file with a class like these, and its test against central differences.
namespace qsweep {

class Layer {
 public:
  virtual ~Layer() = default;
  virtual std::size_t inputs() const = 0;   ///< values per sample
  virtual std::size_t outputs() const = 0;
  /// Draws the layer's initial parameters into the network's vector w [d]; indices of draws are those of the vector.
  virtual void initialize(const Stream& draws, std::span<float> w) const;
  /// y [batch, outputs] from x [batch, inputs] and the network's parameters w [d].
  virtual void forward(std::span<const float> w, std::size_t batch, std::span<const float> x, std::span<float> y) = 0;
  /// From dy [batch, outputs]: the layer's part of `gradient` [d] and, unless dx is empty, dx [batch, inputs].
  /// x and y are those of the forward pass before.
  virtual void backward(std::span<const float> w, std::size_t batch, std::span<const float> x, std::span<const float> y, std::span<const float> dy,
                        std::span<float> dx, std::span<float> gradient) = 0;
};

/// y = x Wᵀ + b,  W [outputs, inputs], b [outputs];  dW = dyᵀ x,  db = Σ dy,  dx = dy W.
/// Initial weights: uniform ±√(6/(inputs + outputs)) (Glorot, Bengio 2010), biases 0.
class Dense final : public Layer {
 public:
  Dense(Layout& layout, const std::string& name, std::size_t inputs, std::size_t outputs);
  std::size_t inputs() const override { return inputs_; }
  std::size_t outputs() const override { return outputs_; }
  void initialize(const Stream& draws, std::span<float> w) const override;
  void forward(std::span<const float> w, std::size_t batch, std::span<const float> x, std::span<float> y) override;
  void backward(std::span<const float> w, std::size_t batch, std::span<const float> x, std::span<const float> y, std::span<const float> dy,
                std::span<float> dx, std::span<float> gradient) override;

 private:
  std::size_t inputs_, outputs_, weight_, bias_;  ///< offsets of W and b
};

/// y = max(x, 0), derivative 0 at 0.
class Relu final : public Layer {
 public:
  explicit Relu(std::size_t size) : size_(size) {}
  std::size_t inputs() const override { return size_; }
  std::size_t outputs() const override { return size_; }
  void forward(std::span<const float> w, std::size_t batch, std::span<const float> x, std::span<float> y) override;
  void backward(std::span<const float> w, std::size_t batch, std::span<const float> x, std::span<const float> y, std::span<const float> dy,
                std::span<float> dx, std::span<float> gradient) override;

 private:
  std::size_t size_;
};

/// y = tanh(x), derivative 1 − y².
class Tanh final : public Layer {
 public:
  explicit Tanh(std::size_t size) : size_(size) {}
  std::size_t inputs() const override { return size_; }
  std::size_t outputs() const override { return size_; }
  void forward(std::span<const float> w, std::size_t batch, std::span<const float> x, std::span<float> y) override;
  void backward(std::span<const float> w, std::size_t batch, std::span<const float> x, std::span<const float> y, std::span<const float> dy,
                std::span<float> dx, std::span<float> gradient) override;

 private:
  std::size_t size_;
};

}  // namespace qsweep
