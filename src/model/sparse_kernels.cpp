#include "model/sparse_kernels.h"

#include <immintrin.h>

#include <algorithm>
#include <utility>

// Wide vectors are returned by functions of this file alone.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace qsweep::QSWEEP_SIMD {
namespace {

std::size_t compress(std::size_t n, const float* x, const float* background, std::uint32_t* positions, float* differences) {
  std::size_t i = 0, count = 0;
#if defined(QSWEEP_SIMD_avx512)
  __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (; i + 16 <= n; i += 16, at = _mm512_add_epi32(at, _mm512_set1_epi32(16))) {
    const __m512 value = _mm512_loadu_ps(x + i), usual = _mm512_loadu_ps(background + i);
    const __mmask16 differ = _mm512_cmp_ps_mask(value, usual, _CMP_NEQ_UQ);
    _mm512_storeu_si512(positions + count, _mm512_maskz_compress_epi32(differ, at));  // storing only what differs is slow on some CPUs
    _mm512_storeu_ps(differences + count, _mm512_maskz_compress_ps(differ, _mm512_sub_ps(value, usual)));
    count += static_cast<std::size_t>(__builtin_popcount(differ));
  }
#endif
  for (; i < n; ++i) {
    positions[count] = static_cast<std::uint32_t>(i);
    differences[count] = x[i] - background[i];
    count += x[i] != background[i] ? 1 : 0;
  }
  return count;
}

#if defined(QSWEEP_SIMD_avx512)
constexpr std::size_t side = 16, most = 10;  // lanes of a register; vectors of sparse_lanes that the registers hold beside what else is needed
#elif defined(QSWEEP_SIMD_avx2)
constexpr std::size_t side = 8, most = 5;
#else
constexpr std::size_t side = 4, most = 3;
#endif

template <std::size_t N>
using Lanes [[gnu::vector_size(4 * N)]] = float;
template <std::size_t N>
using Indices [[gnu::vector_size(4 * N)]] = std::int32_t;

/// Of the tile's lines `Step` apart, swaps the lanes `Step` apart: after all powers of two below side the tile is transposed.
template <std::size_t Step>
void exchange_lanes(Lanes<side> (&tile)[side]) {
  if constexpr (Step > 0) {
    Indices<side> low, high;  // of two vectors' lanes, one after the other
    for (std::size_t l = 0; l < side; ++l) {
      low[l] = static_cast<std::int32_t>((l & Step) == 0 ? l : side + l - Step);
      high[l] = static_cast<std::int32_t>((l & Step) == 0 ? l + Step : side + l);
    }
    for (std::size_t i = 0; i < side; ++i) {
      if ((i & Step) != 0) continue;
      const Lanes<side> a = tile[i], b = tile[i + Step];
      tile[i] = __builtin_shuffle(a, b, low);
      tile[i + Step] = __builtin_shuffle(a, b, high);
    }
    exchange_lanes<Step / 2>(tile);
  }
}

void transpose(std::size_t rows, std::size_t columns, const float* from, std::size_t from_stride, float* to, std::size_t to_stride) {
  for (std::size_t r0 = 0; r0 < to_stride; r0 += side)
    for (std::size_t c0 = 0; c0 < columns; c0 += side) {
      const std::size_t width = std::min(side, columns - c0), height = std::min(side, to_stride - r0), filled = std::min(height, std::max(rows, r0) - r0);
      Lanes<side> tile[side];
      if (width == side && filled == side) {
        for (std::size_t r = 0; r < side; ++r) __builtin_memcpy(&tile[r], from + (r0 + r) * from_stride + c0, sizeof tile[r]);
        exchange_lanes<side / 2>(tile);
        for (std::size_t c = 0; c < side; ++c) __builtin_memcpy(to + (c0 + c) * to_stride + r0, &tile[c], sizeof tile[c]);
        continue;
      }
      for (std::size_t c = 0; c < width; ++c)
        for (std::size_t r = 0; r < height; ++r) to[(c0 + c) * to_stride + r0 + r] = r < filled ? from[(r0 + r) * from_stride + c0 + c] : 0;
    }
}

constexpr std::size_t lanes = sparse_lanes;
constexpr std::size_t near = 40 * 1024;  // bytes of the table that all lines pass over before the next: measured, a first cache and a little

template <std::size_t Sums>
void add_panel(const SparseLines& sparse, std::size_t rows, const float* table, float* out, std::size_t* next) {
  constexpr std::size_t width = Sums * lanes, step = near / (width * sizeof(float));
  std::copy_n(sparse.first, sparse.lines, next);
  for (std::size_t begin = 0; begin < rows; begin += step)
    for (std::size_t i = 0; i < sparse.lines; ++i) {
      std::size_t k = next[i];
      const std::size_t end = sparse.first[i + 1];
      if (k == end || sparse.places[k] >= begin + step) continue;
      Lanes<lanes> sums[Sums];
      __builtin_memcpy(sums, out + i * width, sizeof sums);
      for (; k < end && sparse.places[k] < begin + step; ++k) {
        const float* row = table + sparse.places[k] * width;
        for (std::size_t s = 0; s < Sums; ++s) {
          Lanes<lanes> element;
          __builtin_memcpy(&element, row + s * lanes, sizeof element);
          sums[s] += sparse.values[k] * element;
        }
      }
      __builtin_memcpy(out + i * width, sums, sizeof sums);
      next[i] = k;
    }
}

template <std::size_t... Less>
void add_product_of(std::index_sequence<Less...>, const SparseLines& sparse, std::size_t rows, const float* table, std::size_t width, float* out, std::size_t* next) {
  static constexpr decltype(&add_panel<1>) by_sums[] = {add_panel<Less + 1>...};
  by_sums[width / lanes - 1](sparse, rows, table, out, next);
}

void add_product(const SparseLines& sparse, std::size_t rows, const float* table, std::size_t width, float* out, std::size_t* next) {
  add_product_of(std::make_index_sequence<most>(), sparse, rows, table, width, out, next);
}

}  // namespace

extern const SparseKernels sparse_kernels = {compress, transpose, add_product, most * lanes};

}  // namespace qsweep::QSWEEP_SIMD
