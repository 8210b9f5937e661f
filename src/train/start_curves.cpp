#include "train/start_curves.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace qsweep {
namespace {

struct Name {
  const char *name, *unit, *label;
};
constexpr std::array<Name, Observed::items> names = {{{"loss", "loss", "loss"},
                                                      {"population_loss", "loss", "loss on the population"},
                                                      {"theta", "rad", "angle θ between w and w*"},
                                                      {"w_norm", "weight", "norm of w"},
                                                      {"v_distance", "weight", "distance of v from v*"},
                                                      {"gradient_product", "loss^2/weight^2", "inner product of coarse and population gradient of w"},
                                                      {"descent", "loss", "change of the loss in one step"}}};

constexpr std::array<double, 5> quantiles = {0, 0.1, 0.5, 0.9, 1};

/// The value of rank ⌊q(S − 1)⌋ of the column, in increasing order; NaN if one is not a number, as an order would not exist.
std::vector<double> quantiles_of(std::vector<double> column) {
  std::vector<double> values;
  const bool ordered = std::ranges::none_of(column, [](double x) { return std::isnan(x); });
  auto from = column.begin();
  for (const double q : quantiles) {
    const auto place = column.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(column.size() - 1));
    if (ordered && place >= from) std::nth_element(from, place, column.end());
    values.push_back(ordered ? *place : std::nan(""));
    from = place;
  }
  return values;
}

}  // namespace

StartCurves::StartCurves(std::uint64_t interval, std::uint64_t iterations, std::size_t starts, bool samples) : recorder_(interval, iterations), starts_(starts) {
  for (std::size_t item = 0; item < Observed::items; ++item) {
    if (item == Observed::population_loss && !samples) continue;
    shown_.push_back(item);
    const auto& [name, unit, label] = names[item];
    recorder_.describe(name, unit, starts == 1 ? label : std::string(label) + ", mean over starts");
    recorder_.describe(std::string("starts/") + name, unit, label);
    recorder_.describe(std::string("quantiles/") + name, unit, std::string(label) + ", quantiles over starts");
  }
}

std::uint64_t StartCurves::next_after(std::uint64_t t, std::uint64_t iterations) const {
  for (++t; t < iterations && !recorder_.wants(t, false);) ++t;
  return t;
}

void StartCurves::add(std::uint64_t t, const std::vector<Observation>& table) {
  recorder_.begin(t);
  last_ = table;
  std::vector<double> column(table.size());
  for (const std::size_t item : shown_) {
    double sum = 0;
    for (std::size_t s = 0; s < table.size(); ++s) sum += column[s] = table[s][item];
    recorder_.add(names[item].name, sum / static_cast<double>(table.size()));
    if (starts_ == 1) continue;
    if (starts_ <= most_single_starts) recorder_.add(std::string("starts/") + names[item].name, column);
    else recorder_.add(std::string("quantiles/") + names[item].name, quantiles_of(column));
  }
}

void StartCurves::write(Record& record) const {
  recorder_.write_index("curves/iteration", record);
  recorder_.write("curves", recorder_.curves(), record);
  for (Dataset& d : record.datasets)
    if (d.path.starts_with("curves/quantiles/")) d.attributes["quantiles"] = std::vector<std::string>{"0", "0.1", "0.5", "0.9", "1"};
  if (last_.empty()) return;
  for (const std::size_t item : shown_) {
    std::vector<double> column;
    for (const Observation& o : last_) column.push_back(o[item]);
    record.datasets.push_back({std::string("final/") + names[item].name, names[item].unit, std::string("final ") + names[item].label, {starts_}, std::move(column)});
  }
}

}  // namespace qsweep
