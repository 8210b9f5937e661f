#include "results/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace qsweep {

namespace {

std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 32 || c == 127; }, '?');
  return text;
}

}  // namespace

Page::Page(int width) : width_(width > 0 ? static_cast<std::size_t>(width) : std::numeric_limits<std::size_t>::max() / 2) {}

void Page::paragraph(const std::string& text) {
  for (const std::string& line : wrap(printable(text), width_)) text_ += line + "\n";
}

void Page::table(Table table) {
  for (Column& column : table.columns) {
    column.heading = printable(column.heading);
    for (std::string& cell : column.cells) cell = printable(cell);
  }
  std::vector<std::string> left_out;
  text_ += layout(std::move(table), width_, left_out);
  if (left_out.empty()) return;
  paragraph(fmt::format("left out for want of room: {}; a wider terminal or COLUMNS={} shows more", fmt::join(left_out, ", "),
                        2 * width_));
}

std::vector<double> collect_values(const Runs& runs, const std::string& dataset) {
  std::vector<double> values;
  for (const RunSummary* run : runs)
    if (const auto found = run->last.find(dataset); found != run->last.end())
      values.insert(values.end(), found->second.begin(), found->second.end());
  return values;
}

std::string in_unit(const Survey& seen, const std::string& heading, const std::string& dataset) {
  const auto unit = seen.units.find(dataset);
  if (unit == seen.units.end() || unit->second == "1" || heading.ends_with(unit->second)) return heading;  // "average loss", not "… [loss]"
  return heading + " [" + unit->second + "]";
}

/// "mean ± spread", aligned over the rows; blank where there is nothing.
std::vector<std::string> sample_cells(const std::vector<Sample>& samples) {
  std::vector<std::string> means, spreads;
  bool any_spread = false;
  for (const Sample& sample : samples) {
    const SampleText text = sample.count > 0 ? text_of(sample) : SampleText{};
    means.push_back(text.mean);
    spreads.push_back(text.spread);
    any_spread |= !text.spread.empty();
  }
  align_decimals(means);
  if (!any_spread) return means;
  std::vector<std::string> cells;
  const std::vector<std::string> given = spreads;
  align_decimals(spreads);
  for (std::size_t row = 0; row < means.size(); ++row)
    cells.push_back(means[row] + (given[row].empty() ? "   " : " ± ") + spreads[row]);
  return cells;
}

std::string plural(std::size_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace qsweep
