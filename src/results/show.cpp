#include "results/show.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "results/show_theory.h"

namespace qsweep {

namespace {

namespace fs = std::filesystem;

struct Quantity {
  const char* dataset;
  const char* heading;
  bool highest_is_best;
  int rank;  ///< of its column (results/table.h)
};
/// The iterations have rank 5, the number of seeds 4; either said_elsewhere if it is the same for all.
constexpr Quantity quantities[] = {{"final/average_loss", "average loss", false, 2},
                                   {"final/loss", "loss", false, 7},
                                   {"final/average_full_precision_loss", "average full-precision loss", false, 8},
                                   {"final/full_precision_loss", "full-precision loss", false, 6},
                                   {"final/train_loss", "training-set loss", false, 9},
                                   {"final/share_global", "at global minimum", true, 2},
                                   {"final/share_spurious", "at spurious minimum", false, 3},
                                   {"final/test_accuracy", "test accuracy", true, 3},
                                   {"final/best_test_accuracy", "best test accuracy", true, 6},
                                   {"final/compression/train_loss", "quantized training loss", false, 1},
                                   {"final/compression/test_loss", "quantized test loss", false, 2},
                                   {"final/compression/test_accuracy", "quantized test accuracy", true, 2}};

/// A row of the table of runs: the seeds of a point that came to an end, or those that diverged.
struct Row {
  Runs runs;
  bool diverged;
};

std::vector<Row> rows_of(const Points& points) {
  std::vector<Row> rows;
  for (const GridPoint& point : points.points) {
    if (!point.complete.empty()) rows.push_back({point.complete, false});
    if (!point.diverged.empty()) rows.push_back({point.diverged, true});
  }
  return rows;
}

std::string range(const std::vector<std::int64_t>& numbers) {
  if (numbers.empty()) return "";
  const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
  return *least == *most ? fmt::format("{}", *least) : fmt::format("{}–{}", *least, *most);
}

std::string divergence(const Runs& runs) {
  std::vector<std::int64_t> iterations;
  for (const RunSummary* run : runs)
    if (run->diverged_iteration > 0) iterations.push_back(run->diverged_iteration);
  return iterations.empty() ? "diverged" : "diverged at t = " + range(iterations);
}

/// Rows of another dimension of the linear model are another problem: no better or worse than these.
std::string problem_of(const Row& row) {
  const RunSummary& run = *row.runs.front();
  return run.setting("model.kind") == "linear" ? run.setting("model.dimension") : "";
}

/// None if no row has the quantity. The best rows of each problem are marked, where others are worse.
std::optional<Column> quantity_column(const Quantity& quantity, const std::vector<Row>& rows, const Survey& seen) {
  std::vector<Sample> samples;
  struct Means {
    double best, first;
    bool differ = false;
  };
  std::map<std::string, Means> problems;
  for (const Row& row : rows) {
    samples.push_back(row.diverged ? Sample{} : sample_of(collect_values(row.runs, quantity.dataset)));
    const Sample& sample = samples.back();
    if (sample.count == 0) continue;
    auto& [best, first, differ] = problems.try_emplace(problem_of(row), Means{sample.mean, sample.mean}).first->second;
    differ |= sample.mean != first;
    const bool better = quantity.highest_is_best ? sample.mean > best : sample.mean < best;
    if (better || (std::isnan(best) && !std::isnan(sample.mean))) best = sample.mean;
  }
  if (problems.empty()) return std::nullopt;
  Column column{in_unit(seen, quantity.heading, quantity.dataset), sample_cells(samples), false, quantity.rank};
  if (std::ranges::any_of(problems, [](const auto& problem) { return problem.second.differ; }))
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const auto marked = [&](const Means& problem) { return problem.differ && samples[row].mean == problem.best; };
      column.cells[row] += samples[row].count > 0 && marked(problems.at(problem_of(rows[row]))) ? " *" : "  ";
    }
  return column;
}

/// The iterations reached; none if that is an axis already and every run got there.
std::optional<Column> iterations_column(const std::vector<Row>& rows, const Points& points) {
  const bool is_axis = std::find(points.axes.begin(), points.axes.end(), "run.iterations") != points.axes.end();
  Column column{is_axis ? "reached" : "iterations", {}, false, 5};
  bool known = false, as_set = is_axis;
  for (const Row& row : rows) {
    std::vector<std::int64_t> reached;
    for (const RunSummary* run : row.runs) {
      if (row.diverged || !run->iterations) continue;
      reached.push_back(*run->iterations);
      as_set &= run->setting("run.iterations") == fmt::format("{}", *run->iterations);
      known = true;
    }
    column.cells.push_back(range(reached));
  }
  return known && !as_set ? std::optional(column) : std::nullopt;
}

/// A column that says the same in all rows gives way to any other: the legend says it too. Its text, if so.
std::string give_way_if_constant(Column& column, const std::vector<Row>& rows) {
  std::string text;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (rows[row].diverged) continue;
    if (!text.empty() && text != column.cells[row]) return "";
    text = column.cells[row];
  }
  if (!text.empty()) column.rank = said_elsewhere;
  return text;
}

