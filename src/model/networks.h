#pragma once
#include <optional>

#include "model/plan.h"

/// The published networks, by the value of model.kind. All end in `classes` outputs, 10 (alexnet: 1001); shapes of tensors as in PyTorch.
///   mlp                fc1 (d) – fc2
///   cifarnet           24×24×3: conv1 5×5 d – pool 3/2 – norm – conv2 5×5 d – norm – pool 3/2 – fc3 384 – fc4 192 – fc5   (Hou et al. 2019)
///   lenet300           fc1 300 – fc2 100 – fc3                                                                (Carreira-Perpiñán, Idelbayev 2017)
///   lenet5             28×28×1: conv1 5×5 20 – pool 2 – conv2 5×5 50 – pool 2 – fc3 500 (– dropout) – fc4
///   vgg11              32×32×3: conv1 – conv8 3×3, widths 64 to 512, five pools 2 – fc9                       (Yin et al. 2019)
///   resnet20           32×32×3: conv1, nine blocks of two 3×3 convolutions, widths 16, 32, 64 – mean – fc20   (He et al. 2016)
///   binaryconnect_vgg  32×32×3: conv1 – conv6 3×3, widths 128, 256, 512, three pools 2 – fc7, fc8 1024 – fc9  (Courbariaux et al. 2015)
///   alexnet            224×224×3, two towers: conv1 11×11/4 96 – norm – pool 3/2 – conv2 5×5 256 – norm – pool – conv3, conv4 3×3 384 – conv5 3×3
///                      256 – pool – fc6, fc7 4096 – fc8; 60,958,752 weights (Krizhevsky et al. 2012, as in Wen et al. 2017, whose batch
///                      norm shifts only). For timing: its images are noise.
namespace qsweep {

/// What inputs a network takes, and what may be chosen: for messages and defaults.
struct NetworkInfo {
  std::string name;
  std::size_t channels = 0, side = 0;  ///< of the input; 0: any
  std::string activation;              ///< default
  std::vector<std::string> batch_norm;  ///< what model.batch_norm may be, the default first; empty: the network has none
  double dropout = 0;                  ///< default; < 0: the network has none
  std::optional<std::size_t> dimension; ///< default width where it can be chosen
  double l2 = 0;                       ///< λ of the protocol
  bool convolves = true;
};

const std::vector<NetworkInfo>& networks();
const NetworkInfo* find_network(const std::string& name);

/// l2: λ, on the tensors that the network's protocol penalizes (cifarnet: fc3, fc4; else all weights).
NetworkPlan network_plan(const std::string& name, const Image& input, std::size_t classes, const NetworkOptions& options, double l2);

}  // namespace qsweep
