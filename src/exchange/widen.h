#pragma once
#include <algorithm>
#include <array>
#include <numeric>

#include "base/blocks.h"
#include "base/cpu.h"
#include "quantize/gradient_kernels.h"
#include "quantize/packing.h"

/// Codes of one worker, packed in narrow fields, added to sums in wider ones.
namespace qsweep {

/// wide += narrow, number by number. narrow: fields of at most 8 bits; what lies beyond the last number must be 0 (as packing
/// leaves it) and adds 0. Both span the same numbers: wide holds what `narrow` does, up to the end of its last word.
inline void widen_add(std::span<const std::uint64_t> narrow, Fields from, Fields to, std::span<std::uint64_t> wide) {
  if (from == to) {
    for (std::size_t i = 0; i < narrow.size(); ++i) wide[i] += narrow[i];
    return;
  }
  const GradientKernels& kernels = dispatch(baseline::gradient_kernels, avx2::gradient_kernels, avx512::gradient_kernels);
  alignas(64) std::array<std::uint8_t, block_elements + 64 + 8> codes{};  // 8: the kernels may touch so many bytes more
  const auto unit = static_cast<std::size_t>(std::lcm(from.per_word, to.per_word));
  const std::size_t step = block_elements / unit * unit, narrow_step = step / from.per_word, wide_step = step / to.per_word;
  for (std::size_t i = 0, j = 0; i < narrow.size(); i += narrow_step, j += wide_step) {
    const std::size_t words = std::min(narrow_step, narrow.size() - i), sums = std::min(wide_step, wide.size() - j);
    kernels.unpack(narrow.data() + i, words, from.width, from.per_word, codes.data());
    std::fill(codes.begin() + static_cast<std::ptrdiff_t>(words * from.per_word), codes.end(), std::uint8_t{0});
    kernels.pack_add(codes.data(), sums, to.width, to.per_word, wide.data() + j);
  }
}

}  // namespace qsweep
