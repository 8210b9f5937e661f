#pragma once
#include <vector>

#include "train/ensemble.h"
#include "train/recorder.h"

/// The curves of S starts, on the team's root: under curves/ the mean over the starts; beside it each start (S ≤ 16: curves/starts/,
/// [points, S]) or quantiles over them (curves/quantiles/, [points, 5]: 0, 0.1, 0.5, 0.9, 1), so that a file does not grow with S.
/// Means and quantiles are taken over the starts in order, of all ranks. Under final/ the last point of every start, [S].
namespace qsweep {

class StartCurves {
 public:
  static constexpr std::size_t most_single_starts = 16;

  /// samples: the loss is of samples, and the population's is a curve of its own.
  StartCurves(std::uint64_t interval, std::uint64_t iterations, std::size_t starts, bool samples);

  std::uint64_t next_after(std::uint64_t t, std::uint64_t iterations) const;  ///< the next recorded iteration
  /// The point of iteration t; table [S].
  void add(std::uint64_t t, const std::vector<Observation>& table);
  void write(Record& record) const;
  void state(Archive& archive) { recorder_.state(archive); }

 private:
  Recorder recorder_;
  std::size_t starts_;
  std::vector<std::size_t> shown_;  ///< which items are curves
  std::vector<Observation> last_;  ///< empty until a point is added, also after resuming
};

}  // namespace qsweep
