#pragma once
#include <vector>

#include "base/layout.h"
#include "config/settings.h"
#include "results/record.h"

/// What a run would take on the networks of its [network] section: network/ in its results (results/FORMAT.md).
namespace qsweep {

/// Measured seconds of one iteration of one worker that do not depend on the network.
struct Profile {
  double compute = 0;
  double quantize = 0, update = 0;  ///< what the exchange makes of quantized gradients and weights, and the optimizer
};

/// Before a run begins: ConfigError if network.full_precision names a layer that the model does not have.
void check_network(const Settings& settings, const Layout& layout);

/// Adds network/ to the record; nothing without a network.
void describe_network(const Settings& settings, const Layout& layout, const Profile& profile, Record& record);

}  // namespace qsweep
