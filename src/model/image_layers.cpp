#include "model/image_layers.h"

#include <algorithm>
#include <stdexcept>

#include "base/cpu.h"
#include "model/image_kernels.h"

namespace qsweep {

const ImageKernels& image_kernels() {
  static const ImageKernels& kernels = dispatch(baseline::image_kernels, avx2::image_kernels, avx512::image_kernels);
  return kernels;
}

namespace {

PoolShape pool_shape(std::size_t batch, const Image& input, const Image& output, const Window& window, bool rectify) {
  return {batch * input.groups(), input.height, input.width, output.height, output.width, window.size, window.stride, window.before, input.block, rectify};
}

}  // namespace

MaxPool::MaxPool(const Image& input, const Window& window, bool rectify)
    : input_(input), output_{input.channels, window.outputs(input.height), window.outputs(input.width), input.block}, window_(window), rectify_(rectify) {}

void MaxPool::forward(const Pass& pass, std::span<const float> x, std::span<float> y) {
  if (where_.size() < pass.batch * output_.stored()) where_.resize(pass.batch * output_.stored());
  image_kernels().max_pool(pool_shape(pass.batch, input_, output_, window_, rectify_), x.data(), y.data(), where_.data());
}

void MaxPool::backward(const Pass& pass, std::span<const float>, std::span<const float> y, std::span<const float> dy, std::span<float> dx, std::span<float>) {
  image_kernels().max_pool_back(pool_shape(pass.batch, input_, output_, window_, rectify_), y.data(), dy.data(), where_.data(), dx.data());
}

void AveragePool::forward(const Pass& pass, std::span<const float> x, std::span<float> y) {
  const std::size_t block = input_.block, plane = input_.pixels() * block;
  const float factor = 1 / static_cast<float>(input_.pixels());
  for (std::size_t n = 0; n < pass.batch * input_.groups(); ++n) {
    float* to = &y[n * block];
    std::fill_n(to, block, 0.0F);
    for (std::size_t p = 0; p < plane; p += block)
      for (std::size_t l = 0; l < block; ++l) to[l] += x[n * plane + p + l];
    for (std::size_t l = 0; l < block; ++l) to[l] *= factor;
  }
}

void AveragePool::backward(const Pass& pass, std::span<const float>, std::span<const float>, std::span<const float> dy, std::span<float> dx, std::span<float>) {
  const std::size_t block = input_.block, plane = input_.pixels() * block;
  const float factor = 1 / static_cast<float>(input_.pixels());
  for (std::size_t n = 0; n < pass.batch * input_.groups(); ++n)
    for (std::size_t p = 0; p < plane; p += block)
      for (std::size_t l = 0; l < block; ++l) dx[n * plane + p + l] = factor * dy[n * block + l];
}

LocalResponseNorm::LocalResponseNorm(const Image& image, std::size_t radius, float bias, float alpha, std::size_t towers)
    : image_{image.channels / towers, image.height, image.width, image.block}, towers_(towers), radius_(radius), bias_(bias), alpha_(alpha),
      scratch_(3 * (image.groups() * image.block + 2 * radius + 16)) {
  if (towers > 1 && image.channels % (towers * image.block) != 0) throw std::invalid_argument("response norm: a tower is no whole number of blocks");
}

void LocalResponseNorm::forward(const Pass& pass, std::span<const float> x, std::span<float> y) {
  image_kernels().response({towers_ * pass.batch, image_.groups(), image_.pixels(), image_.block, radius_, bias_, alpha_}, x.data(), y.data(), scratch_.data());
}

void LocalResponseNorm::backward(const Pass& pass, std::span<const float> x, std::span<const float>, std::span<const float> dy, std::span<float> dx, std::span<float>) {
  image_kernels().response_back({towers_ * pass.batch, image_.groups(), image_.pixels(), image_.block, radius_, bias_, alpha_}, x.data(), dy.data(), dx.data(), scratch_.data());
}

void Flatten::forward(const Pass& pass, std::span<const float> x, std::span<float> y) {
  const std::size_t pixels = input_.pixels(), block = input_.block;
  for (std::size_t b = 0; b < pass.batch; ++b)
    for (std::size_t c = 0; c < input_.channels; ++c) {
      const float* from = &x[b * input_.stored() + input_.index(c, 0, 0)];
      float* to = &y[b * input_.size() + c * pixels];
      for (std::size_t p = 0; p < pixels; ++p) to[p] = from[p * block];
    }
}

void Flatten::backward(const Pass& pass, std::span<const float>, std::span<const float>, std::span<const float> dy, std::span<float> dx, std::span<float>) {
  const std::size_t pixels = input_.pixels(), block = input_.block;
  if (input_.channels % block != 0) std::fill_n(dx.begin(), pass.batch * input_.stored(), 0.0F);
  for (std::size_t b = 0; b < pass.batch; ++b)
    for (std::size_t c = 0; c < input_.channels; ++c) {
      float* to = &dx[b * input_.stored() + input_.index(c, 0, 0)];
      const float* from = &dy[b * input_.size() + c * pixels];
      for (std::size_t p = 0; p < pixels; ++p) to[p * block] = from[p];
    }
}

}  // namespace qsweep
