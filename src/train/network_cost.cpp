#include "train/network_cost.h"

namespace qsweep {
namespace {

// Floating-point operations per second: of a direct convolution and of dense layers their own; of Winograd's, which does fewer, those that
// a direct one would do, without the transforms of its images. Seconds for a float: transformed, and read or written between layers.
constexpr double direct = 100e9, winograd3 = 350e9, winograd5 = 540e9, products = 85e9, transform = 1.05e-9, pass = 0.1e-9;
constexpr std::size_t few_pixels = 16;  // below these the gradients of a direct convolution take this many times as long as it does:
constexpr double few_pixels_backward = 5;

/// Kernels work on whole blocks of channels; the plain input has none.
double in_blocks(std::size_t channels, std::size_t block) { return static_cast<double>(block == 1 ? channels : (channels + 15) / 16 * 16); }

double winograd_speed(const LayerPlan& layer, const Image& in, const Image& out, ConvolutionKind kind) {
  const bool pays = kind != ConvolutionKind::direct && in.block != 1 && layer.window.stride == 1 && out.height >= 4 && out.width >= 4;
  return !pays ? 0 : layer.window.size == 3 ? winograd3 : layer.window.size == 5 ? winograd5 : 0;
}

bool is_activation(LayerKind kind) { return kind == LayerKind::relu || kind == LayerKind::quantized_activation; }

struct Walk {
  ConvolutionKind kind;
  NetworkWork work = {};
  bool first = true;  ///< nobody asks for the gradient of the data

  void add(double forward, double backward, const Image& out) {
    work.activations += static_cast<double>(out.stored());
    work.forward += forward;
    work.training += forward + backward;
  }

  void add_passes(double forward, double backward, const Image& out) {
    const double once = static_cast<double>(out.stored()) * pass;
    add(forward * once, backward * once, out);
  }

  /// Backward are two products, of the weights' gradient and of the image's.
  void add_products(double forward, const Image& out) {
    add(forward, (first ? 1 : 2) * forward, out);
    first = false;
  }

  void add_convolution(const LayerPlan& layer, const Image& in, const Image& out) {
    const Window& w = layer.window;
    const double flops = 2 * static_cast<double>(out.pixels() * w.size * w.size) * in_blocks(in.channels, in.block) * in_blocks(out.channels, 16);
    const double winograd = winograd_speed(layer, in, out, kind);
    if (winograd > 0) {
      const double multiplied = flops / winograd, transformed = static_cast<double>(in.stored() + out.stored()) * transform;
      add(multiplied + transformed, 2 * multiplied + 1.5 * transformed, out);
    } else if (!first && out.pixels() < few_pixels) {
      add(flops / direct, few_pixels_backward * flops / direct, out);
    } else {
      add_products(flops / direct, out);
    }
    first = false;
  }

  void walk(const std::vector<LayerPlan>& layers, Image image) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const LayerPlan& layer = layers[i];
      const bool fused = is_activation(layer.kind) && ((i > 0 && layers[i - 1].kind == LayerKind::batch_norm) || (i + 1 < layers.size() && layers[i + 1].kind == LayerKind::max_pool));
      if (fused) continue;
      const Image out = image_after(layer, image);
      switch (layer.kind) {
        case LayerKind::convolution: add_convolution(layer, image, out); break;
        case LayerKind::dense: add_products(2 * static_cast<double>(image.size() * out.size()) / products, out); break;
        case LayerKind::batch_norm: add_passes(9, 11, out); break;
        case LayerKind::response_norm: add_passes(12, 24, out); break;
        case LayerKind::max_pool: add_passes(23, 17, out); break;
        case LayerKind::residual:
          walk(layer.body, image);
          add_passes(4, 7, out);
          break;
        default: add_passes(3, 4.5, out);
      }
      image = out;
    }
  }
};

}  // namespace

NetworkWork work_of(const NetworkPlan& plan, ConvolutionKind kind) {
  Walk walk{kind};
  walk.walk(plan.layers, plan.input);
  return walk.work;
}

}  // namespace qsweep
