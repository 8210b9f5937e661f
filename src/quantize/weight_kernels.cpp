#include "quantize/weight_kernels.h"

#include <immintrin.h>

#if defined(QSWEEP_SIMD_avx512)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 finds it in its own avx512fintrin.h: PR 105593
#endif

namespace qsweep::QSWEEP_SIMD {
namespace {

constexpr std::size_t lanes = 16;
constexpr float epsilon = 1e-8f;                     // in d = √v + epsilon
constexpr float below_half = 0x1.fffffep-2f;         // ⌊x + below_half⌋ in float is round half away for 0 ≤ x < 2²³
constexpr std::int32_t half_step = 0x00400000;       // of a float's mantissa: half way to the next power of two
constexpr std::int32_t exponent_field = 0x7f800000;  // of a float's bits

/// A level set in the terms of the rounding below.
struct Rounding {
  float top;
  std::int32_t least;  // bits of 2^−(k−1), the smallest logarithmic level
  std::int32_t half;   // bits of 2^−k, below which a logarithmic magnitude becomes 0 (k = 127: a denormal's)
};

Rounding rounding_of(const Levels& s) {
  return {s.spacing == Spacing::uniform ? static_cast<float>(s.k) : 1.0f, (128 - s.k) << 23,
          s.k == 127 ? half_step : (127 - s.k) << 23};
}

/// q of one magnitude x = |w|·inverse. A NaN goes to the top level.
template <bool logarithmic>
inline float nearest(float x, Rounding s) {
  x = x < s.top ? x : s.top;
  if constexpr (!logarithmic) return static_cast<float>(static_cast<std::int32_t>(x + below_half));
  const std::int32_t bits = __builtin_bit_cast(std::int32_t, x);
  const std::int32_t power = (bits + half_step) & exponent_field;
  const std::int32_t raised = power > s.least ? power : s.least;
  return __builtin_bit_cast(float, raised & -static_cast<std::int32_t>(bits >= s.half));
}

double folded(double* lane) {
  for (std::size_t half = lanes / 2; half > 0; half /= 2)
    for (std::size_t j = 0; j < half; ++j) lane[j] += lane[j + half];
  return lane[0];
}

// Sixteen values at a time, in as many registers as that takes. What lies beyond the end of a block has |w| = 0 and d = 0 and adds
// +0 to each sum. The types are GCC's vector types; their operators are element-wise.
#if defined(QSWEEP_SIMD_avx512)
constexpr std::size_t width = 16;
inline __m512 root(__m512 x) { return _mm512_sqrt_ps(x); }
inline __m512d lower(__m512 x) { return _mm512_cvtps_pd(_mm512_castps512_ps256(x)); }
inline __m512d upper(__m512 x) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)); }
#elif defined(QSWEEP_SIMD_avx2)
constexpr std::size_t width = 8;
inline __m256 root(__m256 x) { return _mm256_sqrt_ps(x); }
inline __m256d lower(__m256 x) { return _mm256_cvtps_pd(_mm256_castps256_ps128(x)); }
inline __m256d upper(__m256 x) { return _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)); }
inline bool differ(__m256 a, __m256 b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NEQ_OQ)) != 0; }
#else
constexpr std::size_t width = 4;
inline __m128 root(__m128 x) { return _mm_sqrt_ps(x); }
inline __m128d lower(__m128 x) { return _mm_cvtps_pd(x); }
inline __m128d upper(__m128 x) { return _mm_cvtps_pd(_mm_movehl_ps(x, x)); }
inline bool differ(__m128 a, __m128 b) { return _mm_movemask_ps(_mm_cmpneq_ps(a, b)) != 0; }
#endif
constexpr std::size_t parts = lanes / width;
typedef float Floats __attribute__((vector_size(width * 4)));
typedef std::int32_t Integers __attribute__((vector_size(width * 4)));
typedef double Doubles __attribute__((vector_size(width * 4)));  // half as many

struct Lanes {
  Floats part[parts];
};

