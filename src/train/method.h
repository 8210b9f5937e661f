#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"  // first: its Draw::InitialWeights would shadow the name below
#include "config/settings.h"
#include "exchange/communicator.h"
#include "results/record.h"
#include "train/cost.h"
#include "train/feed.h"
#include "train/saving.h"

/// What experiment.method names: one table, from the method to what trains one run of it. The sweep and the plan know this table, not
/// the methods. A new method is one file, one row here, and its name in the key's row (config/keys.cpp).
namespace qsweep {

/// Values of tensors by name, as a file holds them under final/weights.
struct InitialTensor {
  std::vector<std::size_t> shape;
  std::vector<float> values;
};
using InitialWeights = std::map<std::string, InitialTensor>;

/// How far a run is, for whoever watches.
struct Progress {
  std::uint64_t iteration = 0, iterations = 0;  ///< iterations 0: not known
  double average_loss = 0;
};

/// One run to be trained.
struct Task {
  const Settings& settings;
  const Team& team;
  DataStore& data;                                ///< holds the data sets that the settings name
  std::optional<InitialWeights> initial = {};     ///< of model.initial or of the reference; none: drawn
  std::function<void(const Progress&)> watch = {};
  Saving saving = {};                             ///< where to begin, and when to save on the way (train/saving.h, train/archive.h)
};

struct Method {
  std::string name;
  /// Trains to the end. Returns on the team's root everything there is to store but the id and the provenance, elsewhere an empty
  /// record. Collective. Interrupted on every rank if task.saving asked to stop before the end, and the state was saved.
  std::function<Record(const Task&)> train;
  /// What that will take, if a rank carries so many parts of the run.
  std::function<Cost(const Settings&, std::size_t parts_per_rank, const Speed&)> estimate;
  /// Into how many parts a run can be cut, one for each rank at most: workers, or starts.
  std::function<std::size_t(const Settings&)> parts;
};

const std::vector<Method>& methods();
const Method& method_of(const Settings&);

}  // namespace qsweep
