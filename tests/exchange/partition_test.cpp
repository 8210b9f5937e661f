// Who owns what; and codes added in wider fields.
#include "exchange/partition.h"

#include <gtest/gtest.h>

#include "base/blocks.h"
#include "base/random.h"
#include "exchange/widen.h"

namespace qsweep {
namespace {

Layout layout_of(std::initializer_list<std::size_t> sizes) {
  Layout layout;
  for (const std::size_t size : sizes) layout.add(std::to_string(layout.tensors().size()), {size}, true);
  return layout;
}

TEST(Partition, slices_cover_the_vector_once_begin_at_blocks_and_are_balanced) {
  for (const Layout& layout :
       {layout_of({1}), layout_of({4096}), layout_of({4097}), layout_of({3, 9000, 1, 20000, 4096, 7}), layout_of({100000})})
    for (int ranks = 1; ranks <= 9; ++ranks) {
      const Partition p = Partition::sliced(layout, ranks);
      EXPECT_EQ(p.first(0), 0U);
      EXPECT_EQ(p.last(ranks - 1), layout.dimension());
      for (int rank = 0; rank < ranks; ++rank) {
        if (rank > 0) {
          EXPECT_EQ(p.first(rank), p.last(rank - 1));
        }
        // Both ends are off by at most half a block.
        EXPECT_LE(p.size(rank), layout.dimension() / static_cast<std::size_t>(ranks) + 1 + block_elements);
        bool at_block = p.first(rank) == layout.dimension();
        for (const Tensor& t : layout.tensors())
          if (t.offset <= p.first(rank) && p.first(rank) < t.end()) at_block = (p.first(rank) - t.offset) % block_elements == 0;
        EXPECT_TRUE(at_block) << "rank " << rank << " of " << ranks;
      }
    }
}

TEST(Partition, the_layout_of_a_slice_has_all_tensors_with_their_parts) {
  const Layout layout = layout_of({3, 9000, 1, 20000, 4096, 7});
  for (const int ranks : {1, 2, 3, 7}) {
    const Partition p = Partition::sliced(layout, ranks);
    std::vector<std::size_t> sizes(layout.tensors().size());
    for (int rank = 0; rank < ranks; ++rank) {
      const Layout mine = p.layout_of(layout, rank);
      ASSERT_EQ(mine.tensors().size(), layout.tensors().size());
      EXPECT_EQ(mine.dimension(), p.size(rank));
      for (std::size_t l = 0; l < sizes.size(); ++l) {
        sizes[l] += mine.tensors()[l].size;
        EXPECT_EQ(mine.tensors()[l].name, layout.tensors()[l].name);
        if (mine.tensors()[l].size > 0) {
          EXPECT_EQ(part_of(layout.tensors()[l], p.first(rank), p.last(rank)).begin, p.first(rank) + mine.tensors()[l].offset);
        }
      }
    }
    for (std::size_t l = 0; l < sizes.size(); ++l) EXPECT_EQ(sizes[l], layout.tensors()[l].size);
  }
}

TEST(Partition, the_other_topologies_are_trivial_ones) {
  const Partition all = Partition::everywhere(10, 3), root = Partition::on_root(10, 3);
  EXPECT_TRUE(all.is_replicated());
  EXPECT_FALSE(root.is_replicated());
  EXPECT_TRUE(Partition::on_root(10, 1).is_replicated());
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(all.size(rank), 10U);
    EXPECT_EQ(root.size(rank), rank == 0 ? 10U : 0U);
  }
}

TEST(WidenAdd, is_the_packed_sum_of_the_numbers) {
  for (const std::size_t size : {1U, 2U, 7U, 64U, 1003U, 4095U, 4096U, 4097U, 20001U})
    for (int bits = 2; bits <= 8; ++bits)
      for (const std::uint64_t workers : {1U, 2U, 3U, 9U, 64U}) {
        const std::uint64_t largest = (std::uint64_t{1} << bits) - 2;
        const Fields from = Fields::up_to(largest), to = Fields::up_to(largest * workers);
        std::vector<std::uint64_t> sums(to.words(size)), expected(to.words(size));
        for (std::uint32_t n = 0; n < 2 && n < workers; ++n) {
          const Stream stream(3, Draw::Data, n, 1);
          std::vector<std::uint32_t> numbers(size);
          for (std::size_t i = 0; i < size; ++i) numbers[i] = static_cast<std::uint32_t>(stream.word(i) % (largest + 1));
          std::vector<std::uint64_t> words(from.words(size));
          pack_ref<std::uint32_t>(numbers, from, words);
          pack_ref<std::uint32_t>(numbers, to, expected);
          widen_add(words, from, to, sums);
        }
        ASSERT_EQ(sums, expected) << size << " numbers, " << bits << " bits, N = " << workers;
      }
}

}  // namespace
}  // namespace qsweep
