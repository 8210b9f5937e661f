#include "results/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace qsweep {

namespace {

constexpr std::size_t gap = 2;              // blanks between columns
constexpr std::size_t narrowest_words = 8;  // columns of words are not wrapped below this
constexpr int most_digits = 9;              // of a mean, however small its spread

/// Decimal exponent of the value once rounded to `digits` significant digits: 0.0996 with two is 0.10, so −1.
int exponent(double value, int digits) {
  if (value == 0) return 0;
  const std::string text = fmt::format("{:.{}e}", value, digits - 1);
  return std::stoi(text.substr(text.find('e') + 1));
}

bool plain(double value) { return value == 0 || (std::abs(value) >= 1e-4 && std::abs(value) < 1e6); }

std::string pad_left(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, width_of(text)), ' ') + text;
}
std::string pad_right(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, width_of(text)), ' ');
}

bool blank(const std::string& text) { return text.find_first_not_of(' ') == std::string::npos; }

/// Bytes of the first `characters` code points.
std::size_t bytes_of(const std::string& text, std::size_t characters) {
  std::size_t bytes = 0;
  for (; bytes < text.size(); ++bytes)
    if ((static_cast<unsigned char>(text[bytes]) & 0xC0) != 0x80 && characters-- == 0) break;
  return bytes;
}

std::string cut(std::string line, std::size_t width) {
  line.erase(line.find_last_not_of(' ') + 1);
  if (width_of(line) <= width) return line;
  return line.substr(0, bytes_of(line, width - 1)) + "…";
}

/// The pieces between which a line may be broken; blanks stay at the end of their piece.
std::vector<std::string> pieces_of(const std::string& text, bool inside_words) {
  std::vector<std::string> pieces(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    pieces.back() += text[i];
    const bool ends = text[i] == ' ' || (inside_words && std::string("-_/").find(text[i]) != std::string::npos);
    if (ends && i + 1 < text.size() && text[i + 1] != ' ') pieces.emplace_back();
  }
  return pieces;
}

/// What a column needs if its cells are not wrapped and no word of its heading is broken.
std::size_t natural_width(const Column& column) {
  std::size_t width = 1;
  for (const std::string& word : pieces_of(column.heading, false))
    width = std::max(width, width_of(word.substr(0, word.find(' '))));
  for (const std::string& cell : column.cells) width = std::max(width, width_of(cell));
  return width;
}

std::size_t total(const std::vector<std::size_t>& widths) {
  std::size_t sum = 0;
  for (const std::size_t width : widths) sum += width + gap;
  return sum - std::min(sum, gap);
}

void erase(std::vector<Column>& columns, std::vector<std::size_t>& widths, std::size_t which, std::vector<std::string>& left_out) {
  if (columns[which].rank != said_elsewhere) left_out.push_back(columns[which].heading);
  columns.erase(columns.begin() + static_cast<std::ptrdiff_t>(which));
  widths.erase(widths.begin() + static_cast<std::ptrdiff_t>(which));
}

/// Leaves out the columns of rank 2 and more that do not fit beside those of smaller rank.
void choose(std::vector<Column>& columns, std::vector<std::size_t>& widths, std::size_t width, std::vector<std::string>& left_out) {
  std::vector<std::size_t> order(columns.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return columns[a].rank < columns[b].rank; });
  std::vector<std::size_t> kept;
  std::vector<bool> keep(columns.size());
  for (const std::size_t i : order) {
    kept.push_back(widths[i]);
    keep[i] = columns[i].rank < 2 || total(kept) <= width;
    if (!keep[i]) kept.pop_back();
  }
  for (std::size_t i = columns.size(); i-- > 0;)
    if (!keep[i]) erase(columns, widths, i, left_out);
  std::reverse(left_out.begin(), left_out.end());
}

/// Leaves out and narrows columns until they fit, and returns their widths.
std::vector<std::size_t> fit(std::vector<Column>& columns, std::size_t width, std::vector<std::string>& left_out) {
  std::vector<std::size_t> widths;
  for (const Column& column : columns) widths.push_back(natural_width(column));
  choose(columns, widths, width, left_out);
  while (total(widths) > width) {
    std::size_t last = 0, widest = columns.size();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].rank >= columns[last].rank) last = i;
      const bool can_shrink = columns[i].words && widths[i] > narrowest_words;
      if (can_shrink && (widest == columns.size() || widths[i] > widths[widest])) widest = i;
    }
    if (widest < columns.size())
      --widths[widest];
    else if (columns[last].rank > 0)
      erase(columns, widths, last, left_out);
    else
      break;
  }
  return widths;
}

