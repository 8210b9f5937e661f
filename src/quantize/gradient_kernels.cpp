#include "quantize/gradient_kernels.h"

// GCC 12 warns of the undefined operands inside its own AVX-512 intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

namespace qsweep::QSWEEP_SIMD {
namespace {

inline std::uint32_t bits_of(float x) { return __builtin_bit_cast(std::uint32_t, x); }
inline float magnitude(float x) { return __builtin_bit_cast(float, bits_of(x) & 0x7FFFFFFFU); }

#if defined(QSWEEP_SIMD_avx512)
constexpr int register_doubles = 8;
#elif defined(QSWEEP_SIMD_avx2)
constexpr int register_doubles = 4;
#else
constexpr int register_doubles = 2;
#endif
using Floats [[gnu::vector_size(4 * register_doubles)]] = float;
using Doubles [[gnu::vector_size(8 * register_doubles)]] = double;
using Bits [[gnu::vector_size(4 * register_doubles)]] = std::uint32_t;

#if defined(QSWEEP_SIMD_avx512)
inline Doubles widen(Floats x) { return _mm512_cvtps_pd(x); }  // one instruction, where GCC 12 splits the conversion in four
#else
inline Doubles widen(Floats x) { return __builtin_convertvector(x, Doubles); }
#endif

/// Running maximum and sums of `register_doubles` lanes: as many vectors as make sixteen lanes.
struct Running {
  Bits largest;
  Doubles sum, squares;

