#pragma once
#include <cstddef>
#include <cstdint>

/// The inner loops of gradient.h on blocks of at most 4,096 elements, built for each instruction set (base/cpu.h): the same bits
/// from all of them. Blocks lie in the first-level cache between one loop and the next.
namespace qsweep {

/// Half a random word. Words are read as halves in place, low half first, as x86-64 stores them.
using Half [[gnu::may_alias]] = std::uint16_t;

struct BlockStatistics {
  std::uint32_t largest_bits;  ///< max |g| as the bits of the float: orders like the float, and NaN above infinity
  double sum, squares;
};

/// How one tensor is rounded: code = round(min(|g|, limit) · codes_per_unit), clamped to max_code.
struct Rounding {
  float limit;
  float codes_per_unit;  ///< k/s, or 0 if s = 0
  int max_code;          ///< k
};

struct QuantizedBlock {
  std::uint64_t squared_codes;  ///< Σ code²
  std::size_t undecided;        ///< number of elements whose 16 bits were not enough
};

struct GradientKernels {
  BlockStatistics (*statistics)(const float* g, std::size_t size);
  /// code[i] = c_i + k. Element i is rounded by draw[i]; where that half equals the threshold's upper half, the code is the lower
  /// one and i is noted in undecided (room for `size` indices).
  QuantizedBlock (*quantize)(const float* g, std::size_t size, const Rounding&, const Half* draw, std::uint8_t* code,
                             std::uint16_t* undecided);
  /// word[j] += packed code[j·per_word …], for j < words; 8 bytes after the last code may be read
  void (*pack_add)(const std::uint8_t* code, std::size_t words, int width, int per_word, std::uint64_t* word);
  /// code[…] = fields of word[j], for j < words, width ≤ 8; 8 bytes after the last code may be written
  void (*unpack)(const std::uint64_t* word, std::size_t words, int width, int per_word, std::uint8_t* code);
  /// the same for any width up to 32; one more code may be written
  void (*unpack_wide)(const std::uint64_t* word, std::size_t words, int width, int per_word, std::uint32_t* code);
  /// out[i] = table[code[i]];  table has `entries` floats, every code is below
  void (*look_up)(const std::uint8_t* code, std::size_t size, const float* table, std::size_t entries, float* out);
  /// out[i] += table[code[i]]
  void (*look_up_add)(const std::uint8_t* code, std::size_t size, const float* table, std::size_t entries, float* out);
  /// out[i] = float(scale·(code[i] − zero)/divisor)
  void (*evaluate)(const std::uint32_t* code, std::size_t size, double scale, std::int32_t zero, double divisor, float* out);
  /// x[i] /= divisor
  void (*divide)(float* x, std::size_t size, float divisor);
};

namespace baseline {
extern const GradientKernels gradient_kernels;
}
namespace avx2 {
extern const GradientKernels gradient_kernels;
}
namespace avx512 {
extern const GradientKernels gradient_kernels;
}

}  // namespace qsweep
