#pragma once
#include <cstdint>
#include <vector>

/// Symmetric level sets S_w, which hold the quantized weight α·b for b ∈ S_w. k = 2^(m−1) − 1 for m bits:
///   sign          {−1, +1}                                  m = 1 (k = 1)
///   uniform       {0, ±1/k, …, ±1}                          m = 2 … 8, m = 2 is ternary
///   logarithmic   {0, ±2^−(k−1), …, ±1/2, ±1}               m = 2 … 8
/// A magnitude |w|/α is rounded to the nearest level, saturating at 1, ties away from zero:
///   uniform       q = ⌊min(x, k) + ½⌋,  x = |w|·(k/α),  level q/k
///   logarithmic   q = the power of two nearest to min(x, 1) by the arithmetic midpoint, x = |w|·(1/α), but 0 below 2^−k; level q
/// Source: Hou, Yao, Kwok 2017 (sign); Hou, Kwok 2018 and their released code (uniform, logarithmic).
namespace qsweep {

enum class Spacing { sign, uniform, logarithmic };

struct Levels {
  Spacing spacing = Spacing::sign;
  std::int32_t bits = 1;  ///< per code
  std::int32_t k = 1;     ///< levels above zero

  static Levels of(Spacing, int bits);

  float top() const;                  ///< q of the level 1: k if uniform, else 1
  float inverse(float alpha) const;   ///< top/α, finite; 0 if α = 0, so that every weight goes to level 0
  int nearest(float x) const;         ///< r ∈ {0, …, k}: number of the level nearest to x = |w|·inverse(α) (sign: always 1)
  float magnitude(int r) const;       ///< level of number r, 0 ≤ r ≤ k
  std::vector<float> values() const;  ///< all levels, ascending: a code is an index into them
  int code(float w, float inverse) const;  ///< index of the level nearest to w/α; sign(0) = +1
  double resolution() const;               ///< Δ_w = largest gap between neighbouring levels: 2; 1/k; 1 (m = 2) or ½
};

}  // namespace qsweep
