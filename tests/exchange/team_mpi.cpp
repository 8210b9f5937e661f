// Team on 1, 2, 3, 4 ranks: every expected value is a closed form of rank p and ranks P.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <numeric>
#include <thread>

#include "base/errors.h"
#include "exchange/communicator.h"
#include "exchange/transfers.h"

namespace qsweep {
namespace {

constexpr std::size_t sizes[] = {0, 1, 2, 7, 64, 1003};

class TeamTest : public testing::Test {
 protected:
  Team world = Team::world();
  const int p = world.rank(), P = world.ranks();

  /// Nobody is left behind in a conversation of before: every rank adds 1.
  void expect_usable() {
    std::uint64_t ones = 1;
    world.sum(std::span(&ones, 1));
    EXPECT_EQ(ones, static_cast<std::uint64_t>(P));
  }
};

TEST_F(TeamTest, sum_is_of_all_ranks_modulo_two_to_the_64) {
  for (const std::size_t size : sizes) {
    std::vector<std::uint64_t> words(size);
    for (std::size_t i = 0; i < size; ++i) words[i] = static_cast<std::uint64_t>(p + 1) * (i + 1) + (std::uint64_t{1} << 63);
    world.sum(words);
    const auto ranks = static_cast<std::uint64_t>(P);
    for (std::size_t i = 0; i < size; ++i) EXPECT_EQ(words[i], ranks * (ranks + 1) / 2 * (i + 1) + (ranks << 63)) << i;
  }
}

TEST_F(TeamTest, max_is_taken_element_by_element) {
  for (const std::size_t size : sizes) {
    std::vector<double> values(size);
    for (std::size_t i = 0; i < size; ++i)
      values[i] = static_cast<double>((static_cast<std::size_t>(p) + i) % static_cast<std::size_t>(P)) - 1e9;
    world.max(values);
    for (const double value : values) EXPECT_EQ(value, P - 1 - 1e9);
  }
  std::vector<double> infinite = {p == P - 1 ? std::numeric_limits<double>::infinity() : 0.0,
                                  -std::numeric_limits<double>::infinity()};
  world.max(infinite);
  EXPECT_EQ(infinite, (std::vector<double>{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}));
}

TEST_F(TeamTest, broadcast_from_any_rank) {
  for (int from = 0; from < P; ++from) {
    for (const std::size_t size : sizes) {
      std::vector<std::uint16_t> values(size);
      for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<std::uint16_t>(1000 * p + static_cast<int>(i));
      world.broadcast(std::as_writable_bytes(std::span(values)), from);
      for (std::size_t i = 0; i < size; ++i) EXPECT_EQ(values[i], static_cast<std::uint16_t>(1000 * from + static_cast<int>(i)));
    }
    EXPECT_EQ(world.broadcast(std::uint64_t{1} << (40 + p), from), std::uint64_t{1} << (40 + from));
    std::string text(static_cast<std::size_t>(7 * p),
                     static_cast<char>('a' + p));  // of another length on every rank, empty on rank 0
    world.broadcast(text, from);
    EXPECT_EQ(text, std::string(static_cast<std::size_t>(7 * from), static_cast<char>('a' + from)));
  }
}

TEST_F(TeamTest, all_gather_takes_uneven_counts) {
  for (const bool rising : {true, false}) {  // rank p gives p, or P − 1 − p numbers: one rank gives none
    std::vector<int> counts(static_cast<std::size_t>(P));
    for (int q = 0; q < P; ++q) counts[static_cast<std::size_t>(q)] = rising ? q : P - 1 - q;
    std::vector<double> mine(static_cast<std::size_t>(counts[static_cast<std::size_t>(p)])),
        all(static_cast<std::size_t>(P * (P - 1) / 2), -1.0), expected;
    for (std::size_t i = 0; i < mine.size(); ++i) mine[i] = 100 * p + static_cast<double>(i);
    for (int q = 0; q < P; ++q)
      for (int i = 0; i < counts[static_cast<std::size_t>(q)]; ++i) expected.push_back(100 * q + i);
    world.all_gather(mine, counts, all);
    EXPECT_EQ(all, expected);
  }
}

TEST_F(TeamTest, same_everywhere_sees_one_byte_and_one_length) {
  for (const std::size_t size : sizes) {
    std::vector<std::byte> bytes(size, std::byte{17});
    EXPECT_TRUE(world.same_everywhere(bytes));
    if (size == 0) continue;
    if (p == P - 1) bytes.back() = std::byte{18};
    EXPECT_EQ(world.same_everywhere(bytes), P == 1) << "last byte of " << size;
    bytes.assign(p == P - 1 ? size - 1 : size, std::byte{17});
    EXPECT_EQ(world.same_everywhere(bytes), P == 1) << "one shorter than " << size;
    bytes.assign(p == P - 1 ? size + 1 : size, std::byte{17});
    EXPECT_EQ(world.same_everywhere(bytes), P == 1) << "one longer than " << size;
  }
}

TEST_F(TeamTest, split_keeps_the_order_and_separates_the_parts) {
  const Team part = world.split(p % 2);
  EXPECT_EQ(part.ranks(), (P + 1 - p % 2) / 2);
  EXPECT_EQ(part.rank(), p / 2);
  std::vector<std::uint64_t> sum = {static_cast<std::uint64_t>(p)};
  part.sum(sum);
  std::uint64_t expected = 0;
  for (int q = p % 2; q < P; q += 2) expected += static_cast<std::uint64_t>(q);
  EXPECT_EQ(sum[0], expected);
  const Team alone = world.split(p);
  EXPECT_EQ(alone.ranks(), 1);
  EXPECT_TRUE(alone.is_root());
}

TEST_F(TeamTest, moving_a_team_moves_its_communicator) {
  Team part = world.split(0);
  Team moved = std::move(part);
  EXPECT_EQ(moved.ranks(), P);
  Team other = world.split(p);
  other = std::move(moved);
  EXPECT_EQ(other.ranks(), P);
  EXPECT_EQ(other.broadcast(static_cast<std::uint64_t>(p), P - 1), static_cast<std::uint64_t>(P - 1));
}

TEST_F(TeamTest, point_to_point_round_the_ring) {
  for (const std::size_t size : sizes) {
    std::vector<std::byte> mine(size, std::byte{static_cast<unsigned char>(p)}), theirs(size, std::byte{255});
    const int next = (p + 1) % P, before = (p + P - 1) % P;
    if (P == 1) break;
    if (p % 2 == 0) world.send(mine, next, 5);
    world.receive(theirs, before, 5);
    if (p % 2 == 1) world.send(mine, next, 5);
    EXPECT_EQ(theirs, std::vector<std::byte>(size, std::byte{static_cast<unsigned char>(before)}));
  }
}

TEST_F(TeamTest, poll_does_not_wait_and_keeps_each_senders_order) {
  constexpr int tag = 6, other_tag = 7, messages = 50;
  std::array<std::int64_t, 2> message{};
  EXPECT_EQ(world.poll(std::as_writable_bytes(std::span(message)), tag), -1);
  world.barrier();
  for (std::int64_t i = 0; i < messages; ++i) {
    message = {p, i};
    world.send(std::as_bytes(std::span(message)), 0, tag);
  }
  if (p == 0) {
    std::vector<std::int64_t> next(static_cast<std::size_t>(P), 0);
    for (int received = 0; received < messages * P;) {
      const int sender = world.poll(std::as_writable_bytes(std::span(message)), tag);
      if (sender < 0) continue;
      ++received;
      EXPECT_EQ(message[0], sender);
      EXPECT_EQ(message[1], next[static_cast<std::size_t>(sender)]++);
    }
  }
  EXPECT_EQ(world.poll(std::as_writable_bytes(std::span(message)), other_tag), -1);
  world.barrier();
}

/// What a call throws: its kind and text.
template <class Call>
std::string thrown(Call call) {
  try {
    call();
  } catch (const ConfigError& e) {
    return fmt::format("config: {}", e.what());
  } catch (const DataError& e) {
    return fmt::format("data: {}", e.what());
  } catch (const std::runtime_error& e) {
    return fmt::format("other: {}", e.what());
  }
  return "nothing";
}

TEST_F(TeamTest, on_root_works_on_one_rank_and_throws_on_all) {
  int calls = 0;
  EXPECT_EQ(thrown([&] { world.on_root([&] { ++calls; }); }), "nothing");
  EXPECT_EQ(calls, p == 0 ? 1 : 0);
  const std::string long_text(5000, 'x');
  EXPECT_EQ(thrown([&] { world.on_root([] { throw ConfigError("key = value"); }); }), "config: key = value");
  EXPECT_EQ(thrown([&] { world.on_root([&] { throw DataError(long_text); }); }), "data: " + long_text);
  EXPECT_EQ(thrown([&] { world.on_root([] { throw std::runtime_error(""); }); }), "other: ");
  EXPECT_EQ(thrown([&] { world.on_root([] { throw std::out_of_range("a logic error"); }); }), "other: a logic error");
  expect_usable();
}

TEST_F(TeamTest, all_or_none_throws_what_the_lowest_failing_rank_threw) {
  EXPECT_EQ(thrown([&] { world.all_or_none([] {}); }), "nothing");
  for (int culprit = 0; culprit < P; ++culprit) {
    EXPECT_EQ(thrown([&] {
                world.all_or_none([&] {
                  if (p == culprit) throw DataError(fmt::format("file of rank {}", p));
                });
              }),
              fmt::format("data: file of rank {}", culprit));
    EXPECT_EQ(thrown([&] {
                world.all_or_none([&] {
                  if (p == culprit) throw ConfigError("the first");
                  if (p > culprit) throw DataError(fmt::format("a later one, of rank {}", p));
                });
              }),
              "config: the first");
  }
  expect_usable();
}

TEST_F(TeamTest, an_error_in_one_part_leaves_the_others_alone) {
  const Team part = world.split(p % 2);
  const std::string what = thrown([&] {
    part.on_root([&] {
      if (p % 2 == 1) throw DataError("odd ranks only");
    });
  });
  EXPECT_EQ(what, p % 2 == 1 ? "data: odd ranks only" : "nothing");
  expect_usable();
}

TEST_F(TeamTest, a_team_that_dies_of_an_exception_does_not_hang) {
  const std::string what = thrown([&] {
    const Team part = world.split(0);
    const NodeMemory memory(part, 64);
    if (p == 0) throw DataError("rank 0 leaves first");  // the others go on to free theirs
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    throw DataError("later");
  });
  EXPECT_EQ(what, p == 0 ? "data: rank 0 leaves first" : "data: later");
  expect_usable();
}

TEST_F(TeamTest, node_memory_is_one_memory) {
  const Team node = world.same_node();
  ASSERT_EQ(node.ranks(), P);  // tests run on one machine
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{1003}, std::size_t{1} << 20}) {
    const NodeMemory first(node, size), second(node, size);
    ASSERT_EQ(first.bytes().size(), size);
    if (p == P - 1)
      for (std::size_t i = 0; i < size; ++i)
        first.bytes()[i] = static_cast<std::uint8_t>(31 * i + 1), second.bytes()[i] = static_cast<std::uint8_t>(7 * i);
    node.barrier();
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < size; ++i)
      wrong += first.bytes()[i] != static_cast<std::uint8_t>(31 * i + 1) || second.bytes()[i] != static_cast<std::uint8_t>(7 * i)
                   ? 1
                   : 0;
    EXPECT_EQ(wrong, 0U) << size;
    node.barrier();
  }
}

