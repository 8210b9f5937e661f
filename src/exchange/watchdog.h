#pragma once
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

/// Ends a run in which a rank waits for others for ever: a peer that hangs, a network that is gone. A thread of its own looks on,
/// about once a second; it counts how often it looked, not the clock, so that a job that was suspended as a whole goes on.
namespace qsweep {

class Watchdog {
 public:
  /// limit: seconds that one operation may take; 0: for ever, and no thread. rank: of this process, for the message.
  Watchdog(double limit, int rank);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Seconds from QSWEEP_WATCHDOG, 1,800 where it is not set. ConfigError if it is no number of seconds.
  static double limit_from_environment();

  /// An operation of MPI begins. call and ranks must live until it ends. peer −1: all of them.
  void begin(const char* call, std::size_t bytes, int peer, const std::string& ranks);
  void end();

 private:
  void look_on();
  [[noreturn]] void give_up() const;

  double limit_;
  int rank_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ends_ = false;
  const char* call_ = nullptr;  ///< none: the rank works
  std::size_t bytes_ = 0;
  int peer_ = -1;
  const std::string* ranks_ = nullptr;
  unsigned long operation_ = 0;  ///< how many have begun
  std::thread thread_;
};

/// An operation under way, for a scope. Without a watchdog nothing happens.
class Watched {
 public:
  Watched(Watchdog* watchdog, const char* call, std::size_t bytes, int peer, const std::string& ranks) : watchdog_(watchdog) {
    if (watchdog_ != nullptr) watchdog_->begin(call, bytes, peer, ranks);
  }
  ~Watched() {
    if (watchdog_ != nullptr) watchdog_->end();
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 private:
  Watchdog* watchdog_;
};

}  // namespace qsweep
