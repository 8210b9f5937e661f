#pragma once
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "base/stopwatch.h"
#include "exchange/exchange.h"
#include "theory/two_layer_descent.h"
#include "train/archive.h"
#include "train/starts.h"

/// S starts of the two-layer model on their way, as one rank sees them: its share of them (population), or all (samples).
namespace qsweep {

/// What is observed of a start at iteration t: a column of a curve.
struct Observed {
  enum Item : std::size_t { loss, population_loss, theta, w_norm, v_distance, gradient_product, descent, items };
};
using Observation = std::array<double, Observed::items>;

/// What steps have tallied of one start (StepTally), as numbers that travel.
enum Tallied : std::size_t { least_norm, largest_rise, rises, passes, first_pass, tallied };

class Ensemble {
 public:
  virtual ~Ensemble() = default;
  /// The starts that this rank tells of: a block of all, in order.
  const WorkerBlock& block() const { return block_; }
  /// Of each of them at the present point, all but descent.
  virtual std::vector<Observation> observe() const = 0;
  /// Steps first, first + 1, … of Algorithm 1. Collective.
  virtual void advance(std::uint64_t first, std::uint64_t steps) = 0;
  /// Loss of start i of the block at the present point.
  virtual double loss(std::size_t i) const = 0;
  /// The loss of each start of the block after one step of this size from the present point. Collective.
  virtual std::vector<double> losses_after(double eta) = 0;
  virtual std::vector<double> v() const = 0;      ///< [block, m]
  virtual std::vector<double> w() const = 0;      ///< [block, n]
  virtual std::vector<double> theta() const = 0;  ///< [block]
  std::vector<double> tally_rows() const;         ///< [block, tallied]
  virtual Traffic traffic() const { return {}; }
  /// The present point, and what the steps up to it have tallied.
  void state(Archive& archive);

 protected:
  Ensemble(const WorkerBlock& block, const Starts& starts) : block_(block), starts_(starts), tallies_(block.count) {}
  virtual void point_state(Archive& archive) = 0;
  WorkerBlock block_;
  const Starts& starts_;
  std::vector<StepTally> tallies_;
};

/// On the whole population, starts shared out over the ranks; or on data.samples samples of each start, shared out over the workers,
/// whose gradients the exchange averages. The arguments must outlive it.
std::unique_ptr<Ensemble> make_ensemble(const Settings& settings, const Team& team, const Starts& starts, Stopwatch& watch);
std::unique_ptr<Ensemble> population_ensemble(const Settings& settings, const Team& team, const Starts& starts, Stopwatch& watch);
std::unique_ptr<Ensemble> sample_ensemble(const Settings& settings, const Team& team, const Starts& starts, Stopwatch& watch);

}  // namespace qsweep
