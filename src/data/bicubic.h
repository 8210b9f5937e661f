#pragma once
#include <cstddef>
#include <span>

/// Halves an image by the bicubic kernel (Keys, a = −½, stretched by 2), separably, stride 2:
///   out_i = Σ_{j=0..7} f_j · in_{2i−3+j},   f = (−3, −9, 29, 111, 111, 29, −9, −3)/256
/// Taps outside the image are dropped and the others rescaled to the sum 1. No rounding.
namespace qsweep {

/// image [side, side], side even; out [side/2, side/2].
void halve_bicubic(std::size_t side, std::span<const double> image, std::span<double> out);

}  // namespace qsweep
