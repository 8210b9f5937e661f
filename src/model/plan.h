#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/convolution.h"
#include "model/network.h"
#include "quantize/activation.h"

/// A network written down as data: from one plan come the fast network and, in tests, its plain double twin (model/reference.h).
/// Parameters lie in the vector in the order of the plan: weight, bias, then batch norm's weight, bias.
namespace qsweep {

enum class LayerKind { convolution, dense, relu, tanh, quantized_activation, max_pool, average_pool, response_norm, batch_norm, dropout, residual };

struct LayerPlan {
  LayerKind kind = LayerKind::relu;
  std::string name = {};      ///< of its tensors: "conv1", "bn1"
  std::size_t outputs = 0;    ///< channels of a convolution, units of a dense layer
  Window window = {};         ///< of convolution and pooling
  bool flag = true;           ///< convolution: has a bias; batch norm: affine
  Initial initial = {};
  double rate = 0;            ///< of dropout
  ActivationQuantizer quantizer = {};  ///< of a quantized activation
  std::size_t towers = 1;     ///< parts into which channels fall, in convolution and response norm
  double radius = 4, base = 1, alpha = 0.001 / 9;  ///< of response norm
  std::vector<LayerPlan> body = {};  ///< of a residual block
};

struct NetworkPlan {
  Image input;  ///< plain
  std::vector<LayerPlan> layers;
  double l2 = 0;
  std::vector<std::string> l2_layers = {};  ///< empty: all
};

/// What of a network an experiment may choose (model.* keys).
struct NetworkOptions {
  std::size_t dimension = 64;  ///< d of cifarnet and the mlp
  std::string activation = "relu";
  std::string batch_norm = "none";  ///< none, plain, affine
  double dropout = 0;
  std::optional<ActivationQuantizer> quantizer = {};  ///< in the place of every activation
  bool norm_after_sum = false;                        ///< resnet20: one more plain batch norm before the activation of each sum
  ConvolutionKind convolution = ConvolutionKind::automatic;
};

/// The image that follows a layer; a dense layer's is a vector.
Image image_after(const LayerPlan& layer, const Image& input);
std::unique_ptr<Network> build(const NetworkPlan& plan, ConvolutionKind convolution = ConvolutionKind::automatic);

}  // namespace qsweep
