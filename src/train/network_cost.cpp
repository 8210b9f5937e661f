#include "train/network_cost.h"

#include <algorithm>

namespace qsweep {
namespace {

constexpr double direct = 270e9, winograd = 430e9, products = 150e9;  // floating-point operations per second, counted as a direct convolution's
constexpr double pass = 0.12e-9;                                      // seconds to read or write a float between layers

/// Kernels work on whole blocks of channels; of the plain input's channels there are few.
double in_blocks(std::size_t channels, std::size_t block) { return block == 1 ? static_cast<double>(std::max<std::size_t>(channels, 4)) : static_cast<double>((channels + 15) / 16 * 16); }

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
    for (const LayerPlan& layer : layers) {
      const Image out = image_after(layer, image);
      switch (layer.kind) {
        case LayerKind::convolution: {
          const Window& w = layer.window;
          const bool pays = image.channels >= 32 && out.channels >= 32 && out.height >= 4 && out.width >= 4 && w.size == 3 && w.stride == 1 && kind != ConvolutionKind::direct;
          const double flops = 2 * static_cast<double>(out.pixels() * w.size * w.size) * in_blocks(image.channels, image.block) * in_blocks(out.channels, 16);
          add(flops / (pays ? winograd : direct), 1, 2, out);
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
