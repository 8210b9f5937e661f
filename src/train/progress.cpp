#include "train/progress.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace qsweep {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int progress_tag = 31;
constexpr double tell_every = 0.2, show_every = 0.2, plain_every = 30;  // seconds

double since(Clock::time_point then) { return std::chrono::duration<double>(Clock::now() - then).count(); }

/// Where our stderr ends. Under mpirun it is a pipe to mpirun, whose own stderr is what the user looks at.
std::string final_stderr() {
  const std::string process = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr ? std::to_string(getppid()) : "self";
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/" + process + "/fd/2", failed).string();
}

bool is_terminal(const std::string& device) { return device.starts_with("/dev/pts/") || device.starts_with("/dev/tty"); }

int terminal_width() {
  winsize size{};
  const int terminal = ::open(final_stderr().c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC);
  const bool known = terminal >= 0 && ::ioctl(terminal, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  if (terminal >= 0) ::close(terminal);
  return known ? size.ws_col : 80;
}

}  // namespace

std::string duration_text(double seconds) {
  if (seconds < 99.5) return fmt::format("{:.0f} s", seconds);
  if (seconds < 99.5 * 60) return fmt::format("{:.0f} min", seconds / 60);
  return seconds < 48 * 3600 ? fmt::format("{:.1f} h", seconds / 3600) : fmt::format("{:.1f} days", seconds / 86400);
}

ProgressBoard::ProgressBoard(const Team& world, int team, int teams, std::size_t runs, double cost)
    : world_(world), shows_(world.is_root()), terminal_(is_terminal(final_stderr())), runs_(runs), cost_(cost), sending_(world), start_(Clock::now()), told_(start_), shown_(start_) {
  mine_.team = team;
  if (shows_) teams_.resize(static_cast<std::size_t>(teams));
}

void ProgressBoard::update(std::uint64_t iteration, std::uint64_t iterations, double loss, double run_cost) {
  mine_.iteration = iteration;
  mine_.iterations = iterations;
  mine_.loss = loss;
  if ((iteration & 15U) != 0 || since(told_) < tell_every) return;
  mine_.cost_done = finished_cost_ + (iterations == 0 ? 0 : run_cost * static_cast<double>(iteration) / static_cast<double>(iterations));
  tell();
}

void ProgressBoard::run_done(double run_cost) {
  ++mine_.runs_done;
  finished_cost_ += run_cost;
  mine_.cost_done = finished_cost_;
  tell();
}

void ProgressBoard::note(const std::string& text) const {
  fmt::print(stderr, "{}{}\n", terminal_ ? "\r\033[K" : "", text);
  std::fflush(stderr);
}

void ProgressBoard::tell() {
  told_ = Clock::now();
  if (!shows_) return send();
  teams_[static_cast<std::size_t>(mine_.team)] = mine_;
  collect();
  show(false);
}

/// World rank 0 may be busy for minutes. Until it has taken the last message nothing is sent: the next tells all that this one would.
void ProgressBoard::send() {
  if (mine_.finished != 0) sending_.wait_all();
  if (!sending_.arrived()) return;
  sent_ = mine_;
  sending_.send(std::as_bytes(std::span(&sent_, 1)), 0, progress_tag);
  if (mine_.finished != 0) sending_.wait_all();
}

void ProgressBoard::idle() {
  if (!shows_) return;
  collect();
  show(false);
}

void ProgressBoard::collect() {
  Status status;
  while (world_.poll(std::as_writable_bytes(std::span(&status, 1)), progress_tag) >= 0) teams_[static_cast<std::size_t>(status.team)] = status;
}

void ProgressBoard::finish() {
  mine_.finished = 1;
  tell();
  if (!shows_) return;
  while (!std::ranges::all_of(teams_, [](const Status& s) { return s.finished != 0; })) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    collect();
    show(false);
  }
  show(true);
}

std::string ProgressBoard::line(int width) const {
  std::int64_t done = 0;
  double cost = 0;
  const Status* leading = nullptr;  // the team shown by name: the one furthest from its end
  for (const Status& s : teams_) {
    done += s.runs_done;
    cost += s.cost_done;
    if (s.finished == 0 && s.iteration > 0 && (leading == nullptr || s.iteration < leading->iteration)) leading = &s;
  }
  const double share = cost_ > 0 ? std::min(1.0, cost / cost_) : 1;
  std::string text = fmt::format("{}/{} runs", done, runs_);
  if (leading != nullptr) {
    text += fmt::format("  t = {}", leading->iteration);
    if (leading->iterations != 0) text += fmt::format("/{}", leading->iterations);
    text += fmt::format("  loss {:.4g}", leading->loss);
  }
  if (share > 0.005 && share < 1) text += fmt::format("  {} left", duration_text(since(start_) * (1 - share) / share));
  const int bar = std::clamp(width - static_cast<int>(text.size()) - 4, 0, 24);
  if (!terminal_ || bar < 6) return text;
  const int full = static_cast<int>(share * bar);
  return fmt::format("[{}{}] {}", std::string(static_cast<std::size_t>(full), '#'), std::string(static_cast<std::size_t>(bar - full), '.'), text).substr(0, static_cast<std::size_t>(width - 1));
}

void ProgressBoard::show(bool last) {
  if (terminal_ ? !last && since(shown_) < show_every : since(shown_) < plain_every) return;
  shown_ = Clock::now();
  if (terminal_) fmt::print(stderr, "\r\033[K{}{}", last ? "" : line(terminal_width()), "");
  else fmt::print(stderr, "{}: {}\n", duration_text(since(start_)), line(132));
  std::fflush(stderr);
}

}  // namespace qsweep
