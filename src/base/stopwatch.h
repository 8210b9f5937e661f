#pragma once
#include <array>
#include <chrono>
#include <cstddef>

/// Where a run's time goes. Phases are exclusive: entering one leaves the other, so they sum to the total.
namespace qsweep {

enum class Phase : std::size_t { compute, quantize, exchange, update, evaluate, output };
inline constexpr std::size_t phases = 6;
inline constexpr std::array<const char*, phases> phase_names = {"compute", "quantize", "exchange", "update", "evaluate", "output"};

class Stopwatch {
 public:
  using Clock = std::chrono::steady_clock;

  /// From here on time counts for `phase`; returns the phase before.
  Phase enter(Phase phase) {
    const Clock::time_point now = Clock::now();
    seconds_[static_cast<std::size_t>(phase_)] += std::chrono::duration<double>(now - since_).count();
    since_ = now;
    const Phase before = phase_;
    phase_ = phase;
    return before;
  }
  const std::array<double, phases>& seconds() const { return seconds_; }  ///< by phase, up to the last change

 private:
  std::array<double, phases> seconds_{};
  Phase phase_ = Phase::output;  // what belongs to no other phase
  Clock::time_point since_ = Clock::now();
};

/// Time of this scope counts for `phase`, afterwards for the phase before.
class Timed {
 public:
  Timed(Stopwatch& watch, Phase phase) : watch_(watch), before_(watch.enter(phase)) {}
  ~Timed() { watch_.enter(before_); }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  Stopwatch& watch_;
  Phase before_;
};

}  // namespace qsweep
