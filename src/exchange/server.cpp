#include "exchange/server.h"

#include <algorithm>

#include "quantize/quantized_weights.h"

namespace qsweep {

ServerExchange::ServerExchange(const Settings& settings, const Team& team, const Layout& layout, Stopwatch& watch)
    : Exchange(Partition::on_root(layout.dimension(), team.ranks())), team_(team), watch_(watch),
      gradients_(settings, team, layout, partition_, watch, traffic_), weights_(team, partition_, traffic_, true) {}

void ServerExchange::average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) {
  gradients_.average(gradients, round, mean.first(std::min(mean.size(), partition_.size(team_.rank()))));
}

void ServerExchange::share(QuantizedWeights& weights, std::span<float> copy_of_w, std::span<const float> w) {
  if (team_.ranks() == 1) return;
  const Timed timed(watch_, Phase::exchange);
  weights_.share(weights, w);
  if (copy_of_w.empty()) return;
  if (team_.is_root()) std::copy(w.begin(), w.end(), copy_of_w.begin());
  team_.broadcast(std::as_writable_bytes(copy_of_w));
}

}  // namespace qsweep
