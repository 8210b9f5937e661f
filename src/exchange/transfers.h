#pragma once
#include <mpi.h>

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "exchange/communicator.h"

namespace qsweep {

/// Messages under way, so that a rank can work while they travel. What they send or fill must live until they were waited for.
/// Messages of one sender, receiver and tag arrive in the order in which they were sent.
class Transfers {
 public:
  /// most_sends: under way at a time, 0: no limit. One more waits for the oldest, so that its receive must have been begun.
  explicit Transfers(const Team& team, std::size_t most_sends = 0) : team_(team), most_sends_(most_sends) {}
  void send(std::span<const std::byte> bytes, int to, int tag);
  /// Number of the transfer, for wait().
  std::size_t receive(std::span<std::byte> bytes, int from, int tag);
  /// One rank's bytes for all. Collective: all ranks begin the same ones in the same order.
  std::size_t broadcast(std::span<std::byte> bytes, int from);
  void wait(std::size_t transfer);
  void wait_all();  ///< and forgets them: numbers begin anew
  bool arrived();   ///< true if all have been taken over; then forgets them. Does not wait. For what is sent

 private:
  /// MPI's requests of one transfer, [first, last): more than one where its counts would not fit.
  struct Transfer {
    std::size_t first, last, bytes;
    int peer;
    bool received;  ///< a receive, whose length is checked
  };
  std::size_t begin(std::span<const std::byte> bytes, int peer, bool received);
  MPI_Request& next();
  void forget();

  const Team& team_;
  std::size_t most_sends_;
  std::deque<std::size_t> sends_;     ///< under way, with a limit; the oldest first
  std::vector<MPI_Request> requests_;
  std::vector<std::size_t> lengths_;  ///< bytes of each request
  std::vector<Transfer> transfers_;
};

}  // namespace qsweep
