#pragma once
#include <functional>
#include <string>

#include "exchange/communicator.h"
#include "results/record.h"

/// How a run is saved on its way, as the run sees it: what is asked of it, and where it hands over what it is.
namespace qsweep {

/// What a rank asks of its run, the strongest last. Ranks tell each other, and all do what the strongest wish is.
enum class Wish { go_on, save, save_and_stop };

struct Saving {
  const Record* resume = nullptr;   ///< go on from this checkpoint; null: begin. Not null on all ranks or on none, read on the root
  std::string origin = {};          ///< names it in messages
  std::function<Wish()> wish = {};  ///< this rank's, at any time; asked once an iteration. None: go on
  /// Stores the state (train/archive.h) and what the run's own file holds so far. Collective; the record counts on the root.
  std::function<void(Record)> save = {};

  /// The strongest wish of all ranks, on every rank. Collective.
  Wish agreed(const Team& team) const {
    double strongest = wish ? static_cast<double>(wish()) : 0;
    team.max(std::span(&strongest, 1));
    return static_cast<Wish>(strongest);
  }
};

}  // namespace qsweep
