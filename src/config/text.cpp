#include "config/text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <sstream>
#include <stdexcept>

namespace qsweep {

double parse_real(const std::string& text) {
  const std::string bare = text.starts_with('+') ? text.substr(1) : text;
  double value = 0;
  const auto [end, error] = std::from_chars(bare.data(), bare.data() + bare.size(), value);
  if (error != std::errc{} || end != bare.data() + bare.size() || !std::isfinite(value)) throw std::invalid_argument(text);
  return value;
}

std::vector<double> parse_reals(const std::string& text) {
  std::vector<double> values;
  for (const std::string& word : split_words(text)) values.push_back(parse_real(word));
  return values;
}

std::string format_real(double value) { return fmt::format("{}", value == 0 ? 0.0 : value); }

double parse_duration(const std::string& text) {
  if (text.find_first_of("smhd") == std::string::npos) return parse_real(text);
  double seconds = 0, largest = INFINITY;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find_first_of("smhd", begin);
    if (end == std::string::npos) throw std::invalid_argument(text);
    const double unit = text[end] == 's' ? 1 : text[end] == 'm' ? 60 : text[end] == 'h' ? 3600 : 86400;
    const double number = parse_real(text.substr(begin, end - begin));
    if (!(unit < largest) || number < 0) throw std::invalid_argument(text);
    seconds += unit * number;
    largest = unit;
    begin = end + 1;
  }
  return seconds;
}

std::string trim(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string shortened(const std::string& text) {
  constexpr std::size_t most = 80;
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && characters++ == most) return text.substr(0, i) + "…";
  return text;
}

std::string what_is_no_text(const std::string& line) {
  const auto byte = [&](std::size_t i) { return i < line.size() ? static_cast<unsigned char>(line[i]) : 0U; };
  std::size_t column = 1;
  for (std::size_t i = 0; i < line.size(); ++column) {
    const unsigned first = byte(i);
    const std::size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    bool sound = length > 0 && (first >= 32 || first == '\t') && first != 127;
    for (std::size_t k = 1; k < length; ++k) sound &= (byte(i + k) & 0xC0U) == 0x80;
    // Longer than needed, or half of a UTF-16 pair, or beyond the last character.
    sound &= !(first == 0xE0 && byte(i + 1) < 0xA0) && !(first == 0xED && byte(i + 1) > 0x9F) && !(first == 0xF0 && byte(i + 1) < 0x90) && !(first == 0xF4 && byte(i + 1) > 0x8F);
    if (!sound) return fmt::format("byte {:#04x} in column {}", first, column);
    i += length;
  }
  return "";
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> items;
  std::size_t begin = 0;
  for (std::size_t end = text.find(separator); end != std::string::npos; begin = end + 1, end = text.find(separator, begin))
    items.push_back(trim(text.substr(begin, end - begin)));
  items.push_back(trim(text.substr(begin)));
  return items;
}

std::vector<std::string> split_words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::string wrapped(const std::string& text, std::size_t indent, std::size_t width) {
  std::string out, line;
  for (const std::string& word : split_words(text)) {
    if (!line.empty() && indent + line.size() + 1 + word.size() > width) {
      out += std::string(indent, ' ') + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + std::string(indent, ' ') + line + "\n";
}

}  // namespace qsweep
