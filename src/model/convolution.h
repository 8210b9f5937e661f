#pragma once
#include <memory>

#include "model/image.h"
#include "model/layer.h"

/// Cross-correlation with zeros beyond the edges, by oneDNN:
///   y[o, i, j] = Σ_c Σ_p Σ_q W[o, c, p, q] · x[c, i·stride + p − before, j·stride + q − before] (+ b[o])
///   W [outputs, channels, size, size] as in PyTorch;  x in blocks of channels, or plain (the network's input);  y in blocks
/// One thread; equal inputs give equal bits. Primitives and memory are made once for each size of mini-batch.
/// oneDNN's own layouts and types appear in onednn.cpp only.
namespace qsweep {

/// winograd computes 3 × 3 windows of stride 1 with fewer multiplications and about ten times the rounding error; `automatic`
/// takes it where it measures faster. Where oneDNN has no Winograd kernel, all three are direct.
enum class ConvolutionKind { automatic, direct, winograd };

std::string onednn_version();  ///< "oneDNN 2.6.3"

class Convolution final : public Layer {
 public:
  Convolution(Layout& layout, const std::string& name, const Image& input, std::size_t outputs, const Window& window, bool bias,
              ConvolutionKind kind = ConvolutionKind::automatic, const Initial& initial = {});
  ~Convolution() override;
  const Image& image() const { return output_; }
  std::size_t inputs() const override { return input_.stored(); }
  std::size_t outputs() const override { return output_.stored(); }
  void initialize(const Stream& draws, std::span<float> w) const override;
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;

 private:
  struct Weights;     ///< in the layouts of the kernels, shared by all sizes of mini-batch
  struct Primitives;  ///< of one size of mini-batch
  Primitives& primitives(std::size_t batch);

  Image input_, output_;
  Window window_;
  bool has_bias_;
  ConvolutionKind kind_;
  Initial initial_;
  std::size_t weight_, bias_, weights_;  ///< offsets of W and b, elements of W
  std::unique_ptr<Weights> own_;
};

}  // namespace qsweep
