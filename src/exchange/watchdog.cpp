#include "exchange/watchdog.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/errors.h"

namespace qsweep {

Watchdog::Watchdog(double limit, int rank) : limit_(limit), rank_(rank) {
  if (limit_ > 0) thread_ = std::thread([this] { look_on(); });
}

Watchdog::~Watchdog() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

double Watchdog::limit_from_environment() {
  constexpr double default_limit = 1800;
  const char* text = std::getenv("QSWEEP_WATCHDOG");
  if (text == nullptr) return default_limit;
  char* end = nullptr;
  const double limit = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(limit >= 0 && limit <= 1e9))
    throw ConfigError(fmt::format("environment: QSWEEP_WATCHDOG = {}: allowed: seconds, 0 = never", text));
  return limit;
}

void Watchdog::begin(const char* call, std::size_t bytes, int peer, const std::string& ranks) {
  if (!thread_.joinable()) return;
  const std::lock_guard lock(mutex_);
  call_ = call;
  bytes_ = bytes;
  peer_ = peer;
  ranks_ = &ranks;
  ++operation_;
}

void Watchdog::end() {
  if (!thread_.joinable()) return;
  const std::lock_guard lock(mutex_);
  call_ = nullptr;
}

void Watchdog::look_on() {
  const std::chrono::duration<double> interval(std::min(1.0, limit_ / 10));
  unsigned long seen = 0;
  double waited = 0;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval, [&] { return ends_; })) {
    waited = call_ != nullptr && operation_ == seen ? waited + interval.count() : 0;
    seen = operation_;
    if (waited >= limit_) give_up();
  }
}

/// The other threads may be anywhere inside MPI: no call of MPI here. mpirun ends the other ranks when one leaves with an error.
void Watchdog::give_up() const {
  const std::string with = peer_ >= 0 ? fmt::format("with rank {} of ranks {}", peer_, *ranks_) : fmt::format("with ranks {}", *ranks_);
  const std::string message = fmt::format(
      "qsweep: rank {}: {} of {} bytes {} has not ended after {:g} s.\n"
      "  A rank hangs, or the network does: ranks that only wait say so like this one,\n"
      "  the one that says nothing is to blame. All ranks end; what was saved stays.\n"
      "  (QSWEEP_WATCHDOG = seconds to wait, 0 = for ever)\n",
      rank_, call_, bytes_, with, limit_);
  [[maybe_unused]] const auto written = write(STDERR_FILENO, message.data(), message.size());
  std::this_thread::sleep_for(std::chrono::seconds(1));  // for the others that wait to say so
  _exit(1);
}

}  // namespace qsweep
