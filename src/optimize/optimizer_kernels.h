#pragma once
#include <cstddef>

/// Element-wise updates of one tensor, n elements; see optimizer.h for the formulas. Every element is computed by itself, in float.
namespace qsweep {

struct UpdateRule {
  float rate = 0;           ///< η_t
  float beta1 = 0, beta2 = 0, epsilon = 0, momentum = 0, weight_decay = 0;
  float correction1 = 1;    ///< 1/(1 − β₁^t), adam
  float correction2 = 1;    ///< 1/(1 − β₂^t), adam
  float bound = 0;          ///< r of the box; infinity where there is none
  bool keep_maximum = false;
  float pull = 0;           ///< μ; used where a kernel is given a target
};

/// target: t of the penalty μ/2·‖w − t‖², whose gradient μ(w − t) is added to g; null: none.

struct OptimizerKernels {
  void (*sgd)(const UpdateRule&, std::size_t n, const float* gradient, const float* target, float* w);
  void (*momentum)(const UpdateRule&, std::size_t n, const float* gradient, const float* target, float* w, float* velocity);
  void (*nesterov)(const UpdateRule&, std::size_t n, const float* gradient, const float* target, float* w, float* velocity);
  void (*rmsprop)(const UpdateRule&, std::size_t n, const float* gradient, const float* target, float* w, float* v);
  void (*adam)(const UpdateRule&, std::size_t n, const float* gradient, const float* target, float* w, float* m, float* v);
  void (*average)(float share, std::size_t n, const float* w, float* average);  ///< a + share·(w − a)
};

namespace baseline { extern const OptimizerKernels optimizer_kernels; }
namespace avx2 { extern const OptimizerKernels optimizer_kernels; }
namespace avx512 { extern const OptimizerKernels optimizer_kernels; }

}  // namespace qsweep
