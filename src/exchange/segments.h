#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "base/layout.h"
#include "exchange/exchange.h"

/// What the quantizer has to know of each tensor, put together from a round's scales and limits.
namespace qsweep {

/// s_l = max over the workers of their own scales: [tensors].
inline std::vector<float> shared_scales(const Layout& layout, const Round& round) {
  const std::size_t tensors = layout.tensors().size();
  std::vector<float> largest(tensors, 0.0F);
  for (std::size_t i = 0; i < round.scales.size(); ++i) largest[i % tensors] = std::max(largest[i % tensors], round.scales[i]);
  return largest;
}

/// scales [tensors], limits [tensors] or empty (decoding needs none).
inline std::vector<Segment> segments_of(const Layout& layout, std::span<const float> scales, std::span<const float> limits) {
  std::vector<Segment> segments(layout.tensors().size());
  for (std::size_t l = 0; l < segments.size(); ++l) {
    segments[l].begin = layout.tensors()[l].offset;
    segments[l].end = layout.tensors()[l].end();
    segments[l].scale = scales[l];
    if (!limits.empty()) segments[l].limit = limits[l];
  }
  return segments;
}

/// Adds one worker's packed codes to `words`, and fills its row of round.squared_norms if asked. index: which of this rank's workers.
inline void encode_worker(const StochasticQuantizer& quantizer, const Layout& layout, const Round& round, std::uint64_t seed, const WorkerBlock& block,
                          std::size_t index, std::span<const float> gradient, std::span<const float> scales, Fields fields, std::span<std::uint64_t> words) {
  const std::size_t tensors = layout.tensors().size();
  const std::vector<Segment> segments = segments_of(layout, scales, round.limits.subspan(index * tensors, tensors));
  const RoundingDraws draws(seed, block.first + static_cast<std::uint32_t>(index), round.iteration);
  std::vector<std::uint64_t> squared_codes(round.squared_norms.empty() ? 0 : tensors);
  quantizer.encode_add(gradient, segments, draws, fields, 0, gradient.size(), words, squared_codes);
  for (std::size_t l = 0; l < squared_codes.size(); ++l) round.squared_norms[index * tensors + l] = quantizer.squared_norm(scales[l], squared_codes[l]);
}

}  // namespace qsweep
