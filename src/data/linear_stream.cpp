#include "data/linear_stream.h"

#include <cassert>

#include "base/random.h"
#include "data/dot_kernels.h"

namespace qsweep {

LinearStream::LinearStream(std::size_t dimension, std::uint64_t seed) : seed_(seed), true_weights_(dimension) {
  Stream(seed, Draw::TrueWeights).uniform(0, -.5F, .5F, true_weights_);
  true_weights_double_.assign(true_weights_.begin(), true_weights_.end());
}

void LinearStream::batch(std::uint32_t worker, std::uint32_t iteration, std::span<float> x, std::span<float> y,
                         std::span<float> noise) const {
  const std::size_t d = dimension();
  assert(x.size() == y.size() * d && noise.size() == y.size());
  const Stream inputs(seed_, Draw::Data, worker, iteration);
  const DotKernels& kernels = dot_kernels();
  Stream(seed_, Draw::Noise, worker, iteration).normal(0, noise);
  for (std::size_t b = 0; b < y.size(); ++b) {
    const std::span<float> row = x.subspan(b * d, d);
    inputs.uniform(b * d, -.5F, .5F, row);
    noise[b] *= noise_deviation;
    y[b] = static_cast<float>(kernels.dot(row.data(), true_weights_double_.data(), d) + static_cast<double>(noise[b]));
  }
}

}  // namespace qsweep
