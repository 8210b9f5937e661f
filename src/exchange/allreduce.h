#pragma once
#include <optional>

#include "exchange/exchange.h"

/// All-reduce: every rank keeps w, v, … and repeats the same update. With quantized gradients the shared scale is s = max_n s^(n);
/// codes travel as c + k in unsigned fields of b = ⌈log2(2kN+1)⌉ bits, and MPI_Allreduce(MPI_UINT64_T, MPI_SUM) adds packed codes:
/// a field holds at most 2kN < 2^b, so no carry crosses, and integer sums are the same in any order.
/// Source: Hou, Zhang, Kwok 2019, section 3.2 ("also holds"); Wen et al. 2017, section 3.3 (shared scaler).
namespace qsweep {

class AllreduceExchange final : public Exchange {
 public:
  AllreduceExchange(const Settings& settings, const Team& team, const Layout& layout, Stopwatch& watch);
  void average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) override;
  bool holds_state() const override { return true; }
  void send_sizes_only() override { sizes_only_ = true; }
  void share(QuantizedWeights&, std::span<float>, std::span<const float>) override {}  // every rank made its own

 private:
  void average_codes(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean);

  const Settings& settings_;
  const Team& team_;
  const Layout& layout_;
  Stopwatch& watch_;
  WorkerBlock block_;
  bool sizes_only_ = false;
  std::optional<StochasticQuantizer> quantizer_;  ///< none: fp
  std::vector<std::uint64_t> words_;
};

}  // namespace qsweep
