#include "optimize/schedule.h"

#include <cmath>

namespace qsweep {

double Schedule::at(std::uint64_t iteration) const {
  if (kind == "inverse_sqrt") return learning_rate / std::sqrt(static_cast<double>(iteration));
  double rate = learning_rate;
  if (kind == "step")
    for (const std::uint64_t milestone : milestones)
      if (iteration > milestone) rate *= decay;
  return rate;
}

}  // namespace qsweep
