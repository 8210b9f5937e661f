#include "optimize/schedule.h"

#include <cmath>
#include <limits>

namespace qsweep {

std::uint64_t iterations_of_epochs(double epochs, double iterations_per_epoch) {
  const double product = epochs * iterations_per_epoch;
  return static_cast<std::uint64_t>(std::ceil(product * (1 - 2 * std::numeric_limits<double>::epsilon())));
}

double Schedule::at(std::uint64_t iteration) const {
  if (kind == "inverse_sqrt") return learning_rate / std::sqrt(static_cast<double>(iteration));
  if (kind == "exponential") return learning_rate * std::pow(decay, std::floor(static_cast<double>(iteration - 1) / iterations_per_epoch * (1 + 2 * std::numeric_limits<double>::epsilon())));
  double rate = learning_rate;
  if (kind == "step")
    for (std::size_t i = 0; i < milestones.size(); ++i)
      if (iteration > milestones[i]) rate *= decays.empty() ? decay : decays[i];
  return rate;
}

}  // namespace qsweep
