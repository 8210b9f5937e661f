#include "model/network.h"

#include <algorithm>

#include "model/loss.h"
#include "model/penalty.h"

namespace qsweep {
namespace {

Pass training_pass(std::span<const float> w, const Batch& batch, std::span<float> state) {
  return {w, batch.size, true, state, Stream(batch.seed, Draw::Dropout, batch.worker, batch.iteration), batch.background};
}

}  // namespace

Network::Network(std::size_t inputs) : loss_(softmax_cross_entropy), chain_(inputs) {}

void Network::set_l2(double lambda, std::vector<std::string> layers) {
  l2_ = lambda;
  l2_layers_ = std::move(layers);
}

bool Network::penalized(const Tensor& tensor) const {
  if (!tensor.is_weight) return false;
  return l2_layers_.empty() || std::ranges::find(l2_layers_, tensor.name.substr(0, tensor.name.find('/'))) != l2_layers_.end();
}

void Network::initialize(std::uint64_t seed, std::span<float> w) const { chain_.initialize(Stream(seed, Draw::InitialWeights), w); }

double Network::gradient(std::span<const float> w, const Batch& batch, std::span<float> gradient, std::span<float> state) {
  const Pass pass = training_pass(w, batch, state);
  const std::span<const float> z = chain_.forward(pass, batch.x);
  double loss = loss_(outputs(), z, batch.labels, chain_.derivative()).loss / static_cast<double>(batch.size);
  chain_.backward(pass, batch.x, {}, gradient);
  for (const Tensor& t : layout_.tensors())
    if (penalized(t)) loss += add_penalty(l2_, w.subspan(t.offset, t.size), gradient.subspan(t.offset, t.size));
  return loss;
}

void Network::count_statistics(std::span<const float> w, const Batch& batch, std::span<float> state) {
  chain_.forward(training_pass(w, batch, state), batch.x);
}

double Network::loss(std::span<const float> w, const Batch& batch, std::span<const float> state) {
  double loss = evaluate(w, batch, state).loss / static_cast<double>(batch.size);
  for (const Tensor& t : layout_.tensors())
    if (penalized(t)) loss += penalty(l2_, w.subspan(t.offset, t.size));
  return loss;
}

Evaluation Network::evaluate(std::span<const float> w, const Batch& batch, std::span<const float> state) {
  state_.assign(state.begin(), state.end());
  const std::size_t most = evaluation_batch_ == 0 ? batch.size : evaluation_batch_;
  Evaluation sum;
  for (std::size_t first = 0; first < batch.size; first += most) {
    const std::size_t size = std::min(most, batch.size - first);
    const std::span<const float> x = batch.x.subspan(first * chain_.inputs(), size * chain_.inputs());
    sum += loss_(outputs(), chain_.forward({.w = w, .batch = size, .state = state_, .background = batch.background}, x), batch.labels.subspan(first, size), {});
  }
  return sum;
}

std::unique_ptr<Model> make_mlp(std::size_t inputs, std::size_t hidden, std::size_t classes, const std::string& activation, double l2) {
  auto network = std::make_unique<Network>(inputs);
  network->add(std::make_unique<Dense>(network->layout_to_extend(), "fc1", inputs, hidden));
  if (activation == "tanh") network->add(std::make_unique<Tanh>(hidden));
  else network->add(std::make_unique<Relu>(hidden));
  network->add(std::make_unique<Dense>(network->layout_to_extend(), "fc2", hidden, classes));
  network->set_l2(l2);
  return network;
}

}  // namespace qsweep
