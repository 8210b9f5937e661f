// What cannot be combined where the method is coarse_gradient.
#include <fmt/format.h>

#include <algorithm>

#include "config/keys.h"

namespace qsweep {
namespace {

/// S² against (m+1)/2·‖v*‖² and 0: whether given values have a spurious minimum (theory/two_layer_landscape.h).
bool given_target_is_spurious(const std::vector<double>& v) {
  double sum = 0, squared = 0;
  for (const double value : v) sum += value, squared += value * value;
  return sum != 0 && sum * sum < static_cast<double>(v.size() + 1) / 2 * squared;
}

}  // namespace

std::optional<Conflict> find_two_layer_conflict(const Settings& s) {
  const Settings::Problem& p = s.problem;
  if (s.run.iterations == 0) return Conflict{"run.iterations", "allowed: 1 and more (experiment.method = coarse_gradient ends by nothing else)"};
  if (p.samples % s.workers.count != 0) return Conflict{"data.samples", fmt::format("allowed: a multiple of workers.count = {}", s.workers.count)};
  if (s.gradients.quantized() && p.samples != 0 && !s.gradients.shared_scale() && s.workers.exchange == "allreduce")
    return Conflict{"gradients.scale", "workers.exchange = allreduce adds codes and allows: shared (scales of their own need workers.exchange = server or sharded)"};
  if (p.from_file()) {
    if (p.start.find(".h5") == std::string::npos) return Conflict{"problem.start", "allowed: random, theorem2, global, spurious, saddle, or a file, FILE.h5 or FILE.h5:RUN_ID"};
    return std::nullopt;
  }
  if (!p.target_values.empty() && p.target_values.size() != p.rows) return Conflict{"problem.target", fmt::format("has {} numbers; allowed: model.rows = {} of them", p.target_values.size(), p.rows)};
  if (!p.target_values.empty() && std::ranges::all_of(p.target_values, [](double x) { return x == 0; })) return Conflict{"problem.target", "allowed: not 0 everywhere"};
  if (p.target == "spurious" && p.rows < 2) return Conflict{"problem.target", "model.rows = 1 allows: gaussian, or a number (there is no spurious minimum)"};
  const bool spurious = p.target == "spurious" || given_target_is_spurious(p.target_values);
  if ((p.start == "spurious" || p.start == "saddle") && !spurious)
    return Conflict{"problem.start", fmt::format("{} exists only where 0 < S² < (m+1)/2·‖v*‖², S the sum of v*: allowed with problem.target = spurious, or such values", p.start)};
  if (s.model.dimension < 2 && (p.start == "saddle" || p.angle_offset > 0)) return Conflict{"model.dimension", "allowed: 2 and more, for an angle between 0 and π"};
  return std::nullopt;
}

}  // namespace qsweep
