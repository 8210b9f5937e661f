#include "theory/regret_kernels.h"

#include <immintrin.h>

namespace qsweep::QSWEEP_SIMD {
namespace {

// Eight lanes: one register of AVX-512, two of AVX2, four of SSE2.
typedef double Lanes __attribute__((vector_size(64)));
typedef float Floats __attribute__((vector_size(32)));

struct Sums {
  Lanes rise{}, step{}, weight_error{}, gradient_squared{}, gradient_max{};
};

inline void square_root(Lanes& x) {
#if defined(QSWEEP_SIMD_avx512)
  x = reinterpret_cast<Lanes>(_mm512_maskz_sqrt_pd(0xff, reinterpret_cast<__m512d>(x)));
#elif defined(QSWEEP_SIMD_avx2)
  double* p = reinterpret_cast<double*>(&x);
  for (int i = 0; i < 8; i += 4) _mm256_storeu_pd(p + i, _mm256_sqrt_pd(_mm256_loadu_pd(p + i)));
#else
  double* p = reinterpret_cast<double*>(&x);
  for (int i = 0; i < 8; i += 2) _mm_storeu_pd(p + i, _mm_sqrt_pd(_mm_loadu_pd(p + i)));
#endif
}

inline void load(const float* p, Lanes& x) {
  Floats narrow;
  __builtin_memcpy(&narrow, p, sizeof narrow);
  x = __builtin_convertvector(narrow, Lanes);
}

inline void add_eight(const float* w, const float* w_hat, const float* g, const float* v, double epsilon, double inverse_eta,
                      double* previous, Sums& sums) {
  const Lanes zero{};
  Lanes wi, wi_hat, gi, before, P = zero + 1.0;
  load(w, wi);
  load(w_hat, wi_hat);
  load(g, gi);
  __builtin_memcpy(&before, previous, sizeof before);
  if (v != nullptr) {
    load(v, P);
    square_root(P);
    P += epsilon;
  }
  const Lanes now = P * inverse_eta;
  __builtin_memcpy(previous, &now, sizeof now);
  const Lanes rise = now - before, square = gi * gi, error = wi - wi_hat, size = gi < zero ? -gi : gi;
  sums.rise += rise < zero ? zero : rise;
  sums.step += gi == zero ? zero : square / P;
  sums.weight_error += error * error;
  sums.gradient_squared += square;
  sums.gradient_max = size > sums.gradient_max ? size : sums.gradient_max;
}

/// The last n < 8 elements, padded so that the padding adds nothing: w = ŵ = g = v = 0 and P/η as it was.
inline void add_rest(std::size_t n, const float* w, const float* w_hat, const float* g, const float* v, double epsilon,
                     double inverse_eta, double* previous, Sums& sums) {
  float padded[4][8] = {};
  double padded_previous[8];
  for (std::size_t i = 0; i < 8; ++i) padded_previous[i] = i < n ? previous[i] : (v == nullptr ? 1.0 : epsilon) * inverse_eta;
  for (std::size_t i = 0; i < n; ++i) {
    padded[0][i] = w[i];
    padded[1][i] = w_hat[i];
    padded[2][i] = g[i];
    if (v != nullptr) padded[3][i] = v[i];
  }
  add_eight(padded[0], padded[1], padded[2], v == nullptr ? nullptr : padded[3], epsilon, inverse_eta, padded_previous, sums);
  for (std::size_t i = 0; i < n; ++i) previous[i] = padded_previous[i];
}

inline double total(const Lanes& x) { return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7])); }

inline double largest(const Lanes& x) {
  double most = x[0];
  for (int i = 1; i < 8; ++i) most = x[i] > most ? x[i] : most;
  return most;
}

RegretSums block(std::size_t n, const float* w, const float* w_hat, const float* g, const float* v, double epsilon,
                 double inverse_eta, double* previous) {
  Sums sums;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    add_eight(w + i, w_hat + i, g + i, v == nullptr ? nullptr : v + i, epsilon, inverse_eta, previous + i, sums);
  if (i < n) add_rest(n - i, w + i, w_hat + i, g + i, v == nullptr ? nullptr : v + i, epsilon, inverse_eta, previous + i, sums);
  return {total(sums.rise), total(sums.step), total(sums.weight_error), total(sums.gradient_squared), largest(sums.gradient_max)};
}

}  // namespace

extern const RegretKernels regret_kernels;
const RegretKernels regret_kernels = {block};

}  // namespace qsweep::QSWEEP_SIMD
