#include "model/convolution.h"

#include <algorithm>

#include "model/winograd.h"

namespace qsweep {

Convolution::Convolution(Layout& layout, const std::string& name, const Image& input, std::size_t outputs, const Window& window, bool bias, const Initial& initial,
                         std::size_t towers)
    : name_(name), input_(input), output_{outputs, window.outputs(input.height), window.outputs(input.width), channel_block()}, window_(window), towers_(towers), has_bias_(bias), initial_(initial),
      weight_(layout.dimension()) {
  weights_ = outputs * input.channels / towers * window.size * window.size;
  bias_ = weight_ + weights_;
  layout.add(name + "/weight", {outputs, input.channels / towers, window.size, window.size}, true);
  if (bias) layout.add(name + "/bias", {outputs}, false);
}

void Convolution::initialize(const Stream& draws, std::span<float> w) const {
  const std::size_t area = window_.size * window_.size;
  draw_weights(initial_, draws, weight_, input_.channels / towers_ * area, output_.channels / towers_ * area, w.subspan(weight_, weights_));
  if (has_bias_) std::ranges::fill(w.subspan(bias_, output_.channels), initial_.bias);
}

std::unique_ptr<Convolution> make_convolution(Layout& layout, const std::string& name, const Image& input, std::size_t outputs, const Window& window, bool bias,
                                              ConvolutionKind kind, const Initial& initial, std::size_t towers) {
  if (kind != ConvolutionKind::direct && towers == 1 && WinogradConvolution::possible(input, window) && (kind == ConvolutionKind::winograd || WinogradConvolution::pays(input, outputs, window)))
    return std::make_unique<WinogradConvolution>(layout, name, input, outputs, window, bias, initial);
  return std::make_unique<LibraryConvolution>(layout, name, input, outputs, window, bias, kind, initial, towers);
}

}  // namespace qsweep
