#pragma once
#include <optional>

#include "exchange/exchange.h"

/// Parameter server, the paper's own picture: every worker sends its packed codes (m bits each); rank 0 averages in the order of
/// the workers, updates, quantizes, and broadcasts packed ŵ (m_w bits per weight and the scales). The oracle of the other topologies.
/// Source: Hou, Zhang, Kwok 2019, figure 1 and section 3.2.
namespace qsweep {

class ServerExchange final : public Exchange {
 public:
  ServerExchange(const Settings& settings, const Team& team, const Layout& layout, Stopwatch& watch);
  void average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) override;
  bool holds_state() const override { return team_.is_root(); }
  void share(QuantizedWeights& weights, std::span<float> copy_of_w, std::span<const float> w) override;

 private:
  void encode(std::size_t index, std::span<const float> gradient, const Round& round, std::span<const float> scales);
  void send_codes(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<const float> shared);
  void average_codes(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean);
  void average_floats(const std::vector<std::vector<float>>& gradients, std::span<float> mean);
  std::span<const float> scales_of(std::size_t worker, const Round& round, std::span<const float> shared) const;

  const Settings& settings_;
  const Team& team_;
  const Layout& layout_;
  Stopwatch& watch_;
  WorkerBlock block_;
  std::optional<StochasticQuantizer> quantizer_;  ///< none: fp
  std::vector<std::uint64_t> words_, sums_;       ///< one worker's codes; with a shared scale their sums, in wider fields
  std::vector<std::byte> message_;
};

}  // namespace qsweep
