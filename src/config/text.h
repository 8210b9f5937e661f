#pragma once
#include <string>
#include <vector>

/// Small text tools of the configuration: numbers that survive a round trip, lists.
namespace qsweep {

double parse_real(const std::string& text);                ///< the whole text as a finite number; std::invalid_argument if it is none
std::vector<double> parse_reals(const std::string& text);  ///< numbers separated by spaces
std::string format_real(double value);                     ///< shortest text that reads back as the same double
/// "90", "55m", "1h30m", "2d": seconds, or numbers with the units s, m, h, d, the largest first; std::invalid_argument if it is none.
double parse_duration(const std::string& text);
std::string trim(const std::string& text);
std::string shortened(const std::string& text);  ///< as a message quotes it: at most 80 characters, then "…"
/// What keeps it from being a line of text: the first byte that is a control character or not UTF-8, as "byte 0x00 in column 7"; empty if nothing does.
std::string what_is_no_text(const std::string& line);
std::vector<std::string> split(const std::string& text, char separator);  ///< items trimmed
std::vector<std::string> split_words(const std::string& text);            ///< at white space
/// `text` broken at spaces into lines of at most `width`, each indented; a longer word has a line of its own.
std::string wrapped(const std::string& text, std::size_t indent, std::size_t width);

}  // namespace qsweep
