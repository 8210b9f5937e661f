#pragma once
#include <cstdint>
#include <span>

#include "model/model.h"

/// Softmax cross-entropy of one mini-batch,   ℓ_b = log Σ_c exp(z_bc) − z_b,label(b),   dz_bc = (softmax(z_b)_c − [c = label(b)])/B
///   z [B, classes]  logits;  labels [B]
///   derivative, if not empty, receives d(mean ℓ)/dz [B, classes].
/// Returns Σ_b ℓ_b and the number of hits (the first largest logit is the label).
namespace qsweep {

Evaluation softmax_cross_entropy(std::size_t classes, std::span<const float> z, std::span<const std::int32_t> labels, std::span<float> derivative);

}  // namespace qsweep
