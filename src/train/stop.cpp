#include "train/stop.h"

#include <csignal>

namespace qsweep {
namespace {

volatile std::sig_atomic_t received = 0;  // the one thing that a signal may touch

void remember(int number) { received = number; }

}  // namespace

void StopRequest::listen() {
  struct sigaction action {};
  action.sa_handler = remember;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // MPI and file calls go on
  for (const int number : {SIGUSR1, SIGTERM}) sigaction(number, &action, nullptr);
  action.sa_flags |= static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

StopRequest::StopRequest(std::optional<double> limit) {
  using Clock = std::chrono::steady_clock;
  if (limit) end_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(*limit));
}

std::string StopRequest::reason() const {
  switch (received) {
    case 0: break;
    case SIGUSR1: return "SIGUSR1";
    case SIGTERM: return "SIGTERM";
    default: return "SIGINT";
  }
  return end_ && std::chrono::steady_clock::now() >= *end_ ? "--time-limit" : "";
}

}  // namespace qsweep
