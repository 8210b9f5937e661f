#pragma once
#include <array>
#include <vector>

#include "theory/two_layer.h"

/// The critical points of the two-layer network's population loss (two_layer.h), in the coordinates (v, θ) on which it depends.
/// With c = 1 − 2θ/π, t = θ/π:
///   v_min(θ) = argmin_v f = J⁻¹(cI + 1·1ᵀ)v* = c·v* + (1 − c)·S/(m+1)·1,     min_v f = t/2·[(1 − t)·‖v*‖² + t·S²/(m+1)]
/// so that there is a second valley at θ = π, and a ridge before it, exactly if S² < (m+1)/2·‖v*‖²:
///   global minimum    θ = 0, v = v*                                                   f = 0
///   its mirror image  θ = π, v = −v*, if S = 0                                        f = 0
///   spurious minimum  θ = π, v = J⁻¹(1·1ᵀ − I)v* = 2S/(m+1)·1 − v*                    f = S²/(2(m+1))
///   saddle            θ = (π/2)·(m+1)‖v*‖²/D, v = v_min(θ), D = (m+1)‖v*‖² − S²       f = θ‖v*‖²/(4π)
/// Source: Yin et al. 2019, Proposition 1; the losses and v_min follow by minimizing over v.
namespace qsweep {

enum class Critical { none, global_minimum, mirrored_minimum, spurious_minimum, saddle };
inline constexpr std::size_t critical_kinds = 5;
/// "none", "global", "mirrored", "spurious", "saddle", by value of Critical.
extern const std::array<const char*, critical_kinds> critical_names;

struct CriticalPoint {
  Critical kind = Critical::none;
  double theta = 0;
  std::vector<double> v;
  double loss = 0;
};

bool has_spurious_minimum(Vector v_star);  ///< S² < (m+1)/2·‖v*‖²
std::vector<double> best_v(Vector v_star, double theta);
double least_loss(Vector v_star, double theta);  ///< min_v f

/// Those that exist, the global minimum first.
std::vector<CriticalPoint> landscape(Vector v_star);

/// The critical point nearest to (v, θ): √(‖v − v_c‖² + (θ − θ_c)²).
struct Nearest {
  Critical kind = Critical::none;
  double distance = 0;
};
Nearest nearest_critical_point(const std::vector<CriticalPoint>& points, Vector v, double theta);

/// ‖E[g_identity]‖ at the spurious minimum, 2(m−1)S²/(√(2π)(m+1)²): all radial, so that ‖w‖ shrinks by η times this each step.
double identity_drift(Vector v_star);

}  // namespace qsweep
