#include "exchange/server.h"

#include <algorithm>

#include "exchange/segments.h"
#include "exchange/widen.h"
#include "quantize/quantized_weights.h"

namespace qsweep {
namespace {

constexpr int gradient_tag = 21;

}  // namespace

ServerExchange::ServerExchange(const Settings& settings, const Team& team, const Layout& layout, Stopwatch& watch)
    : Exchange(Partition::on_root(layout.dimension(), team.ranks())), settings_(settings), team_(team), layout_(layout), watch_(watch), block_(workers_of(team.rank(), team.ranks(), settings.workers.count)) {
  if (!settings.gradients.quantized()) return;
  quantizer_.emplace(settings.gradients.bits());
  words_.resize(quantizer_->fields(1).words(layout.dimension()));
  if (team.is_root() && settings.gradients.shared_scale()) sums_.resize(quantizer_->fields(static_cast<int>(settings.workers.count)).words(layout.dimension()));
}

std::span<const float> ServerExchange::scales_of(std::size_t worker, const Round& round, std::span<const float> shared) const {
  const std::size_t tensors = layout_.tensors().size();
  return settings_.gradients.shared_scale() ? shared : round.scales.subspan(worker * tensors, tensors);
}

void ServerExchange::encode(std::size_t index, std::span<const float> gradient, const Round& round, std::span<const float> scales) {
  const Timed timed(watch_, Phase::quantize);
  std::ranges::fill(words_, 0);
  encode_worker(*quantizer_, layout_, round, settings_.run.seed, block_, index, gradient, scales, quantizer_->fields(1), words_);
}

void ServerExchange::average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) {
  if (!quantizer_) return average_floats(gradients, mean);
  const std::vector<float> shared = shared_scales(layout_, round);
  if (team_.is_root()) return average_codes(gradients, round, mean);
  send_codes(gradients, round, shared);
}

void ServerExchange::send_codes(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<const float> shared) {
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    encode(i, gradients[i], round, scales_of(block_.first + i, round, shared));
    const Timed timed(watch_, Phase::exchange);
    team_.send(std::as_bytes(std::span(words_)), 0, gradient_tag);
    traffic_.bytes_sent += words_.size() * sizeof(std::uint64_t);
    ++traffic_.messages;
  }
}

void ServerExchange::average_codes(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) {
  const int workers = static_cast<int>(settings_.workers.count);
  const std::size_t d = layout_.dimension();
  const std::vector<float> shared = shared_scales(layout_, round);
  std::ranges::fill(mean, 0.0F);
  std::ranges::fill(sums_, 0);
  std::uint32_t n = 0;
  for (int p = 0; p < team_.ranks(); ++p)
    for (const std::uint32_t end = n + workers_of(p, team_.ranks(), settings_.workers.count).count; n < end; ++n) {
      if (p == 0) encode(n, gradients[n], round, scales_of(n, round, shared));
      else {
        const Timed timed(watch_, Phase::exchange);
        team_.receive(std::as_writable_bytes(std::span(words_)), p, gradient_tag);
      }
      const Timed timed(watch_, Phase::quantize);
      if (sums_.empty()) {
        quantizer_->decode_add(words_, segments_of(layout_, scales_of(n, round, shared), {}), 0, d, mean);
      } else {
        widen_add(words_, quantizer_->fields(1), quantizer_->fields(workers), sums_);
      }
    }
  const Timed timed(watch_, Phase::quantize);
  if (sums_.empty()) quantizer_->divide(mean, workers);
  else quantizer_->decode_mean(sums_, segments_of(layout_, shared, {}), workers, 0, d, mean);
}

void ServerExchange::average_floats(const std::vector<std::vector<float>>& gradients, std::span<float> mean) {
  const Timed timed(watch_, Phase::exchange);
  if (!team_.is_root()) {
    for (const std::vector<float>& gradient : gradients) {
      team_.send(std::as_bytes(std::span(gradient)), 0, gradient_tag);
      traffic_.bytes_sent += gradient.size() * sizeof(float);
      ++traffic_.messages;
    }
    return;
  }
  std::ranges::fill(mean, 0.0F);
  const auto add = [&](std::span<const float> gradient) {
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += gradient[i];
  };
  for (const std::vector<float>& gradient : gradients) add(gradient);
  std::vector<float> theirs(mean.size());
  for (int p = 1; p < team_.ranks(); ++p)
    for (std::uint32_t i = 0; i < workers_of(p, team_.ranks(), settings_.workers.count).count; ++i) {
      team_.receive(std::as_writable_bytes(std::span(theirs)), p, gradient_tag);
      add(theirs);
    }
  for (float& value : mean) value /= static_cast<float>(settings_.workers.count);
}

void ServerExchange::share(QuantizedWeights& weights, std::span<float> copy_of_w, std::span<const float> w) {
  if (team_.ranks() == 1) return;
  const Timed timed(watch_, Phase::exchange);
  message_.resize(weights.message_bytes());
  if (team_.is_root()) weights.write_message(w, message_);
  team_.broadcast(message_);
  if (team_.is_root()) traffic_.bytes_sent += message_.size(), ++traffic_.messages;
  else weights.read_message(message_);
  if (copy_of_w.empty()) return;
  if (team_.is_root()) std::copy(w.begin(), w.end(), copy_of_w.begin());
  team_.broadcast(std::as_writable_bytes(copy_of_w));
}

}  // namespace qsweep
