#include "exchange/allreduce.h"

#include "exchange/chain.h"
#include "exchange/segments.h"

namespace qsweep {

AllreduceExchange::AllreduceExchange(const Settings& settings, const Team& team, const Layout& layout, Stopwatch& watch)
    : Exchange(Partition::everywhere(layout.dimension(), team.ranks())), settings_(settings), team_(team), layout_(layout), watch_(watch), block_(workers_of(team.rank(), team.ranks(), settings.workers.count)) {
  if (!settings.gradients.quantized()) return;
  quantizer_.emplace(settings.gradients.bits());
  words_.resize(quantizer_->fields(static_cast<int>(settings.workers.count)).words(layout.dimension()));
}

void AllreduceExchange::average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) {
  if (quantizer_) return average_codes(gradients, round, mean);
  const Timed timed(watch_, Phase::exchange);
  chain_sum(team_, gradients, settings_.workers.count, mean, traffic_);
  team_.broadcast(std::as_writable_bytes(mean), team_.ranks() - 1);
  if (team_.ranks() > 1 && team_.rank() == team_.ranks() - 1) traffic_.bytes_sent += mean.size_bytes(), ++traffic_.messages;
}

void AllreduceExchange::average_codes(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) {
  const int workers = static_cast<int>(settings_.workers.count);
  const std::vector<float> scales = shared_scales(layout_, round);
  if (!sizes_only_) {
    const Timed timed(watch_, Phase::quantize);
    std::ranges::fill(words_, 0);
    for (std::size_t i = 0; i < gradients.size(); ++i)
      encode_worker(*quantizer_, layout_, round, settings_.run.seed, block_, i, gradients[i], scales, quantizer_->fields(workers), words_);
  }
  if (team_.ranks() > 1) {
    const Timed timed(watch_, Phase::exchange);
    team_.sum(words_);
    traffic_.bytes_sent += words_.size() * sizeof(std::uint64_t);
    ++traffic_.messages;
  }
  if (sizes_only_) return;
  const Timed timed(watch_, Phase::quantize);
  quantizer_->decode_mean(words_, segments_of(layout_, scales, {}), workers, 0, layout_.dimension(), mean);
}

}  // namespace qsweep
