#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "exchange/transfers.h"

/// What the user sees while a sweep runs: one live line on a terminal, else a plain line every 30 s. The roots of all teams tell
/// world rank 0 how far they are; nobody waits for anybody.
namespace qsweep {

class ProgressBoard {
 public:
  /// runs, cost: what this job has to do in all (cost in any unit). quiet: nothing is shown.
  ProgressBoard(const Team& world, int team, int teams, std::size_t runs, double cost);

  /// Called by each team's root as often as it likes (it looks at the clock itself), and once when a run is done.
  void update(std::uint64_t iteration, std::uint64_t iterations, double loss, double run_cost);
  void run_done(double run_cost);
  /// Called by a root that has nothing to do for a moment: the others are heard and shown meanwhile.
  void idle();
  /// A line that stays, above the live one.
  void note(const std::string& text) const;
  /// The team has nothing left; world rank 0 then waits for the other teams and keeps showing them.
  void finish();

 private:
  struct Status {
    std::int64_t team = 0, runs_done = 0, finished = 0;
    std::uint64_t iteration = 0, iterations = 0;
    double loss = 0, cost_done = 0;  ///< of the whole run for those done, the part for the running one
  };
  void tell();
  void send();
  void collect();
  void show(bool last);
  std::string line(int width) const;

  const Team& world_;
  bool shows_, terminal_;
  std::size_t runs_;
  double cost_, finished_cost_ = 0;
  Status mine_, sent_;
  Transfers sending_;                 ///< of sent_: what is new waits for it, the training does not
  std::vector<Status> teams_;  ///< world rank 0 only
  std::chrono::steady_clock::time_point start_, told_, shown_;
};

/// "3 s", "4 min", "2.5 h"
std::string duration_text(double seconds);

}  // namespace qsweep
