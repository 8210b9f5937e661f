#include "train/recorder.h"

#include <algorithm>

namespace qsweep {

Recorder::Recorder(std::uint64_t interval, std::uint64_t iterations)
    : thinning_(interval == 0 && iterations == 0), interval_(interval != 0 ? interval : std::max<std::uint64_t>(1, (iterations + most_points - 2) / (most_points - 1))) {}

void Recorder::begin(std::uint64_t iteration) {
  if (thinning_ && iterations_.size() + 2 >= most_points) thin();
  iterations_.push_back(static_cast<std::int64_t>(iteration));
}

void Recorder::add(const std::string& curve, const std::vector<double>& row) {
  if (!curves_.contains(curve)) {
    order_.push_back(curve);
    columns_[curve] = row.size();
  }
  std::vector<double>& values = curves_[curve];
  values.insert(values.end(), row.begin(), row.end());
}

void Recorder::thin() {
  interval_ *= 2;
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < iterations_.size(); ++i)
    if ((static_cast<std::uint64_t>(iterations_[i]) - 1) % interval_ == 0) kept.push_back(i);
  for (auto& [name, values] : curves_) {
    const std::size_t columns = columns_[name];
    std::vector<double> thinned;
    for (const std::size_t i : kept) thinned.insert(thinned.end(), values.begin() + static_cast<std::ptrdiff_t>(i * columns), values.begin() + static_cast<std::ptrdiff_t>((i + 1) * columns));
    values = std::move(thinned);
  }
  std::vector<std::int64_t> iterations;
  for (const std::size_t i : kept) iterations.push_back(iterations_[i]);
  iterations_ = std::move(iterations);
}

void Recorder::state(Archive& archive, const std::string& group) {
  archive.shared(group + "/interval", interval_);
  archive.shared(group + "/iteration", iterations_);
  std::vector<std::int64_t> columns;
  for (const std::string& curve : order_) columns.push_back(static_cast<std::int64_t>(columns_[curve]));
  archive.of_root(group + "/names", order_);
  archive.of_root(group + "/columns", columns);
  if (columns.size() != order_.size()) return archive.refuse(group + "/columns", "are not those of the names");
  for (std::size_t i = 0; i < order_.size(); ++i) {
    std::vector<double>& values = curves_[order_[i]];
    archive.of_root(group + "/" + order_[i], values);
    columns_[order_[i]] = static_cast<std::size_t>(columns[i]);
    if (values.size() != iterations_.size() * columns_[order_[i]]) archive.refuse(group + "/" + order_[i], "has another number of points than the curves");
  }
}

std::vector<std::string> Recorder::curves() const { return order_; }

void Recorder::write(const std::string& group, const std::vector<std::string>& which, Record& record) const {
  for (const std::string& curve : which) {
    if (!curves_.contains(curve)) continue;
    const auto label = labels_.find(curve);
    const std::size_t columns = columns_.at(curve);
    std::vector<std::size_t> shape = {iterations_.size()};
    if (columns != 1) shape.push_back(columns);
    record.datasets.push_back({group + "/" + curve, label == labels_.end() ? "1" : label->second.unit, label == labels_.end() ? curve : label->second.long_name, shape, curves_.at(curve)});
  }
}

void Recorder::write_index(const std::string& path, Record& record) const {
  record.datasets.push_back({path, "1", "iteration", {iterations_.size()}, iterations_});
}

}  // namespace qsweep
