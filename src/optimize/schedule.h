#pragma once
#include <cstdint>
#include <string>
#include <vector>

/// Learning rate η_t, t = 1 … T:   constant η;   inverse_sqrt η/√t (the theorems' choice);   step η·decay^(milestones passed).
namespace qsweep {

struct Schedule {
  std::string kind = "constant";
  double learning_rate = 0.01;
  double decay = 0.1;
  std::vector<std::uint64_t> milestones = {};  ///< iterations after which the rate falls

  double at(std::uint64_t iteration) const;
};

}  // namespace qsweep
