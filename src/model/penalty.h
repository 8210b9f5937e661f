#pragma once
#include <span>

#include "base/blocks.h"

/// The L2 penalty of a loss: λ/2·‖w‖² of one tensor, gradient λ·w.
namespace qsweep {

inline double penalty(double lambda, std::span<const float> w) {
  if (lambda == 0) return 0;
  return lambda / 2 * sum_blocks(w.size(), [&](std::size_t begin, std::size_t end) {
           double sum = 0;
           for (std::size_t i = begin; i < end; ++i) sum += double{w[i]} * w[i];
           return sum;
         });
}

/// gradient += λ·w; returns the penalty.
inline double add_penalty(double lambda, std::span<const float> w, std::span<float> gradient) {
  if (lambda == 0) return 0;
  const float factor = static_cast<float>(lambda);
  for (std::size_t i = 0; i < w.size(); ++i) gradient[i] += factor * w[i];
  return penalty(lambda, w);
}

}  // namespace qsweep
