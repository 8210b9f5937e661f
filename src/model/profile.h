#pragma once
#include <chrono>
#include <string>
#include <vector>

/// Where the time of a network goes: seconds of each layer, forward and backward, over all passes since it was attached.
namespace qsweep {

struct LayerTime {
  std::string layer;  ///< "conv1", "pool1"
  double forward = 0, backward = 0;
};

class LayerProfile {
 public:
  /// A row for one more layer; returns its number.
  std::size_t add(std::string layer) {
    rows_.push_back({std::move(layer)});
    return rows_.size() - 1;
  }
  LayerTime& row(std::size_t number) { return rows_[number]; }
  const std::vector<LayerTime>& rows() const { return rows_; }

 private:
  std::vector<LayerTime> rows_;
};

/// Adds the time of its scope to *seconds; without a target the clock is not read.
class AddTime {
 public:
  explicit AddTime(double* seconds) : seconds_(seconds) {
    if (seconds_ != nullptr) begin_ = Clock::now();
  }
  ~AddTime() {
    if (seconds_ != nullptr) *seconds_ += std::chrono::duration<double>(Clock::now() - begin_).count();
  }
  AddTime(const AddTime&) = delete;
  AddTime& operator=(const AddTime&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double* seconds_;
  Clock::time_point begin_;
};

}  // namespace qsweep