std::string legend(const std::vector<Row>& rows, const std::string& seeds, const std::string& iterations) {
  std::size_t most_runs = 1, most_values = 1;
  for (const Row& row : rows) {
    if (row.diverged) continue;
    most_runs = std::max(most_runs, row.runs.size());
    for (const Quantity& quantity : quantities)
      most_values = std::max(most_values, collect_values({row.runs.front()}, quantity.dataset).size());
  }
  std::string text = iterations.empty() || iterations == "0" ? "values at the end of the run" : fmt::format("values after {} iteration{}", iterations, iterations == "1" ? "" : "s");
  if (most_runs > 1 || most_values > 1) text += "; mean ± standard deviation over ";
  if (most_runs > 1) text += seeds.empty() ? "seeds" : seeds + " seeds";
  if (most_values > 1) text += most_runs > 1 ? " and starts" : "starts";
  return text;
}

void show_runs(const Survey& seen, const Points& points, Page& page) {
  const std::vector<Row> rows = rows_of(points);
  Runs firsts;
  Table table;
  Column seeds{"seeds", {}, false, 4};
  for (const Row& row : rows) {
    firsts.push_back(row.runs.front());
    seeds.cells.push_back(fmt::format("{}", row.runs.size()));
    if (row.diverged) table.remarks[firsts.size() - 1] = divergence(row.runs);
  }
  std::optional<Column> iterations = iterations_column(rows, points);
  const std::string constant_iterations = iterations ? give_way_if_constant(*iterations, rows) : "";
  const std::string constant_seeds = give_way_if_constant(seeds, rows);
  table.columns = axis_columns(points.axes, firsts);
  table.columns.push_back(std::move(seeds));
  if (iterations) table.columns.push_back(std::move(*iterations));
  bool first = true;
  for (const Quantity& quantity : quantities)
    if (auto column = quantity_column(quantity, rows, seen)) {
      const bool repeats = std::ranges::any_of(table.columns, [&](const Column& other) { return other.cells == column->cells; });
      if (repeats && std::string_view(quantity.dataset) == "final/best_test_accuracy") continue;  // of runs that were evaluated once
      if (std::exchange(first, false)) column->rank = 0;
      table.columns.push_back(std::move(*column));
    }
  const bool marked = std::ranges::any_of(table.columns, [](const Column& column) {
    return std::ranges::any_of(column.cells, [](const std::string& cell) { return cell.ends_with(" *"); });
  });
  page.table(std::move(table));
  if (!first) page.paragraph(legend(rows, constant_seeds, constant_iterations) + (marked ? "; * best" : ""));
  else if (std::ranges::none_of(rows, &Row::diverged)) page.paragraph("no final values: what these runs measured (qsweep_bench, the simulator) is drawn by scripts/plot.py");
}

/// Ids, the first few of many.
std::string some(const std::vector<std::string>& ids) {
  constexpr std::size_t most = 8;
  const std::vector<std::string> shown(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(std::min(most, ids.size())));
  return fmt::format("{}{}", fmt::join(shown, " "), ids.size() > most ? fmt::format(" and {} more", ids.size() - most) : "");
}

