#include "train/evaluation.h"

#include <algorithm>
#include <vector>

namespace qsweep {

Score evaluate(Model& model, std::span<const float> weights, std::span<const float> state, const ImageSetView& images, const Preprocessor& preprocessor, const Team& team) {
  const std::size_t samples = images.samples(), blocks = (samples + evaluation_block - 1) / evaluation_block;
  const auto ranks = static_cast<std::size_t>(team.ranks()), rank = static_cast<std::size_t>(team.rank());
  std::vector<float> x(evaluation_block * preprocessor.shape().size());
  std::vector<std::int32_t> labels(evaluation_block);
  std::vector<double> mine;  // loss and hits of my blocks, in order
  for (std::size_t b = rank; b < blocks; b += ranks) {
    const std::size_t first = b * evaluation_block, size = std::min(evaluation_block, samples - first);
    const std::span<float> block_x = std::span(x).first(size * preprocessor.shape().size());
    const std::span<std::int32_t> block_labels = std::span(labels).first(size);
    preprocessor.evaluation_batch(images, first, block_x, block_labels);
    const Evaluation sum = model.evaluate(weights, {.size = size, .x = block_x, .targets = {}, .labels = block_labels, .background = preprocessor.background()}, state);
    mine.insert(mine.end(), {sum.loss, sum.correct});
  }
  std::vector<int> counts(ranks);
  for (std::size_t p = 0; p < ranks; ++p) counts[p] = static_cast<int>(2 * (blocks / ranks + (p < blocks % ranks ? 1 : 0)));
  std::vector<double> all(2 * blocks);
  team.all_gather(mine, counts, all);
  std::vector<std::size_t> next(ranks, 0);  // where rank p's results begin in `all`
  for (std::size_t p = 1; p < ranks; ++p) next[p] = next[p - 1] + static_cast<std::size_t>(counts[p - 1]);
  Evaluation total;
  for (std::size_t b = 0; b < blocks; ++b) {
    std::size_t& at = next[b % ranks];
    total += {all[at], all[at + 1]};
    at += 2;
  }
  return {total.loss / static_cast<double>(samples), 100 * total.correct / static_cast<double>(samples)};
}

}  // namespace qsweep
