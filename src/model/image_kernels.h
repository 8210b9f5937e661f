#pragma once
#include <cstddef>
#include <cstdint>

/// Inner loops of pooling, local response norm and batch norm on blocked images (image.h), built for each instruction set (base/cpu.h):
/// the same bits from all of them. Lanes are channels of one block; no sum runs across lanes except in local response norm.
namespace qsweep {

/// One pooling: `planes` images of one channel block each (batch · groups), windows cut off at the edges; rectify: of max(x, 0).
struct PoolShape {
  std::size_t planes, height, width, output_height, output_width, size, stride, before, block;
  bool rectify;
};

/// y = x/(bias + alpha·Σ x²)^¾, the sum over the channels within `radius`.
struct ResponseShape {
  std::size_t batch, groups, pixels, block, radius;
  float bias, alpha;
};

/// The values of up to 16 channels in a mini-batch: lane l of pixel p of sample b at b·sample_stride + p·pixel_stride + l.
struct LaneShape {
  std::size_t batch, pixels, sample_stride, pixel_stride, lanes;
};

struct ImageKernels {
  /// y = largest of the window; where = its place in the window, row by row; the first of equals; NaN wins.
  void (*max_pool)(const PoolShape&, const float* x, float* y, std::uint8_t* where);
  void (*max_pool_back)(const PoolShape&, const float* y, const float* dy, const std::uint8_t* where, float* dx);  ///< overwrites dx
  /// scratch: 3·width floats with width = groups·block + 2·radius, at least 16 more at the end, all zero on entry
  void (*response)(const ResponseShape&, const float* x, float* y, float* scratch);
  void (*response_back)(const ResponseShape&, const float* x, const float* dy, float* dx, float* scratch);
  /// mean[l] = Σ x/n, square[l] = Σ (x − mean)²
  void (*moments)(const LaneShape&, const float* x, double* mean, double* square);
  /// y = (x − mean)·scale + shift, then max(y, 0) if rectify
  void (*normalize)(const LaneShape&, const float* x, const float* mean, const float* scale, const float* shift, bool rectify, float* y);
  /// sum[l] = Σ δ, product[l] = Σ δ·(x − mean); δ = dy, or 0 where rectify and not y > 0
  void (*normalize_sums)(const LaneShape&, const float* x, const float* y, const float* dy, const float* mean, bool rectify, double* sum, double* product);
  /// dx = scale·(δ − offset − (x − mean)·slope)
  void (*normalize_back)(const LaneShape&, const float* x, const float* y, const float* dy, const float* mean, const float* scale, const float* offset, const float* slope,
                         bool rectify, float* dx);
  void (*relu)(std::size_t n, const float* x, float* y);
  void (*relu_back)(std::size_t n, const float* y, const float* dy, float* dx);
};

namespace baseline {
extern const ImageKernels image_kernels;
}
namespace avx2 {
extern const ImageKernels image_kernels;
}
namespace avx512 {
extern const ImageKernels image_kernels;
}

const ImageKernels& image_kernels();

}  // namespace qsweep