inline Lanes load(const float* x) {
  Lanes out;
  for (std::size_t p = 0; p < parts; ++p) __builtin_memcpy(&out.part[p], x + p * width, sizeof(Floats));
  return out;
}
inline Lanes load(const float* x, std::size_t count) {
  if (count >= lanes) return load(x);
  float padded[lanes] = {};
  for (std::size_t j = 0; j < count; ++j) padded[j] = x[j];
  return load(padded);
}
inline Lanes absolute(Lanes x) {
  for (std::size_t p = 0; p < parts; ++p) x.part[p] = reinterpret_cast<Floats>(reinterpret_cast<Integers>(x.part[p]) & 0x7fffffff);
  return x;
}
inline Lanes curvature(const float* v, std::size_t count) {
  float present[lanes] = {};
  if (count < lanes || v == nullptr)
    for (std::size_t j = 0; j < lanes && j < count; ++j) present[j] = 1.0f;
  if (v == nullptr) return load(present);
  Lanes d = load(v, count);
  for (std::size_t p = 0; p < parts; ++p) d.part[p] = root(d.part[p]) + epsilon;
  if (count < lanes) {
    const Lanes mask = load(present);
    for (std::size_t p = 0; p < parts; ++p) d.part[p] *= mask.part[p];
  }
  return d;
}

template <bool logarithmic>
inline Lanes nearest(Lanes magnitude, float inverse, Rounding s) {
  const Floats top = s.top + Floats{};
  const Integers least = s.least + Integers{};
  for (std::size_t p = 0; p < parts; ++p) {
    Floats x = magnitude.part[p] * inverse;
    x = x < top ? x : top;
    if constexpr (logarithmic) {
      const Integers bits = reinterpret_cast<Integers>(x);
      Integers power = (bits + half_step) & exponent_field;
      power = power > least ? power : least;
      magnitude.part[p] = reinterpret_cast<Floats>(power & (bits >= s.half));
    } else {
      magnitude.part[p] = __builtin_convertvector(__builtin_convertvector(x + below_half, Integers), Floats);
    }
  }
  return magnitude;
}

/// Appends |w| and d where low ≠ high, clears low there, returns how many.
#if defined(QSWEEP_SIMD_avx512)
inline std::size_t take_near(Lanes& low, const Lanes& high, const Lanes& magnitude, const Lanes& d, float* near_magnitude,
                             float* near_curvature) {
  const __mmask16 near = _mm512_cmp_ps_mask(low.part[0], high.part[0], _CMP_NEQ_OQ);
  low.part[0] = _mm512_maskz_mov_ps(static_cast<__mmask16>(~near), low.part[0]);
  _mm512_storeu_ps(near_magnitude, _mm512_maskz_compress_ps(near, magnitude.part[0]));
  _mm512_storeu_ps(near_curvature, _mm512_maskz_compress_ps(near, d.part[0]));
  return static_cast<std::size_t>(__builtin_popcount(near));
}
#else
inline std::size_t take_near(Lanes& low, const Lanes& high, const Lanes& magnitude, const Lanes& d, float* near_magnitude,
                             float* near_curvature) {
  std::size_t count = 0;
  for (std::size_t p = 0; p < parts; ++p) {
    if (!differ(low.part[p], high.part[p])) continue;
    for (std::size_t j = 0; j < width; ++j) {
      near_magnitude[count] = magnitude.part[p][j];
      near_curvature[count] = d.part[p][j];
      count += low.part[p][j] != high.part[p][j];
    }
    low.part[p] = low.part[p] == high.part[p] ? low.part[p] : Floats{};
  }
  return count;
}
#endif

class Sum {
 public:
  void add(const Lanes& factor, const Lanes& weight) { add<false>(factor, weight, weight); }
  /// += first·second, or first·second·third, in this order
  template <bool triple>
  void add(const Lanes& first, const Lanes& second, const Lanes& third) {
    for (std::size_t p = 0; p < parts; ++p) {
      Doubles low = lower(first.part[p]) * lower(second.part[p]), high = upper(first.part[p]) * upper(second.part[p]);
      if constexpr (triple) {
        low *= lower(third.part[p]);
        high *= upper(third.part[p]);
      }
      half_[2 * p] += low;
      half_[2 * p + 1] += high;
    }
  }
  void add(const Lanes& x) {
    for (std::size_t p = 0; p < parts; ++p) {
      half_[2 * p] += lower(x.part[p]);
      half_[2 * p + 1] += upper(x.part[p]);
    }
  }
  double total() const {
    double lane[lanes];
    __builtin_memcpy(lane, half_, sizeof lane);
    return folded(lane);
  }

