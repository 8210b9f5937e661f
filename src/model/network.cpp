#include "model/network.h"

#include <algorithm>

#include "model/loss.h"
#include "model/penalty.h"

namespace qsweep {

void Network::initialize(std::uint64_t seed, std::span<float> w) const {
  const Stream draws(seed, Draw::InitialWeights);
  for (const auto& layer : layers_) layer->initialize(draws, w);
}

void Network::reserve(std::size_t batch) {
  if (batch <= reserved_) return;
  reserved_ = batch;
  std::size_t widest = inputs_;
  outputs_.resize(layers_.size());
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    outputs_[i].resize(batch * layers_[i]->outputs());
    widest = std::max(widest, layers_[i]->outputs());
  }
  delta_.resize(batch * widest);
  next_delta_.resize(batch * widest);
}

std::span<const float> Network::forward(std::span<const float> w, const Batch& batch) {
  reserve(batch.size);
  std::span<const float> x = batch.x;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i]->forward(w, batch.size, x, outputs_[i]);
    x = outputs_[i];
  }
  return x.first(batch.size * outputs());
}

double Network::gradient(std::span<const float> w, const Batch& batch, std::span<float> gradient) {
  const std::span<const float> logits = forward(w, batch);
  double loss = softmax_cross_entropy(outputs(), logits, batch.labels, delta_).loss / static_cast<double>(batch.size);
  for (std::size_t i = layers_.size(); i-- > 0;) {
    const std::span<const float> x = i == 0 ? batch.x : std::span<const float>(outputs_[i - 1]);
    const std::span<float> dx = i == 0 ? std::span<float>() : std::span<float>(next_delta_);  // nobody asks for the gradient of the data
    layers_[i]->backward(w, batch.size, x, outputs_[i], delta_, dx, gradient);
    delta_.swap(next_delta_);
  }
  for (const Tensor& t : layout_.tensors())
    if (t.is_weight) loss += add_penalty(l2_, w.subspan(t.offset, t.size), gradient.subspan(t.offset, t.size));
  return loss;
}

double Network::loss(std::span<const float> w, const Batch& batch) {
  double loss = evaluate(w, batch).loss / static_cast<double>(batch.size);
  for (const Tensor& t : layout_.tensors())
    if (t.is_weight) loss += penalty(l2_, w.subspan(t.offset, t.size));
  return loss;
}

Evaluation Network::evaluate(std::span<const float> w, const Batch& batch) {
  return softmax_cross_entropy(outputs(), forward(w, batch), batch.labels, {});
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
