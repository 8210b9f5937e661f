#include "exchange/exchange.h"

#include "base/errors.h"
#include "exchange/allreduce.h"
#include "exchange/server.h"
#include "exchange/sharded.h"
#include "quantize/quantized_weights.h"

namespace qsweep {

WorkerBlock workers_of(int rank, int ranks, std::size_t workers) {
  const auto p = static_cast<std::size_t>(rank), P = static_cast<std::size_t>(ranks);
  const std::size_t first = p * workers / P, next = (p + 1) * workers / P;
  return {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(next - first)};
}

void Exchange::quantize(QuantizedWeights& weights, std::span<const float> w, std::span<const float> v) {
  if (holds_state()) weights.quantize(w, v);
}

std::unique_ptr<Exchange> make_exchange(const Settings& settings, const Team& team, const Layout& layout, Stopwatch& watch) {
  if (settings.workers.exchange == "allreduce") return std::make_unique<AllreduceExchange>(settings, team, layout, watch);
  if (settings.workers.exchange == "server") return std::make_unique<ServerExchange>(settings, team, layout, watch);
  if (settings.workers.exchange == "sharded") return std::make_unique<ShardedExchange>(settings, team, layout, watch);
  throw ConfigError("workers.exchange = " + settings.workers.exchange + ": allowed: allreduce, server, sharded");
}

}  // namespace qsweep
