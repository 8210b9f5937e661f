#include "quantize/levels.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>

namespace qsweep {

Levels Levels::of(Spacing spacing, int bits) {
  assert(spacing == Spacing::sign ? bits == 1 : 2 <= bits && bits <= 8);
  return {spacing, bits, spacing == Spacing::sign ? 1 : (1 << (bits - 1)) - 1};
}

float Levels::top() const { return spacing == Spacing::uniform ? static_cast<float>(k) : 1.0f; }

float Levels::inverse(float alpha) const { return alpha == 0 ? 0.0f : std::min(top() / alpha, std::numeric_limits<float>::max()); }

int Levels::nearest(float x) const {
  if (spacing == Spacing::sign) return 1;
  if (spacing == Spacing::uniform) return static_cast<int>(std::round(x < top() ? x : top()));
  for (int r = k; r > 1; --r)
    if (!(x < magnitude(r - 1) * 1.5f)) return r;
  return x < std::ldexp(1.0f, -k) ? 0 : 1;
}

float Levels::magnitude(int r) const {
  if (spacing == Spacing::uniform) return static_cast<float>(r) / static_cast<float>(k);
  return r == 0 ? 0.0f : std::ldexp(1.0f, r - k);
}

std::vector<float> Levels::values() const {
  if (spacing == Spacing::sign) return {-1.0f, 1.0f};
  std::vector<float> all(2 * k + 1, 0.0f);
  for (int r = 1; r <= k; ++r) {
    all[k + r] = magnitude(r);
    all[k - r] = -magnitude(r);
  }
  return all;
}

int Levels::code(float w, float inverse) const {
  if (spacing == Spacing::sign) return w < 0 ? 0 : 1;
  const int r = nearest(std::fabs(w) * inverse);
  return w < 0 ? k - r : k + r;
}

double Levels::resolution() const {
  if (spacing == Spacing::sign) return 2;
  if (spacing == Spacing::uniform) return 1.0 / k;
  return k == 1 ? 1 : 0.5;
}

}  // namespace qsweep
