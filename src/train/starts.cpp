#include "train/starts.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "base/errors.h"
#include "base/random.h"
#include "results/file.h"
#include "theory/two_layer_landscape.h"
#include "train/environment.h"

namespace qsweep {
namespace {

/// What a draw of Draw::Starts is for: in the place of the worker. Never renumbered.
enum class Role : std::uint32_t { target_v, target_w, start_v, start_w, v_offset, choice };

constexpr std::uint32_t most_attempts = 100'000;

/// The drawn numbers of one start: attempts at an acceptable one take the place of the iteration.
class Draws {
 public:
  Draws(std::uint64_t seed, std::size_t start) : seed_(seed), start_(start) {}
  std::vector<double> normals(Role role, std::size_t count, std::uint32_t attempt = 0) const {
    const Stream stream(seed_, Draw::Starts, static_cast<std::uint32_t>(role), attempt);
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = stream.normal(start_ * count + i);
    return values;
  }
  std::vector<double> direction(Role role, std::size_t count) const {
    std::vector<double> values = normals(role, count);
    scale_to(values, 1);
    return values;
  }
  double uniform(std::uint32_t which) const { return Stream(seed_, Draw::Starts, static_cast<std::uint32_t>(Role::choice), which).uniform(start_); }

  static double norm(Vector x) { return std::sqrt(overlap(x, x).squared); }
  static void scale_to(std::span<double> x, double length) {
    const double factor = length / norm(x);
    for (double& value : x) value *= factor;
  }

