#pragma once
#include <memory>
#include <string>
#include <vector>

#include "model/image.h"
#include "model/layer.h"
#include "model/profile.h"

/// Layers one after the other, and the block of a residual network that is made of them. Memory for activations is taken once, for
/// the largest mini-batch seen.
namespace qsweep {

class Chain {
 public:
  explicit Chain(std::size_t inputs) : inputs_(inputs) {}
  /// `label` names the layer in a profile.
  void add(std::unique_ptr<Layer> layer, std::string label = "") {
    layers_.push_back(std::move(layer));
    labels_.push_back(std::move(label));
  }
  /// From now on counts the time of each layer, those of residual blocks one by one; nullptr: no more.
  void attach(LayerProfile* profile);
  void tell_algorithms(std::vector<std::string>& told) const {
    for (const auto& layer : layers_) layer->tell_algorithm(told);
  }
  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return layers_.empty() ? inputs_ : layers_.back()->outputs(); }
  void initialize(const Stream& draws, std::span<float> w) const;
  void initialize_state(std::span<float> state) const;

  /// [batch, outputs], valid until the next call.
  std::span<const float> forward(const Pass& pass, std::span<const float> x);
  /// dy, [batch, outputs] of the chain's own memory, is where the caller has put the derivative.
  std::span<float> derivative() { return delta_; }
  void backward(const Pass& pass, std::span<const float> x, std::span<float> dx, std::span<float> gradient);

 private:
  void reserve(std::size_t batch);

  std::size_t inputs_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<std::string> labels_;
  LayerProfile* profile_ = nullptr;
  std::vector<std::size_t> rows_;            ///< of each layer in the profile
  std::vector<std::vector<float>> outputs_;  ///< of each layer, [batch, outputs]
  std::vector<float> delta_, next_delta_;    ///< gradient at a layer's output and input
  std::size_t reserved_ = 0;
};

/// y = body(x) + shortcut(x) (He et al. 2016, option A: no parameters). The shortcut is x itself, or every second pixel of it with
/// zeros for the channels that x does not have.
class Residual final : public Layer {
 public:
  Residual(std::unique_ptr<Chain> body, const Image& input, const Image& output);
  std::size_t inputs() const override { return input_.stored(); }
  std::size_t outputs() const override { return output_.stored(); }
  void initialize(const Stream& draws, std::span<float> w) const override { body_->initialize(draws, w); }
  void initialize_state(std::span<float> state) const override { body_->initialize_state(state); }
  void attach(LayerProfile* profile) override { body_->attach(profile); }
  void tell_algorithm(std::vector<std::string>& told) const override { body_->tell_algorithms(told); }
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;

 private:
  /// Calls visit(offset in the output, offset in the input, channels there) for each stored pixel of the shortcut. Channels that fill
  /// the input's last block are left out: the output may have its own in their place.
  template <class Visit>
  void shortcut(std::size_t batch, Visit visit) const;

  std::unique_ptr<Chain> body_;
  Image input_, output_;
};

}  // namespace qsweep
