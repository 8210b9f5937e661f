#include "train/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/text.h"
#include "train/cost.h"
#include "train/method.h"
#include "train/progress.h"
#include "train/sweep.h"

namespace qsweep {
namespace {

/// Columns of text of one width each; a table that would be too wide loses columns from the middle.
struct Table {
  std::vector<std::string> headings;
  std::vector<std::vector<std::string>> rows;
};

std::string render(Table table, int columns, std::size_t keep_last) {
  std::vector<std::size_t> widths(table.headings.size());
  for (std::size_t c = 0; c < widths.size(); ++c) {
    widths[c] = table.headings[c].size();
    for (const auto& row : table.rows) widths[c] = std::max(widths[c], row[c].size());
  }
  std::vector<bool> shown(widths.size(), true);
  const auto total = [&] {
    std::size_t sum = 0;
    for (std::size_t c = 0; c < widths.size(); ++c) sum += shown[c] ? widths[c] + 2 : 0;
    return sum;
  };
  std::string left_out;
  for (std::size_t c = widths.size() - keep_last; c-- > 1 && total() > static_cast<std::size_t>(columns) + 2;) {
    shown[c] = false;
    left_out = table.headings[c] + (left_out.empty() ? "" : ", ") + left_out;
  }
  std::string text;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string row;
    for (std::size_t c = 0; c < cells.size(); ++c)
      if (shown[c]) row += fmt::format("{:>{}}  ", cells[c], widths[c]);
    text += row.substr(0, row.find_last_not_of(' ') + 1) + "\n";
  };
  line(table.headings);
  for (const auto& row : table.rows) line(row);
  if (!left_out.empty()) text += wrapped(fmt::format("(left out for width: {})", left_out), 0, static_cast<std::size_t>(columns));
  return text;
}

/// "model.dimension" -> "dimension", "weights.quantizer" -> "weights": what tells the axes of one grid apart in little room.
std::string short_name(const std::string& key) {
  const auto dot = key.find('.');
  const std::string last = key.substr(dot + 1);
  return last == "quantizer" || last == "kind" || last == "set" ? key.substr(0, dot) : last;
}

std::string memory_text(double bytes) { return bytes < 1e9 ? fmt::format("{:.0f} MB", bytes / 1e6) : fmt::format("{:.1f} GB", bytes / 1e9); }

}  // namespace

std::string plan_text(const Grid& grid, int ranks, int shard, int shards, int columns) {
  std::vector<std::uint32_t> order = claim_order(grid, shard, shards);
  std::ranges::sort(order);  // as in the experiment file
  std::vector<std::string> axes = grid.axes();
  Table table{{"id"}, {}};
  for (const std::string& axis : axes) table.headings.push_back(short_name(axis));
  for (const char* heading : {"iterations", "memory/rank", "core time"}) table.headings.emplace_back(heading);
  std::size_t most_parts = 1, memory = 0;
  double total = 0, longest = 0;
  bool open_ended = false;
  for (const std::uint32_t i : order) {
    const RunPlan& run = grid.runs()[i];
    const Settings s = grid.settings(run);
    most_parts = std::max(most_parts, method_of(s).parts(s));
  }
  const int team = automatic_team_size(ranks, order.size(), most_parts);
  for (const std::uint32_t i : order) {
    const RunPlan& run = grid.runs()[i];
    const Settings s = grid.settings(run);
    const std::size_t parts = method_of(s).parts(s), carried = (parts + static_cast<std::size_t>(team) - 1) / static_cast<std::size_t>(team);
    const Cost cost = estimate(s, carried);
    std::vector<std::string> row{run.id};
    for (const std::string& axis : axes) row.push_back(s.point.at(axis));
    row.push_back(cost.iterations == 0 ? std::string(s.method == "direct_compression" ? "0" : "by patience") : fmt::format("{}{}", s.run.patience != 0 ? "<=" : "", cost.iterations));
    row.push_back(memory_text(static_cast<double>(cost.bytes_per_rank)));
    row.push_back(duration_text(cost.core_seconds));
    table.rows.push_back(std::move(row));
    open_ended |= s.run.patience != 0;
    memory = std::max(memory, cost.bytes_per_rank);
    total += cost.core_seconds;
    longest = std::max(longest, cost.core_seconds / std::min<double>(team, static_cast<double>(parts)));
  }
  std::string text = render(std::move(table), columns, 3);
  const std::string totals = fmt::format("{} runs, {} core time{}; on {} rank{}: teams of {}, about {}, up to {} per rank", order.size(), duration_text(total),
                      open_ended ? " at most" : "", ranks, ranks == 1 ? "" : "s", team, duration_text(std::max(longest, total / ranks)), memory_text(static_cast<double>(memory)));
  text += wrapped(totals, 0, static_cast<std::size_t>(columns));
  text += "(estimates; a shared or older machine takes longer)\n";
  return text;
}

}  // namespace qsweep
