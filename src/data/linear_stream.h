#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Fresh mini-batches of a noisy linear model:
///   w*_j, x_bj ~ U[−½, ½),   y_b = x_bᵀ w* + ε_b,   ε_b ~ N(0, 0.2²)
///   x     [B, d]  element b·d + j of Stream(seed, Draw::Data, worker, iteration)
///   noise [B]     ε, element b of Stream(seed, Draw::Noise, worker, iteration)
///   y     [B]     float(dot + ε): the dot in double, its terms exact, added in one fixed order (data/dot_kernels.h)
///   w*    [d]     Stream(seed, Draw::TrueWeights)
/// A batch is a pure function of (seed, worker, iteration); the mean loss ‖Xw* − y‖²/(2B) at w* is 0.02.
/// Source: Hou, Zhang, Kwok 2019, section 4.1.
namespace qsweep {

class LinearStream {
 public:
  static constexpr float noise_deviation = .2F;

  LinearStream(std::size_t dimension, std::uint64_t seed);
  std::size_t dimension() const { return true_weights_.size(); }
  std::span<const float> true_weights() const { return true_weights_; }
  /// B = y.size() = noise.size(), x.size() = B·d.
  void batch(std::uint32_t worker, std::uint32_t iteration, std::span<float> x, std::span<float> y, std::span<float> noise) const;

 private:
  std::uint64_t seed_;
  std::vector<float> true_weights_;
  std::vector<double> true_weights_double_;  // the same numbers
};

}  // namespace qsweep
