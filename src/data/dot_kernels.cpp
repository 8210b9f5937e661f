#include "data/dot_kernels.h"

#include <immintrin.h>

#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 warns of its own _mm512_cvtps_pd (GCC bug 105593)

namespace qsweep::QSWEEP_SIMD {
namespace {

// Terms are exact in double, so that a fused multiply-add rounds as a multiplication and an addition do.
#if defined(QSWEEP_SIMD_avx512)
using Lanes = __m512d;
inline Lanes load(const float* p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
inline Lanes load(const double* p) { return _mm512_loadu_pd(p); }
inline Lanes add_product(Lanes sum, Lanes a, Lanes b) { return _mm512_fmadd_pd(a, b, sum); }
inline void store(double* p, Lanes a) { _mm512_storeu_pd(p, a); }
#elif defined(QSWEEP_SIMD_avx2)
using Lanes = __m256d;
inline Lanes load(const float* p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
inline Lanes load(const double* p) { return _mm256_loadu_pd(p); }
inline Lanes add_product(Lanes sum, Lanes a, Lanes b) { return _mm256_fmadd_pd(a, b, sum); }
inline void store(double* p, Lanes a) { _mm256_storeu_pd(p, a); }
#else
using Lanes = __m128d;
inline Lanes load(const float* p) { return _mm_cvtps_pd(_mm_castsi128_ps(_mm_loadu_si64(p))); }
inline Lanes load(const double* p) { return _mm_loadu_pd(p); }
inline Lanes add_product(Lanes sum, Lanes a, Lanes b) { return _mm_add_pd(sum, _mm_mul_pd(a, b)); }
inline void store(double* p, Lanes a) { _mm_storeu_pd(p, a); }
#endif

constexpr std::size_t width = sizeof(Lanes) / sizeof(double), groups = 16 / width;

double dot(const float* x, const double* w, std::size_t d) {
  Lanes sums[groups] = {};
  std::size_t j = 0;
  for (; j + 16 <= d; j += 16)
    for (std::size_t g = 0; g < groups; ++g) sums[g] = add_product(sums[g], load(x + j + g * width), load(w + j + g * width));
  double lane[16];
  for (std::size_t g = 0; g < groups; ++g) store(lane + g * width, sums[g]);
  for (std::size_t l = 0; j + l < d; ++l) lane[l] += static_cast<double>(x[j + l]) * w[j + l];
  for (std::size_t half = 8; half > 0; half /= 2)
    for (std::size_t l = 0; l < half; ++l) lane[l] += lane[l + half];
  return lane[0];
}

}  // namespace

extern const DotKernels dot_kernel_table = {dot};

}  // namespace qsweep::QSWEEP_SIMD
