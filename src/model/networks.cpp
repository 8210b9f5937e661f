#include "model/networks.h"

#include <algorithm>
#include <functional>

namespace qsweep {
namespace {

using Layers = std::vector<LayerPlan>;

LayerPlan convolution(std::size_t number, std::size_t outputs, Window window, Initial initial, bool bias = true) {
  return {.kind = LayerKind::convolution, .name = "conv" + std::to_string(number), .outputs = outputs, .window = window, .flag = bias, .initial = initial};
}
LayerPlan dense(std::size_t number, std::size_t outputs, Initial initial = {}) {
  return {.kind = LayerKind::dense, .name = "fc" + std::to_string(number), .outputs = outputs, .initial = initial};
}
LayerPlan max_pool(Window window) { return {.kind = LayerKind::max_pool, .window = window}; }
LayerPlan activation(const NetworkOptions& o) {
  if (o.quantizer) return {.kind = LayerKind::quantized_activation, .quantizer = *o.quantizer};
  return {.kind = o.activation == "tanh" ? LayerKind::tanh : LayerKind::relu};
}

/// Batch norm, unless switched off, and the activation.
void normalized(Layers& layers, std::size_t number, const NetworkOptions& o) {
  if (o.batch_norm != "none") layers.push_back({.kind = LayerKind::batch_norm, .name = "bn" + std::to_string(number), .flag = o.batch_norm == "affine"});
  layers.push_back(activation(o));
}

constexpr Window three{3, 1, 1, 1}, halve{2, 2, 0, 0};

/// Dense layers of these widths and one for the classes.
Layers perceptron(std::initializer_list<std::size_t> widths, std::size_t classes, const NetworkOptions& o) {
  Layers layers;
  std::size_t number = 0;
  for (const std::size_t width : widths) {
    layers.push_back(dense(++number, width));
    normalized(layers, number, o);
  }
  layers.push_back(dense(++number, classes));
  return layers;
}

Layers mlp(std::size_t classes, const NetworkOptions& o) { return perceptron({o.dimension}, classes, o); }
Layers lenet300(std::size_t classes, const NetworkOptions& o) { return perceptron({300, 100}, classes, o); }

Layers cifarnet(std::size_t classes, const NetworkOptions& o) {
  const auto begin = [](float deviation, float bias) { return Initial{Initial::truncated, deviation, bias}; };
  const LayerPlan norm{.kind = LayerKind::response_norm};
  const Window same{5, 1, 2, 2};
  Layers layers = {convolution(1, o.dimension, same, begin(0.05F, 0))};
  normalized(layers, 1, o);
  layers.insert(layers.end(), {max_pool(Window::same(3, 2, 24)), norm, convolution(2, o.dimension, same, begin(0.05F, 0.1F))});
  normalized(layers, 2, o);
  layers.insert(layers.end(), {norm, max_pool(Window::same(3, 2, 12)), dense(3, 384, begin(0.04F, 0.1F))});
  normalized(layers, 3, o);
  layers.push_back(dense(4, 192, begin(0.04F, 0.1F)));
  normalized(layers, 4, o);
  layers.push_back(dense(5, classes, begin(1.0F / 192, 0)));
  return layers;
}

Layers lenet5(std::size_t classes, const NetworkOptions& o) {
  const Window five{5, 1, 0, 0};
  Layers layers = {convolution(1, 20, five, {Initial::fan_in})};
  normalized(layers, 1, o);
  layers.push_back(max_pool(halve));
  layers.push_back(convolution(2, 50, five, {Initial::fan_in}));
  normalized(layers, 2, o);
  layers.push_back(max_pool(halve));
  layers.push_back(dense(3, 500));
  normalized(layers, 3, o);
  if (o.dropout > 0) layers.push_back({.kind = LayerKind::dropout, .rate = o.dropout});
  layers.push_back(dense(4, classes));
  return layers;
}

Layers vgg11(std::size_t classes, const NetworkOptions& o) {
  Layers layers;
  std::size_t number = 0;
  for (const std::size_t width : {64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0}) {  // 0: pool
    if (width == 0) {
      layers.push_back(max_pool(halve));
      continue;
    }
    layers.push_back(convolution(++number, width, three, {Initial::fan_out}));
    normalized(layers, number, o);
  }
  layers.push_back(dense(9, classes));
  return layers;
}

Layers resnet20(std::size_t classes, const NetworkOptions& o) {
  const Initial he{Initial::fan_out};
  Layers layers = {convolution(1, 16, three, he, false)};
  normalized(layers, 1, o);
  std::size_t number = 1;
  for (const std::size_t width : {16, 32, 64})
    for (std::size_t block = 0; block < 3; ++block) {
      const bool first = block == 0 && width != 16;
      LayerPlan residual{.kind = LayerKind::residual};
      residual.body.push_back(convolution(++number, width, first ? Window{3, 2, 1, 1} : three, he, false));
      normalized(residual.body, number, o);
      residual.body.push_back(convolution(++number, width, three, he, false));
      normalized(residual.body, number, o);
      residual.body.pop_back();  // the activation comes after the sum
      layers.push_back(std::move(residual));
      if (o.norm_after_sum) layers.push_back({.kind = LayerKind::batch_norm, .name = "sum" + std::to_string(number), .flag = false});
      layers.push_back(activation(o));
    }
  layers.push_back({.kind = LayerKind::average_pool});
  layers.push_back(dense(20, classes));
  return layers;
}

/// Convolution, pool if any, batch norm, ReLU.
Layers binaryconnect_vgg(std::size_t classes, const NetworkOptions& o) {
  Layers layers;
  std::size_t number = 0;
  for (const std::size_t width : {128, 256, 512})
    for (const bool second : {false, true}) {
      layers.push_back(convolution(++number, width, three, {}));
      if (second) layers.push_back(max_pool(halve));
      normalized(layers, number, o);
    }
  for (; number < 8;) {
    layers.push_back(dense(++number, 1024));
    normalized(layers, number, o);
  }
  layers.push_back(dense(9, classes));
  return layers;
}

/// Convolutions without bias, batch norm, ReLU, response norm, pool, in two towers; conv3 sees both.
Layers alexnet(std::size_t classes, const NetworkOptions& o) {
  const auto begin = [](float deviation, float bias) { return Initial{Initial::truncated, deviation, bias}; };
  const LayerPlan norm{.kind = LayerKind::response_norm, .towers = 2, .radius = 2, .base = 2, .alpha = 1e-4};
  const Window pool{3, 2, 0, 0};
  struct Stage { std::size_t outputs; Window window; std::size_t towers; bool norm, pool; };
  Layers layers;
  std::size_t number = 0;
  for (const Stage& s : {Stage{96, Window::same(11, 4, 224), 1, true, true}, {256, Window::same(5, 1, 27), 2, true, true}, {384, three, 1, false, false}, {384, three, 2, false, false}, {256, three, 2, false, true}}) {
    layers.push_back(convolution(++number, s.outputs, s.window, begin(0.01F, 0), false));
    layers.back().towers = s.towers;
    normalized(layers, number, o);
    if (s.norm) layers.push_back(norm);
    if (s.pool) layers.push_back(max_pool(pool));
  }
  for (const std::size_t layer : {6, 7}) {
    layers.push_back(dense(layer, 4096, begin(0.005F, 0.1F)));
    layers.push_back(activation(o));
    if (o.dropout > 0) layers.push_back({.kind = LayerKind::dropout, .rate = o.dropout});
  }
  layers.push_back(dense(8, classes, begin(0.01F, 0)));
  return layers;
}

struct Row {
  NetworkInfo info;
  std::function<Layers(std::size_t, const NetworkOptions&)> layers;
};

/// The table: adding a network is one function and one row.
const std::vector<Row>& table() {
  static const std::vector<Row> rows = {
      {{"mlp", 0, 0, "relu", {"none", "plain", "affine"}, -1, 256, 0, false}, mlp},
      {{"cifarnet", 3, 24, "relu", {"none", "plain", "affine"}, -1, 64, 0.004}, cifarnet},
      {{"lenet300", 1, 28, "tanh", {"none", "plain", "affine"}, -1, {}, 0, false}, lenet300},
      {{"alexnet", 3, 224, "relu", {"affine", "plain", "none"}, 0.5, {}, 5e-4}, alexnet},
      {{"lenet5", 1, 28, "relu", {"none", "plain", "affine"}, 0.5, {}, 0}, lenet5},
      {{"vgg11", 3, 32, "relu", {"plain", "affine", "none"}, -1, {}, 0}, vgg11},
      {{"resnet20", 3, 32, "relu", {"plain", "affine"}, -1, {}, 0}, resnet20},
      {{"binaryconnect_vgg", 3, 32, "relu", {"affine", "plain", "none"}, -1, {}, 0}, binaryconnect_vgg},
  };
  return rows;
}

}  // namespace

const std::vector<NetworkInfo>& networks() {
  static const std::vector<NetworkInfo> all = [] {
    std::vector<NetworkInfo> infos;
    for (const Row& row : table()) infos.push_back(row.info);
    return infos;
  }();
  return all;
}

const NetworkInfo* find_network(const std::string& name) {
  const auto found = std::ranges::find(networks(), name, &NetworkInfo::name);
  return found == networks().end() ? nullptr : &*found;
}

NetworkPlan network_plan(const std::string& name, const Image& input, std::size_t classes, const NetworkOptions& options, double l2) {
  const auto row = std::ranges::find(table(), name, [](const Row& r) { return r.info.name; });
  NetworkPlan plan{input, row->layers(classes, options), l2};
  if (name == "cifarnet") plan.l2_layers = {"fc3", "fc4"};
  return plan;
}

}  // namespace qsweep
