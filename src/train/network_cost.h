#pragma once
#include "model/plan.h"

/// What one sample costs in a network with convolutions, from its layers alone. Speeds were measured on one core of a Zen 4 processor,
/// whose products of large matrices reach 95 GFLOP/s.
namespace qsweep {

struct NetworkWork {
  double forward = 0;    ///< seconds per sample, evaluation
  double training = 0;   ///< forward and backward
  double activations = 0;  ///< floats that one sample leaves in all layers
};

NetworkWork work_of(const NetworkPlan& plan, ConvolutionKind kind);

}  // namespace qsweep