  void take(const float* g) {
    Floats x;
    Bits bits;
    __builtin_memcpy(&x, g, sizeof x);
    __builtin_memcpy(&bits, g, sizeof bits);
    bits &= 0x7FFFFFFFU;
    largest = bits > largest ? bits : largest;
    const Doubles wide = widen(x);
    sum += wide;
    squares += wide * wide;  // x² of a float is exact in double
  }
};

/// Element i goes to lane i mod 16, and the lanes are added as a tree: one order at every vector width.
BlockStatistics statistics(const float* g, std::size_t size) {
  constexpr std::size_t lanes = 16;
  constexpr int vectors = lanes / register_doubles;
  Running running[vectors] = {};
  std::size_t i = 0;
  for (; i + lanes <= size; i += lanes)
    for (int v = 0; v < vectors; ++v) running[v].take(g + i + static_cast<std::size_t>(v * register_doubles));
  float rest[lanes] = {};  // zeros change neither a maximum nor a sum
  for (std::size_t l = 0; i + l < size; ++l) rest[l] = g[i + l];
  for (int v = 0; v < vectors; ++v) running[v].take(rest + v * register_doubles);

  BlockStatistics lane[lanes];
  for (int l = 0; l < static_cast<int>(lanes); ++l) {
    const Running& from = running[l / register_doubles];
    lane[l] = {from.largest[l % register_doubles], from.sum[l % register_doubles], from.squares[l % register_doubles]};
  }
  for (std::size_t half = lanes / 2; half > 0; half /= 2)
    for (std::size_t l = 0; l < half; ++l) {
      lane[l].largest_bits =
          lane[l + half].largest_bits > lane[l].largest_bits ? lane[l + half].largest_bits : lane[l].largest_bits;
      lane[l].sum += lane[l + half].sum;
      lane[l].squares += lane[l + half].squares;
    }
  return lane[0];
}

/// Position of |g| among the codes in 16.16 fixed point, cut off: the code below, and how many of the 2¹⁶ halves round up for
/// certain. Scaling by 2¹⁶ commutes with every rounding before it, so this is ⌊2¹⁶·x⌋ of the reference's x.
struct Positions {
  float limit, units, last;
  explicit Positions(const Rounding& r)
      : limit(r.limit), units(r.codes_per_unit * 0x1p16F), last(static_cast<float>(r.max_code) * 0x1p16F) {}
  int of(float g) const {
    const float size = magnitude(g);
    const float scaled = (size < limit ? size : limit) * units;
    return static_cast<int>(scaled < last ? scaled : last);
  }
};

constexpr std::size_t group = 256;  // elements that are searched again if one of them is undecided
struct Group {
  int squared_codes = 0;  ///< at most 256·127²
  bool undecided = false;
};

#if defined(QSWEEP_SIMD_avx512)
/// The loop of quantize_group below, 64 elements at a time and the signs put on in bytes: the compiler's own vectors take three
/// times as long. Returns how many elements are done.
inline std::size_t quantize_vectors(const float* g, std::size_t size, const Positions& positions, int max_code, const Half* draw,
                                    std::uint8_t* code, Group& result) {
  const __m512 limit = _mm512_set1_ps(positions.limit), units = _mm512_set1_ps(positions.units),
               last = _mm512_set1_ps(positions.last);
  const __m512i k = _mm512_set1_epi8(static_cast<char>(max_code));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512i squares = _mm512_setzero_si512();
  __mmask16 equal = 0;
  std::size_t i = 0;
  for (; i + 64 <= size; i += 64) {
    __m512i bits[4], negated[4];
    for (std::size_t v = 0; v < 4; ++v) {
      const __m512 value = _mm512_loadu_ps(g + i + 16 * v);
      const __m512 scaled = _mm512_mul_ps(_mm512_min_ps(_mm512_abs_ps(value), limit), units);
      const __m512i half = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(draw + i + 16 * v)));
      const __m512i difference = _mm512_sub_epi32(half, _mm512_cvttps_epi32(_mm512_min_ps(scaled, last)));
      equal = _kor_mask16(equal, _mm512_testn_epi32_mask(difference, _mm512_set1_epi32(0xFFFF)));
      negated[v] = _mm512_srai_epi32(difference, 16);
      bits[v] = _mm512_castps_si512(value);
    }
    // Packing keeps numbers that fit and the sign of those that do not; it leaves fours of elements in the inverse of `order`.
    const __m512i low = _mm512_packs_epi32(negated[0], negated[1]), high = _mm512_packs_epi32(negated[2], negated[3]);
    const __m512i signs = _mm512_packs_epi16(_mm512_packs_epi32(bits[0], bits[1]), _mm512_packs_epi32(bits[2], bits[3]));
    const __m512i bytes = _mm512_packs_epi16(low, high);
    const __m512i shifted = _mm512_mask_add_epi8(_mm512_sub_epi8(k, bytes), _mm512_movepi8_mask(signs), k, bytes);
    _mm512_storeu_si512(code + i, _mm512_permutexvar_epi32(order, shifted));
    squares = _mm512_add_epi32(squares, _mm512_add_epi32(_mm512_madd_epi16(low, low), _mm512_madd_epi16(high, high)));
  }
  result = {_mm512_reduce_add_epi32(squares), equal != 0};
  return i;
}
#endif

inline Group quantize_group(const float* g, std::size_t size, const Positions& positions, int max_code, const Half* draw,
                            std::uint8_t* code) {
  Group result;
  std::size_t i = 0;
#if defined(QSWEEP_SIMD_avx512)
  i = quantize_vectors(g, size, positions, max_code, draw, code, result);
#endif
  int squares = 0, equal = 0;
  for (; i < size; ++i) {
    const int difference = draw[i] - positions.of(g[i]);
    const int level = -(difference >> 16);                   // the code below, and one more if the half lies under the threshold
    const int sign = static_cast<int>(bits_of(g[i])) >> 31;  // 0 or −1
    equal |= (difference & 0xFFFF) == 0 ? 1 : 0;
    squares += level * level;
    code[i] = static_cast<std::uint8_t>((level ^ sign) - sign + max_code);
  }
  result.squared_codes += squares;
  result.undecided |= equal != 0;
  return result;
}