/// How far the sweep is, for a folder; for a file how many runs it holds.
std::string title(const Survey& seen, const Points& points, const std::string& name) {
  const auto diverged =
      static_cast<std::size_t>(std::count_if(seen.runs.begin(), seen.runs.end(), [](const RunSummary& r) { return r.diverged; }));
  std::string text = seen.experiment.empty() ? name : seen.experiment;
  const auto expected = seen.is_folder && !seen.settings.empty() ? expected_runs(seen.settings) : std::nullopt;
  std::size_t others = 0;
  if (expected && expected->exact)
    others = static_cast<std::size_t>(
        std::count_if(seen.runs.begin(), seen.runs.end(), [&](const RunSummary& r) { return !expected->ids.contains(r.id); }));
  const std::size_t here = seen.runs.size() - others;
  if (expected && here <= expected->ids.size())
    text += fmt::format(": {} of {} finished", here, plural(expected->ids.size(), "run"));
  else
    text += fmt::format(": {}{}", plural(here, "run"), seen.is_folder ? " finished" : "");
  if (!seen.in_progress.empty()) text += fmt::format(", {} in progress", seen.in_progress.size());
  if (diverged > 0) text += fmt::format(", {} diverged", diverged);
  if (!points.points.empty()) text += fmt::format("; {} of the grid", plural(points.points.size(), "point"));
  if (others > 0) text += fmt::format("; {} of another version of the experiment shown too", plural(others, "run"));
  return text;
}

std::string since(fs::file_time_type then) {
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(fs::file_time_type::clock::now() - then).count();
  return minutes < 1 ? "now" : minutes < 120 ? fmt::format("{} min ago", minutes) : minutes < 48 * 60 ? fmt::format("{} h ago", minutes / 60) : fmt::format("{} days ago", minutes / 1440);
}

/// What the last checkpoints of unfinished runs tell.
void show_saved(const Survey& seen, Page& page) {
  Runs rows;
  Column id{"", {}, true, 1}, t{"t", {}, false, 0}, when{"saved", {}, true, 3};
  std::vector<Sample> losses;
  for (const RunSummary& run : seen.saved) {
    rows.push_back(&run);
    id.cells.push_back(run.id);
    const std::string limit = run.setting("run.iterations");
    t.cells.push_back(fmt::format("{}{}", run.iterations.value_or(0), limit == "0" || limit == "-" ? "" : "/" + limit));
    std::error_code gone;
    when.cells.push_back(since(fs::last_write_time(run.file, gone)));
    losses.push_back(sample_of(collect_values({&run}, "final/average_loss")));
  }
  Table table;
  table.columns.push_back(std::move(id));
  for (Column& axis : axis_columns(seen.axes, rows)) axis.rank = std::max(axis.rank, 2), table.columns.push_back(std::move(axis));
  table.columns.push_back(std::move(t));
  if (std::ranges::any_of(losses, [](const Sample& s) { return s.count > 0; })) table.columns.push_back({in_unit(seen, "average loss", "final/average_loss"), sample_cells(losses), false, 2});
  table.columns.push_back(std::move(when));
  page.table(std::move(table));
}

void show_folder_notes(const Survey& seen, Page& page) {
  if (!seen.in_progress.empty()) page.paragraph(fmt::format("in progress: {}", some(seen.in_progress)));
  if (!seen.abandoned.empty())
    page.paragraph(fmt::format("stopped before the end (the same command goes on): {}", some(seen.abandoned)));
  if (!seen.saved.empty()) show_saved(seen, page);
  for (const FileLeftOut& file : seen.left_out) page.paragraph(fmt::format("left out {}: {}", file.file, file.reason));
}

}  // namespace

std::string show(const std::filesystem::path& file_or_folder, const ShowOptions& options) {
  const Survey seen = survey(file_or_folder);
  const Points points = points_of(seen);
  Page page(options.width);
  page.paragraph(title(seen, points, file_or_folder.string()));
  show_folder_notes(seen, page);
  if (seen.runs.empty()) return page.text();
  page.blank();
  show_runs(seen, points, page);
  show_bounds(seen, points, page);
  show_slow_down(points, page);
  return page.text();
}

}  // namespace qsweep
