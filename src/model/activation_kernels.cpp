#include "model/activation_kernels.h"

namespace qsweep::QSWEEP_SIMD {
namespace {

/// σ(x). The code is first guessed from x/α, by at most one too small or too large, then set right by comparing x with the levels.
template <bool Nearest>
inline float level(const QuantizeRule& q, float x) {
  constexpr float magic = 12582912.0F;  // 1.5·2²³: adding and subtracting it rounds to an integer
  const float bounded = x <= 0 ? 0.0F : (x > q.top ? q.top : x);
  float j = (bounded * q.inverse + magic) - magic;
  if constexpr (Nearest) {
    j = bounded >= (j + 0.5F) * q.alpha ? j + 1 : j;
    j = bounded < (j - 0.5F) * q.alpha ? j - 1 : j;
  } else {
    j = bounded > j * q.alpha ? j + 1 : j;
    j = bounded <= (j - 1) * q.alpha ? j - 1 : j;
  }
  return j * q.alpha;
}

template <bool Nearest>
void quantize_of(const QuantizeRule& rule, std::size_t n, const float* __restrict x, float* __restrict y) {
  const QuantizeRule q = rule;
  for (std::size_t i = 0; i < n; ++i) y[i] = level<Nearest>(q, x[i]);
}

void quantize(const QuantizeRule& q, std::size_t n, const float* x, float* y) { q.nearest ? quantize_of<true>(q, n, x, y) : quantize_of<false>(q, n, x, y); }

void within_back(float bound, std::size_t n, const float* __restrict x, const float* __restrict dy, float* __restrict dx) {
  for (std::size_t i = 0; i < n; ++i) dx[i] = (x[i] > 0) & (x[i] <= bound) ? dy[i] : 0.0F;
}

/// Lanes known when compiling (16 and 8), or not (0).
template <int L>
constexpr int count_lanes(const LaneShape& s) {
  return L != 0 ? L : static_cast<int>(s.lanes);
}
constexpr int most_lanes = 16;
constexpr std::size_t chunk = 64;  ///< pixels whose sums are taken in float, in cache, before they go into double

template <int L, bool Nearest>
void normalize_quantize_of(const QuantizeRule& rule, const LaneShape& s, const float* __restrict x, const float* mean, const float* scale, const float* shift, float* __restrict y) {
  const int lanes = count_lanes<L>(s);
  const QuantizeRule q = rule;
  float m[most_lanes] = {}, a[most_lanes] = {}, c[most_lanes] = {};
  for (int l = 0; l < lanes; ++l) m[l] = mean[l], a[l] = scale[l], c[l] = shift[l];
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t p = 0; p < s.pixels; ++p) {
      const std::size_t at = b * s.sample_stride + p * s.pixel_stride;
      for (int l = 0; l < lanes; ++l) y[at + l] = level<Nearest>(q, (x[at + l] - m[l]) * a[l] + c[l]);
    }
}

void normalize_quantize(const QuantizeRule& q, const LaneShape& s, const float* x, const float* mean, const float* scale, const float* shift, float* y) {
  if (q.nearest) {
    const auto kernel = s.lanes == 16 ? normalize_quantize_of<16, true> : s.lanes == 8 ? normalize_quantize_of<8, true> : normalize_quantize_of<0, true>;
    return kernel(q, s, x, mean, scale, shift, y);
  }
  const auto kernel = s.lanes == 16 ? normalize_quantize_of<16, false> : s.lanes == 8 ? normalize_quantize_of<8, false> : normalize_quantize_of<0, false>;
  kernel(q, s, x, mean, scale, shift, y);
}

template <int L>
void within_sums_of(float bound, const LaneShape& s, const float* __restrict x, const float* __restrict dy, const float* mean, const float* scale, const float* shift,
                    double* __restrict sum, double* __restrict product) {
  const int lanes = count_lanes<L>(s);
  float m[most_lanes] = {}, a[most_lanes] = {}, c[most_lanes] = {};
  double total[most_lanes] = {}, mixed[most_lanes] = {};
  for (int l = 0; l < lanes; ++l) m[l] = mean[l], a[l] = scale[l], c[l] = shift[l];
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t first = 0; first < s.pixels; first += chunk) {
      const std::size_t last = first + chunk < s.pixels ? first + chunk : s.pixels;
      float part[most_lanes] = {}, cross[most_lanes] = {};
      for (std::size_t p = first; p < last; ++p) {
        const std::size_t at = b * s.sample_stride + p * s.pixel_stride;
        for (int l = 0; l < lanes; ++l) {
          const float centred = x[at + l] - m[l], normal = centred * a[l] + c[l];
          const float d = (normal > 0) & (normal <= bound) ? dy[at + l] : 0.0F;
          part[l] += d;
          cross[l] += d * centred;
        }
      }
      for (int l = 0; l < lanes; ++l) total[l] += static_cast<double>(part[l]), mixed[l] += static_cast<double>(cross[l]);
    }
  for (int l = 0; l < lanes; ++l) sum[l] = total[l], product[l] = mixed[l];
}

template <int L>
void within_normalize_back_of(float bound, const LaneShape& s, const float* __restrict x, const float* __restrict dy, const float* mean, const float* scale, const float* shift,
                              const float* offset, const float* slope, float* __restrict dx) {
  const int lanes = count_lanes<L>(s);
  float m[most_lanes] = {}, a[most_lanes] = {}, c[most_lanes] = {}, k[most_lanes] = {}, r[most_lanes] = {};
  for (int l = 0; l < lanes; ++l) m[l] = mean[l], a[l] = scale[l], c[l] = shift[l], k[l] = offset[l], r[l] = slope[l];
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t p = 0; p < s.pixels; ++p) {
      const std::size_t at = b * s.sample_stride + p * s.pixel_stride;
      for (int l = 0; l < lanes; ++l) {
        const float centred = x[at + l] - m[l], normal = centred * a[l] + c[l];
        const float d = (normal > 0) & (normal <= bound) ? dy[at + l] : 0.0F;
        dx[at + l] = a[l] * (d - k[l] - centred * r[l]);
      }
    }
}

void within_sums(float bound, const LaneShape& s, const float* x, const float* dy, const float* mean, const float* scale, const float* shift, double* sum, double* product) {
  const auto kernel = s.lanes == 16 ? within_sums_of<16> : s.lanes == 8 ? within_sums_of<8> : within_sums_of<0>;
  kernel(bound, s, x, dy, mean, scale, shift, sum, product);
}
void within_normalize_back(float bound, const LaneShape& s, const float* x, const float* dy, const float* mean, const float* scale, const float* shift, const float* offset,
                           const float* slope, float* dx) {
  const auto kernel = s.lanes == 16 ? within_normalize_back_of<16> : s.lanes == 8 ? within_normalize_back_of<8> : within_normalize_back_of<0>;
  kernel(bound, s, x, dy, mean, scale, shift, offset, slope, dx);
}

}  // namespace

extern const ActivationKernels activation_kernels;
const ActivationKernels activation_kernels = {quantize, within_back, normalize_quantize, within_sums, within_normalize_back};

}  // namespace qsweep::QSWEEP_SIMD
