#include "train/cost.h"

#include "train/trainer.h"

namespace qsweep {

Cost distributed_cost(const Settings& s, std::size_t workers_per_rank, const Speed& speed) {
  Cost cost;
  const std::size_t d = make_model(s)->layout().dimension();
  const std::size_t inputs = s.data.synthetic_linear() ? s.model.dimension : input_geometry(s).size();
  const auto batch = static_cast<double>(s.workers.batch), workers = static_cast<double>(s.workers.count);
  cost.parameters = d;
  cost.iterations = iteration_limit(s);
  // Forward and backward each read every weight once per sample; the gradient of the inputs is never asked for.
  cost.flops_per_iteration = 4 * static_cast<double>(d) * batch * workers;
  double draws = s.data.synthetic_linear() ? static_cast<double>(d) * batch * workers : 0;
  if (s.theory.measure) {
    cost.flops_per_iteration += static_cast<double>(d) * batch * batch * workers;                    // Gram matrix
    if (s.theory.hindsight) draws *= 3, cost.flops_per_iteration += static_cast<double>(d * d) * batch * workers;
  }
  const double per_iteration = cost.flops_per_iteration / speed.flops + (workers + 2) * static_cast<double>(d) / speed.elements + draws / speed.draws + 4e-6 * workers;
  const auto iterations = static_cast<double>(cost.iterations == 0 ? 100 * s.run.patience : cost.iterations);
  cost.core_seconds = per_iteration * iterations + 0.05;
  const std::size_t fields = 6;  // w, first and second moment, ŵ, mean gradient, and a message
  cost.bytes_per_rank = 4 * d * (fields + workers_per_rank) + 4 * s.workers.batch * (inputs + 4 * s.model.dimension) + (std::size_t{60} << 20);  // 60 MiB: the program and MPI
  return cost;
}

}  // namespace qsweep
