#include "exchange/sharded.h"

#include <algorithm>

#include "exchange/segments.h"
#include "exchange/slices_over_ranks.h"
#include "exchange/widen.h"
#include "quantize/quantized_weights.h"

namespace qsweep {
namespace {

constexpr int gradient_tag = 41;

}  // namespace

struct ShardedExchange::RoundPlan {
  const Round& round;
  std::vector<float> shared;                        ///< scales for all workers, if they share them
  std::vector<std::vector<Segment>> encoding;       ///< [my workers] with their clip limits
  std::vector<std::vector<Segment>> decoding;       ///< [1] or, with scales of their own, [N]
  std::vector<std::vector<std::uint64_t>> squared;  ///< [my workers][tensors] Σ code², or empty

  RoundPlan(const Settings& settings, const Layout& layout, const WorkerBlock& block, const Round& r) : round(r) {
    if (!settings.gradients.quantized()) return;
    const std::size_t tensors = layout.tensors().size();
    const bool one = settings.gradients.shared_scale();
    if (one) shared = shared_scales(layout, r);
    const auto scales = [&](std::size_t n) {
      return one ? std::span<const float>(shared) : r.scales.subspan(n * tensors, tensors);
    };
    for (std::size_t i = 0; i < block.count; ++i) {
      encoding.push_back(segments_of(layout, scales(block.first + i), r.limits.subspan(i * tensors, tensors)));
      squared.emplace_back(r.squared_norms.empty() ? 0 : tensors);
    }
    for (std::size_t n = 0; n < (one ? 1 : settings.workers.count); ++n) decoding.push_back(segments_of(layout, scales(n), {}));
  }
};

ShardedExchange::ShardedExchange(const Settings& settings, const Team& team, const Layout& layout, Stopwatch& watch)
    : Exchange(Partition::sliced(layout, team.ranks())),
      settings_(settings),
      team_(team),
      layout_(layout),
      watch_(watch),
      block_(workers_of(team.rank(), team.ranks(), settings.workers.count)) {
  for (int p = 0; p < team.ranks(); ++p) pieces_ = std::max(pieces_, (partition_.size(p) + piece_elements - 1) / piece_elements);
  const std::size_t largest = std::min(piece_elements, partition_.size(team.rank()));
  const int workers = static_cast<int>(settings.workers.count);
  if (settings.gradients.quantized()) {
    quantizer_.emplace(settings.gradients.bits());
    shared_scale_ = settings.gradients.shared_scale();
    if (shared_scale_) sums_.resize(quantizer_->fields(workers).words(largest));
    std::size_t words = 0;
    for (int p = 0; p < team.ranks(); ++p)
      for (std::size_t k = 0; p != team.rank() && k < pieces_; ++k) words += quantizer_->fields(1).words(piece(p, k).size());
    outbox_.resize(words * block_.count);
  }
  for (Inbox& inbox : inbox_) {
    inbox.transfers.resize(settings.workers.count);
    if (quantizer_)
      inbox.words.resize(settings.workers.count * quantizer_->fields(1).words(largest));
    else
      inbox.floats.resize(settings.workers.count * largest);
  }
}

ShardedExchange::Piece ShardedExchange::piece(int rank, std::size_t number) const {
  const std::size_t first = std::min(partition_.last(rank), partition_.first(rank) + number * piece_elements);
  return {first, std::min(partition_.last(rank), first + piece_elements)};
}

bool ShardedExchange::is_mine(std::size_t worker) const { return block_.first <= worker && worker < block_.first + block_.count; }

std::span<std::uint64_t> ShardedExchange::words_of(std::size_t worker, std::size_t number) {
  const std::size_t words = quantizer_->fields(1).words(piece(team_.rank(), number).size());
  return std::span(inbox_[number % 2].words).subspan(worker * words, words);
}

std::span<float> ShardedExchange::floats_of(std::size_t worker, std::size_t number) {
  const std::size_t size = piece(team_.rank(), number).size();
  return std::span(inbox_[number % 2].floats).subspan(worker * size, size);
}

void ShardedExchange::average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) {
  RoundPlan plan(settings_, layout_, block_, round);
  Transfers transfers(team_);
  std::ranges::fill(mean, 0.0F);
  outbox_used_ = 0;
  for (std::size_t number = 0; number <= pieces_; ++number) {
    if (number < pieces_) {
      expect(number, transfers);
      // Each rank begins with its neighbour, so that not all send to one at once; its own part waits while the others travel.
      for (int step = 1; step <= team_.ranks(); ++step)
        give((team_.rank() + step) % team_.ranks(), gradients, number, plan, transfers);
    }
    if (number > 0) add(gradients, number - 1, plan, transfers, mean);
  }
  const Timed timed(watch_, Phase::exchange);
  transfers.wait_all();
  for (std::size_t i = 0; i < plan.squared.size(); ++i)
    for (std::size_t l = 0; l < plan.squared[i].size(); ++l)
      round.squared_norms[i * plan.squared[i].size() + l] = quantizer_->squared_norm(plan.encoding[i][l].scale, plan.squared[i][l]);
}

