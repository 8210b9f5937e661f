#pragma once
#include <cstdint>
#include <string>
#include <vector>

/// Learning rate η_t, t = 1 … T:   constant η;   inverse_sqrt η/√t (the theorems' choice);   step η·decay^(milestones passed), or
/// η·Π decays of the milestones passed; exponential η·decay^(epochs completed).
namespace qsweep {

/// ⌈E·n⌉, iterations in E epochs of n = size/(N·B) iterations, where n was rounded: a product that is an integer but for the two
/// roundings counts as that integer. (A true fraction is at least 1/(N·B) away from it, far more.)
std::uint64_t iterations_of_epochs(double epochs, double iterations_per_epoch);

struct Schedule {
  std::string kind = "constant";
  double learning_rate = 0.01;
  double decay = 0.1;
  std::vector<std::uint64_t> milestones = {};  ///< iterations after which the rate changes
  std::vector<double> decays = {};             ///< a factor for each milestone; empty: `decay`
  double iterations_per_epoch = 1;

  double at(std::uint64_t iteration) const;
};

}  // namespace qsweep
