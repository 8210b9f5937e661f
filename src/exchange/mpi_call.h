#pragma once
#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <span>
#include <stdexcept>
#include <string>

/// For src/exchange only: calls of MPI that throw, and messages longer than MPI's counts.
namespace qsweep {

/// An MPI call failed on this rank: names the rank and the call. The other ranks do not know and may wait for this one, so nobody
/// handles it but main, which ends all of them.
struct MpiError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  int rank = -1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  throw MpiError(fmt::format("rank {}: {} failed: {}", rank, call, std::string(text, static_cast<std::size_t>(length))));
}
#define QSWEEP_MPI(call, arguments) ::qsweep::check_mpi(call arguments, #call)

/// A message that came is as long as the one that was expected; MPI itself refuses only those that are too long.
inline void check_length(const MPI_Status& status, std::size_t expected, int from) {
  int bytes = 0;
  MPI_Get_count(&status, MPI_BYTE, &bytes);
  if (static_cast<std::size_t>(bytes) != expected)
    throw MpiError(fmt::format("a message of {} bytes from rank {} where {} were expected: do all ranks run the same program and experiment?", bytes, from, expected));
}

/// Calls piece(part, its elements) for parts of at most `most` elements, at least once.
template <class T, class Piece>
void in_chunks(std::span<T> values, std::size_t most, Piece piece) {
  do {
    const std::size_t n = std::min(values.size(), most);
    piece(values.first(n), static_cast<int>(n));
    values = values.subspan(n);
  } while (!values.empty());
}

}  // namespace qsweep