/// Makes ready for the others' gradients of my piece of this number.
void ShardedExchange::expect(std::size_t number, Transfers& transfers) {
  if (piece(team_.rank(), number).size() == 0) return;
  const Timed timed(watch_, Phase::exchange);
  for (int p = 0; p < team_.ranks(); ++p) {
    const WorkerBlock theirs = workers_of(p, team_.ranks(), settings_.workers.count);
    for (std::size_t n = theirs.first; p != team_.rank() && n < theirs.first + theirs.count; ++n)
      inbox_[number % 2].transfers[n] = transfers.receive(
          quantizer_ ? std::as_writable_bytes(words_of(n, number)) : std::as_writable_bytes(floats_of(n, number)), p, gradient_tag);
  }
}

/// My workers' gradients of that rank's piece: quantized and sent on, or, if the piece is mine, put where the others' arrive.
void ShardedExchange::give(int rank, const std::vector<std::vector<float>>& gradients, std::size_t number, RoundPlan& plan,
                           Transfers& transfers) {
  const Piece p = piece(rank, number);
  if (p.size() == 0) return;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    std::span<const std::byte> message = std::as_bytes(std::span(gradients[i]).subspan(p.first, p.size()));
    if (quantizer_) {
      const Timed timed(watch_, Phase::quantize);
      std::span<std::uint64_t> words = words_for(rank, block_.first + i, number);
      std::ranges::fill(words, 0);
      const RoundingDraws draws(settings_.run.seed, block_.first + static_cast<std::uint32_t>(i), plan.round.iteration);
      quantizer_->encode_add(gradients[i], plan.encoding[i], draws, quantizer_->fields(1), p.first, p.last, words, plan.squared[i]);
      message = std::as_bytes(words);
    }
    if (rank == team_.rank()) continue;
    const Timed timed(watch_, Phase::exchange);
    transfers.send(message, rank, gradient_tag);
    traffic_.bytes_sent += message.size();
    ++traffic_.messages;
  }
}

/// Where codes for that rank's piece are written.
std::span<std::uint64_t> ShardedExchange::words_for(int rank, std::size_t worker, std::size_t number) {
  if (rank == team_.rank()) return words_of(worker, number);
  const std::size_t words = quantizer_->fields(1).words(piece(rank, number).size());
  outbox_used_ += words;
  return std::span(outbox_).subspan(outbox_used_ - words, words);
}

/// Adds all workers' gradients of my piece, in order, as they arrive.
void ShardedExchange::add(const std::vector<std::vector<float>>& gradients, std::size_t number, const RoundPlan& plan,
                          Transfers& transfers, std::span<float> mean) {
  const Piece p = piece(team_.rank(), number);
  if (p.size() == 0) return;
  const std::span<float> part = mean.subspan(p.first - partition_.first(team_.rank()), p.size());
  const std::span<std::uint64_t> sums =
      shared_scale_ ? std::span(sums_).first(quantizer_->fields(workers()).words(p.size())) : std::span<std::uint64_t>();
  std::ranges::fill(sums, 0);
  for (std::size_t n = 0; n < settings_.workers.count; ++n) {
    if (!is_mine(n)) {
      const Timed timed(watch_, Phase::exchange);
      transfers.wait(inbox_[number % 2].transfers[n]);
    }
    const Timed timed(watch_, quantizer_ ? Phase::quantize : Phase::exchange);
    if (!quantizer_) {
      const float* g = is_mine(n) ? gradients[n - block_.first].data() + p.first : floats_of(n, number).data();
      for (std::size_t i = 0; i < part.size(); ++i) part[i] += g[i];
    } else if (shared_scale_) {
      widen_add(words_of(n, number), quantizer_->fields(1), quantizer_->fields(workers()), sums);
    } else {
      quantizer_->decode_add(words_of(n, number), plan.decoding[n], p.first, p.last, part);
    }
  }
  const Timed timed(watch_, quantizer_ ? Phase::quantize : Phase::exchange);
  if (shared_scale_)
    quantizer_->decode_mean(sums, plan.decoding[0], workers(), p.first, p.last, part);
  else
    for (float& value : part) value /= static_cast<float>(workers());
}

void ShardedExchange::quantize(QuantizedWeights& weights, std::span<const float> w, std::span<const float> v) {
  if (team_.ranks() == 1) return weights.quantize(w, v);
  SlicesOverRanks others(team_, partition_, traffic_);
  weights.solve(w, v, others);
}

void ShardedExchange::share(QuantizedWeights& weights, std::span<float> copy_of_w, std::span<const float> w) {
  if (team_.ranks() == 1) return;
  const Timed timed(watch_, Phase::exchange);
  std::vector<std::size_t> sizes, begins;
  std::size_t all = 0;
  for (int p = 0; p < team_.ranks(); ++p) {
    sizes.push_back(weights.message_bytes(partition_.first(p), partition_.last(p)));
    begins.push_back(all);
    all += sizes.back();
  }
  message_.resize(all);
  const auto me = static_cast<std::size_t>(team_.rank());
  weights.write_message(w, std::span(message_).subspan(begins[me], sizes[me]), partition_.first(team_.rank()));
  team_.all_gather_bytes(sizes, message_);
  traffic_.bytes_sent += sizes[me];
  ++traffic_.messages;
  for (std::size_t p = 0; p < sizes.size(); ++p) {
    const int rank = static_cast<int>(p);  // in order: a tensor's α comes with its first part
    weights.read_message(std::span(message_).subspan(begins[p], sizes[p]), partition_.first(rank), partition_.last(rank));
  }
  if (!copy_of_w.empty()) all_gather(team_, partition_, w, copy_of_w);
}

}  // namespace qsweep
