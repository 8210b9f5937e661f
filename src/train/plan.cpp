#include "train/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <ranges>
#include <set>
#include <tuple>

#include "base/errors.h"
#include "config/keys.h"
#include "config/text.h"
#include "data/files.h"
#include "data/images.h"
#include "train/cost.h"
#include "train/feed.h"
#include "train/method.h"
#include "train/progress.h"
#include "train/sweep.h"

namespace qsweep {
namespace {

struct Table {
  std::vector<std::string> headings;
  std::vector<std::vector<std::string>> rows;

  std::size_t width(std::size_t c) const {
    std::size_t width = headings[c].size();
    for (const auto& row : rows) width = std::max(width, row[c].size());
    return width;
  }
  /// Whether more than one row has one value.
  bool constant(std::size_t c) const {
    return rows.size() > 1 && std::ranges::all_of(rows, [&](const auto& row) { return row[c] == rows.front()[c]; });
  }
  /// Whether the value of another column decides this one's.
  bool follows(std::size_t c, std::size_t other) const {
    std::map<std::string, std::string> decided;
    return std::ranges::all_of(rows, [&](const auto& row) { return decided.try_emplace(row[other], row[c]).first->second == row[c]; });
  }
};

/// A table that would be too wide loses columns until it fits: first those of one value, which is told below; then memory and
/// iterations, the second and third from last; then axes that go with another one, the widest first; then axes from the last on.
/// The first column and the last remain.
std::string render(const Table& table, int columns) {
  const std::size_t count = table.headings.size();
  std::vector<std::size_t> widths(count), axes;
  for (std::size_t c = 0; c < count; ++c) widths[c] = table.width(c);
  for (std::size_t c = 1; c + 3 < count; ++c) axes.push_back(c);
  std::vector<bool> shown(count, true);
  std::size_t total = std::accumulate(widths.begin(), widths.end(), 2 * count);
  const auto too_wide = [&] { return total > static_cast<std::size_t>(columns) + 2; };
  const auto hide = [&](std::size_t c) {
    if (shown[c]) total -= widths[c] + 2;
    shown[c] = false;
  };
  std::vector<std::string> same, left_out;
  for (std::size_t c = 1; c + 1 < count; ++c)
    if (too_wide() && table.constant(c)) {
      hide(c);
      same.push_back(table.headings[c] + " " + table.rows.front()[c]);
    }
  const std::vector<bool> varies = shown;
  for (const std::size_t c : {count - 2, count - 3})
    if (too_wide()) hide(c);
  std::vector<std::size_t> widest_first = axes;
  std::ranges::stable_sort(widest_first, std::greater(), [&](std::size_t c) { return widths[c]; });
  for (const std::size_t c : widest_first)
    if (too_wide() && shown[c] && std::ranges::any_of(axes, [&](std::size_t other) { return other != c && shown[other] && table.follows(c, other); })) hide(c);
  for (const std::size_t c : std::views::reverse(axes))
    if (too_wide()) hide(c);
  for (std::size_t c = 1; c + 1 < count; ++c)
    if (varies[c] && !shown[c]) left_out.push_back(table.headings[c]);
  std::string text;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string row;
    for (std::size_t c = 0; c < cells.size(); ++c)
      if (shown[c]) row += fmt::format("{:>{}}  ", cells[c], widths[c]);
    text += row.substr(0, row.find_last_not_of(' ') + 1) + "\n";
  };
  line(table.headings);
  for (const auto& row : table.rows) line(row);
  const auto paragraph = [&](const std::string& words) { text += wrapped(words, 0, static_cast<std::size_t>(columns)); };
  if (!same.empty()) paragraph(fmt::format("the same for every run: {}", fmt::join(same, ", ")));
  if (!left_out.empty()) paragraph(fmt::format("(left out for width: {}; a wider terminal or COLUMNS=160 shows more)", fmt::join(left_out, ", ")));
  return text;
}

std::string memory_text(double bytes) { return bytes < 1e9 ? fmt::format("{:.0f} MB", bytes / 1e6) : fmt::format("{:.1f} GB", bytes / 1e9); }

/// What a run reads: data.set, data.dir, training samples.
using Images = std::tuple<std::string, std::string, std::size_t>;

/// What `run` would say of data files that are not there, each once.
std::set<std::string> missing_data(const std::set<Images>& needed) {
  std::set<std::string> messages;
  for (const auto& [set, dir, samples] : needed) try {
      expect_files(image_set(set), data_directory(dir), samples);
    } catch (const DataError& error) {
      messages.insert(error.what());
    }
  return messages;
}

}  // namespace

std::string plan_text(const Grid& grid, int ranks, int shard, int shards, int columns) {
  std::vector<std::uint32_t> order = claim_order(grid, shard, shards);
  std::ranges::sort(order);  // as in the experiment file
  std::vector<std::string> axes = grid.axes();
  std::erase(axes, "run.iterations");  // which every plan shows
  Table table{{"id"}, {}};
  for (const std::string& axis : axes) table.headings.push_back(short_name(axis));
  for (const char* heading : {"iterations", "memory/rank", "core time"}) table.headings.emplace_back(heading);
  std::size_t most_parts = 1, memory = 0;
  double total = 0, longest = 0;
  bool open_ended = false;
  std::set<Images> images;
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
    row.push_back(cost.core_seconds < 1 ? "<1 s" : duration_text(cost.core_seconds));
    table.rows.push_back(std::move(row));
    open_ended |= s.run.patience != 0;
    memory = std::max(memory, cost.bytes_per_rank);
    total += cost.core_seconds;
    if (!s.data.none() && !s.data.synthetic_linear()) images.emplace(s.data.set, s.data.dir, training_samples(s));
    longest = std::max(longest, cost.core_seconds / std::min<double>(team, static_cast<double>(parts)));
  }
  if (order.empty()) return fmt::format("shard {}/{} of {} runs is empty\n", shard, shards, grid.runs().size());
  std::string text = render(table, columns);
  const std::string totals = fmt::format("{} run{}, {} core time{}; on {} rank{}: teams of {}, about {}, up to {} per rank", order.size(), order.size() == 1 ? "" : "s", duration_text(total),
                      open_ended ? " at most" : "", ranks, ranks == 1 ? "" : "s", team, duration_text(std::max(longest, total / ranks)), memory_text(static_cast<double>(memory)));
  text += wrapped(totals, 0, static_cast<std::size_t>(columns));
  text += "(estimates; a shared or older machine takes longer)\n";
  for (const std::string& message : missing_data(images)) text += wrapped("as it is here, `run` would stop at once: " + message, 0, static_cast<std::size_t>(columns));
  return text;
}

}  // namespace qsweep
