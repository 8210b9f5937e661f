#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "quantize/gradient.h"

/// The plain references of gradient.h, one element at a time: what the kernels must equal to the bit.
namespace qsweep {

/// The 32 random bits of element i.
inline std::uint32_t rounding_bits_ref(const RoundingDraws& draws, std::size_t i) {
  const int shift = 16 * static_cast<int>(i % 2);
  return (draws.half.word(i / 2) >> shift & 0xFFFFU) << 16 | (draws.tail.word(i / 2) >> shift & 0xFFFFU);
}

/// code of one element: ⌊x⌋ or ⌊x⌋ + 1 with the sign of g, x = min(|g|, limit)·(k/s)
inline int quantize_ref(float g, float limit, float scale, int max_code, std::uint32_t random_bits) {
  if (scale < 0x1p-100F) return 0;
  const float k = static_cast<float>(max_code);
  const float x = std::min(std::min(std::abs(g), limit) * (k / scale), k);
  const float low = std::floor(x);
  const auto threshold = static_cast<std::uint32_t>((x - low) * 0x1p32F);
  const int level = static_cast<int>(low) + (random_bits < threshold ? 1 : 0);
  return g < 0 ? -level : level;
}

/// float(s·Σ code/(k·N))
inline float mean_ref(std::int64_t sum_of_codes, float scale, int max_code, int workers) {
  return static_cast<float>(double{scale} * static_cast<double>(sum_of_codes) / (static_cast<double>(max_code) * workers));
}

}  // namespace qsweep
