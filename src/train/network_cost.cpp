#include "train/network_cost.h"

namespace qsweep {
namespace {

// Floating-point operations per second, counted as a direct convolution's; seconds to read or write a float between layers.
constexpr double direct = 270e9, winograd3 = 430e9, winograd5 = 600e9, products = 200e9, pass = 0.1e-9;

/// Kernels work on whole blocks of channels; the plain input has none.
double in_blocks(std::size_t channels, std::size_t block) { return static_cast<double>(block == 1 ? channels : (channels + 15) / 16 * 16); }

double speed(const LayerPlan& layer, const Image& in, const Image& out, ConvolutionKind kind) {
  const bool pays = kind != ConvolutionKind::direct && in.block != 1 && layer.window.stride == 1 && out.height >= 4 && out.width >= 4;
  return pays && layer.window.size == 3 ? winograd3 : pays && layer.window.size == 5 ? winograd5 : direct;
}

bool is_activation(LayerKind kind) { return kind == LayerKind::relu || kind == LayerKind::quantized_activation; }

struct Walk {
  ConvolutionKind kind;
  NetworkWork work = {};
  bool first = true;  ///< nobody asks for the gradient of the data

  void add(double forward, double passes_forward, double passes_back, const Image& out) {
    const auto floats = static_cast<double>(out.stored());
    work.activations += floats;
    work.forward += forward + passes_forward * floats * pass;
    work.training += (first ? 2 : 3) * forward + (passes_forward + passes_back) * floats * pass;
  }

  void walk(const std::vector<LayerPlan>& layers, Image image) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const LayerPlan& layer = layers[i];
      const bool fused = is_activation(layer.kind) && ((i > 0 && layers[i - 1].kind == LayerKind::batch_norm) || (i + 1 < layers.size() && layers[i + 1].kind == LayerKind::max_pool));
      if (fused) continue;
      const Image out = image_after(layer, image);
      switch (layer.kind) {
        case LayerKind::convolution: {
          const Window& w = layer.window;
          const double flops = 2 * static_cast<double>(out.pixels() * w.size * w.size) * in_blocks(image.channels, image.block) * in_blocks(out.channels, 16);
          add(flops / speed(layer, image, out, kind), 1, 2, out);
          first = false;
          break;
        }
        case LayerKind::dense:
          add(2 * static_cast<double>(image.size() * out.size()) / products, 1, 2, out);
          first = false;
          break;
        case LayerKind::batch_norm: add(0, 3, 5, out); break;
        case LayerKind::response_norm: add(0, 12, 24, out); break;
        case LayerKind::max_pool: add(0, 6, 8, out); break;
        case LayerKind::residual:
          walk(layer.body, image);
          add(0, 3, 3, out);
          break;
        default: add(0, 2, 3, out);
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
