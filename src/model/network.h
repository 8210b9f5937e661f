#pragma once
#include <memory>
#include <string>
#include <vector>

#include "model/layer.h"
#include "model/model.h"

/// A chain of layers under softmax cross-entropy. Memory for activations is taken once, for the largest mini-batch seen.
namespace qsweep {

class Network final : public Model {
 public:
  explicit Network(std::size_t inputs) : inputs_(inputs) {}

  Layout& layout_to_extend() { return layout_; }
  void add(std::unique_ptr<Layer> layer) { layers_.push_back(std::move(layer)); }
  void set_l2(double lambda) { l2_ = lambda; }  ///< penalty on every weight tensor, biases never
  std::size_t outputs() const { return layers_.empty() ? inputs_ : layers_.back()->outputs(); }

  const Layout& layout() const override { return layout_; }
  void initialize(std::uint64_t seed, std::span<float> w) const override;
  double gradient(std::span<const float> w, const Batch& batch, std::span<float> gradient) override;
  double loss(std::span<const float> w, const Batch& batch) override;
  Evaluation evaluate(std::span<const float> w, const Batch& batch) override;

 private:
  std::span<const float> forward(std::span<const float> w, const Batch& batch);  ///< logits [B, outputs]
  void reserve(std::size_t batch);

  std::size_t inputs_;
  double l2_ = 0;
  Layout layout_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<std::vector<float>> outputs_;  ///< of each layer, [batch, outputs]
  std::vector<float> delta_, next_delta_;    ///< gradient at a layer's output and input
  std::size_t reserved_ = 0;
};

/// The mlp: inputs – d hidden units – classes.
std::unique_ptr<Model> make_mlp(std::size_t inputs, std::size_t hidden, std::size_t classes, const std::string& activation, double l2);

}  // namespace qsweep
