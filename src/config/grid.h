#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/experiment.h"
#include "config/settings.h"

/// The grid of an experiment: the union of its products, equal runs merged, references included and ordered by dependency.
namespace qsweep {

/// One run of the grid. Small on purpose: settings are made when needed (Grid::settings), a grid may hold many thousands.
struct RunPlan {
  std::string id;                                ///< 16 hex digits, results file DIR/NAME/<id>.h5
  std::uint32_t product = 0;                     ///< which product of axes
  std::vector<std::uint16_t> choice;             ///< which value on each of its axes
  std::uint8_t depth = 0;                        ///< 0: a point of the grid; 1: the reference of one; 2: that one's reference
  bool is_reference() const { return depth > 0; }
  std::optional<std::uint32_t> reference;        ///< index of the run it starts from, always smaller than its own
};

class Grid {
 public:
  static constexpr std::size_t most_points = 65'535;
  /// content_hash: hash of a file named by model.initial (its content, not its name, is part of the run id).
  /// ConfigError for impossible combinations, for keys without meaning anywhere, and for more than most_points.
  Grid(const Experiment& experiment, const std::function<std::string(const std::string& file)>& content_hash);

  const std::string& name() const { return name_; }
  const std::vector<RunPlan>& runs() const { return runs_; }
  std::vector<std::string> axes() const;              ///< keys with more than one effective value ("-" and a reference's id are none: other keys decide them)
  Settings settings(const RunPlan& run) const;        ///< effective settings; those of a dependant start from its reference
  std::string effective_text() const;                 ///< the whole experiment as an INI file, every key

 private:
  struct Axis {                                       ///< one or several zipped keys and their values, side by side
    std::vector<std::string> keys;
    std::vector<std::vector<std::string>> values;     ///< [position][key]
  };
  struct Product {
    Point fixed;                                      ///< keys with one value
    std::vector<Axis> axes;
    std::vector<Point> references;                    ///< overrides of a point's reference, then of that one's reference; mostly none or one
  };
  void add_product(const Experiment&, const Section* sweep);
  void require_few_points(const Experiment&, const Product&);
  void add_references(const Experiment&, const std::vector<Assignment>& of_sweep, Product&) const;
  void expand(std::uint32_t product, const Experiment&, const std::function<std::string(const std::string&)>& content_hash);
  Point given(const RunPlan&) const;
  Point effective(const RunPlan&) const;
  void check(const RunPlan&, const Settings&, const Experiment&) const;
  const Assignment* blamed(const RunPlan&, const std::string& key, const Experiment&) const;
  void check_zips(const Experiment&) const;
  void check_meaning(const Experiment&) const;
  std::uint32_t add(RunPlan run, Point effective, const Experiment&, const std::function<std::string(const std::string&)>& content_hash);

  std::string name_;
  Experiment experiment_;
  std::vector<Product> products_;
  std::size_t points_ = 0;                            ///< of all products, equal ones not yet merged
  std::vector<RunPlan> runs_;
  std::vector<std::pair<std::string, std::uint32_t>> by_id_;  ///< sorted
};

}  // namespace qsweep
