#include "model/winograd.h"

#include <algorithm>

#include "base/cpu.h"
#include "model/winograd_kernels.h"

namespace qsweep {

const WinogradKernels& winograd_kernels() {
  static const WinogradKernels& kernels = dispatch(baseline::winograd_kernels, avx2::winograd_kernels, avx512::winograd_kernels);
  return kernels;
}

namespace {

constexpr std::size_t most_taps = 25, most_lanes = 16;
constexpr std::size_t line = 16;  ///< floats; moves the matrices of neighbouring points to different sets of the cache
constexpr std::size_t cached = 1 << 18;  ///< floats of V and M together that a part may take

}  // namespace

bool WinogradConvolution::possible(const Image& input, const Window& window) { return (window.size == 3 || window.size == 5) && window.stride == 1 && input.block == channel_block(); }

bool WinogradConvolution::pays(const Image& input, std::size_t outputs, const Window& window) {
  const bool tiles = window.outputs(input.height) >= 4 && window.outputs(input.width) >= 4;
  const bool small = input.channels * outputs <= 64 * 128;  // beyond it oneDNN's own kernel for 3 × 3 windows is the faster one
  return input.channels >= 8 && outputs >= 8 && tiles && (window.size == 5 || small);
}

WinogradConvolution::WinogradConvolution(Layout& layout, const std::string& name, const Image& input, std::size_t outputs, const Window& window, bool bias, const Initial& initial)
    : Convolution(layout, name, input, outputs, window, bias, initial), part_(std::max<std::size_t>(1, cached / (points() * tiles() * (in() + out())))),
      padded_((4 * rows() + window.size - 1) * (4 * columns() + window.size - 1) * input.block), shift_(out(), 0.0F) {}

/// Calls visit(first image, shape of the part, matrices of the inputs' side, matrices of the outputs' side), part by part in order.
template <class Visit>
void WinogradConvolution::for_parts(std::size_t batch, Visit visit) {
  const std::size_t most = std::min(part_, batch) * tiles();
  const WinogradMatrices v{input_.groups(), most * in() + line}, m{output_.groups(), most * out() + line};
  inputs_.resize(points() * v.stride);
  products_.resize(points() * m.stride);
  for (std::size_t first = 0; first < batch; first += part_) {
    const WinogradShape shape{window_.size, std::min(part_, batch - first), input_.block, rows(), columns(), input_.height, input_.width, window_.before, output_.height, output_.width};
    visit(first, shape, v, m);
  }
}

/// U [point, channels, out], or transposed [point, outputs, in], from W; channels that only fill a block get zeros.
void WinogradConvolution::transform_filters(const float* w, bool transposed) {
  const std::size_t block = input_.block, channels = input_.channels, outputs = output_.channels;
  const std::size_t across = transposed ? outputs : channels, along = transposed ? channels : outputs, width = transposed ? in() : out();
  std::vector<float>& target = transposed ? transposed_ : filters_;
  target.resize(points() * (across * width + line));
  float side_by_side[most_taps * most_lanes];
  for (std::size_t a = 0; a < across; ++a)
    for (std::size_t first = 0; first < width; first += block) {
      for (std::size_t l = 0; l < block; ++l) {
        const std::size_t o = transposed ? a : first + l, c = transposed ? first + l : a;
        const float* from = w + (o * channels + c) * taps();
        for (std::size_t k = 0; k < taps(); ++k) side_by_side[k * block + l] = first + l < along ? from[k] : 0.0F;
      }
      winograd_kernels().filter(block, window_.size, across * width + line, side_by_side, &target[a * width + first]);
    }
}

void WinogradConvolution::gradient_of_filters(float* dw) {
  const std::size_t block = input_.block, channels = input_.channels, stride = channels * out() + line;
  float side_by_side[most_taps * most_lanes];
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t first = 0; first < out(); first += block) {
      winograd_kernels().filter_back(block, window_.size, stride, &filter_gradient_[c * out() + first], side_by_side);
      for (std::size_t l = 0; l < block && first + l < output_.channels; ++l)
        for (std::size_t k = 0; k < taps(); ++k) dw[((first + l) * channels + c) * taps() + k] = side_by_side[k * block + l];
    }
}

void WinogradConvolution::forward(const Pass& pass, std::span<const float> x, std::span<float> y) {
  const WinogradKernels& kernel = winograd_kernels();
  transform_filters(&pass.w[weight_], false);
  if (has_bias_) std::copy_n(&pass.w[bias_], output_.channels, shift_.begin());
  const std::size_t filter_stride = input_.channels * out() + line;
  for_parts(pass.batch, [&](std::size_t first, const WinogradShape& s, const WinogradMatrices& v, const WinogradMatrices& m) {
    kernel.input(s, v, &x[first * inputs()], inputs_.data(), padded_.data());
    const ProductShape product{s.images * tiles(), out(), input_.channels, s.block, in(), 1, out(), out(), false};
    for (std::size_t p = 0; p < points(); ++p) kernel.product(product, &inputs_[p * v.stride], &filters_[p * filter_stride], &products_[p * m.stride]);
    kernel.output(s, m, products_.data(), shift_.data(), &y[first * outputs()]);
  });
}

void WinogradConvolution::backward(const Pass& pass, std::span<const float> x, std::span<const float>, std::span<const float> dy, std::span<float> dx, std::span<float> gradient) {
  const WinogradKernels& kernel = winograd_kernels();
  const std::size_t gradient_stride = input_.channels * out() + line, filter_stride = output_.channels * in() + line;
  filter_gradient_.assign(points() * gradient_stride, 0.0F);
  if (!dx.empty()) transform_filters(&pass.w[weight_], true);
  std::vector<double> sums(out(), 0.0);
  for_parts(pass.batch, [&](std::size_t first, const WinogradShape& s, const WinogradMatrices& v, const WinogradMatrices& m) {
    const std::size_t count = s.images * tiles();
    kernel.input(s, v, &x[first * inputs()], inputs_.data(), padded_.data());
    kernel.output_back(s, m, &dy[first * outputs()], products_.data());
    const std::size_t one_one = window_.size + 4;  // at the point (1, 1) stands the sum of the tile
    if (has_bias_)
      for (std::size_t t = 0; t < count; ++t)
        for (std::size_t o = 0; o < out(); ++o) sums[o] += double{products_[one_one * m.stride + t * out() + o]};
    const ProductShape weights{input_.channels, out(), count, s.block, 1, in(), out(), out(), true};
    for (std::size_t p = 0; p < points(); ++p) kernel.product(weights, &inputs_[p * v.stride], &products_[p * m.stride], &filter_gradient_[p * gradient_stride]);
    if (dx.empty()) return;
    const ProductShape data{count, in(), output_.channels, s.block, out(), 1, in(), in(), false};
    for (std::size_t p = 0; p < points(); ++p) kernel.product(data, &products_[p * m.stride], &transposed_[p * filter_stride], &inputs_[p * v.stride]);
    kernel.input_back(s, v, inputs_.data(), &dx[first * inputs()], padded_.data());
  });
  gradient_of_filters(&gradient[weight_]);
  for (std::size_t o = 0; has_bias_ && o < output_.channels; ++o) gradient[bias_ + o] = static_cast<float>(sums[o]);
}

}  // namespace qsweep
