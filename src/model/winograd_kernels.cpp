#include "model/winograd_kernels.h"

// Wide vectors are returned by functions of this file alone.
#pragma GCC diagnostic ignored "-Wpsabi"

/// The points are 0, ±1, ±2, ∞, and ±½ too for 5 taps (Lavin, Gray 2016). In one dimension, with d the inputs of a tile (6 for 3 taps,
/// 8 for 5), g the taps and y the 4 outputs:  y = Aᵀ[(G g) ⊙ (Bᵀ d)].  Each transform below is such a matrix times a vector, with what
/// the points x and −x share computed once; the backward ones are the transposes. Overloads by length: 6 points, 8 points.
namespace qsweep::QSWEEP_SIMD {
namespace {

constexpr std::size_t tile = winograd_tile;

template <int B>
using Lanes [[gnu::vector_size(4 * B)]] = float;

template <int B>
inline Lanes<B> load(const float* from) {
  Lanes<B> v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
template <int B>
inline void store(float* to, const Lanes<B>& v) {
  __builtin_memcpy(to, &v, sizeof v);
}

/// Bᵀ d
template <class V>
inline void input_1d(const V (&d)[6], V (&v)[6]) {
  const V even1 = d[4] - 4.0F * d[2], odd1 = d[3] - 4.0F * d[1], even2 = d[4] - d[2], odd2 = 2.0F * (d[3] - d[1]);
  v[0] = 4.0F * d[0] - 5.0F * d[2] + d[4];
  v[1] = even1 + odd1, v[2] = even1 - odd1;
  v[3] = even2 + odd2, v[4] = even2 - odd2;
  v[5] = 4.0F * d[1] - 5.0F * d[3] + d[5];
}

/// B v
template <class V>
inline void input_back_1d(const V (&v)[6], V (&d)[6]) {
  const V sum1 = v[1] + v[2], sum2 = v[3] + v[4], gap1 = v[1] - v[2], gap2 = v[3] - v[4];
  d[0] = 4.0F * v[0];
  d[1] = 4.0F * (v[5] - gap1) - 2.0F * gap2;
  d[2] = -5.0F * v[0] - 4.0F * sum1 - sum2;
  d[3] = gap1 + 2.0F * gap2 - 5.0F * v[5];
  d[4] = v[0] + sum1 + sum2;
  d[5] = v[5];
}

/// Aᵀ m
template <class V>
inline void output_1d(const V (&m)[6], V (&y)[4]) {
  const V sum1 = m[1] + m[2], sum2 = m[3] + m[4], gap1 = m[1] - m[2], gap2 = m[3] - m[4];
  y[0] = m[0] + sum1 + sum2;
  y[1] = gap1 + 2.0F * gap2;
  y[2] = sum1 + 4.0F * sum2;
  y[3] = gap1 + 8.0F * gap2 + m[5];
}

/// A y
template <class V>
inline void output_back_1d(const V (&y)[4], V (&z)[6]) {
  const V even1 = y[0] + y[2], odd1 = y[1] + y[3], even2 = y[0] + 4.0F * y[2], odd2 = 2.0F * y[1] + 8.0F * y[3];
  z[0] = y[0];
  z[1] = even1 + odd1, z[2] = even1 - odd1;
  z[3] = even2 + odd2, z[4] = even2 - odd2;
  z[5] = y[3];
}

/// G g
template <class V>
inline void filter_1d(const V (&g)[3], V (&u)[6]) {
  const V even1 = (g[0] + g[2]) / -6.0F, odd1 = g[1] / -6.0F, even2 = g[0] / 24.0F + g[2] / 6.0F, odd2 = g[1] / 12.0F;
  u[0] = g[0] / 4.0F;
  u[1] = even1 + odd1, u[2] = even1 - odd1;
  u[3] = even2 + odd2, u[4] = even2 - odd2;
  u[5] = g[2];
}

/// Gᵀ u
template <class V>
inline void filter_back_1d(const V (&u)[6], V (&g)[3]) {
  const V sum1 = u[1] + u[2], sum2 = u[3] + u[4], gap1 = u[1] - u[2], gap2 = u[3] - u[4];
  g[0] = u[0] / 4.0F - sum1 / 6.0F + sum2 / 24.0F;
  g[1] = gap2 / 12.0F - gap1 / 6.0F;
  g[2] = (sum2 - sum1) / 6.0F + u[5];
}

/// Bᵀ d
template <class V>
inline void input_1d(const V (&d)[8], V (&v)[8]) {
  const V even1 = d[2] + d[6] - 4.25F * d[4], odd1 = d[1] + d[5] - 4.25F * d[3];
  const V even2 = d[6] + 0.25F * d[2] - 1.25F * d[4], odd2 = 0.5F * d[1] - 2.5F * d[3] + 2.0F * d[5];
  const V even3 = d[6] + 4.0F * d[2] - 5.0F * d[4], odd3 = 2.0F * d[1] - 2.5F * d[3] + 0.5F * d[5];
  v[0] = d[0] - d[6] + 5.25F * (d[4] - d[2]);
  v[1] = even1 + odd1, v[2] = even1 - odd1;
  v[3] = even2 + odd2, v[4] = even2 - odd2;
  v[5] = even3 + odd3, v[6] = even3 - odd3;
  v[7] = d[7] - d[1] + 5.25F * (d[3] - d[5]);
}

/// B v
template <class V>
inline void input_back_1d(const V (&v)[8], V (&d)[8]) {
  const V sum1 = v[1] + v[2], sum2 = v[3] + v[4], sum3 = v[5] + v[6];
  const V gap1 = v[1] - v[2], gap2 = v[3] - v[4], gap3 = v[5] - v[6];
  d[0] = v[0];
  d[1] = gap1 + 0.5F * gap2 + 2.0F * gap3 - v[7];
  d[2] = sum1 + 0.25F * sum2 + 4.0F * sum3 - 5.25F * v[0];
  d[3] = 5.25F * v[7] - 4.25F * gap1 - 2.5F * (gap2 + gap3);
  d[4] = 5.25F * v[0] - 4.25F * sum1 - 1.25F * sum2 - 5.0F * sum3;
  d[5] = gap1 + 2.0F * gap2 + 0.5F * gap3 - 5.25F * v[7];
  d[6] = sum1 + sum2 + sum3 - v[0];
  d[7] = v[7];
}

/// Aᵀ m
template <class V>
inline void output_1d(const V (&m)[8], V (&y)[4]) {
  const V sum1 = m[1] + m[2], sum2 = m[3] + m[4], sum3 = m[5] + m[6];
  const V gap1 = m[1] - m[2], gap2 = m[3] - m[4], gap3 = m[5] - m[6];
  y[0] = m[0] + sum1 + sum2 + sum3;
  y[1] = gap1 + 2.0F * gap2 + 0.5F * gap3;
  y[2] = sum1 + 4.0F * sum2 + 0.25F * sum3;
  y[3] = gap1 + 8.0F * gap2 + 0.125F * gap3 + m[7];
}

/// A y
template <class V>
inline void output_back_1d(const V (&y)[4], V (&z)[8]) {
  const V even1 = y[0] + y[2], odd1 = y[1] + y[3];
  const V even2 = y[0] + 4.0F * y[2], odd2 = 2.0F * y[1] + 8.0F * y[3];
  const V even3 = y[0] + 0.25F * y[2], odd3 = 0.5F * y[1] + 0.125F * y[3];
  z[0] = y[0];
  z[1] = even1 + odd1, z[2] = even1 - odd1;
  z[3] = even2 + odd2, z[4] = even2 - odd2;
  z[5] = even3 + odd3, z[6] = even3 - odd3;
  z[7] = y[3];
}

constexpr float unit = 1.0F / 45;  // the common denominator of G

/// G g
template <class V>
inline void filter_1d(const V (&g)[5], V (&u)[8]) {
  const V even1 = -10 * unit * (g[0] + g[2] + g[4]), odd1 = -10 * unit * (g[1] + g[3]);
  const V even2 = unit * (0.5F * g[0] + 2.0F * g[2] + 8.0F * g[4]), odd2 = unit * (g[1] + 4.0F * g[3]);
  const V even3 = unit * (32.0F * g[0] + 8.0F * g[2] + 2.0F * g[4]), odd3 = unit * (16.0F * g[1] + 4.0F * g[3]);
  u[0] = g[0];
  u[1] = even1 + odd1, u[2] = even1 - odd1;
  u[3] = even2 + odd2, u[4] = even2 - odd2;
  u[5] = even3 + odd3, u[6] = even3 - odd3;
  u[7] = g[4];
}

/// Gᵀ u
template <class V>
inline void filter_back_1d(const V (&u)[8], V (&g)[5]) {
  const V sum1 = -10 * unit * (u[1] + u[2]), sum2 = unit * (u[3] + u[4]), sum3 = unit * (u[5] + u[6]);
  const V gap1 = -10 * unit * (u[1] - u[2]), gap2 = unit * (u[3] - u[4]), gap3 = unit * (u[5] - u[6]);
  g[0] = u[0] + sum1 + 0.5F * sum2 + 32.0F * sum3;
  g[1] = gap1 + gap2 + 16.0F * gap3;
  g[2] = sum1 + 2.0F * sum2 + 8.0F * sum3;
  g[3] = gap1 + 4.0F * gap2 + 4.0F * gap3;
  g[4] = sum1 + 8.0F * sum2 + 2.0F * sum3 + u[7];
}

/// T X Tᵀ for the [in, in] tile X and the [out, in] matrix T, columns first: transform(x, y) sets y = T x, load(r, c) gives X_rc, and
/// store(r, c, value) takes the result's entries, row by row.
template <int B, std::size_t in, std::size_t out, class Transform, class Load, class Store>
[[gnu::always_inline]] inline void transform_tile(Transform transform, Load load, Store store) {
  Lanes<B> half[out][in];
  for (std::size_t c = 0; c < in; ++c) {
    Lanes<B> x[in], y[out];
    for (std::size_t r = 0; r < in; ++r) x[r] = load(r, c);
    transform(x, y);
    for (std::size_t r = 0; r < out; ++r) half[r][c] = y[r];
  }
  for (std::size_t r = 0; r < out; ++r) {
    Lanes<B> y[out];
    transform(half[r], y);
    for (std::size_t c = 0; c < out; ++c) store(r, c, y[c]);
  }
}

/// What transform_tile takes of the overloads above.
constexpr auto input_transform = [](const auto& d, auto& v) { input_1d(d, v); };
constexpr auto input_back_transform = [](const auto& v, auto& d) { input_back_1d(v, d); };
constexpr auto output_transform = [](const auto& m, auto& y) { output_1d(m, y); };
constexpr auto output_back_transform = [](const auto& y, auto& z) { output_back_1d(y, z); };
constexpr auto filter_transform = [](const auto& g, auto& u) { filter_1d(g, u); };
constexpr auto filter_back_transform = [](const auto& u, auto& g) { filter_back_1d(u, g); };

/// A plane of one channel block with its padding, so that tiles need no test for the edges.
struct Padded {
  std::size_t rows, columns;
  explicit Padded(const WinogradShape& s) : rows(tile * s.rows + s.taps - 1), columns(tile * s.columns + s.taps - 1) {}
  std::size_t size() const { return rows * columns; }
};

/// Copies the part of the image that the padded plane covers (to = true), or back.
template <int B, class Copy>
void for_rows(const WinogradShape& s, const Padded& p, Copy copy) {
  for (std::size_t h = 0; h < s.height && h + s.before < p.rows; ++h) {
    const std::size_t columns = s.width + s.before < p.columns ? s.width : p.columns - s.before;
    copy(h * s.width * B, ((h + s.before) * p.columns + s.before) * B, columns * B);
  }
}

/// Calls visit(i, j, offset) for each tile of an image's block, offset being where its entries begin in each of the matrices.
template <int B, class Visit>
[[gnu::always_inline]] inline void for_tiles(const WinogradShape& s, const WinogradMatrices& m, std::size_t image, std::size_t group, Visit visit) {
  for (std::size_t i = 0; i < s.rows; ++i)
    for (std::size_t j = 0; j < s.columns; ++j) visit(i, j, (((image * s.rows + i) * s.columns + j) * m.groups + group) * B);
}

template <int B, std::size_t taps>
void input_of(const WinogradShape& s, const WinogradMatrices& m, const float* __restrict x, float* __restrict v, float* __restrict scratch) {
  constexpr std::size_t points = tile + taps - 1;
  const Padded p(s);
  for (std::size_t i = 0; i < p.size() * B; ++i) scratch[i] = 0;
  for (std::size_t image = 0; image < s.images; ++image)
    for (std::size_t g = 0; g < m.groups; ++g, x += s.height * s.width * B) {
      for_rows<B>(s, p, [&](std::size_t from, std::size_t to, std::size_t count) { __builtin_memcpy(scratch + to, x + from, 4 * count); });
      for_tiles<B>(s, m, image, g, [&](std::size_t i, std::size_t j, std::size_t offset) {
        const float* from = scratch + (i * tile * p.columns + j * tile) * B;
        float* to = v + offset;
        transform_tile<B, points, points>(
            input_transform, [&](std::size_t r, std::size_t c) { return load<B>(from + (r * p.columns + c) * B); },
            [&](std::size_t r, std::size_t c, const Lanes<B>& value) { store<B>(to + (r * points + c) * m.stride, value); });
      });
    }
}

template <int B, std::size_t taps>
void input_back_of(const WinogradShape& s, const WinogradMatrices& m, const float* __restrict dv, float* __restrict dx, float* __restrict scratch) {
  constexpr std::size_t points = tile + taps - 1;
  const Padded p(s);
  for (std::size_t image = 0; image < s.images; ++image)
    for (std::size_t g = 0; g < m.groups; ++g, dx += s.height * s.width * B) {
      for (std::size_t i = 0; i < p.size() * B; ++i) scratch[i] = 0;
      for_tiles<B>(s, m, image, g, [&](std::size_t i, std::size_t j, std::size_t offset) {
        const float* from = dv + offset;
        float* to = scratch + (i * tile * p.columns + j * tile) * B;
        transform_tile<B, points, points>(
            input_back_transform, [&](std::size_t r, std::size_t c) { return load<B>(from + (r * points + c) * m.stride); },
            [&](std::size_t r, std::size_t c, const Lanes<B>& value) {
              float* at = to + (r * p.columns + c) * B;
              store<B>(at, load<B>(at) + value);
            });
      });
      if (s.height + s.before > p.rows || s.width + s.before > p.columns)  // pixels that no window reaches
        for (std::size_t i = 0; i < s.height * s.width * B; ++i) dx[i] = 0;
      for_rows<B>(s, p, [&](std::size_t to, std::size_t from, std::size_t count) { __builtin_memcpy(dx + to, scratch + from, 4 * count); });
    }
}

template <int B, std::size_t taps>
void output_of(const WinogradShape& s, const WinogradMatrices& m, const float* __restrict from, const float* __restrict bias, float* __restrict y) {
  constexpr std::size_t points = tile + taps - 1;
  const std::size_t plane = s.output_height * s.output_width * B;
  for (std::size_t image = 0; image < s.images; ++image)
    for (std::size_t g = 0; g < m.groups; ++g, y += plane) {
      const Lanes<B> shift = load<B>(bias + g * B);
      for_tiles<B>(s, m, image, g, [&](std::size_t i, std::size_t j, std::size_t offset) {
        const float* in = from + offset;
        float* to = y + (i * tile * s.output_width + j * tile) * B;
        const std::size_t rows = s.output_height - i * tile, columns = s.output_width - j * tile;
        transform_tile<B, points, tile>(
            output_transform, [&](std::size_t r, std::size_t c) { return load<B>(in + (r * points + c) * m.stride); },
            [&](std::size_t r, std::size_t c, const Lanes<B>& value) {
              if (r < rows && c < columns) store<B>(to + (r * s.output_width + c) * B, value + shift);
            });
      });
    }
}

template <int B, std::size_t taps>
void output_back_of(const WinogradShape& s, const WinogradMatrices& m, const float* __restrict dy, float* __restrict z) {
  constexpr std::size_t points = tile + taps - 1;
  const std::size_t plane = s.output_height * s.output_width * B;
  for (std::size_t image = 0; image < s.images; ++image)
    for (std::size_t g = 0; g < m.groups; ++g, dy += plane)
      for_tiles<B>(s, m, image, g, [&](std::size_t i, std::size_t j, std::size_t offset) {
        const float* from = dy + (i * tile * s.output_width + j * tile) * B;
        float* to = z + offset;
        const std::size_t rows = s.output_height - i * tile, columns = s.output_width - j * tile;
        transform_tile<B, tile, points>(
            output_back_transform,
            [&](std::size_t r, std::size_t c) { return r < rows && c < columns ? load<B>(from + (r * s.output_width + c) * B) : Lanes<B>{}; },
            [&](std::size_t r, std::size_t c, const Lanes<B>& value) { store<B>(to + (r * points + c) * m.stride, value); });
      });
}

template <int B, std::size_t taps>
void filter_of(std::size_t stride, const float* __restrict w, float* __restrict u) {
  constexpr std::size_t points = tile + taps - 1;
  transform_tile<B, taps, points>(
      filter_transform, [&](std::size_t r, std::size_t c) { return load<B>(w + (r * taps + c) * B); },
      [&](std::size_t r, std::size_t c, const Lanes<B>& value) { store<B>(u + (r * points + c) * stride, value); });
}

template <int B, std::size_t taps>
void filter_back_of(std::size_t stride, const float* __restrict du, float* __restrict dw) {
  constexpr std::size_t points = tile + taps - 1;
  transform_tile<B, points, taps>(
      filter_back_transform, [&](std::size_t r, std::size_t c) { return load<B>(du + (r * points + c) * stride); },
      [&](std::size_t r, std::size_t c, const Lanes<B>& value) { store<B>(dw + (r * taps + c) * B, value); });
}

/// R rows by N blocks of the product, kept in registers over all of k.
template <int B, int R, int N>
inline void product_part(const ProductShape& s, const float* __restrict a, const float* __restrict b, float* __restrict c) {
  Lanes<B> sum[R][N];
  for (int r = 0; r < R; ++r)
    for (int n = 0; n < N; ++n) sum[r][n] = s.add ? load<B>(c + r * s.c_row + n * B) : Lanes<B>{};
  for (std::size_t k = 0; k < s.k; ++k) {
    Lanes<B> row[N];
    for (int n = 0; n < N; ++n) row[n] = load<B>(b + k * s.b_row + n * B);
    for (int r = 0; r < R; ++r) {
      const float factor = a[r * s.a_row + k * s.a_column];
      for (int n = 0; n < N; ++n) sum[r][n] += factor * row[n];
    }
  }
  for (int r = 0; r < R; ++r)
    for (int n = 0; n < N; ++n) store<B>(c + r * s.c_row + n * B, sum[r][n]);
}

/// As many rows at a time as leave the sums in registers: 32 of them with AVX-512, else 16.
template <int B, int N>
void product_columns(const ProductShape& s, const float* a, const float* b, float* c) {
#if defined(QSWEEP_SIMD_avx512)
  constexpr int rows = N == 4 ? 6 : N == 3 ? 8 : N == 2 ? 12 : 16;
#else
  constexpr int rows = N >= 3 ? 4 : 6;
#endif
  std::size_t r = 0;
  for (; r + rows <= s.m; r += rows) product_part<B, rows, N>(s, a + r * s.a_row, b, c + r * s.c_row);
  if (r + rows / 2 <= s.m) product_part<B, rows / 2, N>(s, a + r * s.a_row, b, c + r * s.c_row), r += rows / 2;
  for (; r < s.m; ++r) product_part<B, 1, N>(s, a + r * s.a_row, b, c + r * s.c_row);
}

template <int B>
void product_of(const ProductShape& s, const float* a, const float* b, float* c) {
#if defined(QSWEEP_SIMD_avx512)
  constexpr std::size_t widest = 4;
#else
  constexpr std::size_t widest = 2;
#endif
  for (std::size_t n = 0; n < s.n;) {
    const std::size_t blocks = (s.n - n) / B < widest ? (s.n - n) / B : widest;
    if (blocks == 4) product_columns<B, 4>(s, a, b + n, c + n);
    else if (blocks == 3) product_columns<B, 3>(s, a, b + n, c + n);
    else if (blocks == 2) product_columns<B, 2>(s, a, b + n, c + n);
    else product_columns<B, 1>(s, a, b + n, c + n);
    n += blocks * B;
  }
}

/// Calls run with the block and the number of taps as constants.
template <class Run>
void with_constants(std::size_t block, std::size_t taps, Run run) {
  if (block == 16) taps == 5 ? run.template operator()<16, 5>() : run.template operator()<16, 3>();
  else taps == 5 ? run.template operator()<8, 5>() : run.template operator()<8, 3>();
}

void input(const WinogradShape& s, const WinogradMatrices& m, const float* x, float* v, float* scratch) {
  with_constants(s.block, s.taps, [&]<int B, std::size_t T>() { input_of<B, T>(s, m, x, v, scratch); });
}
void output(const WinogradShape& s, const WinogradMatrices& m, const float* from, const float* bias, float* y) {
  with_constants(s.block, s.taps, [&]<int B, std::size_t T>() { output_of<B, T>(s, m, from, bias, y); });
}
void output_back(const WinogradShape& s, const WinogradMatrices& m, const float* dy, float* z) {
  with_constants(s.block, s.taps, [&]<int B, std::size_t T>() { output_back_of<B, T>(s, m, dy, z); });
}
void input_back(const WinogradShape& s, const WinogradMatrices& m, const float* dv, float* dx, float* scratch) {
  with_constants(s.block, s.taps, [&]<int B, std::size_t T>() { input_back_of<B, T>(s, m, dv, dx, scratch); });
}
void filter(std::size_t block, std::size_t taps, std::size_t stride, const float* w, float* u) {
  with_constants(block, taps, [&]<int B, std::size_t T>() { filter_of<B, T>(stride, w, u); });
}
void filter_back(std::size_t block, std::size_t taps, std::size_t stride, const float* du, float* dw) {
  with_constants(block, taps, [&]<int B, std::size_t T>() { filter_back_of<B, T>(stride, du, dw); });
}
void product(const ProductShape& s, const float* a, const float* b, float* c) { s.block == 16 ? product_of<16>(s, a, b, c) : product_of<8>(s, a, b, c); }

}  // namespace

extern const WinogradKernels winograd_kernels;
const WinogradKernels winograd_kernels = {input, output, output_back, input_back, filter, filter_back, product};

}  // namespace qsweep::QSWEEP_SIMD
