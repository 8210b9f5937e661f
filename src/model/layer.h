#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/layout.h"
#include "base/random.h"
#include "model/initial.h"
#include "model/sparse_product.h"

/// One layer of a network: forward and backward over a mini-batch. A layer owns neither parameters nor running statistics; it
/// knows where its own lie in the network's vectors. Adding a layer is one file with a class like these, its plain reference
/// (model/reference.h), and its test against that.
namespace qsweep {

/// What a layer is told beside its values.
struct Pass {
  std::span<const float> w = {};  ///< [d] parameters of the network
  std::size_t batch = 0;
  bool training = false;     ///< batch norm uses and counts the mini-batch's own statistics; dropout draws
  std::span<float> state = {};    ///< running statistics of one worker, laid out by the network's state layout
  Stream draws{0, Draw::Dropout};
  std::span<const float> background = {};  ///< [inputs] of the data, for the first layer alone (Batch::background)
};

class LayerProfile;

class Layer {
 public:
  virtual ~Layer() = default;
  virtual std::size_t inputs() const = 0;   ///< floats per sample
  virtual std::size_t outputs() const = 0;
  /// Draws the layer's initial parameters into the network's vector w [d]; indices of draws are those of the vector.
  virtual void initialize(const Stream& draws, std::span<float> w) const;
  virtual void initialize_state(std::span<float> state) const;
  virtual void attach(LayerProfile*) {}  ///< for layers made of layers
  /// Adds "conv2 winograd" for each layer that had a choice of algorithms, as it chose in its last passes.
  virtual void tell_algorithm(std::vector<std::string>&) const {}
  /// y [batch, outputs] from x [batch, inputs].
  virtual void forward(const Pass& pass, std::span<const float> x, std::span<float> y) = 0;
  /// From dy [batch, outputs]: the layer's part of `gradient` [d] and, unless dx is empty, dx [batch, inputs].
  /// x and y are those of the forward pass before, which was one of training.
  virtual void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                        std::span<float> gradient) = 0;
};

/// y = x Wᵀ + b,  W [outputs, inputs], b [outputs];  dW = dyᵀ x,  db = Σ dy,  dx = dy W. On data with a background the products pass
/// over it, from mini-batches on that are worth it.
class Dense final : public Layer {
 public:
  static constexpr std::size_t least_sparse_batch = 64;  ///< below, transposing W costs what is gained

  Dense(Layout& layout, const std::string& name, std::size_t inputs, std::size_t outputs, const Initial& initial = {});
  std::size_t inputs() const override { return inputs_; }
  std::size_t outputs() const override { return outputs_; }
  void initialize(const Stream& draws, std::span<float> w) const override;
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;

 private:
  static bool sparse(const Pass& pass) { return !pass.background.empty() && pass.batch >= least_sparse_batch; }

  std::size_t inputs_, outputs_, weight_, bias_;  ///< offsets of W and b
  Initial initial_;
  SparseProduct sparse_;
};

/// A layer without parameters that turns each value into one.
class Elementwise : public Layer {
 public:
  explicit Elementwise(std::size_t size) : size_(size) {}
  std::size_t inputs() const final { return size_; }
  std::size_t outputs() const final { return size_; }

 protected:
  std::size_t size_;  ///< values per sample
};

/// y = max(x, 0), derivative 0 at 0.
class Relu final : public Elementwise {
 public:
  using Elementwise::Elementwise;
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;
};

/// y = tanh(x), derivative 1 − y².
class Tanh final : public Elementwise {
 public:
  using Elementwise::Elementwise;
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;
};

/// y = x·m/(1 − rate) in training, m ∈ {0, 1} with P(m = 0) = rate, drawn anew for each element, worker and iteration; else y = x.
/// The draw of element i of the mini-batch is word number·2³² + i of pass.draws.
class Dropout final : public Elementwise {
 public:
  Dropout(std::size_t size, double rate, std::uint32_t number);
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;

 private:
  double rate_;
  std::uint64_t first_draw_;
  std::vector<std::uint32_t> words_;
  std::vector<float> factor_;  ///< m/(1 − rate) of the last forward pass
};

}  // namespace qsweep