/// One row, headings or cells, as lines; headings end at the bottom, cells begin at the top.
std::string row_text(const std::vector<std::vector<std::string>>& cells, const std::vector<Column>& columns,
                     const std::vector<std::size_t>& widths, std::size_t width, bool at_bottom, const std::string& remark = "") {
  std::size_t height = 0, used = 0;
  for (std::size_t c = 0, begin = 0; c < cells.size(); begin += widths[c] + gap, ++c) {
    height = std::max(height, cells[c].size());
    for (const std::string& line : cells[c])
      if (!blank(line)) used = begin + widths[c];
  }
  const bool beside = used + gap + width_of(remark) <= width;
  std::string text;
  for (std::size_t line = 0; line < height; ++line) {
    std::string out;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const std::size_t skip = at_bottom ? height - cells[c].size() : 0;
      const std::string cell = line < skip || line - skip >= cells[c].size() ? "" : cells[c][line - skip];
      out += (c > 0 ? std::string(gap, ' ') : "") + (columns[c].words ? pad_right(cell, widths[c]) : pad_left(cell, widths[c]));
    }
    if (line == 0 && beside && !remark.empty()) out = out.substr(0, bytes_of(out, used)) + std::string(gap, ' ') + remark;
    text += cut(out, width) + "\n";
  }
  if (!beside && !remark.empty())
    for (const std::string& line : wrap(remark, width - std::min(width - 1, gap))) text += cut("  " + line, width) + "\n";
  return text;
}

}  // namespace

Sample sample_of(std::span<const double> values) {
  Sample sample{values.size(), 0, 0};
  if (values.empty()) return sample;
  for (const double x : values) sample.mean += x;
  sample.mean /= static_cast<double>(values.size());
  if (std::all_of(values.begin(), values.end(), [&](double x) { return x == values[0]; })) {
    sample.mean = values[0];  // without the rounding of the sum, which would look like a spread
    return sample;
  }
  double squares = 0;
  for (const double x : values) squares += (x - sample.mean) * (x - sample.mean);
  sample.spread = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return sample;
}

std::string significant(double value, int digits) {
  if (!std::isfinite(value)) return fmt::format("{}", value);
  if (value == 0) return "0";
  if (!plain(value)) return fmt::format("{:.{}e}", value, digits - 1);
  return fmt::format("{:.{}f}", value, std::max(0, digits - 1 - exponent(value, digits)));
}

SampleText text_of(const Sample& sample) {
  if (sample.count == 1) return {significant(sample.mean, 4), ""};
  if (sample.spread == 0 || !std::isfinite(sample.spread)) return {significant(sample.mean, 4), significant(sample.spread, 2)};
  const int above = exponent(sample.mean, 4) - exponent(sample.spread, 2);  // digits of the mean before the spread's first
  if (above + 2 > most_digits) return {significant(sample.mean, most_digits), fmt::format("{:.1e}", sample.spread)};
  if (plain(sample.mean) && plain(sample.spread)) {
    const int decimals = std::max(0, 1 - exponent(sample.spread, 2));
    return {fmt::format("{:.{}f}", sample.mean, decimals), fmt::format("{:.{}f}", sample.spread, decimals)};
  }
  return {fmt::format("{:.{}e}", sample.mean, std::max(0, above + 1)), fmt::format("{:.1e}", sample.spread)};
}

void align_decimals(std::vector<std::string>& texts) {
  std::size_t before = 0, after = 0;
  const auto point = [](const std::string& text) { return std::min(text.find('.'), text.size()); };
  for (const std::string& text : texts) {
    before = std::max(before, point(text));
    after = std::max(after, text.size() - point(text));
  }
  for (std::string& text : texts) text = pad_right(std::string(before - point(text), ' ') + text, before + after);
}

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::vector<std::string> wrap(const std::string& text, std::size_t width, bool inside_words) {
  std::vector<std::string> lines(1);
  const auto trimmed = [](std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  };
  for (std::string piece : pieces_of(text, inside_words)) {
    if (!lines.back().empty() && width_of(trimmed(lines.back() + piece)) > width) lines.emplace_back();
    while (width_of(trimmed(piece)) > width) {
      lines.back() = piece.substr(0, bytes_of(piece, width));
      piece.erase(0, lines.back().size());
      lines.emplace_back();
    }
    lines.back() += piece;
  }
  for (std::string& line : lines) line = trimmed(line);
  return lines;
}

std::string layout(Table table, std::size_t width, std::vector<std::string>& left_out) {
  std::vector<Column>& columns = table.columns;
  const std::vector<std::size_t> widths = fit(columns, width, left_out);
  std::vector<std::vector<std::string>> cells;
  for (std::size_t c = 0; c < columns.size(); ++c) cells.push_back(wrap(columns[c].heading, widths[c]));
  std::string text = row_text(cells, columns, widths, width, true);
  text += std::string(std::min(width, total(widths)), '-') + "\n";
  const std::size_t rows = columns.empty() ? 0 : columns.front().cells.size();
  for (std::size_t row = 0; row < rows; ++row) {
    cells.clear();
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const std::string& cell = columns[c].cells[row];
      cells.push_back(columns[c].words ? wrap(cell, widths[c], true) : std::vector<std::string>{cell});
    }
    const auto remark = table.remarks.find(row);
    text += row_text(cells, columns, widths, width, false, remark == table.remarks.end() ? "" : remark->second);
  }
  return text;
}

}  // namespace qsweep
