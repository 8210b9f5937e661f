#pragma once
#include <optional>
#include <vector>

#include "model/image.h"
#include "model/layer.h"
#include "quantize/activation.h"

/// Batch normalization (Ioffe, Szegedy 2015) of each channel over mini-batch and pixels, n = batch · pixels values:
///   training    y = γ·(x − μ)/√(σ² + ε) + β,  μ and σ² = Σ(x − μ)²/n of this mini-batch;
///               running mean ← .9·running mean + .1·μ;  running variance ← .9·running variance + .1·σ²·n/(n − 1), as in PyTorch
///   evaluation  the same with the running statistics
///   dx = γ/√(σ² + ε)·(dy − Σdy/n − x̂·Σ(dy·x̂)/n),  dγ = Σ dy·x̂,  dβ = Σ dy,  x̂ = (x − μ)/√(σ² + ε)
/// Plain: γ = 1, β = 0, no parameters. With `rectify` a ReLU follows at once, or after `quantize` a quantized activation (model/activation.h),
/// which saves two passes over memory.
/// The running statistics are the caller's: tensors NAME/running_mean and NAME/running_var of the state layout, one vector for each
/// worker. Sums are taken in an order that depends on the shape alone, so equal inputs give equal bits.
namespace qsweep {

class BatchNorm final : public Layer {
 public:
  static constexpr float epsilon = 1e-5F, momentum = 0.1F;

  /// A vector of n values is Image{n}.
  BatchNorm(Layout& layout, Layout& state_layout, const std::string& name, const Image& image, bool affine, bool rectify);
  void quantize(const ActivationQuantizer& quantizer);  ///< y = σ(of the above) from now on
  std::size_t inputs() const override { return image_.stored(); }
  std::size_t outputs() const override { return image_.stored(); }
  void initialize(const Stream& draws, std::span<float> w) const override;  ///< γ = 1, β = 0
  void initialize_state(std::span<float> state) const override;             ///< mean 0, variance 1
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;

 private:
  struct Group;  ///< up to 16 channels that lie side by side
  Group group(std::size_t g, std::size_t batch) const;
  void measure(const Pass& pass, std::span<const float> x);
  bool masks_by_input() const;

  Image image_;
  bool affine_, rectify_;
  std::optional<ActivationQuantizer> quantizer_;
  std::size_t gamma_, beta_, running_mean_, running_variance_;  ///< offsets in the network's vectors
  std::vector<float> mean_, inverse_;                            ///< μ, 1/√(σ² + ε) of the last pass
};

}  // namespace qsweep