TEST_F(TeamTest, node_memory_of_nothing) {
  const NodeMemory none(world.same_node(), 0);
  EXPECT_TRUE(none.bytes().empty());
}

TEST_F(TeamTest, many_teams_one_after_the_other) {
  for (int i = 0; i < 500; ++i) {  // each must give its communicator back: Open MPI has some 65,000
    const Team part = world.split(p % 2);
    part.barrier();
  }
  expect_usable();
}

TEST_F(TeamTest, a_message_of_another_length_is_refused) {
  if (P == 1) return;
  for (const std::size_t sent : {std::size_t{5}, std::size_t{11}}) {  // 8 are expected
    if (p == 0) {
      std::vector<std::byte> bytes(8);
      EXPECT_THROW(world.receive(bytes, 1, 5), std::runtime_error) << sent;
    }
    if (p == 1) world.send(std::vector<std::byte>(sent), 0, 5);
    world.barrier();
  }
  for (const std::size_t sent : {std::size_t{5}, std::size_t{11}}) {
    Transfers transfers(world);
    std::vector<std::byte> bytes(p == 0 ? 8 : sent);
    if (p == 0) {
      const std::size_t arrives = transfers.receive(bytes, 1, 6);
      EXPECT_THROW(transfers.wait(arrives), std::runtime_error) << sent;
    }
    if (p == 1) {
      transfers.send(bytes, 0, 6);
      transfers.wait_all();
    }
    world.barrier();
  }
}

