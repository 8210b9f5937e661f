#pragma once
#include <functional>
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

/// For a rank that keeps elements [first, last) of w only: what it needs of the ranks that keep the others. The members that
/// work together are called by all ranks, tensor after tensor.
class OtherSlices {
 public:
  virtual ~OtherSlices() = default;
  virtual std::size_t first() const = 0;
  virtual std::size_t last() const = 0;
  virtual bool is_cut(const Tensor& t) const = 0;  ///< does more than one rank keep a part of it?
  /// Total over the blocks of the tensor, of all ranks, in block order. Collective.
  virtual BlockSums total(const Tensor& t, std::span<const BlockSums> mine) = 0;
  /// Puts the tensor together on one rank; tells all what `solve` made of it there. w, v: this rank's part. Collective.
  using Solve = std::function<float(std::span<const float> w, std::span<const float> v)>;
  virtual float on_one_rank(const Tensor& t, std::span<const float> w, std::span<const float> v, const Solve& solve) = 0;
};

class QuantizedWeights {
 public:
  QuantizedWeights(const Settings::Weights& settings, const Layout& layout);

  /// From the weights w [d] and the second moment v [d] (empty: uniform curvature). With fp weights ŵ is w itself, not a copy:
  /// w must then outlive this call's result.
  void quantize(std::span<const float> w, std::span<const float> v);
  /// The scales alone, from slices of w and v: the same bits as from the whole. A rank gets those of tensors that it keeps a part
  /// of; the others come with the messages. Collective.
  void solve(std::span<const float> w, std::span<const float> v, OtherSlices& others);
  void keep_values();                                              ///< ŵ is a copy of its own from now on: w may go
  std::span<const float> values() const { return view_; }          ///< ŵ [d]
  std::span<const float> scales() const { return scales_; }        ///< α per tensor, 0 where not quantized
  float largest_scale() const;
  /// From now on α stays what it is here, and values are drawn if asked for: with {−1, 1} the sign + with probability (w/α + 1)/2,
  /// clipped to [0, 1], by draws.uniform of the element's index (Courbariaux et al. 2015).
  void fix_scales(std::vector<float> scales, bool stochastic, std::uint64_t seed);
  std::uint64_t rounds() const { return rounds_; }                 ///< how often ŵ was made
  /// What was saved: where the search for the next scales begins, and which draws come next.
  void restore(std::span<const float> scales, std::uint64_t rounds) { scales_.assign(scales.begin(), scales.end()), rounds_ = static_cast<std::uint32_t>(rounds); }
  void apply(std::span<const float> w);                            ///< ŵ from w, the scales as they are, and the last draws: what it was in the last round

  std::uint64_t bits() const;  ///< Σ_l (m_w·n_l + 32), 32·n_l where not quantized: what one worker receives a round

  /// Elements [first, last) of ŵ as a message: per tensor α, in the part that holds its first element, and packed codes, or floats.
  std::size_t message_bytes(std::size_t first, std::size_t last) const;
  std::size_t message_bytes() const { return message_bytes(0, layout_.dimension()); }
  /// From w [last − first].
  void write_message(std::span<const float> w, std::span<std::byte> message, std::size_t first = 0) const;
  void read_message(std::span<const std::byte> message) { read_message(message, 0, layout_.dimension()); }
  void read_message(std::span<const std::byte> message, std::size_t first, std::size_t last);

  /// final/quantized_weights/<tensor>.
  void describe(std::span<const float> w, Record& record) const;

 private:
  void fill(std::span<const float> w, std::uint32_t round);
  void draw_signs(std::span<const float> w, float scale, std::size_t first, std::uint32_t round, std::span<float> to) const;
  std::span<float> own_values();
  bool quantized(const Tensor& t) const { return quantizer_ && t.is_weight; }

  const Layout& layout_;
  std::optional<WeightQuantizer> quantizer_;
  bool fixed_ = false, stochastic_ = false;
  std::uint64_t seed_ = 0;
  std::uint32_t rounds_ = 0;
  std::vector<float> values_, scales_;
  std::span<const float> view_;
};

}  // namespace qsweep
