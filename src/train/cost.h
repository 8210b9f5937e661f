#pragma once
#include <cstddef>
#include <cstdint>

#include "config/settings.h"

/// What a run will take, estimated before it starts: for `plan`, and to claim the longest runs first.
namespace qsweep {

struct Cost {
  std::size_t parameters = 0;       ///< d of all tensors
  std::uint64_t iterations = 0;     ///< the most it may take; 0: not known beforehand
  double flops_per_iteration = 0;   ///< all workers
  double core_seconds = 0;          ///< estimated, all workers, at the given speed
  std::size_t bytes_per_rank = 0;   ///< memory of a rank that carries `parts_per_rank` parts, data sets not counted
};

struct Speed {
  double flops = 80e9;       ///< matrix products, per second and core
  double elements = 0.7e9;   ///< parameters quantized, packed and updated, per second and core
  double updates = 5e9;      ///< parameters updated alone
  double draws = 1.5e9;      ///< random numbers of the synthetic stream
};

/// By the settings' method; ConfigError for a layer that the model does not have (compression.layers, network.full_precision), so that it
/// is refused before anything is trained. Parts are what ranks share of one run (train/method.h): workers, or starts.
Cost estimate(const Settings& settings, std::size_t parts_per_rank, const Speed& speed = {});

/// Of method = distributed.
Cost distributed_cost(const Settings& settings, std::size_t workers_per_rank, const Speed& speed);

}  // namespace qsweep
