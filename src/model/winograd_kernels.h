#pragma once
#include <cstddef>

/// Inner loops of Winograd's F(4×4, 3×3) and F(4×4, 5×5) on blocked images (image.h), built for each instruction set (base/cpu.h). Unlike other
/// kernels these may contract products and sums: their bits are those of one kind of CPU, like oneDNN's.
namespace qsweep {

inline constexpr std::size_t winograd_tile = 4;

/// A part of a mini-batch: `images` of `groups` channel blocks, cut into rows × columns tiles of 4 × 4 outputs.
/// Transformed values are matrices, one for each of the (taps + 3)² points: point p, tile t, channel c at p·stride + t·width + c.
struct WinogradShape {
  std::size_t taps, images, block;          ///< taps: 3 or 5, of the window along each side
  std::size_t rows, columns;                ///< tiles of one image
  std::size_t height, width, before;        ///< of the input and its padding at the top and left
  std::size_t output_height, output_width;
};

/// Matrices of one side of the transform: channels of a row (a multiple of the block), floats from point to point.
struct WinogradMatrices {
  std::size_t groups, stride;
};

/// c [m, n] (+)= a [m, k] · b [k, n]; n a multiple of the block; a is read at row·a_row + k·a_column.
struct ProductShape {
  std::size_t m, n, k, block;
  std::size_t a_row, a_column, b_row, c_row;
  bool add;
};

struct WinogradKernels {
  /// v = Bᵀ x B of every tile; scratch: one padded plane, (4·rows + taps − 1)·(4·columns + taps − 1)·block floats, in all four
  void (*input)(const WinogradShape&, const WinogradMatrices&, const float* x, float* v, float* scratch);
  /// y = Aᵀ m A + bias (bias [groups·block])
  void (*output)(const WinogradShape&, const WinogradMatrices&, const float* m, const float* bias, float* y);
  /// z = A dy Aᵀ, the derivative with respect to m
  void (*output_back)(const WinogradShape&, const WinogradMatrices&, const float* dy, float* z);
  /// dx = Σ over tiles of B dv Bᵀ
  void (*input_back)(const WinogradShape&, const WinogradMatrices&, const float* dv, float* dx, float* scratch);
  /// u = G w Gᵀ of `block` filters side by side: w [taps², block], u at point·stride
  void (*filter)(std::size_t block, std::size_t taps, std::size_t stride, const float* w, float* u);
  void (*filter_back)(std::size_t block, std::size_t taps, std::size_t stride, const float* du, float* dw);  ///< dw = Gᵀ du G
  void (*product)(const ProductShape&, const float* a, const float* b, float* c);
};

namespace baseline {
extern const WinogradKernels winograd_kernels;
}
namespace avx2 {
extern const WinogradKernels winograd_kernels;
}
namespace avx512 {
extern const WinogradKernels winograd_kernels;
}

const WinogradKernels& winograd_kernels();

}  // namespace qsweep
