#pragma once
#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "exchange/watchdog.h"

/// The only folder that calls MPI. Verbs are named for the caller; MPI errors become exceptions that quote the call.
namespace qsweep {

/// MPI from its start to its end: first thing in main. An exception that leaves main's try block must go through abort().
class Mpi {
 public:
  Mpi(int& argc, char**& argv);
  ~Mpi();
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;

  [[noreturn]] static void abort(int exit_code);  ///< ends all ranks at once
  static std::string library_version();           ///< "Open MPI 4.1.4"
};

/// Ranks that work together on something: a private copy of a communicator, freed at the end of its scope.
/// All members are collective unless they say otherwise.
class Team {
 public:
  static Team world();
  Team(Team&&) noexcept;
  Team& operator=(Team&&) noexcept;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team();

  int rank() const { return rank_; }    ///< p of P. Not collective.
  int ranks() const { return ranks_; }  ///< P. Not collective.
  bool is_root() const { return rank_ == 0; }

  Team split(int colour) const;  ///< ranks of one colour, in their old order
  Team same_node() const;        ///< ranks that share memory

  /// words <- sum over ranks, on every rank. Same length everywhere. Integers: the same bits in any order.
  void sum(std::span<std::uint64_t> words) const;
  void max(std::span<double> values) const;                          ///< element-wise, on every rank
  void broadcast(std::span<std::byte> bytes, int from = 0) const;
  void broadcast(std::string& text, int from = 0) const;
  std::uint64_t broadcast(std::uint64_t value, int from = 0) const;
  /// Every rank gives counts[rank] values; all receive all, in rank order.
  void all_gather(std::span<const double> mine, std::span<const int> counts, std::span<double> all) const;
  /// Rank p's part of `all` is sizes[p] bytes long, one part after the other: every rank fills its own, and gets the others'.
  void all_gather_bytes(std::span<const std::size_t> sizes, std::span<std::byte> all) const;
  void barrier() const;
  /// True on every rank if all passed the same bytes. Proves that replicas agree.
  bool same_everywhere(std::span<const std::byte> bytes) const;

  /// Point to point, not collective; `tag` tells conversations apart.
  void send(std::span<const std::byte> bytes, int to, int tag) const;
  void receive(std::span<std::byte> bytes, int from, int tag) const;
  /// A message from any rank if one has come (returns its sender), else −1. Does not wait. Messages of exactly bytes.size().
  int poll(std::span<std::byte> bytes, int tag) const;

  /// Runs `work` on rank 0; what it throws is thrown on every rank (ConfigError, DataError or runtime_error with the same text).
  void on_root(const std::function<void()>& work) const;
  /// Every rank passes the outcome of its own work; if any failed, all throw what the lowest failing rank threw.
  void all_or_none(const std::function<void()>& work) const;

  /// From now on an operation that takes longer than the watchdog allows ends all ranks. It must outlive the team. Not collective.
  void watch(Watchdog& watchdog);
  /// Longest message in one call of MPI, in elements; longer ones go in several. Lower for tests only; the same on all ranks.
  void set_largest_count(std::size_t elements) { largest_count_ = elements; }
  std::size_t largest_count() const { return largest_count_; }

  MPI_Comm handle() const { return communicator_; }  ///< for src/exchange only
  /// An operation of this team, while its scope lasts; peer: a rank of the team, −1 for all. For src/exchange only.
  Watched watched(const char* call, std::size_t bytes, int peer = -1) const;

 private:
  explicit Team(MPI_Comm owned);
  MPI_Comm communicator_ = MPI_COMM_NULL;
  int rank_ = 0, ranks_ = 1;
  std::size_t largest_count_ = std::size_t{1} << 28;  ///< MPI's counts are int
  Watchdog* watchdog_ = nullptr;
  std::vector<int> world_ranks_;  ///< of the members, known where there is a watchdog
  std::string world_ranks_text_;
};

/// Bytes held once per node: one rank of the node fills them, the others read the same memory.
class NodeMemory {
 public:
  NodeMemory(const Team& node, std::size_t bytes);  ///< collective on the node
  NodeMemory(const NodeMemory&) = delete;
  NodeMemory& operator=(const NodeMemory&) = delete;
  ~NodeMemory();
  std::span<std::uint8_t> bytes() const { return bytes_; }

 private:
  MPI_Win window_ = MPI_WIN_NULL;
  std::span<std::uint8_t> bytes_;
};

template <class T>
std::span<std::byte> as_writable(std::span<T> values) { return std::as_writable_bytes(values); }

}  // namespace qsweep
