#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "results/record.h"
#include "train/archive.h"

/// Which iterations become points of the curves, and the points themselves.
///   interval given: t = 1, 1 + interval, …;  auto: the smallest interval that gives at most 2,000 points; if T is not known
///   beforehand, the interval doubles and every second point is dropped whenever 2,000 are reached. The last iteration always.
namespace qsweep {

class Recorder {
 public:
  static constexpr std::size_t most_points = 2000;

  /// interval 0 = auto; iterations 0 = not known.
  Recorder(std::uint64_t interval, std::uint64_t iterations);

  std::uint64_t interval() const { return interval_; }
  bool wants(std::uint64_t iteration, bool last) const { return last || (iteration - 1) % interval_ == 0; }
  /// Begins the point of an iteration; then each curve gets its value or its row.
  void begin(std::uint64_t iteration);
  void add(const std::string& curve, double value) { add(curve, std::vector<double>{value}); }
  void add(const std::string& curve, const std::vector<double>& row);
  /// Describes a curve before its first value: unit and label.
  void describe(const std::string& curve, const std::string& unit, const std::string& long_name) { labels_[curve] = {unit, long_name}; }

  const std::vector<std::int64_t>& iterations() const { return iterations_; }
  std::size_t points() const { return iterations_.size(); }
  const std::vector<double>& values(const std::string& curve) const { return curves_.at(curve); }
  /// Curves as datasets below `group`, and the iterations they share.
  void write(const std::string& group, const std::vector<std::string>& which, Record& record) const;
  void write_index(const std::string& path, Record& record) const;
  std::vector<std::string> curves() const;
  void state(Archive& archive, const std::string& group = "curves");

 private:
  struct Label {
    std::string unit, long_name;
  };
  void thin();

  bool thinning_;
  std::uint64_t interval_;
  std::vector<std::int64_t> iterations_;
  std::vector<std::string> order_;
  std::map<std::string, std::vector<double>> curves_;
  std::map<std::string, std::size_t> columns_;
  std::map<std::string, Label> labels_;
};

}  // namespace qsweep
