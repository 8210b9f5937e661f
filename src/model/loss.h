#pragma once
#include <cstdint>
#include <span>

#include "model/model.h"

/// Losses of one mini-batch, summed over its samples, and the number of hits (the first largest output is the label).
///   z [B, classes]  outputs;  labels [B];  t_bc = 1 if c = label(b), else −1
///   derivative, if not empty, receives d(mean ℓ)/dz [B, classes].
namespace qsweep {

/// ℓ_b = log Σ_c exp(z_bc) − z_b,label(b),   dz_bc = (softmax(z_b)_c − [c = label(b)])/B
Evaluation softmax_cross_entropy(std::size_t classes, std::span<const float> z, std::span<const std::int32_t> labels, std::span<float> derivative);

/// ℓ_b = Σ_c max(0, 1 − t_bc·z_bc)²,   dz_bc = −2·t_bc·max(0, 1 − t_bc·z_bc)/B   (Courbariaux et al. 2015)
Evaluation squared_hinge(std::size_t classes, std::span<const float> z, std::span<const std::int32_t> labels, std::span<float> derivative);

/// ℓ_b = ½ Σ_c (z_bc − [c = label(b)])²,   dz_bc = (z_bc − [c = label(b)])/B
Evaluation square_loss(std::size_t classes, std::span<const float> z, std::span<const std::int32_t> labels, std::span<float> derivative);

}  // namespace qsweep
