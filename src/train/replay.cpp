#include "train/replay.h"

#include <algorithm>

#include "model/blas.h"
#include "model/linear.h"
#include "theory/hindsight.h"
#include "train/feed.h"

namespace qsweep {
namespace {

/// Σ xxᵀ, Σ y·x, Σ y² of all samples of the run. Products of at most `rows` samples are summed in float, these sums in double.
struct Normal {
  std::vector<double> A, b;
  double c = 0;
};

constexpr std::size_t rows = 512;

Normal normal_equations(const Settings& s, std::uint64_t T) {
  const std::size_t d = s.model.dimension;
  Normal n{std::vector<double>(d * d), std::vector<double>(d)};
  std::vector<float> x, y, part(d * d), projection(d);
  const auto flush = [&] {
    cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, blas_int(d), blas_int(y.size()), 1, x.data(), blas_int(d), 0, part.data(), blas_int(d));
    transposed_multiply_vector(y.size(), d, 1, x.data(), y.data(), 0, projection.data());
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = 0; j <= i; ++j) n.A[i * d + j] += part[i * d + j];
    for (std::size_t i = 0; i < d; ++i) n.b[i] += projection[i];
    for (const float value : y) n.c += double{value} * value;
    x.clear();
    y.clear();
  };
  LinearFeed feed(s);
  for (std::uint64_t t = 1; t <= T; ++t)
    for (std::uint32_t worker = 0; worker < s.workers.count; ++worker) {
      const Batch batch = feed.next(worker, t);
      x.insert(x.end(), batch.x.begin(), batch.x.end());
      y.insert(y.end(), batch.targets.begin(), batch.targets.end());
      if (y.size() + batch.size > rows) flush();
    }
  if (!y.empty()) flush();
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < i; ++j) n.A[j * d + i] = n.A[i * d + j];
  return n;
}

}  // namespace

Replay best_fixed_weights(const Settings& s, std::uint64_t T, std::span<const std::int64_t> iterations) {
  const Normal n = normal_equations(s, T);
  Replay replay{best_in_hindsight(n.A, n.b, n.c, *s.optimizer.projection).w, {}};
  const std::vector<float> u(replay.weights.begin(), replay.weights.end());
  LinearFeed feed(s);
  LinearModel model(s.model.dimension, 0);
  double sum = 0;
  std::size_t next = 0;
  for (std::uint64_t t = 1; t <= T && next < iterations.size(); ++t) {
    double mean = 0;
    for (std::uint32_t worker = 0; worker < s.workers.count; ++worker) mean += model.loss(u, feed.next(worker, t));
    sum += mean / static_cast<double>(s.workers.count);
    if (static_cast<std::uint64_t>(iterations[next]) == t) {
      replay.losses.push_back(sum);
      ++next;
    }
  }
  return replay;
}

}  // namespace qsweep
