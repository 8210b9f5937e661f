#pragma once
#include <array>
#include <optional>
#include <vector>

#include "exchange/exchange.h"
#include "exchange/transfers.h"

/// Large tensors travel in pieces of 2¹⁷ elements of each owner's slice: while one travels the next is quantized and the one before
/// is added (gradients), or packed and unpacked (ŵ). Pieces change no bit: draws and scales do not know them, workers are added in
/// their order whenever they arrive, and the integers or floats that are added are the same.
namespace qsweep {

inline constexpr std::size_t piece_elements = std::size_t{1} << 17;

/// Elements [first, last) of the vector.
struct Piece {
  std::size_t first = 0, last = 0;
  std::size_t size() const { return last - first; }
};
/// The piece of that number of what a rank owns; empty beyond its last one.
Piece piece_of(const Partition& partition, int rank, std::size_t number);
/// Pieces of the largest slice.
std::size_t pieces_of(const Partition& partition);

/// Gradients of all workers to the ranks that own the elements: packed codes (m bits each), or floats. The owner averages them.
class GradientPieces {
 public:
  GradientPieces(const Settings& settings, const Team& team, const Layout& layout, const Partition& partition, Stopwatch& watch, Traffic& traffic);
  void send_sizes_only() { sizes_only_ = true; }
  /// gradients [my workers][d]; mean: of the elements that this rank owns. Collective.
  void average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean);

 private:
  /// One piece of all workers, as it arrives: by worker a message, and its transfer.
  struct Inbox {
    std::vector<std::uint64_t> words;
    std::vector<float> floats;
    std::vector<std::size_t> transfers;
  };
  struct RoundPlan;  // what a round's scales and limits make known before its pieces

  Piece piece(int rank, std::size_t number) const { return piece_of(partition_, rank, number); }
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
  const Partition& partition_;
  Stopwatch& watch_;
  Traffic& traffic_;
  WorkerBlock block_;
  std::optional<StochasticQuantizer> quantizer_;  ///< none: fp
  bool shared_scale_ = false, sizes_only_ = false;
  std::size_t pieces_ = 0;                    ///< of the largest slice
  std::vector<std::uint64_t> outbox_, sums_;  ///< codes for the others; with a shared scale the sums of one piece
  std::size_t outbox_used_ = 0;
  std::array<Inbox, 2> inbox_;  ///< one arrives while the other is added
};

/// ŵ from the ranks that own its parts to all ranks.
///   by_broadcast: one owner, which has ŵ itself already; other ranks may pass its pieces on
///   else each owner sends its pieces straight to every rank, and unpacks its own: it has the scales only
class WeightPieces {
 public:
  WeightPieces(const Team& team, const Partition& partition, Traffic& traffic, bool by_broadcast)
      : team_(team), partition_(partition), traffic_(traffic), by_broadcast_(by_broadcast) {}
  void send_sizes_only() { sizes_only_ = true; }
  /// w: full-precision weights that this rank owns. Collective.
  void share(QuantizedWeights& weights, std::span<const float> w);

 private:
  std::span<std::byte> part(int rank, std::size_t number);  ///< of the messages

  const Team& team_;
  const Partition& partition_;
  Traffic& traffic_;
  bool by_broadcast_, sizes_only_ = false;
  std::vector<std::byte> messages_;
  std::vector<std::size_t> begins_;  ///< [ranks, pieces + 1]
};

}  // namespace qsweep
