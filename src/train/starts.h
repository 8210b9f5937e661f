#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "config/settings.h"
#include "theory/two_layer.h"

/// The starting points of the two-layer model (method = coarse_gradient): S targets and S starts, drawn by the keys problem.*, or read
/// from a file. Start s does not depend on how many there are.
namespace qsweep {

/// Rows are starts: v*, v⁰ [S, m], w*, w⁰ [S, n]; ‖w*‖ = 1.
struct Starts {
  std::size_t count = 0, rows = 0, columns = 0;  ///< S, m, n
  std::vector<double> v_star, w_star, v_0, w_0;

  Vector target_v(std::size_t s) const { return Vector(v_star).subspan(s * rows, rows); }
  Vector target_w(std::size_t s) const { return Vector(w_star).subspan(s * columns, columns); }
  Vector start_v(std::size_t s) const { return Vector(v_0).subspan(s * rows, rows); }
  Vector start_w(std::size_t s) const { return Vector(w_0).subspan(s * columns, columns); }
};

/// v*   gaussian: N(0, 1) entries; spurious: such a one for which a spurious minimum exists, 0 < S² < (m+1)/2·‖v*‖²; or as given
/// w*   a direction drawn uniformly
/// v⁰   random: N(0, 1) entries;  w⁰  a direction drawn uniformly, of norm problem.w_norm
///      theorem2: such ones with v⁰·v* > 0, θ⁰ < π/2, |1ᵀv⁰| ≤ |S|, the condition of Theorem 2 (Yin et al. 2019)
///      at a critical point (theory/two_layer_landscape.h): its v plus a random vector of norm problem.v_offset, and its angle plus or minus
///      problem.angle_offset, in a random plane through w*
/// problem.shared: all starts have the target of the first one (target), or also its v⁰ and w⁰ (start), to differ by their samples only.
/// From a file: problem/v_star, w_star, v_0, w_0 of a run, the first S rows; single rows are shared. DataError if they do not fit.
Starts make_starts(const Settings& settings);

}  // namespace qsweep
