#pragma once
#include "model/activation_kernels.h"
#include "model/layer.h"
#include "quantize/activation.h"

namespace qsweep {

/// y = σ(x), dx = dy·μ'(x) (quantize/activation.h). Where batch norm stands before it, that layer does both (BatchNorm::quantize).
class QuantizedActivation final : public Elementwise {
 public:
  QuantizedActivation(std::size_t size, const ActivationQuantizer& quantizer) : Elementwise(size), quantizer_(quantizer) {}
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;

 private:
  ActivationQuantizer quantizer_;
};

/// The numbers that the kernels want.
inline QuantizeRule rule_of(const ActivationQuantizer& q) { return {q.alpha, 1 / q.alpha, q.top(), q.nearest}; }

}  // namespace qsweep
