#include "model/loss.h"

#include <algorithm>
#include <cmath>

namespace qsweep {

Evaluation softmax_cross_entropy(std::size_t classes, std::span<const float> z, std::span<const std::int32_t> labels, std::span<float> derivative) {
  const std::size_t batch = labels.size();
  Evaluation sum;
  for (std::size_t b = 0; b < batch; ++b) {
    const std::span<const float> logits = z.subspan(b * classes, classes);
    const auto label = static_cast<std::size_t>(labels[b]);
    const auto largest = std::max_element(logits.begin(), logits.end());
    double total = 0;
    for (const float value : logits) total += std::exp(double{value} - *largest);
    sum.loss += std::log(total) + (double{*largest} - logits[label]);  // in this order nothing cancels
    sum.correct += static_cast<std::size_t>(largest - logits.begin()) == label ? 1 : 0;
    if (derivative.empty()) continue;
    for (std::size_t c = 0; c < classes; ++c) {
      const double probability = std::exp(double{logits[c]} - *largest) / total;
      derivative[b * classes + c] = static_cast<float>((probability - (c == label ? 1 : 0)) / static_cast<double>(batch));
    }
  }
  return sum;
}

}  // namespace qsweep
