#include "results/show_theory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "results/slow_down.h"

namespace qsweep {

namespace {

/// What the theory promises of a point, against what its runs measured.
struct Verdict {
  Runs runs;                           ///< with a measured regret
  bool promised = true, holds = true;  ///< regret ≤ U1
  bool order_promised = true;          ///< U1 ≤ U2 ≤ U3
};

/// U1 bounds each run with full-precision gradients. With quantized ones it bounds the mean: the mean of R − U1 is not more than
/// five standard errors above 0.
Verdict verdict_of(const GridPoint& point) {
  Verdict verdict;
  std::vector<double> excess;
  bool quantized = false;
  for (const RunSummary* run : point.complete) {
    if (!run->value("final/average_regret") || !run->value("bound/u1")) continue;
    verdict.runs.push_back(run);
    verdict.order_promised &= run->value("bound/u2_u3_hold").value_or(1) != 0;
    verdict.promised &= run->value("bound/u1_holds").value_or(1) != 0;
    quantized |= run->setting("gradients.quantizer") != "fp";
    excess.push_back(*run->value("final/average_regret") - *run->value("bound/u1"));
  }
  const Sample sample = sample_of(excess);
  const double allowed = 5 * sample.spread / std::sqrt(static_cast<double>(std::max<std::size_t>(1, sample.count)));
  if (quantized)
    verdict.holds = sample.count < 2 || sample.mean <= allowed;
  else
    verdict.holds = std::all_of(excess.begin(), excess.end(), [](double x) { return x <= 0; });
  return verdict;
}

/// Means over the runs of each verdict, as numbers of three digits; none if no run has the dataset.
std::optional<Column> bound_column(const char* dataset, const char* heading, int rank, const std::vector<Verdict>& verdicts) {
  Column column{heading, {}, false, rank};
  bool any = false;
  for (const Verdict& verdict : verdicts) {
    const Sample sample = sample_of(collect_values(verdict.runs, dataset));
    const bool known = sample.count > 0 && !std::isnan(sample.mean);
    any |= known;
    column.cells.push_back(known ? significant(sample.mean, 3) : "");
  }
  align_decimals(column.cells);
  return any ? std::optional(column) : std::nullopt;
}

}  // namespace

void show_bounds(const Survey& seen, const Points& points, Page& page) {
  std::vector<Verdict> verdicts;
  Runs firsts;
  std::vector<Sample> regrets;
  Column factor{"U1 / regret", {}, false, 0};
  bool exceeded = false, unpromised = false, unordered = false;
  for (const GridPoint& point : points.points) {
    const Verdict verdict = verdict_of(point);
    if (verdict.runs.empty()) continue;
    verdicts.push_back(verdict);
    firsts.push_back(verdict.runs.front());
    regrets.push_back(sample_of(collect_values(verdict.runs, "final/average_regret")));
    const double ratio = sample_of(collect_values(verdict.runs, "bound/u1")).mean / regrets.back().mean;
    const bool fails = verdict.promised && !verdict.holds;
    exceeded |= fails;
    unpromised |= !verdict.promised;
    unordered |= !verdict.order_promised && !collect_values(verdict.runs, "bound/u2").empty();
    factor.cells.push_back((regrets.back().mean > 0 ? significant(ratio, 3) : "–") + (fails ? " !" : ""));
  }
  if (verdicts.empty()) return;
  Table table{axis_columns(points.axes, firsts)};
  table.columns.push_back({in_unit(seen, "average regret", "final/average_regret"), sample_cells(regrets), false, 0});
  const struct {
    const char *dataset, *heading;
    int rank;
  } bounds[] = {{"bound/u1", "U1", 2}, {"bound/u2", "U2", 3}, {"bound/u3", "U3", 4}, {"bound/printed", "as printed", 5}};
  for (const auto& [dataset, heading, rank] : bounds)
    if (auto column = bound_column(dataset, heading, rank, verdicts)) table.columns.push_back(std::move(*column));
  align_decimals(factor.cells);
  table.columns.push_back(std::move(factor));
  page.blank();
  page.paragraph("Average regret at the end, measured against its bounds");
  page.blank();
  page.table(std::move(table));
  page.paragraph("U1 / regret: how far the measurement stays below the bound");
  if (exceeded)
    page.paragraph(
        "! exceeds U1, which theory forbids here: with quantized gradients by more than five standard errors of the mean over "
        "seeds");
  if (unpromised) page.paragraph("regret ≤ U1 is not promised for all of these runs (docs/bounds.md)");
  if (unordered)
    page.paragraph("U1 ≤ U2 ≤ U3 is not promised for all of these runs: it needs optimizer.second_moment = max (docs/bounds.md)");
}

void show_slow_down(const Points& points, Page& page) {
  const SlowDowns slow = slow_downs(points);
  if (slow.points.empty() && slow.unpaired == 0) return;
  page.blank();
  if (slow.points.empty()) {
    page.paragraph(
        "Slow-down by quantized gradients: no run has a partner with full-precision gradients, else equal settings and a regret "
        "that falls");
    return;
  }
  Runs firsts;
  std::vector<Sample> measured, full, quantized;
  std::vector<std::string> tight, printed;
  bool any = false;
  for (const SlowDown& point : slow.points) {
    firsts.push_back(point.row);
    measured.push_back(sample_of(point.ratio));
    full.push_back(sample_of(point.full));
    quantized.push_back(sample_of(point.quantized));
    tight.push_back(point.predicted ? significant(*point.predicted, 3) : "");
    printed.push_back(point.predicted_printed ? significant(*point.predicted_printed, 3) : "");
    any |= point.predicted.has_value();
  }
  const auto whole = [](const std::vector<Sample>& samples) {
    std::vector<std::string> cells;
    for (const Sample& sample : samples) cells.push_back(fmt::format("{:.0f}", sample.mean));
    return cells;
  };
  align_decimals(tight);
  align_decimals(printed);
  Table table{axis_columns(points.axes, firsts)};
  table.columns.push_back({"iterations with fp gradients", whole(full), false, 3});
  table.columns.push_back({"iterations quantized", whole(quantized), false, 2});
  table.columns.push_back({"measured", sample_cells(measured), false, 0});
  if (any) table.columns.push_back({"predicted", tight, false, 1});
  if (any) table.columns.push_back({"as printed", printed, false, 4});
  page.paragraph("Slow-down by quantized gradients, measured against predicted");
  page.blank();
  page.table(std::move(table));
  page.paragraph(
      fmt::format("measured: iterations until the average regret stays below {} × the larger final one of the pair, over those of "
                  "the same run with fp gradients",
                  slow_down_margin));
  if (any)
    page.paragraph(
        "predicted, at most: the square of the factor beside K·d/√T in theorems 2 and 3, with the tight constant, and as printed");
  if (slow.unpaired > 0)
    page.paragraph(fmt::format("{} with quantized gradients without such a partner", plural(slow.unpaired, "run")));
}

}  // namespace qsweep