QuantizedBlock quantize(const float* g, std::size_t size, const Rounding& r, const Half* draw, std::uint8_t* code,
                        std::uint16_t* undecided) {
  const Positions positions(r);
  QuantizedBlock result = {0, 0};
  for (std::size_t i = 0; i < size; i += group) {
    const std::size_t end = i + group < size ? i + group : size;
    for (std::size_t line = i; line < end; line += 16)
      __builtin_prefetch(g + 4096 + line, 0, 2);  // the next block, while this one computes
    const Group done = quantize_group(g + i, end - i, positions, r.max_code, draw + i, code + i);
    result.squared_codes += static_cast<std::uint64_t>(done.squared_codes);
    if (done.undecided)  // about one group in 256
      for (std::size_t j = i; j < end; ++j)
        if ((positions.of(g[j]) & 0xFFFF) == draw[j]) undecided[result.undecided++] = static_cast<std::uint16_t>(j);
  }
  return result;
}

#if defined(QSWEEP_SIMD_baseline)

void pack_add(const std::uint8_t* code, std::size_t words, int width, int per_word, std::uint64_t* word) {
  for (std::size_t w = 0; w < words; ++w, code += per_word) {
    std::uint64_t packed = 0;
    for (int j = 0; j < per_word; ++j) packed |= std::uint64_t{code[j]} << (width * j);
    word[w] += packed;
  }
}

void unpack(const std::uint64_t* word, std::size_t words, int width, int per_word, std::uint8_t* code) {
  const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
  for (std::size_t w = 0; w < words; ++w, code += per_word)
    for (int j = 0; j < per_word; ++j) code[j] = static_cast<std::uint8_t>(word[w] >> (width * j) & mask);
}

void unpack_wide(const std::uint64_t* word, std::size_t words, int width, int per_word, std::uint32_t* code) {
  const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
  for (std::size_t w = 0; w < words; ++w, code += per_word)
    for (int j = 0; j < per_word; ++j) code[j] = static_cast<std::uint32_t>(word[w] >> (width * j) & mask);
}

#else  // BMI2: pext gathers the low bits of eight bytes, pdep spreads fields over bytes

/// `bits` ones at the bottom of each of `count` places, `apart` bits from one to the next.
inline std::uint64_t comb(int bits, int apart, int count) {
  std::uint64_t mask = 0;
  for (int j = 0; j < count; ++j) mask |= ((std::uint64_t{1} << bits) - 1) << (apart * j);
  return mask;
}

