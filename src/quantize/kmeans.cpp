#include "quantize/kmeans.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qsweep {
namespace {

constexpr int starts = 10;
constexpr std::size_t most_passes = 1000;
constexpr double tolerance = 1e-10;  // of max|x|

/// bounds[k] … bounds[k + 1]: the values of cluster k.
std::vector<std::size_t> clusters_of(const SortedValues& x, std::span<const double> centroids) {
  std::vector<std::size_t> bounds = {0};
  for (std::size_t k = 0; k + 1 < centroids.size(); ++k) bounds.push_back(x.first_at_least((centroids[k] + centroids[k + 1]) / 2));
  bounds.push_back(x.size());
  return bounds;
}

/// The value of [i, j) that a share u of the squared distances to a lies before.
std::size_t draw_by_distance(const SortedValues& x, std::size_t i, std::size_t j, double a, double mass) {
  std::size_t low = i, high = j;  // the smallest l with Σ over [i, l + 1) above `mass`
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    if (x.spread_about(i, middle, a) > mass) high = middle;
    else low = middle;
  }
  return low;
}

std::vector<double> plus_plus(const SortedValues& x, std::size_t clusters, const Stream& draws, std::uint64_t first_draw) {
  std::vector<double> centroids = {x.values()[static_cast<std::size_t>(draws.uniform(first_draw) * static_cast<double>(x.size()))]};
  while (centroids.size() < clusters) {
    const std::vector<std::size_t> bounds = clusters_of(x, centroids);
    std::vector<double> masses;
    double total = 0;
    for (std::size_t k = 0; k < centroids.size(); ++k) total += masses.emplace_back(x.spread_about(bounds[k], bounds[k + 1], centroids[k]));
    double mass = draws.uniform(first_draw + centroids.size()) * total;
    std::size_t k = 0;
    while (k + 1 < masses.size() && (mass >= masses[k] || bounds[k] == bounds[k + 1])) mass -= masses[k++];
    const std::size_t drawn = bounds[k] < bounds[k + 1] ? draw_by_distance(x, bounds[k], bounds[k + 1], centroids[k], mass) : x.size() - 1;
    centroids.insert(std::ranges::upper_bound(centroids, double{x.values()[drawn]}), double{x.values()[drawn]});
  }
  return centroids;
}

}  // namespace

std::vector<double> distinct_values(const SortedValues& x, std::size_t most) {
  std::vector<double> found;
  for (std::size_t i = 0; i < x.size();) {
    if (found.size() == most) return {};
    const float value = x.values()[i];
    found.push_back(value);
    const auto next = std::upper_bound(x.values().begin() + static_cast<std::ptrdiff_t>(i), x.values().end(), value);
    i = static_cast<std::size_t>(next - x.values().begin());
  }
  return found;
}

double kmeans_objective(const SortedValues& x, std::span<const double> centroids) {
  const std::vector<std::size_t> bounds = clusters_of(x, centroids);
  double sum = 0;
  for (std::size_t k = 0; k < centroids.size(); ++k) sum += x.spread_about(bounds[k], bounds[k + 1], centroids[k]);
  return sum;
}

KMeans lloyd(const SortedValues& x, std::vector<double> centroids) {
  const double still = tolerance * x.largest();
  KMeans result{std::move(centroids), 0};
  std::ranges::sort(result.centroids);
  for (double moved = std::numeric_limits<double>::infinity(); moved > still && result.passes < most_passes; ++result.passes) {
    const std::vector<std::size_t> bounds = clusters_of(x, result.centroids);
    moved = 0;
    for (std::size_t k = 0; k < result.centroids.size(); ++k) {
      if (bounds[k] == bounds[k + 1]) continue;
      const double mean = x.mean(bounds[k], bounds[k + 1]);
      moved = std::max(moved, std::fabs(mean - result.centroids[k]));
      result.centroids[k] = mean;
    }
  }
  std::ranges::sort(result.centroids);  // rounding can swap two that are all but equal
  return result;
}

KMeans first_kmeans(const SortedValues& x, std::size_t clusters, const Stream& draws) {
  KMeans best;
  double lowest = std::numeric_limits<double>::infinity();
  std::size_t passes = 0;
  for (std::uint64_t run = 0; run < starts; ++run) {
    KMeans result = lloyd(x, plus_plus(x, clusters, draws, run * clusters));
    passes += result.passes;
    const double objective = kmeans_objective(x, result.centroids);
    if (objective < lowest || run == 0) {
      lowest = objective;
      best = std::move(result);
    }
  }
  best.passes = passes;
  return best;
}

}  // namespace qsweep
