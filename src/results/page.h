#pragma once
#include <string>
#include <vector>

#include "results/survey.h"
#include "results/table.h"

/// What the tables of `qsweep show` have in common.
namespace qsweep {

using Runs = std::vector<const RunSummary*>;

/// Text as it is made up, no line wider than the terminal; control characters become question marks.
class Page {
 public:
  explicit Page(int width);  ///< 0: no limit
  void paragraph(const std::string& text);
  void blank() { text_ += "\n"; }
  void table(Table);  ///< names the columns for which there is no room
  const std::string& text() const { return text_; }

 private:
  std::size_t width_;
  std::string text_;
};

/// The values of one dataset in all runs that have it.
std::vector<double> collect_values(const Runs&, const std::string& dataset);
/// "mean ± spread", aligned over the rows; blank for empty samples.
std::vector<std::string> sample_cells(const std::vector<Sample>&);
/// The heading with the dataset's unit in brackets, unless dimensionless.
std::string in_unit(const Survey&, const std::string& heading, const std::string& dataset);
std::string plural(std::size_t count, const std::string& noun);

}  // namespace qsweep
