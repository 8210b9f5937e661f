#pragma once
#include <memory>

#include "model/image.h"
#include "model/layer.h"

/// Cross-correlation with zeros beyond the edges:
///   y[o, i, j] = Σ_c Σ_p Σ_q W[o, c, p, q] · x[c, i·stride + p − before, j·stride + q − before] (+ b[o])
///   W [outputs, channels, size, size] as in PyTorch;  x in blocks of channels, or plain (the network's input);  y in blocks
///   towers > 1: outputs and channels fall into as many parts, each output sees those of its own: W [outputs, channels/towers, size, size]
/// One thread; equal inputs give equal bits.
namespace qsweep {

/// winograd computes windows of stride 1 with fewer multiplications and about thirty times the rounding error of a direct sum: 3 × 3 by
/// oneDNN where it has such a kernel, 5 × 5 by our own (winograd.h). `automatic` takes it where it measures faster.
enum class ConvolutionKind { automatic, direct, winograd };

std::string onednn_version();  ///< "oneDNN 2.6.3"
/// The instruction set that it uses, as DNNL_MAX_CPU_ISA takes it ("AVX512_CORE"): it decides last bits, like the BLAS kernel.
std::string onednn_isa();

/// What all convolutions share: shapes, parameters and how they begin.
class Convolution : public Layer {
 public:
  Convolution(Layout& layout, const std::string& name, const Image& input, std::size_t outputs, const Window& window, bool bias, const Initial& initial,
              std::size_t towers = 1);
  const Image& image() const { return output_; }
  std::size_t inputs() const final { return input_.stored(); }
  std::size_t outputs() const final { return output_.stored(); }
  void initialize(const Stream& draws, std::span<float> w) const final;

  void tell_algorithm(std::vector<std::string>& told) const final { told.push_back(name_ + (is_winograd() ? " winograd" : " direct")); }

 protected:
  virtual bool is_winograd() const = 0;

  std::string name_;
  Image input_, output_;
  Window window_;
  std::size_t towers_;
  bool has_bias_;
  Initial initial_;
  std::size_t weight_, bias_, weights_;  ///< offsets of W and b, elements of W
};

/// The convolution that `kind` asks for, where the shapes allow it.
std::unique_ptr<Convolution> make_convolution(Layout& layout, const std::string& name, const Image& input, std::size_t outputs, const Window& window, bool bias,
                                              ConvolutionKind kind = ConvolutionKind::automatic, const Initial& initial = {}, std::size_t towers = 1);

/// By oneDNN. Primitives and memory are made once for each size of mini-batch; oneDNN's own layouts and types appear in onednn.cpp only.
class LibraryConvolution final : public Convolution {
 public:
  LibraryConvolution(Layout& layout, const std::string& name, const Image& input, std::size_t outputs, const Window& window, bool bias, ConvolutionKind kind,
                     const Initial& initial, std::size_t towers = 1);
  ~LibraryConvolution() override;
  void forward(const Pass& pass, std::span<const float> x, std::span<float> y) override;
  void backward(const Pass& pass, std::span<const float> x, std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                std::span<float> gradient) override;

 private:
  bool is_winograd() const override;
  struct Weights;     ///< in the layouts of the kernels, shared by all sizes of mini-batch
  struct Primitives;  ///< of one size of mini-batch
  Primitives& primitives(std::size_t batch);

  ConvolutionKind kind_;
  std::unique_ptr<Weights> own_;
};

}  // namespace qsweep
