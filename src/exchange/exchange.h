#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/layout.h"
#include "base/stopwatch.h"
#include "config/settings.h"
#include "exchange/communicator.h"
#include "exchange/partition.h"
#include "quantize/gradient.h"

/// How N workers on P ranks form the mean gradient and learn the quantized weights: (1/N) Σ_n Q_g(Clip(g^(n))) and ŵ.
/// Every topology gives the same bits for one scale rule; they differ in who keeps the state and in what travels.
///   mean, shared scale:            float( double(s)·Σ_n code^(n) / (k·N) )
///   mean, own scales or fp:        float sum over n = 0 … N−1 in order, divided by N last
namespace qsweep {

class QuantizedWeights;

/// The block of workers that a rank carries: first … first + count − 1.
struct WorkerBlock {
  std::uint32_t first = 0, count = 0;
};
WorkerBlock workers_of(int rank, int ranks, std::size_t workers);

/// What travelled, of this rank.
struct Traffic {
  std::uint64_t bytes_sent = 0, messages = 0;
};

/// One round of the exchange, as all ranks know it.
struct Round {
  std::uint32_t iteration = 0;
  std::span<const float> scales;          ///< [N, tensors] own scale of every worker; empty for fp
  std::span<const float> limits;          ///< [my workers, tensors] clip limits c·σ, infinity = none; empty for fp
  std::span<double> squared_norms = {};   ///< [my workers, tensors] out: ‖Q_g‖²; empty = not asked
};

class Exchange {
 public:
  virtual ~Exchange() = default;
  /// Which rank keeps which part of w, v, … and of the mean gradient.
  const Partition& partition() const { return partition_; }
  /// gradients: [my workers][d]. mean: of the elements that this rank owns. Collective.
  virtual void average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) = 0;
  /// True if this rank takes part in the update and in making ŵ.
  virtual bool holds_state() const = 0;
  /// Quantizes w: ŵ itself where all of w is kept, of a slice the scales. w, v: what this rank owns. Collective.
  virtual void quantize(QuantizedWeights& weights, std::span<const float> w, std::span<const float> v);
  /// Gives ŵ to the ranks that do not make it themselves. `w` are the full-precision weights that this rank owns; if
  /// copy_of_w is not empty, every rank gets them there too (for measuring only, not counted as traffic). Collective.
  virtual void share(QuantizedWeights& weights, std::span<float> copy_of_w, std::span<const float> w) = 0;
  /// For simulations of more ranks than memory holds: messages keep their sizes and order, but nothing is quantized, added or unpacked.
  /// Gradients must be quantized, and may be empty vectors.
  virtual void send_sizes_only() = 0;
  const Traffic& traffic() const { return traffic_; }
  /// What else this rank sends in a round, beside the exchange itself: reports of its workers.
  void count(std::size_t bytes) { traffic_.bytes_sent += bytes, ++traffic_.messages; }

 protected:
  explicit Exchange(Partition partition) : partition_(std::move(partition)) {}
  Partition partition_;
  Traffic traffic_;
};

/// "allreduce", "server" or "sharded". The team, layout and stopwatch must outlive it. Adding a topology is one file and one line there.
std::unique_ptr<Exchange> make_exchange(const Settings& settings, const Team& team, const Layout& layout, Stopwatch& watch);

}  // namespace qsweep
