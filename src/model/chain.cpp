#include "model/chain.h"

#include <algorithm>
#include <cassert>

namespace qsweep {
namespace {

/// What all layers but the first are told: their inputs are not the data.
Pass without_background(Pass pass) {
  pass.background = {};
  return pass;
}

}  // namespace

void Chain::initialize(const Stream& draws, std::span<float> w) const {
  for (const auto& layer : layers_) layer->initialize(draws, w);
}

void Chain::initialize_state(std::span<float> state) const {
  for (const auto& layer : layers_) layer->initialize_state(state);
}

void Chain::attach(LayerProfile* profile) {
  profile_ = profile;
  rows_.clear();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i]->attach(profile);  // a block's own layers come before the block, whose time contains theirs
    if (profile != nullptr) rows_.push_back(profile->add(labels_[i]));
  }
}

void Chain::reserve(std::size_t batch) {
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

std::span<const float> Chain::forward(const Pass& pass, std::span<const float> x) {
  reserve(pass.batch);
  const Pass inner = without_background(pass);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const AddTime timed(profile_ == nullptr ? nullptr : &profile_->row(rows_[i]).forward);
    layers_[i]->forward(i == 0 ? pass : inner, x, outputs_[i]);
    x = outputs_[i];
  }
  return x.first(pass.batch * outputs());
}

void Chain::backward(const Pass& pass, std::span<const float> x, std::span<float> dx, std::span<float> gradient) {
  const Pass inner = without_background(pass);
  for (std::size_t i = layers_.size(); i-- > 0;) {
    const std::span<const float> from = i == 0 ? x : std::span<const float>(outputs_[i - 1]);
    const std::span<float> to = i == 0 ? dx : std::span<float>(next_delta_);  // nobody asks for the gradient of the data: dx is empty
    {
      const AddTime timed(profile_ == nullptr ? nullptr : &profile_->row(rows_[i]).backward);
      layers_[i]->backward(i == 0 ? pass : inner, from, outputs_[i], delta_, to, gradient);
    }
    delta_.swap(next_delta_);
  }
}

Residual::Residual(std::unique_ptr<Chain> body, const Image& input, const Image& output) : body_(std::move(body)), input_(input), output_(output) {
  assert(input.block == output.block && output.groups() >= input.groups());
  assert(output.height == input.height || output.height == (input.height + 1) / 2);
}

template <class Visit>
void Residual::shortcut(std::size_t batch, Visit visit) const {
  const std::size_t step = output_.height == input_.height ? 1 : 2;
  for (std::size_t b = 0; b < batch; ++b)
    for (std::size_t g = 0; g < input_.groups(); ++g)
      for (std::size_t h = 0; h < output_.height; ++h)
        for (std::size_t w = 0; w < output_.width; ++w)
          visit(b * output_.stored() + ((g * output_.height + h) * output_.width + w) * output_.block,
                b * input_.stored() + ((g * input_.height + h * step) * input_.width + w * step) * input_.block, std::min(input_.block, input_.channels - g * input_.block));
}

void Residual::forward(const Pass& pass, std::span<const float> x, std::span<float> y) {
  const std::span<const float> body = body_->forward(pass, x);
  if (input_.stored() == output_.stored()) {
    for (std::size_t i = 0; i < body.size(); ++i) y[i] = body[i] + x[i];
    return;
  }
  std::copy(body.begin(), body.end(), y.begin());
  shortcut(pass.batch, [&](std::size_t to, std::size_t from, std::size_t channels) {
    for (std::size_t l = 0; l < channels; ++l) y[to + l] += x[from + l];
  });
}

void Residual::backward(const Pass& pass, std::span<const float> x, std::span<const float>, std::span<const float> dy, std::span<float> dx, std::span<float> gradient) {
  std::copy_n(dy.begin(), pass.batch * output_.stored(), body_->derivative().begin());
  body_->backward(pass, x, dx, gradient);
  if (dx.empty()) return;
  if (input_.stored() == output_.stored()) {
    for (std::size_t i = 0; i < pass.batch * input_.stored(); ++i) dx[i] += dy[i];
    return;
  }
  shortcut(pass.batch, [&](std::size_t to, std::size_t from, std::size_t channels) {
    for (std::size_t l = 0; l < channels; ++l) dx[from + l] += dy[to + l];
  });
}

}  // namespace qsweep
