#pragma once
#include "base/random.h"
#include "quantize/sorted_values.h"

/// k-means in one dimension: centroids c_1 ≤ … ≤ c_K that minimise Σ_i min_k (x_i − c_k)².
///   lloyd        cluster k = the values in [(c_{k−1}+c_k)/2, (c_k+c_{k+1})/2), c_k ← their mean, until no centroid moves by more than
///                1e-10·max|x|, at most 1000 times. An empty cluster keeps its centroid. No half step raises the objective: it ends in
///                a local minimum. One pass costs K binary searches, since the values are sorted.
///   first        the best of 10 runs of lloyd from k-means++ (Arthur, Vassilvitskii 2007): the next centroid is a value drawn with
///                probability proportional to its squared distance from the nearest one so far
///   exact        the global minimum (quantize/kmeans_exact.cpp)
/// Source: Carreira-Perpiñán, Idelbayev 2017, section on adaptive codebooks; Wu, Rokne 1989 (exact).
namespace qsweep {

struct KMeans {
  std::vector<double> centroids;  ///< [K], ascending
  std::size_t passes = 0;         ///< of lloyd
};

KMeans lloyd(const SortedValues& x, std::vector<double> centroids);
/// Uses draws.uniform(run·K + k).
KMeans first_kmeans(const SortedValues& x, std::size_t clusters, const Stream& draws);
KMeans exact_kmeans(const SortedValues& x, std::size_t clusters);

/// Σ_i min_k (x_i − c_k)².
double kmeans_objective(const SortedValues& x, std::span<const double> centroids);
/// The different values, if there are at most `most`; else empty.
std::vector<double> distinct_values(const SortedValues& x, std::size_t most);

}  // namespace qsweep
