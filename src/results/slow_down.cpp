#include "results/slow_down.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "config/keys.h"

namespace qsweep {

namespace {

/// All settings but those of the gradients: equal for the two runs of a pair.
std::string apart_from_gradients(const RunSummary& run) {
  std::string text;
  for (const auto& [key, value] : run.settings)
    if (!key.starts_with("gradients.") && decides_result(key)) text += key + " = " + value + "\n";
  return text;
}

bool has_quantized_gradients(const RunSummary& run) {
  const std::string quantizer = run.setting("gradients.quantizer");
  return quantizer != "fp" && quantizer != "-";
}

std::optional<double> squared(std::optional<double> factor) { return factor ? std::optional(*factor * *factor) : std::nullopt; }

/// Adds one seed's pair to its point; false if one of the two does not reach the level.
bool add_pair(const RunSummary& quantized, const RunSummary& full, SlowDown& point) {
  const double level = slow_down_margin * std::max(*quantized.value("final/average_regret"), *full.value("final/average_regret"));
  if (!(level > 0)) return false;  // below the comparator: no rate to speak of
  const auto reached = [&](const RunSummary& run) {
    return iterations_to(level, read_curve(run, "curves/iteration"), read_curve(run, "curves/average_regret"));
  };
  const std::optional<double> t_quantized = reached(quantized), t_full = reached(full);
  if (!t_quantized || !t_full) return false;
  point.quantized.push_back(*t_quantized);
  point.full.push_back(*t_full);
  point.ratio.push_back(*t_quantized / *t_full);
  return true;
}

}  // namespace

std::optional<double> iterations_to(double level, std::span<const double> iteration, std::span<const double> curve) {
  if (curve.size() != iteration.size() || !std::all_of(curve.begin(), curve.end(), [](double x) { return std::isfinite(x); }))
    return {};
  std::size_t below = curve.size();
  while (below > 0 && curve[below - 1] <= level) --below;
  if (below == 0 || below == curve.size()) return {};
  const double part = (curve[below - 1] - level) / (curve[below - 1] - curve[below]);
  return iteration[below - 1] + part * (iteration[below] - iteration[below - 1]);
}

SlowDowns slow_downs(const Points& points) {
  std::map<std::string, const RunSummary*> full;
  for (const GridPoint& point : points.points)
    for (const RunSummary* run : point.complete)
      if (run->value("final/average_regret") && !has_quantized_gradients(*run)) full.emplace(apart_from_gradients(*run), run);
  SlowDowns all;
  for (const GridPoint& point : points.points) {
    SlowDown made;
    for (const RunSummary* run : point.complete) {
      if (!run->value("final/average_regret") || !has_quantized_gradients(*run)) continue;
      const auto partner = full.find(apart_from_gradients(*run));
      if (partner == full.end() || !add_pair(*run, *partner->second, made)) {
        ++all.unpaired;
        continue;
      }
      made.row = run;
      if (!run->value("bound/u2")) continue;  // the theorems are about rmsprop with η/√t
      made.predicted = squared(run->value("bound/slow_down"));
      made.predicted_printed = squared(run->value("bound/slow_down_printed"));
    }
    if (made.row) all.points.push_back(std::move(made));
  }
  return all;
}

}  // namespace qsweep