/// As if MPI's counts ended at 3 elements: whatever is longer goes in several calls.
TEST_F(TeamTest, counts_beyond_the_limit_go_in_several_calls) {
  world.set_largest_count(3);
  Team part = world.split(0);
  EXPECT_EQ(part.largest_count(), 3U);
  for (const std::size_t size : sizes) {
    std::vector<std::uint64_t> words(size, static_cast<std::uint64_t>(p + 1));
    part.sum(words);
    EXPECT_EQ(words, std::vector<std::uint64_t>(size, static_cast<std::uint64_t>(P * (P + 1) / 2)));
    part.broadcast(std::as_writable_bytes(std::span(words).first(size / 2)), P - 1);
    std::vector<double> mine(size, p), all(size * static_cast<std::size_t>(P), -1);
    part.all_gather(mine, std::vector<int>(static_cast<std::size_t>(P), static_cast<int>(size)), all);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], static_cast<double>(i / size)) << i;
    part.max(mine);
    EXPECT_EQ(mine, std::vector<double>(size, P - 1));
    Transfers transfers(part);
    std::vector<std::byte> sent(size, std::byte{static_cast<unsigned char>(p)}), received(size, std::byte{255}), told(size, std::byte{static_cast<unsigned char>(10 * p)});
    const std::size_t arrives = transfers.receive(received, (p + P - 1) % P, 7);
    transfers.send(sent, (p + 1) % P, 7);
    const std::size_t known = transfers.broadcast(told, 0);
    transfers.wait(arrives);
    transfers.wait(known);
    transfers.wait_all();
    EXPECT_EQ(received, std::vector<std::byte>(size, std::byte{static_cast<unsigned char>((p + P - 1) % P)}));
    EXPECT_EQ(told, std::vector<std::byte>(size, std::byte{0}));
  }
}

}  // namespace
}  // namespace qsweep
