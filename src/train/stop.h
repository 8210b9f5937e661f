#pragma once
#include <chrono>
#include <optional>
#include <string>

/// Requests to save and stop: SIGUSR1, SIGTERM, SIGINT, or a time limit. A signal is only remembered; runs look between iterations.
/// mpirun passes USR1 on to its ranks; on TERM and INT it gives them 2 seconds.
namespace qsweep {

class StopRequest {
 public:
  /// From here on signals are requests. A second INT ends the process at once.
  static void listen();
  /// limit: seconds from now.
  explicit StopRequest(std::optional<double> limit);

  bool made() const { return !reason().empty(); }
  /// "SIGUSR1", "--time-limit", or empty.
  std::string reason() const;

 private:
  std::optional<std::chrono::steady_clock::time_point> end_;
};

}  // namespace qsweep
