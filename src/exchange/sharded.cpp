#include "exchange/sharded.h"

#include "exchange/slices_over_ranks.h"
#include "quantize/quantized_weights.h"

namespace qsweep {

ShardedExchange::ShardedExchange(const Settings& settings, const Team& team, const Layout& layout, Stopwatch& watch)
    : Exchange(Partition::sliced(layout, team.ranks())), team_(team), watch_(watch),
      gradients_(settings, team, layout, partition_, watch, traffic_), weights_(team, partition_, traffic_, false) {}

void ShardedExchange::average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) {
  gradients_.average(gradients, round, mean);
}

void ShardedExchange::quantize(QuantizedWeights& weights, std::span<const float> w, std::span<const float> v) {
  if (team_.ranks() == 1) return weights.quantize(w, v);
  SlicesOverRanks others(team_, partition_, traffic_);
  weights.solve(w, v, others);
}

void ShardedExchange::share(QuantizedWeights& weights, std::span<float> copy_of_w, std::span<const float> w) {
  if (team_.ranks() == 1) return;
  const Timed timed(watch_, Phase::exchange);
  weights_.share(weights, w);
  if (!copy_of_w.empty()) all_gather(team_, partition_, w, copy_of_w);
}

}  // namespace qsweep
