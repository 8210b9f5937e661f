#pragma once
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

/// Tables for a terminal, never wider than asked for, and the texts of the numbers in them.
namespace qsweep {

// ---- Numbers

/// Sample of a quantity: mean x̄ = Σx/n and standard deviation √(Σ(x−x̄)²/(n−1)), 0 for n = 1.
struct Sample {
  std::size_t count = 0;
  double mean = 0, spread = 0;
};
Sample sample_of(std::span<const double> values);

/// `digits` significant ones, plain between 1e-4 and 1e6, else as 1.234e-07; "nan", "inf" if it is that.
std::string significant(double value, int digits);

/// As many digits as the spread deserves: the spread has two significant ones (or is whole), the mean the same decimals. Without a
/// spread (n = 1, or all equal) the mean has four significant ones.
struct SampleText {
  std::string mean, spread;  ///< spread empty for n = 1
};
SampleText text_of(const Sample&);

/// Pads so that all texts have one width and their decimal points (of whole numbers: their ends) stand below each other. Empty ones
/// become blank.
void align_decimals(std::vector<std::string>& texts);

// ---- Text

/// Characters on a terminal: UTF-8 code points, none of them wide.
std::size_t width_of(const std::string& text);

/// Lines of at most `width` > 0 characters, broken at spaces, with `inside_words` also after - _ / ( and, where a word is too
/// long, anywhere.
std::vector<std::string> wrap(const std::string& text, std::size_t width, bool inside_words = false);

// ---- Tables

/// Rank of a column whose content the text around the table says too: not among those reported as left out.
inline constexpr int said_elsewhere = 10;

struct Column {
  std::string heading;             ///< wrapped to what the cells need
  std::vector<std::string> cells;  ///< one for each row
  bool words = false;              ///< aligned left and wrapped where room is short; else aligned right
  int rank = 0;                    ///< the smaller, the sooner it gets room; 0 and 1: always, 1 unless even that is too much
};

struct Table {
  std::vector<Column> columns;
  std::map<std::size_t, std::string> remarks = {};  ///< by row, after its last cell that is not blank
};

/// Lines of at most `width` characters. Columns of rank 2 and more are left out where there is no room; if that does not do,
/// columns of words are wrapped, then those of rank 1 left out, and as a last resort lines are cut. `left_out` gets the headings of
/// the columns that went.
std::string layout(Table, std::size_t width, std::vector<std::string>& left_out);

}  // namespace qsweep