inline std::uint64_t load_bytes(const std::uint8_t* from) {
  std::uint64_t bytes;
  __builtin_memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

/// Fields of at most 8 bits: eight codes at a time, `groups` times, the last time fewer.
template <int groups>
void pack_add_narrow(const std::uint8_t* code, std::size_t words, int width, int per_word, std::uint64_t* word) {
  const std::uint64_t eight = comb(width, 8, 8), last = comb(width, 8, per_word - 8 * (groups - 1));
  for (std::size_t w = 0; w < words; ++w, code += per_word) {
    std::uint64_t packed = _pext_u64(load_bytes(code + 8 * (groups - 1)), last) << (8 * (groups - 1) * width);
    for (int j = 0; j < groups - 1; ++j) packed |= _pext_u64(load_bytes(code + 8 * j), eight) << (8 * j * width);
    word[w] += packed;
  }
}

void pack_add(const std::uint8_t* code, std::size_t words, int width, int per_word, std::uint64_t* word) {
  if (width > 8) {  // at most seven codes to a word: spread their bytes over the fields
    const std::uint64_t fields = comb(8, width, per_word);
    for (std::size_t w = 0; w < words; ++w, code += per_word) word[w] += _pdep_u64(load_bytes(code), fields);
  } else if (per_word <= 8) {
    pack_add_narrow<1>(code, words, width, per_word, word);
  } else if (per_word <= 16) {
    pack_add_narrow<2>(code, words, width, per_word, word);
  } else if (per_word <= 24) {
    pack_add_narrow<3>(code, words, width, per_word, word);
  } else {  // 32: fields have two bits at least
    pack_add_narrow<4>(code, words, width, per_word, word);
  }
}

void unpack(const std::uint64_t* word, std::size_t words, int width, int per_word, std::uint8_t* code) {
  const std::uint64_t eight = comb(width, 8, 8);
  for (std::size_t w = 0; w < words; ++w, code += per_word)
    for (int j = 0; j < per_word; j += 8) {  // the last time too many: the next word, or the room after the end, takes them
      const std::uint64_t bytes = _pdep_u64(word[w] >> (j * width), eight);
      __builtin_memcpy(code + j, &bytes, sizeof bytes);
    }
}

void unpack_wide(const std::uint64_t* word, std::size_t words, int width, int per_word, std::uint32_t* code) {
  const std::uint64_t two = comb(width, 32, 2);
  for (std::size_t w = 0; w < words; ++w, code += per_word)
    for (int j = 0; j < per_word; j += 2) {
      const std::uint64_t numbers = _pdep_u64(word[w] >> (j * width), two);
      __builtin_memcpy(code + j, &numbers, sizeof numbers);
    }
}

#endif

#if defined(QSWEEP_SIMD_avx512)
/// A table of up to 32·pairs floats in registers: each pair looks up 32 entries, and the code's upper bits choose the pair.
template <bool add, int pairs>
inline std::size_t look_up_in_registers(const std::uint8_t* code, std::size_t size, const float* table, std::size_t entries,
                                        float* out) {
  float padded[32 * pairs] = {};
  for (std::size_t e = 0; e < entries; ++e) padded[e] = table[e];
  __m512 low[pairs], high[pairs];
  for (int p = 0; p < pairs; ++p) {
    low[p] = _mm512_loadu_ps(padded + 32 * p);
    high[p] = _mm512_loadu_ps(padded + 32 * p + 16);
  }
  std::size_t i = 0;
  for (; i + 16 <= size; i += 16) {
    const __m512i index = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(code + i)));
    __m512 value = _mm512_permutex2var_ps(low[0], index, high[0]);
    for (int p = 1; p < pairs; ++p)
      value = _mm512_mask_mov_ps(value, _mm512_cmpge_epi32_mask(index, _mm512_set1_epi32(32 * p)),
                                 _mm512_permutex2var_ps(low[p], index, high[p]));
    _mm512_storeu_ps(out + i, add ? _mm512_add_ps(_mm512_loadu_ps(out + i), value) : value);
  }
  return i;
}
#endif

template <bool add>
void look_up(const std::uint8_t* code, std::size_t size, const float* table, [[maybe_unused]] std::size_t entries, float* out) {
  std::size_t i = 0;
#if defined(QSWEEP_SIMD_avx512)
  i = entries <= 32    ? look_up_in_registers<add, 1>(code, size, table, entries, out)
      : entries <= 64  ? look_up_in_registers<add, 2>(code, size, table, entries, out)
      : entries <= 128 ? look_up_in_registers<add, 4>(code, size, table, entries, out)
                       : look_up_in_registers<add, 8>(code, size, table, entries, out);
#endif
  for (; i < size; ++i) out[i] = add ? out[i] + table[code[i]] : table[code[i]];
}

void evaluate(const std::uint32_t* code, std::size_t size, double scale, std::int32_t zero, double divisor, float* out) {
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<float>(scale * (static_cast<std::int32_t>(code[i]) - zero) / divisor);
}

void divide(float* x, std::size_t size, float divisor) {
  for (std::size_t i = 0; i < size; ++i) x[i] /= divisor;
}

}  // namespace

extern const GradientKernels gradient_kernels = {statistics,     quantize,      pack_add, unpack, unpack_wide,
                                                 look_up<false>, look_up<true>, evaluate, divide};

}  // namespace qsweep::QSWEEP_SIMD
