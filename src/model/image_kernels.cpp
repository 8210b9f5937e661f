#include "model/image_kernels.h"

#include <cmath>

// Wide vectors are returned by functions of this file alone.
#pragma GCC diagnostic ignored "-Wpsabi"

// __builtin_sqrtf, not std::sqrt: no inline function of the standard library may be compiled here (one definition for all builds).
namespace qsweep::QSWEEP_SIMD {
namespace {

template <int B>
using Lanes [[gnu::vector_size(4 * B)]] = float;
template <int B>
using Places [[gnu::vector_size(4 * B)]] = std::int32_t;
template <int B>
using Bytes [[gnu::vector_size(B)]] = std::uint8_t;

template <class V, class T>
inline V load(const T* from) {
  V v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
template <class V, class T>
inline void store(T* to, const V& v) {
  __builtin_memcpy(to, &v, sizeof v);
}

/// Rows (or columns) of a window that lie in the image: taps first … last − 1 of output i.
struct Inside {
  std::size_t first, last;
  Inside(const PoolShape& s, std::size_t i, std::size_t length) {
    const std::size_t begin = i * s.stride;  // of the window, in padded coordinates
    first = begin < s.before ? s.before - begin : 0;
    last = begin + s.size > length + s.before ? length + s.before - begin : s.size;
  }
};

template <int B, bool rectify>
void max_pool_of(const PoolShape& s, const float* __restrict x, float* __restrict y, std::uint8_t* __restrict where) {
  for (std::size_t plane = 0; plane < s.planes; ++plane, x += s.height * s.width * B)
    for (std::size_t i = 0; i < s.output_height; ++i) {
      const Inside rows(s, i, s.height);
      for (std::size_t j = 0; j < s.output_width; ++j, y += B, where += B) {
        const Inside columns(s, j, s.width);
        const float* window = x + ((i * s.stride + rows.first - s.before) * s.width + j * s.stride + columns.first - s.before) * B;
        Lanes<B> best = load<Lanes<B>>(window);
        Places<B> place = Places<B>{} + static_cast<std::int32_t>(rows.first * s.size + columns.first);
        for (std::size_t p = rows.first; p < rows.last; ++p, window += s.width * B)
          for (std::size_t q = columns.first; q < columns.last; ++q) {
            const Lanes<B> value = load<Lanes<B>>(window + (q - columns.first) * B);
            const Places<B> larger = ~(value <= best) & (best == best);  // the first is not larger than itself, unless it is NaN, which stays
            best = larger ? value : best;
            place = larger ? Places<B>{} + static_cast<std::int32_t>(p * s.size + q) : place;
          }
        store(y, rectify ? (best <= 0.0F ? Lanes<B>{} : best) : best);
        store(where, __builtin_convertvector(place, Bytes<B>));
      }
    }
}

template <int B, bool rectify>
void max_pool_back_of(const PoolShape& s, const float* __restrict y, const float* __restrict dy, const std::uint8_t* __restrict where, float* __restrict dx) {
  for (std::size_t plane = 0; plane < s.planes; ++plane, dx += s.height * s.width * B) {
    for (std::size_t i = 0; i < s.height * s.width * B; ++i) dx[i] = 0;
    for (std::size_t i = 0; i < s.output_height; ++i) {
      const Inside rows(s, i, s.height);
      for (std::size_t j = 0; j < s.output_width; ++j, y += B, dy += B, where += B) {
        const Inside columns(s, j, s.width);
        const Places<B> place = __builtin_convertvector(load<Bytes<B>>(where), Places<B>);
        Lanes<B> delta = load<Lanes<B>>(dy);
        if (rectify) delta = load<Lanes<B>>(y) > 0.0F ? delta : Lanes<B>{};
        float* window = dx + ((i * s.stride + rows.first - s.before) * s.width + j * s.stride + columns.first - s.before) * B;
        for (std::size_t p = rows.first; p < rows.last; ++p, window += s.width * B)
          for (std::size_t q = columns.first; q < columns.last; ++q) {
            float* to = window + (q - columns.first) * B;
            store(to, load<Lanes<B>>(to) + (place == static_cast<std::int32_t>(p * s.size + q) ? delta : Lanes<B>{}));
          }
      }
    }
  }
}

template <int B>
void max_pool_with(const PoolShape& s, const float* x, float* y, std::uint8_t* where) {
  s.rectify ? max_pool_of<B, true>(s, x, y, where) : max_pool_of<B, false>(s, x, y, where);
}
template <int B>
void max_pool_back_with(const PoolShape& s, const float* y, const float* dy, const std::uint8_t* where, float* dx) {
  s.rectify ? max_pool_back_of<B, true>(s, y, dy, where, dx) : max_pool_back_of<B, false>(s, y, dy, where, dx);
}
void max_pool(const PoolShape& s, const float* x, float* y, std::uint8_t* where) {
  s.block == 16 ? max_pool_with<16>(s, x, y, where) : max_pool_with<8>(s, x, y, where);
}
void max_pool_back(const PoolShape& s, const float* y, const float* dy, const std::uint8_t* where, float* dx) {
  s.block == 16 ? max_pool_back_with<16>(s, y, dy, where, dx) : max_pool_back_with<8>(s, y, dy, where, dx);
}

/// out[c] = Σ_{|k| ≤ radius} in[c + radius + k], always in the order of k.
inline void window_sums(std::size_t channels, std::size_t taps, const float* __restrict in, float* __restrict out) {
  constexpr int lanes = 16;
  for (std::size_t c = 0; c < channels; c += lanes) {  // reads and writes past the end: the scratch has room
    float sum[lanes];
    if (taps == 9) {  // the published network's, unrolled: the sums stay in a register
      for (int l = 0; l < lanes; ++l)
        sum[l] = in[c + l] + in[c + l + 1] + in[c + l + 2] + in[c + l + 3] + in[c + l + 4] + in[c + l + 5] + in[c + l + 6] + in[c + l + 7] + in[c + l + 8];
    } else {
      for (int l = 0; l < lanes; ++l) sum[l] = in[c + l];
      for (std::size_t k = 1; k < taps; ++k)
        for (int l = 0; l < lanes; ++l) sum[l] += in[c + l + k];
    }
    for (int l = 0; l < lanes; ++l) out[c + l] = sum[l];
  }
}

template <int B>
void response_of(const ResponseShape& s, const float* __restrict x, float* __restrict y, float* __restrict scratch) {
  const std::size_t channels = s.groups * B, taps = 2 * s.radius + 1, plane = s.pixels * B;
  float *square = scratch, *sum = scratch + channels + 2 * s.radius + 16;
  for (std::size_t b = 0; b < s.batch; ++b, x += s.groups * plane, y += s.groups * plane)
    for (std::size_t p = 0; p < s.pixels; ++p) {
      for (std::size_t g = 0; g < s.groups; ++g) {
        const float* from = x + g * plane + p * B;
        float* to = square + s.radius + g * B;
        for (int l = 0; l < B; ++l) to[l] = from[l] * from[l];
      }
      window_sums(channels, taps, square, sum);
      for (std::size_t g = 0; g < s.groups; ++g) {
        const float* from = x + g * plane + p * B;
        float* to = y + g * plane + p * B;
        for (int l = 0; l < B; ++l) {
          const float base = s.bias + s.alpha * sum[g * B + l];
          to[l] = from[l] / __builtin_sqrtf(base * __builtin_sqrtf(base));
        }
      }
    }
}

/// dx_c = dy_c·s_c^(−¾) − 2·¾·alpha·x_c·Σ_{window} dy·x·s^(−7/4)
template <int B>
void response_back_of(const ResponseShape& s, const float* __restrict x, const float* __restrict dy, float* __restrict dx, float* __restrict scratch) {
  const std::size_t channels = s.groups * B, taps = 2 * s.radius + 1, plane = s.pixels * B, part = channels + 2 * s.radius + 16;
  float *square = scratch, *sum = scratch + part, *product = scratch + 2 * part;
  const float factor = 1.5F * s.alpha;
  for (std::size_t b = 0; b < s.batch; ++b, x += s.groups * plane, dy += s.groups * plane, dx += s.groups * plane)
    for (std::size_t p = 0; p < s.pixels; ++p) {
      for (std::size_t g = 0; g < s.groups; ++g) {
        const float* from = x + g * plane + p * B;
        float* to = square + s.radius + g * B;
        for (int l = 0; l < B; ++l) to[l] = from[l] * from[l];
      }
      window_sums(channels, taps, square, sum);
      for (std::size_t g = 0; g < s.groups; ++g) {
        const std::size_t at = g * plane + p * B;
        float* to = product + s.radius + g * B;
        for (int l = 0; l < B; ++l) {
          const float base = s.bias + s.alpha * sum[g * B + l];
          const float scaled = dy[at + l] / __builtin_sqrtf(base * __builtin_sqrtf(base));
          dx[at + l] = scaled;
          to[l] = scaled * x[at + l] / base;
        }
      }
      window_sums(channels, taps, product, sum);
      for (std::size_t g = 0; g < s.groups; ++g) {
        const std::size_t at = g * plane + p * B;
        for (int l = 0; l < B; ++l) dx[at + l] -= factor * x[at + l] * sum[g * B + l];
      }
    }
}

void response(const ResponseShape& s, const float* x, float* y, float* scratch) {
  s.block == 16 ? response_of<16>(s, x, y, scratch) : response_of<8>(s, x, y, scratch);
}
void response_back(const ResponseShape& s, const float* x, const float* dy, float* dx, float* scratch) {
  s.block == 16 ? response_back_of<16>(s, x, dy, dx, scratch) : response_back_of<8>(s, x, dy, dx, scratch);
}

/// Lanes known when compiling (16 and 8), or not (0).
template <int L>
constexpr int count_lanes(const LaneShape& s) {
  return L != 0 ? L : static_cast<int>(s.lanes);
}
constexpr int most_lanes = 16;
constexpr std::size_t chunk = 64;  ///< pixels whose sums are taken in float, in cache, before they go into double

template <int L>
void moments_of(const LaneShape& s, const float* __restrict x, double* __restrict mean, double* __restrict square) {
  const int lanes = count_lanes<L>(s);
  double m[most_lanes] = {}, q[most_lanes] = {}, seen = 0;
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t first = 0; first < s.pixels; first += chunk) {
      const std::size_t last = first + chunk < s.pixels ? first + chunk : s.pixels;
      const float* from = x + b * s.sample_stride;
      float part[most_lanes] = {}, spread[most_lanes] = {};
      const auto n = static_cast<double>(last - first);
      for (std::size_t p = first; p < last; ++p)
        for (int l = 0; l < lanes; ++l) part[l] += from[p * s.pixel_stride + l];
      for (int l = 0; l < lanes; ++l) part[l] /= static_cast<float>(n);
      for (std::size_t p = first; p < last; ++p)
        for (int l = 0; l < lanes; ++l) {
          const float d = from[p * s.pixel_stride + l] - part[l];
          spread[l] += d * d;
        }
      seen += n;  // Chan, Golub, LeVeque: two parts' moments make those of the whole
      const double weight = n / seen, cross = n * (1 - weight);
      for (int l = 0; l < lanes; ++l) {
        const double delta = static_cast<double>(part[l]) - m[l];
        m[l] += delta * weight;
        q[l] += static_cast<double>(spread[l]) + delta * delta * cross;
      }
    }
  for (int l = 0; l < lanes; ++l) mean[l] = m[l], square[l] = q[l];
}

template <int L>
void normalize_of(const LaneShape& s, const float* __restrict x, const float* mean, const float* scale, const float* shift, bool rectify, float* __restrict y) {
  const int lanes = count_lanes<L>(s);
  float m[most_lanes] = {}, a[most_lanes] = {}, c[most_lanes] = {};
  for (int l = 0; l < lanes; ++l) m[l] = mean[l], a[l] = scale[l], c[l] = shift[l];
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t p = 0; p < s.pixels; ++p) {
      const std::size_t at = b * s.sample_stride + p * s.pixel_stride;
      if (rectify) {
        for (int l = 0; l < lanes; ++l) {
          const float value = (x[at + l] - m[l]) * a[l] + c[l];
          y[at + l] = value <= 0 ? 0.0F : value;  // NaN stays visible
        }
      } else {
        for (int l = 0; l < lanes; ++l) y[at + l] = (x[at + l] - m[l]) * a[l] + c[l];
      }
    }
}

template <int L>
void normalize_sums_of(const LaneShape& s, const float* __restrict x, const float* __restrict y, const float* __restrict dy, const float* mean, bool rectify,
                       double* __restrict sum, double* __restrict product) {
  const int lanes = count_lanes<L>(s);
  float m[most_lanes] = {};
  double total[most_lanes] = {}, mixed[most_lanes] = {};
  for (int l = 0; l < lanes; ++l) m[l] = mean[l];
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t first = 0; first < s.pixels; first += chunk) {
      const std::size_t last = first + chunk < s.pixels ? first + chunk : s.pixels;
      float part[most_lanes] = {}, cross[most_lanes] = {};
      for (std::size_t p = first; p < last; ++p) {
        const std::size_t at = b * s.sample_stride + p * s.pixel_stride;
        if (rectify) {
          for (int l = 0; l < lanes; ++l) {
            const float d = y[at + l] > 0 ? dy[at + l] : 0.0F;
            part[l] += d;
            cross[l] += d * (x[at + l] - m[l]);
          }
        } else {
          for (int l = 0; l < lanes; ++l) {
            part[l] += dy[at + l];
            cross[l] += dy[at + l] * (x[at + l] - m[l]);
          }
        }
      }
      for (int l = 0; l < lanes; ++l) total[l] += static_cast<double>(part[l]), mixed[l] += static_cast<double>(cross[l]);
    }
  for (int l = 0; l < lanes; ++l) sum[l] = total[l], product[l] = mixed[l];
}

