// Which workers a rank carries.
#include <gtest/gtest.h>

#include "exchange/exchange.h"

namespace qsweep {
namespace {

TEST(WorkersOf, blocks_follow_each_other_and_cover_all_workers) {
  for (int ranks = 1; ranks <= 7; ++ranks)
    for (std::size_t workers = 0; workers <= 9; ++workers) {
      std::uint32_t next = 0, least = UINT32_MAX, most = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const WorkerBlock block = workers_of(rank, ranks, workers);
        EXPECT_EQ(block.first, next) << rank << " of " << ranks << ", N = " << workers;
        next = block.first + block.count;
        least = std::min(least, block.count);
        most = std::max(most, block.count);
      }
      EXPECT_EQ(next, workers);
      EXPECT_LE(most - least, 1U) << "uneven: N = " << workers << " on " << ranks;
    }
}

TEST(WorkersOf, one_rank_carries_all_and_many_ranks_one_each) {
  EXPECT_EQ(workers_of(0, 1, 9).count, 9U);
  for (int rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(workers_of(rank, 4, 4).first, static_cast<std::uint32_t>(rank));
    EXPECT_EQ(workers_of(rank, 4, 4).count, 1U);
  }
}

TEST(WorkersOf, the_largest_number_of_workers_does_not_overflow) {
  const int ranks = 1 << 20;
  const WorkerBlock last = workers_of(ranks - 1, ranks, 65536);
  EXPECT_EQ(last.first + last.count, 65536U);
}

}  // namespace
}  // namespace qsweep
