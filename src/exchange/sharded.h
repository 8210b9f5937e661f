#pragma once
#include "exchange/pieces.h"

/// Sharded state: rank p owns a slice of w, v, … (exchange/partition.h). Packed codes of each worker's gradient (m bits each) go to
/// the rank that owns those elements; the owner averages, updates and quantizes its slice; packed ŵ goes from there to all ranks, both in
/// pieces (exchange/pieces.h). A rank sends and receives about (m_g + m_w)/64 of what full precision does, and holds 1/P of the
/// state. Docs: docs/exchange.md.
///   Scales of weight tensors that are cut over ranks come from sums over blocks, gathered and added in block order; what needs a
///   whole tensor (lat) gets it on one rank, for solving only.
/// Source: Hou, Zhang, Kwok 2019, section 3.2 (the mean and ŵ); the distribution is that of Rajbhandari et al. 2020 (ZeRO, stage
/// 2).
namespace qsweep {

class ShardedExchange final : public Exchange {
 public:
  ShardedExchange(const Settings& settings, const Team& team, const Layout& layout, Stopwatch& watch);
  void send_sizes_only() override { gradients_.send_sizes_only(), weights_.send_sizes_only(); }
  void average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) override;
  bool holds_state() const override { return true; }
  void quantize(QuantizedWeights& weights, std::span<const float> w, std::span<const float> v) override;
  void share(QuantizedWeights& weights, std::span<float> copy_of_w, std::span<const float> w) override;

 private:
  const Team& team_;
  Stopwatch& watch_;
  GradientPieces gradients_;
  WeightPieces weights_;
};

}  // namespace qsweep
