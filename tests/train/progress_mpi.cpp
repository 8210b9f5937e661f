// What ranks tell of their progress must hold up nobody, however long world rank 0 is busy.
#include "train/progress.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace qsweep {
namespace {

using Clock = std::chrono::steady_clock;

TEST(ProgressBoard, nobody_waits_for_a_busy_rank_0) {
  const Team& world = Team::world();
  ProgressBoard board(world, world.rank(), world.ranks(), 1'000'000, 1e6);
  world.barrier();
  const auto begin = Clock::now();
  if (world.is_root()) {
    std::this_thread::sleep_for(std::chrono::seconds(4));  // takes nothing
  } else {
    for (int run = 0; run < 5'000; ++run) board.run_done(1);  // more than any queue of messages holds
    EXPECT_LT(std::chrono::duration<double>(Clock::now() - begin).count(), 3) << "waited for rank 0";
  }
  board.finish();
  world.barrier();
}

}  // namespace
}  // namespace qsweep
