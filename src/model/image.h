#pragma once
#include <cstddef>

/// How the values of one sample lie in memory: channels in blocks, so that kernels work on `block` channels of a pixel at once.
///   index(c, h, w) = ((⌊c/block⌋·height + h)·width + w)·block + c mod block
///   block 1 is the plain order C, H, W; a vector of n values is {n, 1, 1, 1}.
/// Channels that fill the last block are zero, in values and in their gradients.
namespace qsweep {

struct Image {
  std::size_t channels = 0, height = 1, width = 1, block = 1;

  std::size_t pixels() const { return height * width; }
  std::size_t groups() const { return (channels + block - 1) / block; }
  std::size_t stored() const { return groups() * block * pixels(); }  ///< floats of one sample
  std::size_t size() const { return channels * pixels(); }            ///< values of one sample
  std::size_t index(std::size_t c, std::size_t h, std::size_t w) const { return ((c / block * height + h) * width + w) * block + c % block; }
};

/// Channels in a block between layers: as many floats as a vector register of this CPU holds, 16 or 8.
std::size_t channel_block();

/// A window that slides over an image: `size` × `size`, with zeros (convolution) or nothing (pooling) beyond the edges.
struct Window {
  std::size_t size = 1, stride = 1;
  std::size_t before = 0, after = 0;  ///< padding at the top and left, at the bottom and right

  std::size_t outputs(std::size_t inputs) const { return (inputs + before + after - size) / stride + 1; }
  /// TensorFlow's SAME: ⌈inputs/stride⌉ outputs, the smaller half of the padding before.
  static Window same(std::size_t size, std::size_t stride, std::size_t inputs) {
    const std::size_t outputs = (inputs + stride - 1) / stride, needed = (outputs - 1) * stride + size;
    const std::size_t padding = needed > inputs ? needed - inputs : 0;
    return {size, stride, padding / 2, padding - padding / 2};
  }
};

}  // namespace qsweep