 private:
  Doubles half_[2 * parts] = {};
};

template <AlphaRule rule>
inline void accumulate(Sum& numerator, Sum& denominator, const Lanes& d, const Lanes& q, const Lanes& magnitude) {
  numerator.add<true>(d, q, magnitude);
  denominator.add<rule == AlphaRule::exact>(d, q, q);
}

BlockSums mean(const float* w, const float* v, std::size_t n) {
  Sum numerator, denominator;
  for (std::size_t i = 0; i < n; i += lanes) {
    const Lanes d = curvature(v == nullptr ? v : v + i, n - i);
    numerator.add(d, absolute(load(w + i, n - i)));
    denominator.add(d);
  }
  return {numerator.total(), denominator.total()};
}

template <bool logarithmic, AlphaRule rule>
std::size_t window_pass(const float* w, const float* v, std::size_t n, float low, float high, Rounding s, BlockSums* sums,
                        float* near_magnitude, float* near_curvature) {
  Sum numerator, denominator;
  std::size_t near = 0;
  for (std::size_t i = 0; i < n; i += lanes) {
    const Lanes magnitude = absolute(load(w + i, n - i));
    const Lanes d = curvature(v == nullptr ? v : v + i, n - i);
    Lanes q = nearest<logarithmic>(magnitude, low, s);
    near += take_near(q, nearest<logarithmic>(magnitude, high, s), magnitude, d, near_magnitude + near, near_curvature + near);
    accumulate<rule>(numerator, denominator, d, q, magnitude);
  }
  *sums = {numerator.total(), denominator.total()};
  return near;
}

template <bool logarithmic, AlphaRule rule>
BlockSums sums_pass(const float* magnitudes, const float* curvatures, std::size_t n, float inverse, Rounding s) {
  Sum numerator, denominator;
  for (std::size_t i = 0; i < n; i += lanes) {
    const Lanes magnitude = load(magnitudes + i, n - i);
    accumulate<rule>(numerator, denominator, load(curvatures + i, n - i), nearest<logarithmic>(magnitude, inverse, s), magnitude);
  }
  return {numerator.total(), denominator.total()};
}

std::size_t window(const Levels& levels, AlphaRule rule, const float* w, const float* v, std::size_t n, float low, float high,
                   BlockSums* sums, float* near_magnitude, float* near_curvature) {
  const bool logarithmic = levels.spacing == Spacing::logarithmic;
  const auto pass = rule == AlphaRule::exact
                        ? (logarithmic ? window_pass<true, AlphaRule::exact> : window_pass<false, AlphaRule::exact>)
                        : (logarithmic ? window_pass<true, AlphaRule::released> : window_pass<false, AlphaRule::released>);
  return pass(w, v, n, low, high, rounding_of(levels), sums, near_magnitude, near_curvature);
}

BlockSums sums(const Levels& levels, AlphaRule rule, const float* magnitude, const float* curvatures, std::size_t n,
               float inverse) {
  const bool logarithmic = levels.spacing == Spacing::logarithmic;
  const auto pass = rule == AlphaRule::exact
                        ? (logarithmic ? sums_pass<true, AlphaRule::exact> : sums_pass<false, AlphaRule::exact>)
                        : (logarithmic ? sums_pass<true, AlphaRule::released> : sums_pass<false, AlphaRule::released>);
  return pass(magnitude, curvatures, n, inverse, rounding_of(levels));
}

template <bool logarithmic>
void apply_levels(Rounding s, const float* w, std::size_t n, float alpha, float inverse, float* quantized) {
  for (std::size_t i = 0; i < n; ++i) {
    const float q = nearest<logarithmic>(__builtin_fabsf(w[i]) * inverse, s);
    const float value = alpha * (q / s.top);
    const std::uint32_t negative = static_cast<std::uint32_t>((w[i] < 0.0f) & (q > 0.0f)) << 31;  // level 0 is +0
    quantized[i] = __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, value) ^ negative);
  }
}

