#include "train/method.h"

#include <algorithm>
#include <stdexcept>

#include "train/coarse_gradient.h"
#include "train/superresolution.h"
#include "train/trainer.h"

namespace qsweep {

const std::vector<Method>& methods() {
  const auto workers = [](const Settings& s) { return std::max<std::size_t>(s.workers.count, 1); };
  const auto compress = [](const Task& task) { return task.settings.model.kind == "superresolution" ? compress_regression(task) : train_distributed(task); };
  const auto cost = [](const Settings& s, std::size_t parts, const Speed& speed) { return s.model.kind == "superresolution" ? regression_cost(s, parts, speed) : distributed_cost(s, parts, speed); };
  static const std::vector<Method> table = {
      {"distributed", train_distributed, distributed_cost, workers},
      {"learning_compression", compress, cost, workers},
      {"direct_compression", compress, cost, workers},
      {"iterated_direct_compression", compress, cost, workers},
      {"binary_connect", train_distributed, distributed_cost, workers},
      {"coarse_gradient", train_coarse_gradient, coarse_gradient_cost, coarse_gradient_parts},
  };
  return table;
}

const Method& method_of(const Settings& s) {
  const auto found = std::ranges::find(methods(), s.method, &Method::name);
  if (found == methods().end()) throw std::logic_error("experiment.method = " + s.method + " has no row in train/method.cpp");
  return *found;
}

Cost estimate(const Settings& s, std::size_t parts_per_rank, const Speed& speed) { return method_of(s).estimate(s, parts_per_rank, speed); }

}  // namespace qsweep