template <int L>
void normalize_back_of(const LaneShape& s, const float* __restrict x, const float* __restrict y, const float* __restrict dy, const float* mean, const float* scale,
                       const float* offset, const float* slope, bool rectify, float* __restrict dx) {
  const int lanes = count_lanes<L>(s);
  float m[most_lanes] = {}, a[most_lanes] = {}, k[most_lanes] = {}, r[most_lanes] = {};
  for (int l = 0; l < lanes; ++l) m[l] = mean[l], a[l] = scale[l], k[l] = offset[l], r[l] = slope[l];
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t p = 0; p < s.pixels; ++p) {
      const std::size_t at = b * s.sample_stride + p * s.pixel_stride;
      if (rectify) {
        for (int l = 0; l < lanes; ++l) {
          const float d = y[at + l] > 0 ? dy[at + l] : 0.0F;
          dx[at + l] = a[l] * (d - k[l] - (x[at + l] - m[l]) * r[l]);
        }
      } else {
        for (int l = 0; l < lanes; ++l) dx[at + l] = a[l] * (dy[at + l] - k[l] - (x[at + l] - m[l]) * r[l]);
      }
    }
}

void moments(const LaneShape& s, const float* x, double* mean, double* square) {
  s.lanes == 16 ? moments_of<16>(s, x, mean, square) : s.lanes == 8 ? moments_of<8>(s, x, mean, square) : moments_of<0>(s, x, mean, square);
}
void normalize(const LaneShape& s, const float* x, const float* mean, const float* scale, const float* shift, bool rectify, float* y) {
  const auto kernel = s.lanes == 16 ? normalize_of<16> : s.lanes == 8 ? normalize_of<8> : normalize_of<0>;
  kernel(s, x, mean, scale, shift, rectify, y);
}
void normalize_sums(const LaneShape& s, const float* x, const float* y, const float* dy, const float* mean, bool rectify, double* sum, double* product) {
  const auto kernel = s.lanes == 16 ? normalize_sums_of<16> : s.lanes == 8 ? normalize_sums_of<8> : normalize_sums_of<0>;
  kernel(s, x, y, dy, mean, rectify, sum, product);
}
void normalize_back(const LaneShape& s, const float* x, const float* y, const float* dy, const float* mean, const float* scale, const float* offset,
                    const float* slope, bool rectify, float* dx) {
  const auto kernel = s.lanes == 16 ? normalize_back_of<16> : s.lanes == 8 ? normalize_back_of<8> : normalize_back_of<0>;
  kernel(s, x, y, dy, mean, scale, offset, slope, rectify, dx);
}

void relu(std::size_t n, const float* __restrict x, float* __restrict y) {
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i] <= 0 ? 0.0F : x[i];  // NaN stays visible
}
void relu_back(std::size_t n, const float* __restrict y, const float* __restrict dy, float* __restrict dx) {
  for (std::size_t i = 0; i < n; ++i) dx[i] = y[i] > 0 ? dy[i] : 0.0F;
}

}  // namespace

extern const ImageKernels image_kernels;
const ImageKernels image_kernels = {max_pool, max_pool_back, response, response_back, moments, normalize, normalize_sums, normalize_back, relu, relu_back};

}  // namespace qsweep::QSWEEP_SIMD
