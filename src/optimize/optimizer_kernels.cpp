#include "optimize/optimizer_kernels.h"

#include <math.h>

namespace qsweep::QSWEEP_SIMD {
namespace {

/// Clipping to a box is the exact projection in every diagonal norm; a NaN stays a NaN, so that divergence is seen.
inline float project(float w, float bound) { return w > bound ? bound : w < -bound ? -bound : w; }

void sgd(const UpdateRule& rule, std::size_t n, const float* __restrict gradient, float* __restrict w) {
  const UpdateRule u = rule;
  for (std::size_t i = 0; i < n; ++i) w[i] = project(w[i] - u.rate * (gradient[i] + u.weight_decay * w[i]), u.bound);
}

void momentum(const UpdateRule& rule, std::size_t n, const float* __restrict gradient, float* __restrict w, float* __restrict velocity) {
  const UpdateRule u = rule;
  for (std::size_t i = 0; i < n; ++i) {
    velocity[i] = u.momentum * velocity[i] + (gradient[i] + u.weight_decay * w[i]);
    w[i] = project(w[i] - u.rate * velocity[i], u.bound);
  }
}

void nesterov(const UpdateRule& rule, std::size_t n, const float* __restrict gradient, float* __restrict w, float* __restrict velocity) {
  const UpdateRule u = rule;
  for (std::size_t i = 0; i < n; ++i) {
    const float g = gradient[i] + u.weight_decay * w[i];
    velocity[i] = u.momentum * velocity[i] + g;
    w[i] = project(w[i] - u.rate * (g + u.momentum * velocity[i]), u.bound);
  }
}

inline float second_moment(float v, float g, float beta2, bool keep_maximum) {
  const float average = beta2 * v + (1 - beta2) * (g * g);
  return keep_maximum && !(average > v) && average == average ? v : average;
}

void rmsprop(const UpdateRule& rule, std::size_t n, const float* __restrict gradient, float* __restrict w, float* __restrict v) {
  const UpdateRule u = rule;
  for (std::size_t i = 0; i < n; ++i) {
    const float g = gradient[i] + u.weight_decay * w[i];
    v[i] = second_moment(v[i], g, u.beta2, u.keep_maximum);
    const float step = g == 0 ? 0 : g / (sqrtf(v[i]) + u.epsilon);  // 0/0 if ε = 0 and nothing was ever seen: no step
    w[i] = project(w[i] - u.rate * step, u.bound);
  }
}

void adam(const UpdateRule& rule, std::size_t n, const float* __restrict gradient, float* __restrict w, float* __restrict m, float* __restrict v) {
  const UpdateRule u = rule;
  for (std::size_t i = 0; i < n; ++i) {
    const float g = gradient[i] + u.weight_decay * w[i];
    m[i] = u.beta1 * m[i] + (1 - u.beta1) * g;
    v[i] = second_moment(v[i], g, u.beta2, u.keep_maximum);
    const float mean = m[i] * u.correction1;
    const float step = mean == 0 ? 0 : mean / (sqrtf(v[i] * u.correction2) + u.epsilon);
    w[i] = project(w[i] - u.rate * step, u.bound);
  }
}

void average(float share, std::size_t n, const float* __restrict w, float* __restrict mean) {
  for (std::size_t i = 0; i < n; ++i) mean[i] += share * (w[i] - mean[i]);
}

}  // namespace

extern const OptimizerKernels optimizer_kernels;
const OptimizerKernels optimizer_kernels = {sgd, momentum, nesterov, rmsprop, adam, average};

}  // namespace qsweep::QSWEEP_SIMD
