#include "model/image_kernels.h"

#include <cmath>

// __builtin_sqrtf, not std::sqrt: no inline function of the standard library may be compiled here (one definition for all builds).
namespace qsweep::QSWEEP_SIMD {
namespace {

template <int B>
void max_pool_of(const PoolShape& s, const float* __restrict x, float* __restrict y, std::uint8_t* __restrict where) {
  for (std::size_t plane = 0; plane < s.planes; ++plane, x += s.height * s.width * B)
    for (std::size_t i = 0; i < s.output_height; ++i)
      for (std::size_t j = 0; j < s.output_width; ++j, y += B, where += B) {
        float best[B] = {};
        std::int32_t place[B] = {};
        bool first = true;
        for (std::size_t p = 0; p < s.size; ++p) {
          const std::size_t h = i * s.stride + p - s.before;
          if (h >= s.height) continue;  // also where it wrapped below zero
          for (std::size_t q = 0; q < s.size; ++q) {
            const std::size_t w = j * s.stride + q - s.before;
            if (w >= s.width) continue;
            const float* from = x + (h * s.width + w) * B;
            const auto tap = static_cast<std::int32_t>(p * s.size + q);
            if (first) {
              for (int l = 0; l < B; ++l) best[l] = from[l], place[l] = tap;
              first = false;
            } else {
              for (int l = 0; l < B; ++l) {
                const bool larger = !(from[l] <= best[l]) && best[l] == best[l];
                best[l] = larger ? from[l] : best[l];
                place[l] = larger ? tap : place[l];
              }
            }
          }
        }
        for (int l = 0; l < B; ++l) y[l] = best[l];
        for (int l = 0; l < B; ++l) where[l] = static_cast<std::uint8_t>(place[l]);
      }
}

/// Each pixel gathers from the windows it lies in: one store for each, where scattering takes a load and a store for each place.
template <int B>
void max_pool_back_of(const PoolShape& s, const float* __restrict dy, const std::uint8_t* __restrict where, float* __restrict dx) {
  const std::size_t outputs = s.output_height * s.output_width * B;
  for (std::size_t plane = 0; plane < s.planes; ++plane, dy += outputs, where += outputs)
    for (std::size_t h = 0; h < s.height; ++h) {
      const std::size_t row = h + s.before, first_i = row < s.size ? 0 : (row - s.size) / s.stride + 1;
      for (std::size_t w = 0; w < s.width; ++w, dx += B) {
        const std::size_t column = w + s.before, first_j = column < s.size ? 0 : (column - s.size) / s.stride + 1;
        float sum[B] = {};
        for (std::size_t i = first_i; i < s.output_height && i * s.stride <= row; ++i)
          for (std::size_t j = first_j; j < s.output_width && j * s.stride <= column; ++j) {
            const std::size_t at = (i * s.output_width + j) * B;
            const auto tap = static_cast<std::int32_t>((row - i * s.stride) * s.size + column - j * s.stride);
            for (int l = 0; l < B; ++l) sum[l] += static_cast<std::int32_t>(where[at + l]) == tap ? dy[at + l] : 0.0F;
          }
        for (int l = 0; l < B; ++l) dx[l] = sum[l];
      }
    }
}

void max_pool(const PoolShape& s, const float* x, float* y, std::uint8_t* where) {
  s.block == 16 ? max_pool_of<16>(s, x, y, where) : max_pool_of<8>(s, x, y, where);
}
void max_pool_back(const PoolShape& s, const float* dy, const std::uint8_t* where, float* dx) {
  s.block == 16 ? max_pool_back_of<16>(s, dy, where, dx) : max_pool_back_of<8>(s, dy, where, dx);
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
