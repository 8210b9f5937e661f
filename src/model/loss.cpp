#include "model/loss.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace qsweep {
namespace {

/// A loss that is a sum over the outputs: term(z, is label, derivative of the term).
template <class Term>
Evaluation sum_of_terms(std::size_t classes, std::span<const float> z, std::span<const std::int32_t> labels, std::span<float> derivative, Term term) {
  Evaluation sum;
  for (std::size_t b = 0; b < labels.size(); ++b) {
    const std::span<const float> outputs = z.subspan(b * classes, classes);
    const auto label = static_cast<std::size_t>(labels[b]);
    sum.correct += static_cast<std::size_t>(std::max_element(outputs.begin(), outputs.end()) - outputs.begin()) == label ? 1 : 0;
    for (std::size_t c = 0; c < classes; ++c) {
      double slope = 0;
      sum.loss += term(double{outputs[c]}, c == label, slope);
      if (!derivative.empty()) derivative[b * classes + c] = static_cast<float>(slope / static_cast<double>(labels.size()));
    }
  }
  return sum;
}

}  // namespace

Evaluation squared_hinge(std::size_t classes, std::span<const float> z, std::span<const std::int32_t> labels, std::span<float> derivative) {
  return sum_of_terms(classes, z, labels, derivative, [](double output, bool is_label, double& slope) {
    const double sign = is_label ? 1 : -1, gap = 1 - sign * output, margin = gap <= 0 ? 0 : gap;  // NaN stays visible
    slope = -2 * sign * margin;
    return margin * margin;
  });
}

Evaluation square_loss(std::size_t classes, std::span<const float> z, std::span<const std::int32_t> labels, std::span<float> derivative) {
  return sum_of_terms(classes, z, labels, derivative, [](double output, bool is_label, double& slope) {
    slope = output - (is_label ? 1 : 0);
    return slope * slope / 2;
  });
}

Evaluation softmax_cross_entropy(std::size_t classes, std::span<const float> z, std::span<const std::int32_t> labels, std::span<float> derivative) {
  const std::size_t batch = labels.size();
  Evaluation sum;
  std::vector<double> exponentials(classes);
  for (std::size_t b = 0; b < batch; ++b) {
    const std::span<const float> logits = z.subspan(b * classes, classes);
    const auto label = static_cast<std::size_t>(labels[b]);
    const auto largest = std::max_element(logits.begin(), logits.end());
    double total = 0;
    for (std::size_t c = 0; c < classes; ++c) total += exponentials[c] = std::exp(double{logits[c]} - *largest);
    sum.loss += std::log(total) + (double{*largest} - logits[label]);  // in this order nothing cancels
    sum.correct += static_cast<std::size_t>(largest - logits.begin()) == label ? 1 : 0;
    if (derivative.empty()) continue;
    for (std::size_t c = 0; c < classes; ++c) {
      const double probability = exponentials[c] / total;
      derivative[b * classes + c] = static_cast<float>((probability - (c == label ? 1 : 0)) / static_cast<double>(batch));
    }
  }
  return sum;
}

}  // namespace qsweep
