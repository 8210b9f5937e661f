#pragma once
#include "exchange/pieces.h"

/// Parameter server, the paper's own picture: every worker sends its packed codes (m bits each); rank 0 averages in the order of
/// the workers, updates, quantizes, and broadcasts packed ŵ (m_w bits per weight and the scales), both in pieces
/// (exchange/pieces.h). The oracle of the other topologies.
/// Source: Hou, Zhang, Kwok 2019, figure 1 and section 3.2.
namespace qsweep {

class ServerExchange final : public Exchange {
 public:
  ServerExchange(const Settings& settings, const Team& team, const Layout& layout, Stopwatch& watch);
  void send_sizes_only() override { gradients_.send_sizes_only(), weights_.send_sizes_only(); }
  void average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) override;
  bool holds_state() const override { return team_.is_root(); }
  void share(QuantizedWeights& weights, std::span<float> copy_of_w, std::span<const float> w) override;

 private:
  const Team& team_;
  Stopwatch& watch_;
  GradientPieces gradients_;
  WeightPieces weights_;
};

}  // namespace qsweep
