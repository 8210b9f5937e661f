// What ranks tell of their progress must hold up nobody, however long world rank 0 is busy.
#include "train/progress.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace qsweep {
namespace {

namespace fs = std::filesystem;

/// Marks in a folder that all ranks of this mpirun know: a word between them without MPI, which would take messages on the way.
class Marks {
 public:
  Marks() : folder_(fs::temp_directory_path() / fmt::format("qsweep_progress_{}", getppid())) { fs::create_directories(folder_); }
  ~Marks() {
    std::error_code none;  // the ranks remove it together
    fs::remove_all(folder_, none);
  }
  void set(int rank) const { std::ofstream(folder_ / std::to_string(rank)); }
  /// Whether that many are set within the time.
  bool wait_for(int count, std::chrono::seconds limit) const {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (std::distance(fs::directory_iterator(folder_), fs::directory_iterator()) < count) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }

 private:
  fs::path folder_;
};

TEST(ProgressBoard, nobody_waits_for_a_busy_rank_0) {
  const Team& world = Team::world();
  const Marks marks;
  ProgressBoard board(world, world.rank(), world.ranks(), 1'000'000, 1e6);
  world.barrier();
  if (world.is_root()) {
    EXPECT_TRUE(marks.wait_for(world.ranks() - 1, std::chrono::seconds(60))) << "they wait for rank 0, which takes nothing";
  } else {
    for (int run = 0; run < 5'000; ++run) board.run_done(1);  // more than any queue of messages holds
    marks.set(world.rank());
  }
  board.finish();
  world.barrier();
}

}  // namespace
}  // namespace qsweep