 private:
  std::uint64_t seed_;
  std::size_t start_;
};

std::vector<double> draw_target(const Settings::Problem& p, const Draws& draws) {
  std::vector<double> v = p.target_values;
  if (v.empty()) {
    v = draws.normals(Role::target_v, p.rows);
    for (std::uint32_t attempt = 1; p.target == "spurious" && !(has_spurious_minimum(v) && overlap(v, v).sum != 0); ++attempt) {
      if (attempt == most_attempts) throw ConfigError(fmt::format("problem.target = spurious: none found for model.rows = {}: allowed: 2 and more", p.rows));
      v = draws.normals(Role::target_v, p.rows, attempt);
    }
  }
  if (p.target_norm) Draws::scale_to(v, *p.target_norm);
  return v;
}

struct Start {
  std::vector<double> v, w;
};

Start draw_anywhere(const Settings::Problem& p, std::size_t n, Vector v_star, Vector w_star, const Draws& draws) {
  Start start{draws.normals(Role::start_v, p.rows), draws.direction(Role::start_w, n)};
  if (p.start == "theorem2") {
    // The sum moved into [−|S|, |S|], then signs: v⁰·v* > 0 and θ⁰ < π/2 each hold for one of two.
    const Overlap o = overlap(start.v, v_star);
    const double sum = (2 * draws.uniform(0) - 1) * o.target_sum;
    for (double& value : start.v) value += (sum - o.sum) / static_cast<double>(p.rows);
    if (overlap(start.v, v_star).target < 0)
      for (double& value : start.v) value = -value;
    if (angle(start.w, w_star) > std::numbers::pi / 2)
      for (double& value : start.w) value = -value;
  }
  for (double& value : start.w) value *= p.w_norm;
  return start;
}

Start draw_near(const CriticalPoint& point, const Settings::Problem& p, std::size_t n, Vector w_star, const Draws& draws) {
  Start start{point.v, std::vector<double>(n)};
  if (p.v_offset > 0) {
    const std::vector<double> offset = draws.direction(Role::v_offset, p.rows);
    for (std::size_t i = 0; i < p.rows; ++i) start.v[i] += p.v_offset * offset[i];
  }
  const double theta = point.theta + (draws.uniform(1) < 0.5 ? -1 : 1) * p.angle_offset;
  const bool on_axis = p.angle_offset == 0 && (point.theta == 0 || point.theta == std::numbers::pi);
  const std::vector<double> aside = on_axis ? std::vector<double>(n) : frame_of(w_star, draws.direction(Role::start_w, n)).turn;
  for (std::size_t j = 0; j < n; ++j) start.w[j] = p.w_norm * (std::cos(theta) * w_star[j] + (on_axis ? 0 : std::sin(theta) * aside[j]));
  return start;
}

Start draw_start(const Settings::Problem& p, std::size_t n, Vector v_star, Vector w_star, const Draws& draws) {
  for (const CriticalPoint& point : landscape(v_star))
    if (p.start == critical_names[static_cast<std::size_t>(point.kind)]) return draw_near(point, p, n, w_star, draws);
  return draw_anywhere(p, n, v_star, w_star, draws);
}

void append(std::vector<double>& all, const std::vector<double>& row) { all.insert(all.end(), row.begin(), row.end()); }

Starts draw(const Settings& s) {
  const Settings::Problem& p = s.problem;
  Starts starts{p.starts, p.rows, s.model.dimension, {}, {}, {}, {}};
  for (std::size_t i = 0; i < p.starts; ++i) {
    const Draws of_target(s.run.seed, p.shared == "none" ? i : 0), of_start(s.run.seed, p.shared == "start" ? 0 : i);
    append(starts.v_star, draw_target(p, of_target));
    append(starts.w_star, of_target.direction(Role::target_w, starts.columns));
    Start start = draw_start(p, starts.columns, starts.target_v(i), starts.target_w(i), of_start);
    append(starts.v_0, start.v);
    append(starts.w_0, start.w);
  }
  return starts;
}

/// The first `count` rows of [rows, width], or a single row for all.
std::vector<double> rows_of(const std::map<std::string, Dataset>& problem, const std::string& file, const std::string& name, std::size_t count, std::size_t width) {
  const auto found = problem.find(name);
  if (found == problem.end()) throw DataError(fmt::format("{}: has no dataset problem/{}: problem.start needs v_star, w_star, v_0 and w_0, as a run of coarse_gradient stores them", file, name));
  const Dataset& d = found->second;
  std::vector<double> values;
  if (const auto* doubles = std::get_if<std::vector<double>>(&d.values)) values = *doubles;
  if (const auto* floats = std::get_if<std::vector<float>>(&d.values)) values.assign(floats->begin(), floats->end());
  const bool single = values.size() == width;
  if ((d.shape.empty() ? 0 : d.shape.back()) != width || (!single && values.size() < count * width))
    throw DataError(fmt::format("{}: problem/{} has shape [{}]: problem.starts, model.rows and model.dimension ask for [{}, {}]", file, name, fmt::join(d.shape, ", "), count, width));
  for (const double value : values)
    if (!std::isfinite(value)) throw DataError(fmt::format("{}: problem/{} holds a value that is not finite", file, name));
  std::vector<double> all;
  for (std::size_t i = 0; i < count; ++i) all.insert(all.end(), values.begin() + static_cast<std::ptrdiff_t>(single ? 0 : i * width), values.begin() + static_cast<std::ptrdiff_t>((single ? 0 : i * width) + width));
  return all;
}

Starts read(const Settings& s) {
  const auto [file, id] = initial_file(s.problem.start);
  const std::map<std::string, Dataset> problem = read_problem(file, id);
  const std::size_t S = s.problem.starts, m = s.problem.rows, n = s.model.dimension;
  Starts starts{S, m, n, rows_of(problem, file, "v_star", S, m), rows_of(problem, file, "w_star", S, n), rows_of(problem, file, "v_0", S, m), rows_of(problem, file, "w_0", S, n)};
  for (std::size_t i = 0; i < S; ++i) {
    const std::span<double> w_star = std::span(starts.w_star).subspan(i * n, n);
    if (Draws::norm(w_star) == 0 || Draws::norm(starts.start_w(i)) == 0) throw DataError(fmt::format("{}: problem/w_star and problem/w_0 of start {} must not be 0", file, i));
    if (std::abs(Draws::norm(w_star) - 1) > 1e-12) Draws::scale_to(w_star, 1);  // σ does not see the norm
  }
  return starts;
}

}  // namespace

Starts make_starts(const Settings& settings) { return settings.problem.from_file() ? read(settings) : draw(settings); }

}  // namespace qsweep
