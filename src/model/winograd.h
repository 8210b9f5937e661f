#pragma once
#include <vector>

#include "model/convolution.h"

/// Convolution with 3 × 3 or 5 × 5 windows of stride 1 by Winograd's F(4×4, 3×3) and F(4×4, 5×5) (Lavin, Gray 2016): a tile of 4 × 4
/// outputs takes 6 × 6 or 8 × 8 products for each pair of channels instead of 16 · 9 or 16 · 25, and the products are matrix products
/// over tiles and channels, one for each of these points.
///   U = G W Gᵀ,  V = Bᵀ x B,  M = Σ_c U V at each point,  y = Aᵀ M A
/// Backward is the exact transpose of these steps:  Z = A dy Aᵀ,  dU = Σ_tiles V Z,  dV = Σ_o U Z,  dW = Gᵀ dU G,  dx = Σ_tiles B dV Bᵀ.
/// Rounding: about 6e-6 of the largest output, beside 2e-7 of a direct sum. oneDNN's own kernel wants 3 × 3 and many channels.
namespace qsweep {

class WinogradConvolution final : public Convolution {
 public:
  WinogradConvolution(Layout& layout, const std::string& name, const Image& input, std::size_t outputs, const Window& window, bool bias, const Initial& initial);
  static bool possible(const Image& input, const Window& window);
  /// Where it measures faster than oneDNN's direct kernel.
  static bool pays(const Image& input, std::size_t outputs, const Window& window);

  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;

 private:
  bool is_winograd() const override { return true; }
  std::size_t in() const { return input_.groups() * input_.block; }  ///< channels with those that fill the last block
  std::size_t out() const { return output_.groups() * output_.block; }
  std::size_t rows() const { return (output_.height + 3) / 4; }
  std::size_t columns() const { return (output_.width + 3) / 4; }
  std::size_t tiles() const { return rows() * columns(); }
  std::size_t taps() const { return window_.size * window_.size; }
  std::size_t points() const { return (window_.size + 3) * (window_.size + 3); }
  template <class Visit>
  void for_parts(std::size_t batch, Visit visit);
  void transform_filters(const float* w, bool transposed);
  void gradient_of_filters(float* dw);

  std::size_t part_;                            ///< images that go through all steps at a time, while they are in cache
  std::vector<float> filters_, transposed_;     ///< U [point, channels, out], Uᵀ [point, outputs, in]
  std::vector<float> filter_gradient_;          ///< dU
  std::vector<float> inputs_, products_, padded_, shift_;  ///< V and dV, M and Z of one part; a padded plane; b
};

}  // namespace qsweep
