// The published networks: their tensors, their initial weights, and each one's whole gradient against a plain double twin.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "model/loss.h"
#include "model/networks.h"
#include "model/reference.h"

namespace qsweep {
namespace {

Image input_of(const std::string& name) {
  const NetworkInfo& info = *find_network(name);
  return info.side == 0 ? Image{1, 9, 9, 1} : Image{info.channels, info.side, info.side, 1};
}

NetworkPlan plan_of(const std::string& name, const NetworkOptions& options = {}, double l2 = 0) { return network_plan(name, input_of(name), 10, options, l2); }

std::vector<std::string> names_of(const Layout& layout) {
  std::vector<std::string> names;
  for (const Tensor& t : layout.tensors()) names.push_back(t.name);
  return names;
}

const Tensor& tensor(const Layout& layout, const std::string& name) {
  for (const Tensor& t : layout.tensors())
    if (t.name == name) return t;
  throw std::invalid_argument(name);
}

using Sizes = std::vector<std::size_t>;

TEST(Networks, have_the_published_numbers_of_parameters) {
  const auto parameters = [](const std::string& name, const NetworkOptions& o) { return build(plan_of(name, o))->layout().dimension(); };
  EXPECT_EQ(parameters("cifarnet", {}), 1'067'584U + 714);
  EXPECT_EQ(parameters("lenet300", {}), 784U * 300 + 300 * 100 + 100 * 10 + 410);
  EXPECT_EQ(parameters("lenet5", {.batch_norm = "plain"}), 431'080U);
  EXPECT_EQ(parameters("lenet5", {.dropout = 0.5}), 431'080U);
  EXPECT_EQ(parameters("vgg11", {.batch_norm = "affine"}), 9'231'114U);
  EXPECT_EQ(parameters("vgg11", {.batch_norm = "plain"}), 9'225'610U);
  EXPECT_EQ(parameters("resnet20", {.batch_norm = "affine"}), 269'722U);
  EXPECT_EQ(parameters("resnet20", {.batch_norm = "plain"}), 268'346U);
  EXPECT_EQ(parameters("binaryconnect_vgg", {}), 14'022'016U + 3'850);
}

TEST(Networks, have_the_tensors_of_the_results_format) {
  const auto cifarnet = build(plan_of("cifarnet"));
  EXPECT_EQ(names_of(cifarnet->layout()), (std::vector<std::string>{"conv1/weight", "conv1/bias", "conv2/weight", "conv2/bias", "fc3/weight", "fc3/bias", "fc4/weight", "fc4/bias", "fc5/weight", "fc5/bias"}));
  EXPECT_EQ(tensor(cifarnet->layout(), "conv2/weight").shape, (Sizes{64, 64, 5, 5}));
  EXPECT_EQ(tensor(cifarnet->layout(), "fc3/weight").shape, (Sizes{384, 2304}));
  EXPECT_TRUE(tensor(cifarnet->layout(), "conv2/weight").is_weight && !tensor(cifarnet->layout(), "conv2/bias").is_weight);
  const auto lenet5 = build(plan_of("lenet5", {.batch_norm = "affine"}));
  EXPECT_EQ(names_of(lenet5->layout()), (std::vector<std::string>{"conv1/weight", "conv1/bias", "bn1/weight", "bn1/bias", "conv2/weight", "conv2/bias", "bn2/weight", "bn2/bias", "fc3/weight",
                                                                  "fc3/bias", "bn3/weight", "bn3/bias", "fc4/weight", "fc4/bias"}));
  EXPECT_FALSE(tensor(lenet5->layout(), "bn1/weight").is_weight);
  EXPECT_EQ(tensor(lenet5->state_layout(), "bn2/running_var").shape, (Sizes{50}));
  const auto resnet = build(plan_of("resnet20", {.batch_norm = "plain"}));
  std::vector<std::string> expected, state;
  for (int i = 1; i <= 19; ++i) {
    expected.push_back("conv" + std::to_string(i) + "/weight");
    state.push_back("bn" + std::to_string(i) + "/running_mean");
    state.push_back("bn" + std::to_string(i) + "/running_var");
  }
  expected.insert(expected.end(), {"fc20/weight", "fc20/bias"});
  EXPECT_EQ(names_of(resnet->layout()), expected);
  EXPECT_EQ(names_of(resnet->state_layout()), state);
  EXPECT_EQ(tensor(resnet->layout(), "conv8/weight").shape, (Sizes{32, 16, 3, 3}));
  const auto vgg = build(plan_of("vgg11", {.batch_norm = "affine"}));
  EXPECT_EQ(tensor(vgg->layout(), "conv8/weight").shape, (Sizes{512, 512, 3, 3}));
  EXPECT_EQ(tensor(vgg->layout(), "fc9/weight").shape, (Sizes{10, 512}));
  EXPECT_EQ(tensor(vgg->state_layout(), "bn8/running_mean").shape, (Sizes{512}));
  EXPECT_TRUE(build(plan_of("cifarnet"))->state_layout().tensors().empty());
}

TEST(Networks, cifarnet_grows_with_its_width) {
  for (const std::size_t d : {1U, 7U, 64U}) {
    const auto network = build(plan_of("cifarnet", {.dimension = d}));
    EXPECT_EQ(tensor(network->layout(), "conv1/weight").size, 75 * d);
    EXPECT_EQ(tensor(network->layout(), "conv2/weight").size, 25 * d * d);
    EXPECT_EQ(tensor(network->layout(), "fc3/weight").size, 36 * d * 384);
  }
}

enum class PlainLoss { cross_entropy, squared_hinge, square };

/// The loss of one sample's outputs z [10], written plainly.
double loss_of(PlainLoss kind, const double* z, std::size_t label) {
  double total = 0;
  for (std::size_t c = 0; c < 10; ++c) {
    const double sign = c == label ? 1 : -1, wanted = c == label ? 1 : 0;
    if (kind == PlainLoss::cross_entropy) total += std::exp(z[c]);
    if (kind == PlainLoss::squared_hinge) total += std::pow(std::max(0.0, 1 - sign * z[c]), 2);
    if (kind == PlainLoss::square) total += std::pow(z[c] - wanted, 2) / 2;
  }
  return kind == PlainLoss::cross_entropy ? std::log(total) - z[label] : total;
}

/// Mean loss of the double twin, in training mode, with the penalty.
double plain_loss(const NetworkPlan& plan, const Layout& layout, std::size_t batch, const std::vector<double>& x, const std::vector<std::int32_t>& labels, const std::vector<double>& w,
                  reference::StraightThrough<double>& estimator, PlainLoss kind = PlainLoss::cross_entropy) {
  Image image = plan.input;
  const double* at = w.data();
  estimator.begin(estimator.places.empty() && estimator.inputs.empty());
  const auto z = reference::forward<double>(plan.layers, batch, image, at, x, estimator);
  EXPECT_EQ(at, w.data() + w.size()) << "the plan and the layout disagree";
  double sum = 0;
  for (std::size_t b = 0; b < batch; ++b) sum += loss_of(kind, &z[b * 10], static_cast<std::size_t>(labels[b]));
  for (const Tensor& t : layout.tensors()) {
    const bool named = plan.l2_layers.empty() || t.name == "fc3/weight" || t.name == "fc4/weight";
    if (t.is_weight && named)
      for (std::size_t i = t.offset; i < t.end(); ++i) sum += static_cast<double>(batch) * plan.l2 / 2 * w[i] * w[i];
  }
  return sum / static_cast<double>(batch);
}

/// The fast gradient along random directions, one for each tensor, beside central differences of the double twin. Tensors are
/// perturbed one by one, so that none hides behind a larger one.
void expect_gradient(const std::string& name, const NetworkOptions& options, double l2, std::size_t batch, double tolerance, PlainLoss kind = PlainLoss::cross_entropy) {
  SCOPED_TRACE(name + ", " + options.activation + ", batch norm " + options.batch_norm);
  const NetworkPlan plan = plan_of(name, options, l2);
  const auto network = build(plan, options.convolution);
  if (kind == PlainLoss::squared_hinge) network->set_loss(squared_hinge);
  if (kind == PlainLoss::square) network->set_loss(square_loss);
  const Layout& layout = network->layout();
  std::vector<float> w(layout.dimension()), gradient(w.size(), NAN), x(batch * plan.input.size()), state(network->state_layout().dimension());
  network->initialize(3, w);
  network->initialize_state(state);
  for (const Tensor& t : layout.tensors())  // biases and batch norm away from where they begin
    if (!t.is_weight)
      for (std::size_t i = t.offset; i < t.end(); ++i) w[i] += 0.1F * static_cast<float>(Stream(5, Draw::Data).normal(i));
  Stream(4, Draw::Data).normal(0, x);
  std::vector<std::int32_t> labels(batch);
  for (std::size_t b = 0; b < batch; ++b) labels[b] = static_cast<std::int32_t>(b * 7 % 10);
  const double loss = network->gradient(w, {batch, x, {}, labels}, gradient, state);
  const std::vector<double> exact(w.begin(), w.end()), inputs(x.begin(), x.end());
  reference::StraightThrough<double> estimator;
  EXPECT_NEAR(loss, plain_loss(plan, layout, batch, inputs, labels, exact, estimator, kind), 1e-5 * (1 + loss));
  // 1e-5: the gradient of a bias before batch norm is zero, in float a rounding error.
  // The step is small against the distance to the next kink of a ReLU or a maximum, the rounding of the loss 1e-16/h against 1.
  const double h = 1e-7;
  for (const Tensor& t : layout.tensors()) {
    if (name == "resnet20" && t.offset % 3 != 0 && !t.name.starts_with("conv8")) continue;  // some of its 59 tensors: double is slow
    std::vector<double> direction(t.size);
    double length = 0, slope = 0, norm = 0;
    for (std::size_t i = 0; i < t.size; ++i) {
      const double g = gradient[t.offset + i];
      norm += g * g;
      direction[i] = Stream(9, Draw::Noise).normal(t.offset + i);
    }
    norm = std::sqrt(norm);
    for (std::size_t i = 0; i < t.size; ++i) direction[i] += norm > 0 ? std::sqrt(static_cast<double>(t.size)) * gradient[t.offset + i] / norm : 0, length += direction[i] * direction[i];
    length = std::sqrt(length);
    std::vector<double> up = exact, down = exact;
    for (std::size_t i = 0; i < t.size; ++i) {
      slope += gradient[t.offset + i] * direction[i] / length;
      up[t.offset + i] += h * direction[i] / length;
      down[t.offset + i] -= h * direction[i] / length;
    }
    const double difference = (plain_loss(plan, layout, batch, inputs, labels, up, estimator, kind) - plain_loss(plan, layout, batch, inputs, labels, down, estimator, kind)) / (2 * h);
    EXPECT_TRUE(std::abs(difference - slope) <= tolerance * norm + 1e-5) << t.name << ": " << difference << " beside " << slope << ", norm " << norm;
  }
}

TEST(WholeGradient, mlp) { expect_gradient("mlp", {.dimension = 7}, 0.3, 5, 1e-4); }
TEST(WholeGradient, lenet300) { expect_gradient("lenet300", {.activation = "tanh"}, 0.1, 3, 1e-4); }
TEST(WholeGradient, lenet5) {
  expect_gradient("lenet5", {}, 0, 2, 1e-4);
  expect_gradient("lenet5", {.activation = "tanh", .batch_norm = "affine"}, 0, 3, 1e-4);
}
TEST(WholeGradient, under_other_losses) {
  for (const PlainLoss kind : {PlainLoss::squared_hinge, PlainLoss::square}) {
    expect_gradient("mlp", {.dimension = 7}, 0.3, 5, 1e-4, kind);
    expect_gradient("lenet5", {.batch_norm = "plain"}, 0.1, 3, 1e-4, kind);
  }
}
TEST(WholeGradient, cifarnet) {
  expect_gradient("cifarnet", {.dimension = 5}, 0.004, 2, 1e-4);
  expect_gradient("cifarnet", {.dimension = 16, .activation = "tanh"}, 0.3, 1, 1e-4);
}

/// vgg11 and resnet20 in full are slow in double: one sample of batch norm over pixels is enough of a mini-batch.
TEST(WholeGradient, resnet20) { expect_gradient("resnet20", {.batch_norm = "affine"}, 0, 1, 1e-3); }

/// Quantized activations: central differences of σ(x₀) + μ(x) − μ(x₀) (reference.h), fused with batch norm and alone, where μ may be
/// each estimator's.
TEST(WholeGradient, quantized_activations) {
  for (const Surrogate surrogate : {Surrogate::identity, Surrogate::relu, Surrogate::clipped_relu})
    for (const bool nearest : {false, true}) {
      const ActivationQuantizer two{2, 0.6511F, nearest, surrogate}, four{4, 0.1946F, nearest, surrogate};
      SCOPED_TRACE(testing::Message() << "surrogate " << static_cast<int>(surrogate) << ", nearest " << nearest);
      expect_gradient("mlp", {.dimension = 7, .quantizer = two}, 0.3, 5, 1e-4);
      expect_gradient("lenet300", {.batch_norm = "plain", .quantizer = four}, 0, 5, 1e-4);
      expect_gradient("lenet5", {.batch_norm = nearest ? "affine" : "plain", .quantizer = nearest ? four : two}, 0, 4, 1e-4);
    }
  const ActivationQuantizer clipped{2, 0.6511F, false, Surrogate::clipped_relu};
  // Direct: Winograd's larger rounding carries values over the edges of levels.
  expect_gradient("cifarnet", {.dimension = 5, .batch_norm = "plain", .quantizer = clipped, .convolution = ConvolutionKind::direct}, 0, 2, 1e-4);
  expect_gradient("resnet20", {.batch_norm = "plain", .quantizer = clipped, .convolution = ConvolutionKind::direct}, 0, 1, 1e-3);
  expect_gradient("resnet20", {.batch_norm = "plain", .quantizer = clipped, .norm_after_sum = true, .convolution = ConvolutionKind::direct}, 0, 1, 1e-3);
}

/// The plan of a large network with widths divided by 16: the same code, in a second.
NetworkPlan narrow(NetworkPlan plan) {
  for (LayerPlan& layer : plan.layers)
    if (layer.outputs > 10) layer.outputs /= 16;
  return plan;
}

void expect_narrow_gradient(const std::string& name, const NetworkOptions& options) {
  SCOPED_TRACE(name);
  const NetworkPlan plan = narrow(plan_of(name, options));
  const auto network = build(plan);
  const std::size_t batch = 3;
  std::vector<float> w(network->layout().dimension()), gradient(w.size(), NAN), x(batch * plan.input.size()), state(network->state_layout().dimension());
  network->initialize(3, w);
  Stream(4, Draw::Data).normal(0, x);
  const std::vector<std::int32_t> labels = {1, 7, 2};
  network->gradient(w, {batch, x, {}, labels}, gradient, state);
  const std::vector<double> exact(w.begin(), w.end()), inputs(x.begin(), x.end());
  reference::StraightThrough<double> estimator;
  plain_loss(plan, network->layout(), batch, inputs, labels, exact, estimator);
  double norm = 0;
  for (const float g : gradient) norm += double{g} * g;
  norm = std::sqrt(norm);
  const double h = 1e-7;
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    std::vector<double> up = exact, down = exact;
    double slope = 0;
    std::vector<double> direction(w.size());
    double length = 0;
    for (std::size_t i = 0; i < w.size(); ++i) direction[i] = Stream(seed, Draw::Noise).normal(i) / std::sqrt(static_cast<double>(w.size())) + gradient[i] / norm, length += direction[i] * direction[i];
    length = std::sqrt(length);
    for (std::size_t i = 0; i < w.size(); ++i) slope += gradient[i] * direction[i] / length, up[i] += h * direction[i] / length, down[i] -= h * direction[i] / length;
    const double difference = (plain_loss(plan, network->layout(), batch, inputs, labels, up, estimator) - plain_loss(plan, network->layout(), batch, inputs, labels, down, estimator)) / (2 * h);
    EXPECT_TRUE(std::abs(difference - slope) <= 1e-3 * norm) << difference << " beside " << slope << ", norm " << norm;
  }
}

TEST(WholeGradient, vgg11) { expect_narrow_gradient("vgg11", {.batch_norm = "affine"}); }
TEST(WholeGradient, large_networks_with_quantized_activations) {
  const ActivationQuantizer clipped{2, 0.6511F, false, Surrogate::clipped_relu};
  expect_narrow_gradient("vgg11", {.batch_norm = "plain", .quantizer = clipped});
  expect_narrow_gradient("binaryconnect_vgg", {.batch_norm = "plain", .quantizer = clipped});
}
TEST(WholeGradient, binaryconnect_vgg) { expect_narrow_gradient("binaryconnect_vgg", {.batch_norm = "affine"}); }

TEST(Networks, evaluate_in_parts_as_one) {
  for (const char* name : {"lenet5", "resnet20"}) {
    const auto network = build(plan_of(name, {.batch_norm = "plain"}));
    const std::size_t inputs = input_of(name).size();
    std::vector<float> w(network->layout().dimension()), x(70 * inputs), state(network->state_layout().dimension());
    network->initialize(1, w);
    network->initialize_state(state);
    Stream(4, Draw::Data).normal(0, x);
    std::vector<std::int32_t> labels(70);
    for (std::size_t b = 0; b < 70; ++b) labels[b] = static_cast<std::int32_t>(b % 10);
    const Evaluation whole = network->evaluate(w, {70, x, {}, labels}, state);
    Evaluation parts;
    for (std::size_t b = 0; b < 70; b += 7)
      parts += network->evaluate(w, {7, std::span(x).subspan(b * inputs, 7 * inputs), {}, std::span(labels).subspan(b, 7)}, state);
    EXPECT_NEAR(whole.loss, parts.loss, 1e-4 * whole.loss) << name;
    EXPECT_NEAR(whole.correct, parts.correct, 1) << name;
    EXPECT_EQ(network->evaluate(w, {70, x, {}, labels}, state).loss, whole.loss);
  }
}

TEST(Networks, initial_weights_of_cifarnet) {
  const auto network = build(plan_of("cifarnet"));
  std::vector<float> w(network->layout().dimension());
  network->initialize(1, w);
  // A normal variable cut at two deviations has variance 1 − 4φ(2)/(Φ(2) − Φ(−2)) and fourth moment below 3.
  const double inside = std::erf(std::sqrt(2.0)), density = std::exp(-2.0) / std::sqrt(2 * std::acos(-1.0)), variance = 1 - 4 * density / inside;
  for (const auto& [name, deviation] : {std::pair{"conv1/weight", 0.05}, {"conv2/weight", 0.05}, {"fc3/weight", 0.04}, {"fc4/weight", 0.04}, {"fc5/weight", 1.0 / 192}}) {
    const Tensor& t = tensor(network->layout(), name);
    const auto n = static_cast<double>(t.size);
    double mean = 0, square = 0, largest = 0;
    for (std::size_t i = t.offset; i < t.end(); ++i) {
      const double z = w[i] / deviation;
      mean += z / n, square += z * z / n, largest = std::max(largest, std::abs(z));
    }
    EXPECT_NEAR(mean, 0, 6 * std::sqrt(variance / n)) << name;
    EXPECT_NEAR(square, variance, 6 * std::sqrt(2 / n)) << name;
    EXPECT_LE(largest, 2 + 1e-6) << name;
    EXPECT_GE(largest, 1.9) << name;
  }
  const auto bias = [&](const char* name) { return w[tensor(network->layout(), name).offset]; };
  EXPECT_EQ(bias("conv1/bias"), 0);
  for (const char* name : {"conv2/bias", "fc3/bias", "fc4/bias"}) EXPECT_EQ(bias(name), 0.1F);
  EXPECT_EQ(bias("fc5/bias"), 0);
}

TEST(InitialWeights, quantiles_of_the_normal_distribution) {
  for (const double p : {1e-12, 1e-3, 0.02, 0.0751, 0.3, 0.5, 0.9, 0.999}) EXPECT_NEAR(std::erfc(-normal_quantile(p) / std::sqrt(2.0)) / 2, p, 1e-13 * (p + 1e-3));
}

}  // namespace
}  // namespace qsweep
