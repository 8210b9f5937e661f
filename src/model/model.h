#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/layout.h"

/// What is trained: a loss of d parameters over mini-batches. BLAS and oneDNN are called only in this folder.
namespace qsweep {

/// A mini-batch. Targets for the linear model, labels for networks; the other is empty.
struct Batch {
  std::size_t size = 0;                  ///< B
  std::span<const float> x;              ///< [B, inputs]
  std::span<const float> targets;        ///< [B]
  std::span<const std::int32_t> labels;  ///< [B], 0 … classes−1
  std::uint64_t seed = 0;                ///< with worker and iteration: whose draws dropout makes
  std::uint32_t worker = 0, iteration = 0;
  std::span<const float> background = {};  ///< [inputs]: what more than half of the values of x are, in their columns; empty: none known
};

/// Sums over samples, so that parts of a data set can be added.
struct Evaluation {
  double loss = 0;     ///< data term, summed over samples
  double correct = 0;  ///< samples whose label has the largest output
  Evaluation& operator+=(const Evaluation& o) { loss += o.loss, correct += o.correct; return *this; }
};

class Model {
 public:
  virtual ~Model() = default;
  virtual const Layout& layout() const = 0;
  /// w_1: drawn from Stream(seed, Draw::InitialWeights), index over the whole vector.
  virtual void initialize(std::uint64_t seed, std::span<float> w) const = 0;
  /// f_t^(n)(w), mean over the mini-batch with the penalty, and its gradient. w, gradient [d].
  /// state: the worker's running statistics, counted on by this mini-batch; empty where the state layout is, or to leave them out.
  virtual double gradient(std::span<const float> w, const Batch& batch, std::span<float> gradient, std::span<float> state = {}) = 0;
  /// f_t^(n)(w) alone, of evaluation mode.
  virtual double loss(std::span<const float> w, const Batch& batch, std::span<const float> state = {}) = 0;
  /// Data term and hits of evaluation mode, summed over the samples. state: the running statistics to normalize with.
  virtual Evaluation evaluate(std::span<const float> w, const Batch& batch, std::span<const float> state = {}) = 0;

  /// Running statistics that go with the parameters, a vector of their own for each worker: batch norm's. Empty for most models.
  virtual const Layout& state_layout() const {
    static const Layout none;
    return none;
  }
  virtual void initialize_state(std::span<float>) const {}
  /// Which algorithm each layer that has a choice took: "conv1 direct", "conv2 winograd".
  virtual std::vector<std::string> algorithms() const { return {}; }
  /// Counts the statistics of a mini-batch as gradient() does, without a gradient and without dropout's draws mattering.
  virtual void count_statistics(std::span<const float> w, const Batch& batch, std::span<float> state) { (void)w, (void)batch, (void)state; }
  /// Share that the newest mini-batch has in a running statistic.
  virtual double statistics_momentum() const { return 1; }
};

}  // namespace qsweep
