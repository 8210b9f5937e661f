#include "base/random_kernels.h"

// GCC 12 warns of the undefined operands inside its own AVX-512 intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

/// Philox4x32-10 on 64-bit lanes, one block to a lane. A round needs the low and the high half of c0·M0 and c2·M1; one 32 × 32 → 64
/// bit multiply gives both. Only the low halves of the lanes c0 … c3 mean anything: the multiply ignores the high halves and the
/// shift overwrites them, so what collects there is harmless and costs no masking. The plain reference is Random123 in random.cpp.
namespace qsweep::QSWEEP_SIMD {
namespace {

#if defined(QSWEEP_SIMD_avx512)
using Lanes = __m512i;
constexpr std::size_t lanes = 8;
inline Lanes same(std::uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
inline Lanes offsets() { return _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7); }
inline Lanes add(Lanes a, Lanes b) { return _mm512_add_epi64(a, b); }
inline Lanes multiply(Lanes a, Lanes b) { return _mm512_mul_epu32(a, b); }
inline Lanes high(Lanes a) { return _mm512_srli_epi64(a, 32); }
inline Lanes xor3(Lanes a, Lanes b, Lanes c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
inline Lanes join(Lanes low, Lanes up) { return _mm512_mask_shuffle_epi32(low, 0xAAAA, up, _MM_PERM_CCAA); }
inline void store(Lanes words01, Lanes words23, std::uint32_t* out) {
  _mm512_storeu_si512(out, _mm512_unpacklo_epi64(words01, words23));
  _mm512_storeu_si512(out + 16, _mm512_unpackhi_epi64(words01, words23));
}
#elif defined(QSWEEP_SIMD_avx2)
using Lanes = __m256i;
constexpr std::size_t lanes = 4;
inline Lanes same(std::uint64_t x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }
inline Lanes offsets() { return _mm256_setr_epi64x(0, 2, 1, 3); }
inline Lanes add(Lanes a, Lanes b) { return _mm256_add_epi64(a, b); }
inline Lanes multiply(Lanes a, Lanes b) { return _mm256_mul_epu32(a, b); }
inline Lanes high(Lanes a) { return _mm256_srli_epi64(a, 32); }
inline Lanes xor3(Lanes a, Lanes b, Lanes c) { return _mm256_xor_si256(a, _mm256_xor_si256(b, c)); }
inline Lanes join(Lanes low, Lanes up) { return _mm256_blend_epi32(low, _mm256_slli_epi64(up, 32), 0xAA); }
inline void store(Lanes words01, Lanes words23, std::uint32_t* out) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_unpacklo_epi64(words01, words23));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8), _mm256_unpackhi_epi64(words01, words23));
}
#else
using Lanes = __m128i;
constexpr std::size_t lanes = 2;
inline Lanes same(std::uint64_t x) { return _mm_set1_epi64x(static_cast<long long>(x)); }
inline Lanes offsets() { return _mm_set_epi64x(1, 0); }
inline Lanes add(Lanes a, Lanes b) { return _mm_add_epi64(a, b); }
inline Lanes multiply(Lanes a, Lanes b) { return _mm_mul_epu32(a, b); }
inline Lanes high(Lanes a) { return _mm_srli_epi64(a, 32); }
inline Lanes xor3(Lanes a, Lanes b, Lanes c) { return _mm_xor_si128(a, _mm_xor_si128(b, c)); }
inline Lanes join(Lanes low, Lanes up) {
  return _mm_unpacklo_epi32(_mm_shuffle_epi32(low, _MM_SHUFFLE(3, 1, 2, 0)), _mm_shuffle_epi32(up, _MM_SHUFFLE(3, 1, 2, 0)));
}
inline void store(Lanes words01, Lanes words23, std::uint32_t* out) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_unpacklo_epi64(words01, words23));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 4), _mm_unpackhi_epi64(words01, words23));
}
#endif

constexpr int rounds = 10, side_by_side = 4;

/// The key of each round, the same for all blocks: in memory, where a broadcast costs no more than the load.
struct RoundKeys {
  std::uint64_t key0[rounds], key1[rounds];
  explicit RoundKeys(const PhiloxBlocks& from) {
    for (std::uint32_t round = 0; round < rounds; ++round) {
      key0[round] = static_cast<std::uint32_t>(from.key0 + round * 0x9E3779B9U);  // golden ratio
      key1[round] = static_cast<std::uint32_t>(from.key1 + round * 0xBB67AE85U);  // √3 − 1
    }
  }
};

/// count · lanes blocks from number `first` on; several vectors side by side, since each waits for its own multiplies. Within a
/// vector the blocks lie in the order offsets(), which makes the two halves of store() come out in sequence.
template <int count>
inline void vectors(const PhiloxBlocks& from, const RoundKeys& keys, std::uint32_t first, std::uint32_t* out) {
  const Lanes multiplier0 = same(0xD2511F53U), multiplier1 = same(0xCD9E8D57U);
  Lanes c0[count], c1[count], c2[count], c3[count];
  for (int v = 0; v < count; ++v) {
    c0[v] = add(same(first + static_cast<std::uint32_t>(v * lanes)), offsets());
    c1[v] = same(from.counter1);
    c2[v] = same(from.counter2);
    c3[v] = same(from.counter3);
  }
  for (int round = 0; round < rounds; ++round)
    for (int v = 0; v < count; ++v) {
      const Lanes product0 = multiply(c0[v], multiplier0), product1 = multiply(c2[v], multiplier1);
      c0[v] = xor3(high(product1), c1[v], same(keys.key0[round]));
      c2[v] = xor3(high(product0), c3[v], same(keys.key1[round]));
      c1[v] = product1;
      c3[v] = product0;
    }
  for (int v = 0; v < count; ++v) store(join(c0[v], c1[v]), join(c2[v], c3[v]), out + 4 * v * static_cast<int>(lanes));
}

void philox(const PhiloxBlocks& from, std::size_t blocks, std::uint32_t* out) {
  const RoundKeys keys(from);
  const auto number = [&](std::size_t done) { return from.first + static_cast<std::uint32_t>(done); };
  std::size_t done = 0;
  for (; done + side_by_side * lanes <= blocks; done += side_by_side * lanes)
    vectors<side_by_side>(from, keys, number(done), out + 4 * done);
  for (; done + lanes <= blocks; done += lanes) vectors<1>(from, keys, number(done), out + 4 * done);
  if (done < blocks) {
    std::uint32_t rest[4 * lanes];
    vectors<1>(from, keys, number(done), rest);
    for (std::size_t j = 0; j < 4 * (blocks - done); ++j) out[4 * done + j] = rest[j];
  }
}

void uniform(const std::uint32_t* word, std::size_t count, float low, float high, float* out) {
  const float range = high - low;
  for (std::size_t j = 0; j < count; ++j)
    out[j] = low + range * (static_cast<float>(static_cast<std::int32_t>(word[j] >> 8)) * 0x1p-24F);
}

}  // namespace

extern const RandomKernels random_kernels = {philox, uniform};

}  // namespace qsweep::QSWEEP_SIMD
