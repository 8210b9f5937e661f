#pragma once
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/layout.h"
#include "config/settings.h"
#include "quantize/weight.h"
#include "results/record.h"

/// ŵ = Q_w(w): each weight tensor α_l·b_l with its own scale, biases and batch norm as they are. What workers compute with, and
/// what a server sends them.
namespace qsweep {

class QuantizedWeights {
 public:
  QuantizedWeights(const Settings::Weights& settings, const Layout& layout);

  /// From the weights w [d] and the second moment v [d] (empty: uniform curvature). With fp weights ŵ is w itself, not a copy:
  /// w must then outlive this call's result.
  void quantize(std::span<const float> w, std::span<const float> v);
  std::span<const float> values() const { return view_; }          ///< ŵ [d]
  std::span<const float> scales() const { return scales_; }        ///< α per tensor, 0 where not quantized
  float largest_scale() const;
  void set_scales(std::span<const float> scales) { scales_.assign(scales.begin(), scales.end()); }  ///< on resuming

  std::uint64_t bits() const;  ///< Σ_l (m_w·n_l + 32), 32·n_l where not quantized: what one worker receives a round

  /// ŵ as a message: per tensor α and packed codes, or floats.
  std::size_t message_bytes() const;
  void write_message(std::span<const float> w, std::span<std::byte> message) const;
  void read_message(std::span<const std::byte> message);

  /// final/quantized_weights/<tensor>.
  void describe(std::span<const float> w, Record& record) const;

 private:
  bool quantized(const Tensor& t) const { return quantizer_ && t.is_weight; }

  const Layout& layout_;
  std::optional<WeightQuantizer> quantizer_;
  std::vector<float> values_, scales_;
  std::span<const float> view_;
};

}  // namespace qsweep
