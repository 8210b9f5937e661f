#pragma once
#include <cstddef>
#include <span>

#include "base/random.h"

/// How the weights and biases of a layer begin.
///   glorot     uniform ±√(6/(fan_in + fan_out)) (Glorot, Bengio 2010)
///   fan_in     uniform ±1/√fan_in
///   fan_out    N(0, 2/fan_out) (He et al. 2015)
///   truncated  N(0, deviation²), conditioned on |w| ≤ 2·deviation
namespace qsweep {

struct Initial {
  enum Kind { glorot, fan_in, fan_out, truncated } kind = glorot;
  float deviation = 0;  ///< of `truncated`
  float bias = 0;
};

/// Fills w, whose first element has index `first` in the network's vector.
void draw_weights(const Initial& initial, const Stream& draws, std::size_t first, std::size_t fan_in, std::size_t fan_out, std::span<float> w);

/// The x with P(N(0, 1) ≤ x) = p, for 0 < p < 1; relative error below 1e-13 in the centre.
double normal_quantile(double p);

}  // namespace qsweep
