#include "train/method.h"

#include <algorithm>
#include <stdexcept>

#include "train/coarse_gradient.h"
#include "train/trainer.h"

namespace qsweep {

const std::vector<Method>& methods() {
  static const std::vector<Method> table = {
      {"distributed", train_distributed, distributed_cost, [](const Settings& s) { return s.workers.count; }},
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
