#include "quantize/weight_sweep.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <limits>

namespace qsweep {
namespace {

float curvature(std::span<const float> v, std::size_t i) { return v.empty() ? 1.0f : std::sqrt(v[i]) + 1e-8f; }

struct Prefix {
  double p = 0, c = 0;  // P_j, C_j

  double gain() const { return c > 0 ? p * p / c : 0; }
  void keep_better(Optimum& best) const {
    if (gain() > best.gain) best = {p / c, gain()};
  }
};

struct Item {
  float magnitude, curvature;
};

/// Largest first; equal items are interchangeable, so the order of sums is settled.
bool larger(const Item& a, const Item& b) {
  return a.magnitude != b.magnitude ? a.magnitude > b.magnitude : a.curvature > b.curvature;
}

/// Adds items, sorted downwards, to a prefix that holds everything above them.
void scan(std::span<const Item> items, Prefix above, Optimum& best) {
  for (const Item& item : items) {
    above.p += static_cast<double>(item.curvature) * item.magnitude;
    above.c += item.curvature;
    above.keep_better(best);
  }
}

/// Magnitudes that share the upper 16 bits of their float: 128 ranges to a factor of two.
std::uint32_t range_of(float magnitude) { return std::bit_cast<std::uint32_t>(magnitude) >> 16; }
double upper_end(std::uint32_t range) { return std::bit_cast<float>((range + 1) << 16); }

/// Upper bound of P²/C strictly inside a range that adds `sum` to `above` and whose magnitudes are at most `end`: after c of its
/// curvature P ≤ P_above + min(end·c, sum.p); the square of a line over a line is convex, so the bound peaks at a corner.
double bound_inside(const Prefix& above, const Prefix& sum, double end) {
  const double p = above.p + sum.p;
  return p * p / (above.c + sum.p / end);
}

/// Sums of |w| by range, and for each range everything above it. All below `lowest` is one range more, the first.
struct Ranges {
  std::uint32_t lowest;
  std::vector<Prefix> sums, above;

  Ranges(std::span<const float> w, std::span<const float> v, std::uint32_t low, std::uint32_t high)
      : lowest(low), sums(high - low + 2), above(high - low + 2) {
    for (std::size_t i = 0; i < w.size(); ++i) {
      const float magnitude = std::fabs(w[i]), d = curvature(v, i);
      Prefix& sum = sums[index(magnitude)];
      sum.p += static_cast<double>(d) * magnitude;
      sum.c += d;
    }
  }

  std::size_t index(float magnitude) const { return std::max(range_of(magnitude) + 1, lowest) - lowest; }

  /// The best end of a range.
  Optimum best_end() {
    Optimum best;
    Prefix running;
    for (std::size_t r = sums.size(); r-- > 1;) {
      above[r] = running;
      running.p += sums[r].p;
      running.c += sums[r].c;
      running.keep_better(best);
    }
    return best;
  }

  /// Which ranges may hold something better inside; the margin covers the rounding of sums.
  std::vector<char> may_beat(const Optimum& best) const {
    std::vector<char> may(sums.size());
    for (std::size_t r = 1; r < sums.size(); ++r)
      may[r] = sums[r].c > 0 &&
               bound_inside(above[r], sums[r], upper_end(lowest + static_cast<std::uint32_t>(r) - 1)) > best.gain * (1 - 1e-12);
    return may;
  }
};

Optimum by_ranges(std::span<const float> w, std::span<const float> v, std::uint32_t lowest, std::uint32_t highest) {
  Ranges ranges(w, v, lowest, highest);
  Optimum best = ranges.best_end();
  const std::vector<char> wanted = ranges.may_beat(best);
  std::vector<Item> items;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const float magnitude = std::fabs(w[i]);
    if (wanted[ranges.index(magnitude)]) items.push_back({magnitude, curvature(v, i)});
  }
  std::sort(items.begin(), items.end(), larger);
  for (std::size_t begin = 0, end = 0; begin < items.size(); begin = end) {
    const std::size_t range = ranges.index(items[begin].magnitude);
    while (end < items.size() && ranges.index(items[end].magnitude) == range) ++end;
    scan({items.data() + begin, end - begin}, ranges.above[range], best);
  }
  return best;
}

Optimum by_sorting(std::span<const float> w, std::span<const float> v) {
  std::vector<Item> items(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) items[i] = {std::fabs(w[i]), curvature(v, i)};
  std::sort(items.begin(), items.end(), larger);
  Optimum best;
  scan(items, {}, best);
  return best;
}

constexpr std::size_t sort_all = 512;  // below this many weights ranges cost more than they save

}  // namespace

