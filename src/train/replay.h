#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "config/settings.h"

/// The best fixed w of the box in hindsight, u = argmin over S of Σ_{t≤T} f_t(u), found after the run by reading the synthetic
/// stream once more: mini-batches are pure functions of the seed, so nothing had to be kept.
/// Source: the comparator of the regret in Hou, Zhang, Kwok 2019, section 2.
namespace qsweep {

struct Replay {
  std::vector<double> weights;  ///< u [d]
  std::vector<double> losses;   ///< Σ_{s≤t} f_s(u) at each of `iterations`
};

/// iterations: where the cumulated loss is wanted, increasing, at most T.
Replay best_fixed_weights(const Settings& settings, std::uint64_t T, std::span<const std::int64_t> iterations);

}  // namespace qsweep
