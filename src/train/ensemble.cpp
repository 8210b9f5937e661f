#include "train/ensemble.h"

namespace qsweep {

std::vector<double> Ensemble::tally_rows() const {
  std::vector<double> rows;
  for (const StepTally& t : tallies_)
    rows.insert(rows.end(), {t.least_norm, t.largest_rise, static_cast<double>(t.rises), static_cast<double>(t.passes), static_cast<double>(t.first_pass)});
  return rows;
}

void Ensemble::state(Archive& archive) {
  point_state(archive);
  std::vector<double> rows = tally_rows();
  archive.of_workers("tallies", rows, tallied, starts_.count);
  for (std::size_t i = 0; i < tallies_.size(); ++i) {
    const double* row = &rows[i * tallied];
    const auto count = [&](Tallied which) { return static_cast<std::int64_t>(row[which]); };
    tallies_[i] = {row[least_norm], row[largest_rise], count(rises), count(passes), count(first_pass)};
  }
}

std::unique_ptr<Ensemble> make_ensemble(const Settings& settings, const Team& team, const Starts& starts, Stopwatch& watch) {
  return settings.problem.samples == 0 ? population_ensemble(settings, team, starts, watch) : sample_ensemble(settings, team, starts, watch);
}

}  // namespace qsweep