Optimum sweep(std::span<const float> w, std::span<const float> v, std::span<const double> levels) {
  struct Step {
    double alpha, numerator, denominator;
  };
  std::vector<Step> steps;
  steps.reserve(w.size() * levels.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double magnitude = std::fabs(static_cast<double>(w[i])), d = curvature(v, i);
    if (magnitude == 0) continue;
    for (std::size_t r = 1; r < levels.size(); ++r)
      steps.push_back({2 * magnitude / (levels[r - 1] + levels[r]), d * magnitude * (levels[r] - levels[r - 1]),
                       d * (levels[r] * levels[r] - levels[r - 1] * levels[r - 1])});
  }
  std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.alpha > b.alpha; });
  Optimum best;
  Prefix running;
  for (const Step& step : steps) {
    running.p += step.numerator;
    running.c += step.denominator;
    running.keep_better(best);
  }
  return best;
}

std::vector<double> magnitudes(const Levels& levels) {
  assert(levels.spacing != Spacing::sign);
  std::vector<double> all;
  for (int r = 0; r <= levels.k; ++r)
    all.push_back(levels.spacing == Spacing::uniform ? static_cast<double>(r) / levels.k
                                                     : static_cast<double>(levels.magnitude(r)));
  return all;
}

Optimum exact_ternary(std::span<const float> w, std::span<const float> v) {
  Prefix all;
  float largest = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const float magnitude = std::fabs(w[i]), d = curvature(v, i);
    all.p += static_cast<double>(d) * magnitude;
    all.c += d;
    largest = std::max(largest, magnitude);
  }
  if (!std::isfinite(all.p) || !std::isfinite(all.c)) return {std::numeric_limits<double>::quiet_NaN(), 0};
  if (all.p == 0) return {};

  // α* is the mean of the largest |w|, so at least the mean of all, and what it keeps is at least α*/2.
  const float negligible = static_cast<float>(0.499999 * (all.p / all.c));
  return w.size() < sort_all ? by_sorting(w, v) : by_ranges(w, v, range_of(negligible), range_of(largest));
}

double objective(std::span<const float> w, std::span<const float> v, std::span<const float> quantized) {
  double sum = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double error = static_cast<double>(w[i]) - quantized[i];
    sum += curvature(v, i) * error * error;
  }
  return sum;
}

BlockSums sums_ref(const Levels& levels, AlphaRule rule, std::span<const float> w, std::span<const float> v, float alpha) {
  BlockSums sums;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const float magnitude = std::fabs(w[i]);
    const int r = levels.nearest(magnitude * levels.inverse(alpha));
    const double q = levels.spacing == Spacing::uniform ? r : static_cast<double>(levels.magnitude(r)), d = curvature(v, i);
    sums.numerator += d * q * magnitude;
    sums.denominator += d * (rule == AlphaRule::exact ? q * q : q);
  }
  return sums;
}

namespace {

/// 0 if all codes are 0.
float alternate_ref(const Levels& levels, AlphaRule rule, std::span<const float> w, std::span<const float> v, float alpha,
                    int passes) {
  while (passes-- > 0) {
    const BlockSums sums = sums_ref(levels, rule, w, v, alpha);
    if (sums.denominator == 0) return 0;
    const double unit = rule == AlphaRule::exact ? levels.top() : 1.0;
    const float next = static_cast<float>(unit * sums.numerator / sums.denominator);
    const bool settled = !(std::fabs(next - alpha) > 1e-6f * next);
    alpha = next;
    if (settled) break;
  }
  return alpha;
}

}  // namespace

float solve_ref(const Levels& levels, AlphaRule rule, std::span<const float> w, std::span<const float> v, float previous) {
  Prefix all;
  for (std::size_t i = 0; i < w.size(); ++i) {
    all.p += static_cast<double>(curvature(v, i)) * std::fabs(w[i]);
    all.c += curvature(v, i);
  }
  if (all.p == 0) return 0;
  const float mean = static_cast<float>(all.p / all.c);
  if (levels.spacing == Spacing::sign) return mean;
  float alpha = previous > 0 ? alternate_ref(levels, rule, w, v, previous, 10) : 0;
  for (float start = 2 * mean; alpha == 0; start /= 2) alpha = alternate_ref(levels, rule, w, v, start, 100);
  return alpha;
}

}  // namespace qsweep
