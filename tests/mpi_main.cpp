// main of the tests that run on several ranks: rank 0 reports as usual, the others tell failures only, prefixed "[rank p]"; all
// leave with the same verdict. A test that hangs is named by every rank that is stuck in it, and ends the job.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/cpu.h"
#include "exchange/communicator.h"
#include "model/blas.h"
#include "slowdown.h"

namespace {

constexpr unsigned longest_test = 90 * qsweep::test::slowdown;  // seconds; ctest itself ends the whole program a little later
std::array<char, 512> hang_message;    // made before the alarm: its handler may do next to nothing

void on_alarm(int) {
  const auto written = write(STDERR_FILENO, hang_message.data(), std::strlen(hang_message.data()));
  _exit(written < 0 ? 4 : 3);  // mpirun then ends the other ranks
}

void watch(int rank, const std::string& what) {
  const std::string text = fmt::format("[rank {}] HANG: {} has not ended after {} s\n", rank, what, longest_test);
  std::strncpy(hang_message.data(), text.c_str(), hang_message.size() - 1);
  alarm(longest_test);
}

class Watchdog final : public testing::EmptyTestEventListener {
 public:
  explicit Watchdog(int rank) : rank_(rank) {}
  void OnTestStart(const testing::TestInfo& test) override {
    watch(rank_, fmt::format("{}.{}", test.test_suite_name(), test.name()));
  }
  void OnTestEnd(const testing::TestInfo&) override { alarm(0); }

 private:
  int rank_;
};

class FailuresOnly final : public testing::EmptyTestEventListener {
 public:
  explicit FailuresOnly(int rank) : rank_(rank) {}
  void OnTestPartResult(const testing::TestPartResult& part) override {
    if (!part.failed()) return;
    const char* file = part.file_name() != nullptr ? part.file_name() : "unknown file";
    fmt::print(stderr, "[rank {}] {}:{}: failure\n[rank {}] {}\n", rank_, file, part.line_number(), rank_, part.message());
  }
  void OnTestEnd(const testing::TestInfo& test) override {
    if (test.result()->Failed()) fmt::print(stderr, "[rank {}] FAILED {}.{}\n", rank_, test.test_suite_name(), test.name());
  }

 private:
  int rank_;
};

int run_all(const qsweep::Team& world) {
  const int rank = world.rank();
  std::signal(SIGALRM, on_alarm);
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  if (rank > 0) {
    delete listeners.Release(listeners.default_result_printer());
    delete listeners.Release(listeners.default_xml_generator());  // one report file, of rank 0
    listeners.Append(new FailuresOnly(rank));
  }
  listeners.Append(new Watchdog(rank));
  double verdict = RUN_ALL_TESTS();
  const double mine = verdict;
  watch(rank, "the verdict");
  world.max(std::span(&verdict, 1));
  if (rank == 0 && verdict != mine) fmt::print(stderr, "[rank 0] FAILED on another rank\n");
  return static_cast<int>(verdict);
}

}  // namespace

int main(int argc, char** argv) {
  qsweep::flush_denormals();
  qsweep::use_one_thread();
  const qsweep::Mpi mpi(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  const qsweep::Team world = qsweep::Team::world();
  const int verdict = run_all(world);
  watch(world.rank(), "MPI_Finalize");
  return verdict;
}
