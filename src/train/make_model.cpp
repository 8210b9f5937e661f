#include "train/make_model.h"

#include "data/preprocess.h"
#include "model/linear.h"
#include "model/loss.h"
#include "model/networks.h"

namespace qsweep {
namespace {

std::optional<ActivationQuantizer> activation_quantizer(const Settings::Activations& a) {
  if (!a.quantized()) return std::nullopt;
  return ActivationQuantizer{a.bits, static_cast<float>(a.alpha), a.type == "nearest", surrogate(a.ste)};
}

}  // namespace

ConvolutionKind convolution_kind(const Settings& s) {
  if (s.model.convolution == "winograd") return ConvolutionKind::winograd;
  return s.model.convolution == "direct" ? ConvolutionKind::direct : ConvolutionKind::automatic;
}

Geometry input_geometry(const Settings& s) {
  Geometry g = describe(image_set(s.data.set)).geometry;
  if (const std::size_t side = crop(s.data.crop)) g.height = g.width = side;
  return g;
}

NetworkPlan network_plan_of(const Settings& s) {
  const Geometry geometry = input_geometry(s);
  const NetworkOptions options{s.model.dimension, s.model.activation, s.model.batch_norm, s.model.dropout, activation_quantizer(s.activations), s.model.sum_norm, convolution_kind(s)};
  const double l2 = s.model.l2.value_or(find_network(s.model.kind)->l2);
  return network_plan(s.model.kind, {geometry.channels, geometry.height, geometry.width, 1}, describe(image_set(s.data.set)).classes, options, l2);
}

std::unique_ptr<Model> make_model(const Settings& s) {
  if (s.model.kind == "linear") return std::make_unique<LinearModel>(s.model.dimension, s.model.l2.value_or(0));
  std::unique_ptr<Network> network = build(network_plan_of(s), convolution_kind(s));
  if (s.model.loss == "squared_hinge") network->set_loss(squared_hinge);
  return network;
}

}  // namespace qsweep
