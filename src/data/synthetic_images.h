#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "data/images.h"

/// Ten classes of 3×32×32 images that need no files. Everything is integer arithmetic, the same bytes on every machine:
///   G_k,c [4, 4]     random in [−128, 128), for class k and channel c;  P_k,c [32, 32] = 64 × the bilinear interpolation of G_k,c,
///   period 32 sample n:        label k = n mod 10, another class j ≠ k, weights a ∈ [64, 128) and b ∈ [0, 96), shifts dy, dx, ey,
///   ex ∈ [−4, 4) pixel c, y, x  = clamp(128 + ⌊(a P_k,c(y + dy, x + dx) + b P_j,c(y + ey, x + ex)) / 2¹³⌋ + ⌊(r + r' − 255) / 2⌋,
///   0, 255)
/// r, r' uniform bytes. The second class and the shifts keep a linear classifier, or the nearest class mean, from getting all
/// right. Draws have one fixed seed: G from Draw::TrueWeights, sample n from Stream(seed, Draw::Data, n); test sample m is n =
/// 10,000 + m.
namespace qsweep {

class SyntheticImages {
 public:
  static constexpr Geometry geometry = {3, 32, 32};
  static constexpr std::size_t train = 10'000, test = 2'000;

  SyntheticImages();
  /// The first labels.size() samples of a part; pixels [labels.size(), 3, 32, 32].
  void make(Part part, std::span<std::uint8_t> pixels, std::span<std::uint8_t> labels) const;

 private:
  void make_one(std::uint32_t n, std::uint8_t* pixels, std::uint8_t& label) const;

  using Pattern = std::array<std::int16_t, 3 * 32 * 32>;
  std::unique_ptr<std::array<Pattern, 10>> patterns_;  // P
};

}  // namespace qsweep
