#pragma once
#include <array>
#include <optional>

#include "exchange/exchange.h"

/// Sharded state: rank p owns a slice of w, v, … (exchange/partition.h). Packed codes of each worker's gradient (m bits each) go to
/// the rank that owns those elements; the owner averages, updates and quantizes its slice; packed ŵ goes round to all. A rank sends
/// and receives about (m_g + m_w)/64 of what full precision does, and holds 1/P of the state. Docs: docs/exchange.md.
///   Gradients travel in pieces of 2¹⁸ elements: while one travels the next is quantized and the one before is added. Workers are
///   added in order, so pieces change no bit. Scales of weight tensors that are cut over ranks come from sums over blocks, gathered
///   and added in block order; what needs a whole tensor (lat) gets it on one rank, for solving only.
/// Source: Hou, Zhang, Kwok 2019, section 3.2 (the mean and ŵ); the distribution is that of Rajbhandari et al. 2020 (ZeRO, stage
/// 2).
namespace qsweep {

class ShardedExchange final : public Exchange {
 public:
  ShardedExchange(const Settings& settings, const Team& team, const Layout& layout, Stopwatch& watch);
  void average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) override;
  bool holds_state() const override { return true; }
  void quantize(QuantizedWeights& weights, std::span<const float> w, std::span<const float> v) override;
  void share(QuantizedWeights& weights, std::span<float> copy_of_w, std::span<const float> w) override;

  static constexpr std::size_t piece_elements = std::size_t{1} << 18;

 private:
  /// Elements [first, last) of the vector.
  struct Piece {
    std::size_t first, last;
    std::size_t size() const { return last - first; }
  };
  /// One piece of all workers, as it arrives: by worker a message, and its transfer.
  struct Inbox {
    std::vector<std::uint64_t> words;
    std::vector<float> floats;
    std::vector<std::size_t> transfers;
  };
  struct RoundPlan;  // what a round's scales and limits make known before its pieces

  Piece piece(int rank, std::size_t number) const;
  int workers() const { return static_cast<int>(settings_.workers.count); }
  bool is_mine(std::size_t worker) const;
  std::span<std::uint64_t> words_of(std::size_t worker, std::size_t number);  ///< in the inbox
  std::span<float> floats_of(std::size_t worker, std::size_t number);
  std::span<std::uint64_t> words_for(int rank, std::size_t worker, std::size_t number);
  void expect(std::size_t number, Transfers& transfers);
  void give(int rank, const std::vector<std::vector<float>>& gradients, std::size_t number, RoundPlan& plan, Transfers& transfers);
  void add(const std::vector<std::vector<float>>& gradients, std::size_t number, const RoundPlan& plan, Transfers& transfers,
           std::span<float> mean);

  const Settings& settings_;
  const Team& team_;
  const Layout& layout_;
  Stopwatch& watch_;
  WorkerBlock block_;
  std::optional<StochasticQuantizer> quantizer_;  ///< none: fp
  bool shared_scale_ = false;
  std::size_t pieces_ = 0;                    ///< of the largest slice
  std::vector<std::uint64_t> outbox_, sums_;  ///< codes for the others; with a shared scale the sums of one piece
  std::size_t outbox_used_ = 0;
  std::array<Inbox, 2> inbox_;  ///< one arrives while the other is added
  std::vector<std::byte> message_;
};

}  // namespace qsweep
