#include "exchange/pieces.h"

#include <algorithm>

#include "exchange/segments.h"
#include "exchange/widen.h"
#include "quantize/quantized_weights.h"

namespace qsweep {
namespace {

constexpr int gradient_tag = 41, weight_tag = 43;
/// Messages that one rank has under way; without a limit a thousand ranks have a million of them. On 256 simulated ranks the simulation
/// takes half as long for it (12 against 22 s), an iteration 7 % longer; up to nine ranks of one worker nothing waits.
constexpr std::size_t most_sends = 8;

}  // namespace

Piece piece_of(const Partition& partition, int rank, std::size_t number) {
  const std::size_t first = std::min(partition.last(rank), partition.first(rank) + number * piece_elements);
  return {first, std::min(partition.last(rank), first + piece_elements)};
}

std::size_t pieces_of(const Partition& partition) {
  std::size_t most = 0;
  for (int p = 0; p < partition.ranks(); ++p) most = std::max(most, (partition.size(p) + piece_elements - 1) / piece_elements);
  return most;
}

struct GradientPieces::RoundPlan {
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

GradientPieces::GradientPieces(const Settings& settings, const Team& team, const Layout& layout, const Partition& partition, Stopwatch& watch,
                               Traffic& traffic)
    : settings_(settings),
      team_(team),
      layout_(layout),
      partition_(partition),
      watch_(watch),
      traffic_(traffic),
      block_(workers_of(team.rank(), team.ranks(), settings.workers.count)),
      pieces_(pieces_of(partition)) {
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

bool GradientPieces::is_mine(std::size_t worker) const { return block_.first <= worker && worker < block_.first + block_.count; }

std::span<std::uint64_t> GradientPieces::words_of(std::size_t worker, std::size_t number) {
  const std::size_t words = quantizer_->fields(1).words(piece(team_.rank(), number).size());
  return std::span(inbox_[number % 2].words).subspan(worker * words, words);
}

std::span<float> GradientPieces::floats_of(std::size_t worker, std::size_t number) {
  const std::size_t size = piece(team_.rank(), number).size();
  return std::span(inbox_[number % 2].floats).subspan(worker * size, size);
}

void GradientPieces::average(const std::vector<std::vector<float>>& gradients, const Round& round, std::span<float> mean) {
  RoundPlan plan(settings_, layout_, block_, round);
  Transfers transfers(team_, most_sends);
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
void GradientPieces::expect(std::size_t number, Transfers& transfers) {
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
void GradientPieces::give(int rank, const std::vector<std::vector<float>>& gradients, std::size_t number, RoundPlan& plan,
                           Transfers& transfers) {
  const Piece p = piece(rank, number);
  if (p.size() == 0) return;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    std::span<const std::byte> message;
    if (!quantizer_) {
      message = std::as_bytes(std::span(gradients[i]).subspan(p.first, p.size()));
    } else if (std::span<std::uint64_t> words = words_for(rank, block_.first + i, number); sizes_only_) {
      message = std::as_bytes(words);
    } else {
      const Timed timed(watch_, Phase::quantize);
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
std::span<std::uint64_t> GradientPieces::words_for(int rank, std::size_t worker, std::size_t number) {
  if (rank == team_.rank()) return words_of(worker, number);
  const std::size_t words = quantizer_->fields(1).words(piece(rank, number).size());
  outbox_used_ += words;
  return std::span(outbox_).subspan(outbox_used_ - words, words);
}

/// Adds all workers' gradients of my piece, in order, as they arrive.
void GradientPieces::add(const std::vector<std::vector<float>>& gradients, std::size_t number, const RoundPlan& plan,
                          Transfers& transfers, std::span<float> mean) {
  const Piece p = piece(team_.rank(), number);
  if (p.size() == 0) return;
  const std::span<float> part = sizes_only_ ? std::span<float>() : mean.subspan(p.first - partition_.first(team_.rank()), p.size());
  const std::span<std::uint64_t> sums =
      shared_scale_ ? std::span(sums_).first(quantizer_->fields(workers()).words(p.size())) : std::span<std::uint64_t>();
  std::ranges::fill(sums, 0);
  for (std::size_t n = 0; n < settings_.workers.count; ++n) {
    if (!is_mine(n)) {
      const Timed timed(watch_, Phase::exchange);
      transfers.wait(inbox_[number % 2].transfers[n]);
    }
    if (sizes_only_) continue;
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
  if (sizes_only_) return;
  const Timed timed(watch_, quantizer_ ? Phase::quantize : Phase::exchange);
  if (shared_scale_)
    quantizer_->decode_mean(sums, plan.decoding[0], workers(), p.first, p.last, part);
  else
    for (float& value : part) value /= static_cast<float>(workers());
}

std::span<std::byte> WeightPieces::part(int rank, std::size_t number) {
  const std::size_t i = static_cast<std::size_t>(rank) * (pieces_of(partition_) + 1) + number;
  return std::span(messages_).subspan(begins_[i], begins_[i + 1] - begins_[i]);
}

/// All receives are begun first; then each rank packs a piece, sends it, and goes on to the next. Pieces are unpacked in the order of
/// the vector, since a tensor's scale comes with its first part.
void WeightPieces::share(QuantizedWeights& weights, std::span<const float> w) {
  const std::size_t pieces = pieces_of(partition_);
  const int me = team_.rank(), ranks = team_.ranks();
  if (begins_.empty()) {
    std::size_t all = 0;
    for (int p = 0; p < ranks; ++p)
      for (std::size_t k = 0; k <= pieces; ++k) {  // beyond the last one: nothing
        begins_.push_back(all);
        if (k < pieces) all += weights.message_bytes(piece_of(partition_, p, k).first, piece_of(partition_, p, k).last);
      }
    messages_.resize(all);
  }
  Transfers transfers(team_, most_sends);
  std::vector<std::size_t> arrivals(static_cast<std::size_t>(ranks) * pieces);
  for (std::size_t k = 0; k < pieces; ++k)
    for (int p = 0; p < ranks; ++p)
      if (p != me && !part(p, k).empty())
        arrivals[static_cast<std::size_t>(p) * pieces + k] = by_broadcast_ ? transfers.broadcast(part(p, k), p) : transfers.receive(part(p, k), p, weight_tag);
  for (std::size_t k = 0; k < pieces && !part(me, k).empty(); ++k) {
    const Piece mine = piece_of(partition_, me, k);
    if (!sizes_only_) weights.write_message(w.subspan(mine.first - partition_.first(me), mine.size()), part(me, k), mine.first);
    if (by_broadcast_) transfers.broadcast(part(me, k), me);
    for (int step = 1; !by_broadcast_ && step < ranks; ++step)  // each rank begins with its neighbour, so that not all send to one at once
      transfers.send(part(me, k), (me + step) % ranks, weight_tag);
    const auto times = static_cast<std::uint64_t>(by_broadcast_ ? 1 : ranks - 1);
    traffic_.bytes_sent += times * part(me, k).size();
    traffic_.messages += times;
  }
  for (int p = 0; p < ranks && !(by_broadcast_ && p == me); ++p)  // the one owner has ŵ itself
    for (std::size_t k = 0; k < pieces && !part(p, k).empty(); ++k) {
      if (p != me) transfers.wait(arrivals[static_cast<std::size_t>(p) * pieces + k]);
      const Piece theirs = piece_of(partition_, p, k);
      if (!sizes_only_) weights.read_message(part(p, k), theirs.first, theirs.last);
    }
  transfers.wait_all();
}

}  // namespace qsweep