void apply(const Levels& levels, const float* w, std::size_t n, float alpha, float inverse, float* quantized) {
  if (levels.spacing == Spacing::sign) {
    for (std::size_t i = 0; i < n; ++i) quantized[i] = w[i] < 0.0f ? -alpha : alpha;
  } else if (levels.spacing == Spacing::uniform) {
    apply_levels<false>(rounding_of(levels), w, n, alpha, inverse, quantized);
  } else {
    apply_levels<true>(rounding_of(levels), w, n, alpha, inverse, quantized);
  }
}

void encode(const Levels& levels, const float* w, std::size_t n, float inverse, std::uint8_t* code) {
  const Rounding s = rounding_of(levels);
  const std::int32_t k = levels.k;
  if (levels.spacing == Spacing::sign) {
    for (std::size_t i = 0; i < n; ++i) code[i] = w[i] < 0.0f ? 0 : 1;
  } else if (levels.spacing == Spacing::uniform) {
    for (std::size_t i = 0; i < n; ++i) {
      const std::int32_t r = static_cast<std::int32_t>(nearest<false>(__builtin_fabsf(w[i]) * inverse, s));
      code[i] = static_cast<std::uint8_t>(w[i] < 0.0f ? k - r : k + r);
    }
  } else {
    for (std::size_t i = 0; i < n; ++i) {
      const std::int32_t bits = __builtin_bit_cast(std::int32_t, nearest<true>(__builtin_fabsf(w[i]) * inverse, s));
      const std::int32_t r = bits == 0 ? 0 : (bits >> 23) - 127 + k;
      code[i] = static_cast<std::uint8_t>(w[i] < 0.0f ? k - r : k + r);
    }
  }
}

#if defined(QSWEEP_SIMD_avx2) || defined(QSWEEP_SIMD_avx512)

constexpr std::uint64_t every_byte = 0x0101010101010101u;

/// Eight codes go in or out of a word at once, by the bits that a mask selects of their eight bytes.
inline std::uint64_t fields(int bits, std::size_t codes) {
  const std::uint64_t all = every_byte * ((1u << bits) - 1u);
  return codes >= 8 ? all : all & ((std::uint64_t{1} << (8 * codes)) - 1);
}
std::uint64_t pack_word(const std::uint8_t* code, std::size_t count, int bits) {
  std::uint64_t word = 0;
  for (std::size_t j = 0; j < count; j += 8) {
    std::uint64_t bytes = 0;
    __builtin_memcpy(&bytes, code + j, count - j >= 8 ? 8 : count - j);
    word |= _pext_u64(bytes, fields(bits, count - j)) << (j * static_cast<std::size_t>(bits));
  }
  return word;
}
void unpack_word(std::uint64_t word, std::size_t count, int bits, std::uint8_t* code) {
  for (std::size_t j = 0; j < count; j += 8) {
    const std::uint64_t bytes = _pdep_u64(word >> (j * static_cast<std::size_t>(bits)), fields(bits, count - j));
    __builtin_memcpy(code + j, &bytes, count - j >= 8 ? 8 : count - j);
  }
}

#else

std::uint64_t pack_word(const std::uint8_t* code, std::size_t count, int bits) {
  std::uint64_t word = 0;
  for (std::size_t j = 0; j < count; ++j) word |= static_cast<std::uint64_t>(code[j]) << (j * static_cast<std::size_t>(bits));
  return word;
}
void unpack_word(std::uint64_t word, std::size_t count, int bits, std::uint8_t* code) {
  for (std::size_t j = 0; j < count; ++j)
    code[j] = static_cast<std::uint8_t>((word >> (j * static_cast<std::size_t>(bits))) & ((1u << bits) - 1u));
}

#endif

void pack(const std::uint8_t* code, std::size_t n, int bits, std::uint64_t* word) {
  const std::size_t per_word = 64 / static_cast<std::size_t>(bits);
  for (std::size_t i = 0; i < n; i += per_word, ++word) *word = pack_word(code + i, n - i < per_word ? n - i : per_word, bits);
}

void unpack(const std::uint64_t* word, std::size_t n, int bits, std::uint8_t* code) {
  const std::size_t per_word = 64 / static_cast<std::size_t>(bits);
  for (std::size_t i = 0; i < n; i += per_word, ++word) unpack_word(*word, n - i < per_word ? n - i : per_word, bits, code + i);
}

}  // namespace

extern const WeightKernels weight_kernels = {mean, window, sums, apply, encode, pack, unpack};

}  // namespace qsweep::QSWEEP_SIMD
