#include "quantize/codebook_scale.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "base/blocks.h"

namespace qsweep {
namespace {

/// The breakpoints a = x_i/middle_k > 0 of one midpoint, falling: from the largest |x| of the midpoint's sign to the smallest.
struct Breakpoints {
  double middle, inner, outer;  ///< the entries on both sides: x moves from the one nearer 0 to the other
  std::ptrdiff_t next, end, step;

  double at(std::span<const float> x) const { return x[static_cast<std::size_t>(next)] / middle; }
};

/// A²/B is compared by A/√B, which has its sign: a > 0 needs A > 0.
struct Best {
  double a = 0, ratio = 0;
  void offer(double numerator, double denominator) {
    if (!(numerator > 0) || !(denominator > 0)) return;
    const double r = numerator / std::sqrt(denominator);
    if (r > ratio) *this = {numerator / denominator, r};
  }
};

std::vector<Breakpoints> lists_of(const SortedValues& x, std::span<const double> entries) {
  const auto n = static_cast<std::ptrdiff_t>(x.size());
  const auto zeros = static_cast<std::ptrdiff_t>(x.first_at_least(0));
  std::vector<Breakpoints> lists;
  for (std::size_t k = 0; k + 1 < entries.size(); ++k) {
    const double middle = (entries[k] + entries[k + 1]) / 2;
    if (middle > 0) lists.push_back({middle, entries[k], entries[k + 1], n - 1, zeros - 1, -1});
    if (middle < 0) lists.push_back({middle, entries[k + 1], entries[k], 0, zeros, 1});
  }
  return lists;
}

/// The entry of each x at a = ∞: nearest to 0, by the sign of x if two are equally near.
std::pair<double, double> innermost(std::span<const double> entries) {
  double below = entries[0], above = entries[0];
  for (const double c : entries) {
    if (std::fabs(c) < std::fabs(above)) below = above = c;
    else if (std::fabs(c) == std::fabs(above)) above = c;  // ascending: −c came before
  }
  return {below, above};
}

}  // namespace

double scale_of_binary(std::span<const float> x) {
  return sum_blocks(x.size(), [&](std::size_t begin, std::size_t end) {
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += std::fabs(double{x[i]});
    return sum;
  }) / static_cast<double>(x.size());
}

double scale_of_ternary(std::span<const float> x) {
  std::vector<float> magnitude(x.size());
  std::ranges::transform(x, magnitude.begin(), [](float value) { return std::fabs(value); });
  radix_sort(magnitude);
  double sum = 0, largest = 0, a = 0;
  for (std::size_t j = 1; j <= magnitude.size(); ++j) {
    sum += magnitude[magnitude.size() - j];
    const double value = sum * sum / static_cast<double>(j);
    if (value > largest) {
      largest = value;
      a = sum / static_cast<double>(j);
    }
  }
  return a;
}

double scale_of_codebook(const SortedValues& x, std::span<const double> entries) {
  std::vector<Breakpoints> lists = lists_of(x, entries);
  const auto [below, above] = innermost(entries);
  double a = 0, b = 0;
  for (const float value : x.values()) {
    const double c = value < 0 ? below : above;
    a += value * c;
    b += c * c;
  }
  Best best;
  best.offer(a, b);
  // The list with the largest next breakpoint; among equal ones the first list, so that the order is fixed.
  using Entry = std::pair<double, std::ptrdiff_t>;
  std::priority_queue<Entry> queue;
  const auto enqueue = [&](std::size_t l) {
    if (lists[l].next != lists[l].end && lists[l].at(x.values()) > 0) queue.emplace(lists[l].at(x.values()), -static_cast<std::ptrdiff_t>(l));
  };
  for (std::size_t l = 0; l < lists.size(); ++l) enqueue(l);
  while (!queue.empty()) {
    const auto l = static_cast<std::size_t>(-queue.top().second);
    queue.pop();
    Breakpoints& list = lists[l];
    const double value = x.values()[static_cast<std::size_t>(list.next)];
    a += value * (list.outer - list.inner);
    b += list.outer * list.outer - list.inner * list.inner;
    best.offer(a, b);
    list.next += list.step;
    enqueue(l);
  }
  return best.a;
}

}  // namespace qsweep
