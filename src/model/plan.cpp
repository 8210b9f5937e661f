#include "model/plan.h"

#include <map>

#include "model/activation.h"
#include "model/batch_norm.h"
#include "model/image_layers.h"

namespace qsweep {

Image image_after(const LayerPlan& layer, const Image& input) {
  switch (layer.kind) {
    case LayerKind::convolution: return {layer.outputs, layer.window.outputs(input.height), layer.window.outputs(input.width), channel_block()};
    case LayerKind::max_pool: return {input.channels, layer.window.outputs(input.height), layer.window.outputs(input.width), input.block};
    case LayerKind::average_pool: return {input.channels, 1, 1, input.block};
    case LayerKind::dense: return {layer.outputs, 1, 1, 1};
    case LayerKind::residual: {
      Image image = input;
      for (const LayerPlan& inner : layer.body) image = image_after(inner, image);
      return image;
    }
    default: return input;
  }
}

namespace {

std::string kind_name(LayerKind kind) {
  switch (kind) {
    case LayerKind::relu: return "relu";
    case LayerKind::tanh: return "tanh";
    case LayerKind::quantized_activation: return "sigma";
    case LayerKind::max_pool: return "pool";
    case LayerKind::average_pool: return "mean";
    case LayerKind::response_norm: return "norm";
    case LayerKind::dropout: return "dropout";
    case LayerKind::residual: return "block";
    default: return "layer";
  }
}

struct Builder {
  Network& network;
  ConvolutionKind convolution;
  std::uint32_t dropouts = 0;
  std::map<std::string, int> numbers = {};  ///< of the layers without a name, by kind: "pool2"

  /// fused: the activation that batch norm or pooling does too, or null.
  std::unique_ptr<Layer> make(const LayerPlan& plan, const Image& image, const LayerPlan* fused) {
    Layout& layout = network.layout_to_extend();
    switch (plan.kind) {
      case LayerKind::convolution: return make_convolution(layout, plan.name, image, plan.outputs, plan.window, plan.flag, convolution, plan.initial, plan.towers);
      case LayerKind::dense: return std::make_unique<Dense>(layout, plan.name, image.size(), plan.outputs, plan.initial);
      case LayerKind::relu: return std::make_unique<Relu>(image.stored());
      case LayerKind::tanh: return std::make_unique<Tanh>(image.stored());
      case LayerKind::quantized_activation: return std::make_unique<QuantizedActivation>(image.stored(), plan.quantizer);
      case LayerKind::max_pool: return std::make_unique<MaxPool>(image, plan.window, fused != nullptr);
      case LayerKind::average_pool: return std::make_unique<AveragePool>(image);
      case LayerKind::response_norm:
        return std::make_unique<LocalResponseNorm>(image, static_cast<std::size_t>(plan.radius), static_cast<float>(plan.base), static_cast<float>(plan.alpha), plan.towers);
      case LayerKind::batch_norm: {
        auto norm = std::make_unique<BatchNorm>(layout, network.state_layout_to_extend(), plan.name, image, plan.flag, fused != nullptr && fused->kind == LayerKind::relu);
        if (fused != nullptr && fused->kind == LayerKind::quantized_activation) norm->quantize(fused->quantizer);
        return norm;
      }
      case LayerKind::dropout: return std::make_unique<Dropout>(image.stored(), plan.rate, dropouts++);
      case LayerKind::residual: break;
    }
    auto body = std::make_unique<Chain>(image.stored());
    add(plan.body, image, *body);
    return std::make_unique<Residual>(std::move(body), image, image_after(plan, image));
  }

  /// Adds layers to a chain or a network. A ReLU is done by the batch norm before it or the pooling after it, where there is one of
  /// these, a quantized activation by the batch norm; images are flattened before a dense layer.
  template <class Target>
  void add(const std::vector<LayerPlan>& plans, Image image, Target& target) {
    const LayerPlan* pending = nullptr;  // a ReLU that the pooling will do
    for (std::size_t i = 0; i < plans.size(); ++i) {
      const LayerPlan& plan = plans[i];
      if (plan.kind == LayerKind::dense && image.block != 1) target.add(std::make_unique<Flatten>(image), "flatten");
      const LayerPlan* next = i + 1 < plans.size() ? &plans[i + 1] : nullptr;
      if (plan.kind == LayerKind::relu && next != nullptr && next->kind == LayerKind::max_pool) {
        pending = &plan;
        continue;
      }
      const bool takes_next = plan.kind == LayerKind::batch_norm && next != nullptr && (next->kind == LayerKind::relu || next->kind == LayerKind::quantized_activation);
      const LayerPlan* fused = takes_next ? next : pending;
      pending = nullptr;
      std::string label = plan.name;
      if (label.empty()) label = kind_name(plan.kind) + std::to_string(++numbers[kind_name(plan.kind)]);
      if (fused != nullptr) label += "+" + kind_name(fused->kind);
      target.add(make(plan, image, fused), label);
      image = image_after(plan, image);
      if (takes_next) ++i;
    }
  }
};

}  // namespace

std::unique_ptr<Network> build(const NetworkPlan& plan, ConvolutionKind convolution) {
  auto network = std::make_unique<Network>(plan.input.stored());
  Builder builder{*network, convolution};
  builder.add(plan.layers, plan.input, *network);
  network->set_l2(plan.l2, plan.l2_layers);
  for (const LayerPlan& layer : plan.layers)
    if (layer.kind == LayerKind::convolution) network->set_evaluation_batch(64);
  return network;
}

}  // namespace qsweep
