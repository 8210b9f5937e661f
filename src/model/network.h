#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/batch_norm.h"
#include "model/chain.h"
#include "model/model.h"

/// A chain of layers under a loss: softmax cross-entropy unless another is set.
namespace qsweep {

class Network final : public Model {
 public:
  /// Data term and hits of the outputs z [B, classes], summed; derivative of the mean (loss.h).
  using Loss = std::function<Evaluation(std::size_t classes, std::span<const float> z, std::span<const std::int32_t> labels, std::span<float> derivative)>;

  explicit Network(std::size_t inputs);

  Layout& layout_to_extend() { return layout_; }
  Layout& state_layout_to_extend() { return state_layout_; }
  void add(std::unique_ptr<Layer> layer, std::string label = "") { chain_.add(std::move(layer), std::move(label)); }
  void attach(LayerProfile* profile) { chain_.attach(profile); }
  void set_loss(Loss loss) { loss_ = std::move(loss); }
  /// Penalty λ/2·‖W‖² on the weight tensors of the layers named, or on every one; biases never.
  void set_l2(double lambda, std::vector<std::string> layers = {});
  /// Evaluates so many samples at a time at most, whatever the caller's batch: images of many layers need memory. 0: all at once.
  void set_evaluation_batch(std::size_t samples) { evaluation_batch_ = samples; }
  std::size_t inputs() const { return chain_.inputs(); }
  std::size_t outputs() const { return chain_.outputs(); }

  const Layout& layout() const override { return layout_; }
  const Layout& state_layout() const override { return state_layout_; }
  void initialize(std::uint64_t seed, std::span<float> w) const override;
  void initialize_state(std::span<float> state) const override { chain_.initialize_state(state); }
  std::vector<std::string> algorithms() const override {
    std::vector<std::string> told;
    chain_.tell_algorithms(told);
    return told;
  }
  void count_statistics(std::span<const float> w, const Batch& batch, std::span<float> state) override;
  double statistics_momentum() const override { return BatchNorm::momentum; }
  double gradient(std::span<const float> w, const Batch& batch, std::span<float> gradient, std::span<float> state = {}) override;
  double loss(std::span<const float> w, const Batch& batch, std::span<const float> state = {}) override;
  Evaluation evaluate(std::span<const float> w, const Batch& batch, std::span<const float> state = {}) override;

 private:
  bool penalized(const Tensor& tensor) const;

  double l2_ = 0;
  std::vector<std::string> l2_layers_;
  std::size_t evaluation_batch_ = 0;
  Layout layout_, state_layout_;
  Loss loss_;
  Chain chain_;
  std::vector<float> state_;  ///< a copy to read, since a pass may also write
};

/// The mlp: inputs – d hidden units – classes.
std::unique_ptr<Model> make_mlp(std::size_t inputs, std::size_t hidden, std::size_t classes, const std::string& activation, double l2);

}  // namespace qsweep
