#include "optimize/optimizer_kernels.h"

#include <math.h>

namespace qsweep::QSWEEP_SIMD {
namespace {

/// Clipping to a box is the exact projection in every diagonal norm; a NaN stays a NaN, so that divergence is seen.
inline float project(float w, float bound) { return w > bound ? bound : w < -bound ? -bound : w; }

/// g + λw, and with a target μ(w − t): in this order, so that no target leaves the bits of before.
template <bool Pulled>
inline float total(const UpdateRule& u, float gradient, float w, const float* target, std::size_t i) {
  const float g = gradient + u.weight_decay * w;
  if constexpr (Pulled) return g + u.pull * (w - target[i]);
  return g;
}

/// Calls the kernel with or without a target; both are loops without branches.
template <class Kernel>
void choose(const float* target, Kernel kernel) {
  if (target != nullptr) kernel.template operator()<true>();
  else kernel.template operator()<false>();
}

void sgd(const UpdateRule& rule, std::size_t n, const float* __restrict gradient, const float* __restrict target, float* __restrict w) {
  choose(target, [&, u = rule]<bool Pulled>() {
    for (std::size_t i = 0; i < n; ++i) w[i] = project(w[i] - u.rate * total<Pulled>(u, gradient[i], w[i], target, i), u.bound);
  });
}

void momentum(const UpdateRule& rule, std::size_t n, const float* __restrict gradient, const float* __restrict target, float* __restrict w, float* __restrict velocity) {
  choose(target, [&, u = rule]<bool Pulled>() {
    for (std::size_t i = 0; i < n; ++i) {
      velocity[i] = u.momentum * velocity[i] + total<Pulled>(u, gradient[i], w[i], target, i);
      w[i] = project(w[i] - u.rate * velocity[i], u.bound);
    }
  });
}

void nesterov(const UpdateRule& rule, std::size_t n, const float* __restrict gradient, const float* __restrict target, float* __restrict w, float* __restrict velocity) {
  choose(target, [&, u = rule]<bool Pulled>() {
    for (std::size_t i = 0; i < n; ++i) {
      const float g = total<Pulled>(u, gradient[i], w[i], target, i);
      velocity[i] = u.momentum * velocity[i] + g;
      w[i] = project(w[i] - u.rate * (g + u.momentum * velocity[i]), u.bound);
    }
  });
}

inline float second_moment(float v, float g, float beta2, bool keep_maximum) {
  const float average = beta2 * v + (1 - beta2) * (g * g);
  return keep_maximum && !(average > v) && average == average ? v : average;
}

void rmsprop(const UpdateRule& rule, std::size_t n, const float* __restrict gradient, const float* __restrict target, float* __restrict w, float* __restrict v) {
  choose(target, [&, u = rule]<bool Pulled>() {
    for (std::size_t i = 0; i < n; ++i) {
      const float g = total<Pulled>(u, gradient[i], w[i], target, i);
      v[i] = second_moment(v[i], g, u.beta2, u.keep_maximum);
      const float step = g == 0 ? 0 : g / (sqrtf(v[i]) + u.epsilon);  // 0/0 if ε = 0 and nothing was ever seen: no step
      w[i] = project(w[i] - u.rate * step, u.bound);
    }
  });
}

void adam(const UpdateRule& rule, std::size_t n, const float* __restrict gradient, const float* __restrict target, float* __restrict w, float* __restrict m, float* __restrict v) {
  choose(target, [&, u = rule]<bool Pulled>() {
    for (std::size_t i = 0; i < n; ++i) {
      const float g = total<Pulled>(u, gradient[i], w[i], target, i);
      m[i] = u.beta1 * m[i] + (1 - u.beta1) * g;
      v[i] = second_moment(v[i], g, u.beta2, u.keep_maximum);
      const float mean = m[i] * u.correction1;
      const float step = mean == 0 ? 0 : mean / (sqrtf(v[i] * u.correction2) + u.epsilon);
      w[i] = project(w[i] - u.rate * step, u.bound);
    }
  });
}

void average(float share, std::size_t n, const float* __restrict w, float* __restrict mean) {
  for (std::size_t i = 0; i < n; ++i) mean[i] += share * (w[i] - mean[i]);
}

}  // namespace

extern const OptimizerKernels optimizer_kernels;
const OptimizerKernels optimizer_kernels = {sgd, momentum, nesterov, rmsprop, adam, average};

}  // namespace qsweep::QSWEEP_SIMD
