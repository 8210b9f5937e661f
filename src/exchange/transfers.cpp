#include "exchange/transfers.h"

#include "exchange/mpi_call.h"

namespace qsweep {

std::size_t Transfers::begin(std::span<const std::byte> bytes, int peer, bool received) {
  transfers_.push_back({requests_.size(), requests_.size(), bytes.size(), peer, received});
  return transfers_.size() - 1;
}

MPI_Request& Transfers::next() {
  requests_.push_back(MPI_REQUEST_NULL);
  ++transfers_.back().last;
  return requests_.back();
}

void Transfers::send(std::span<const std::byte> bytes, int to, int tag) {
  if (most_sends_ != 0) {
    if (sends_.size() == most_sends_) wait(sends_.front()), sends_.pop_front();
    sends_.push_back(transfers_.size());
  }
  begin(bytes, to, false);
  in_chunks(bytes, team_.largest_count(), [&](auto part, int n) {
    lengths_.push_back(part.size());
    QSWEEP_MPI(MPI_Isend, (part.data(), n, MPI_BYTE, to, tag, team_.handle(), &next()));
  });
}

std::size_t Transfers::receive(std::span<std::byte> bytes, int from, int tag) {
  const std::size_t number = begin(bytes, from, true);
  in_chunks(bytes, team_.largest_count(), [&](auto part, int n) {
    lengths_.push_back(part.size());
    QSWEEP_MPI(MPI_Irecv, (part.data(), n, MPI_BYTE, from, tag, team_.handle(), &next()));
  });
  return number;
}

std::size_t Transfers::broadcast(std::span<std::byte> bytes, int from) {
  const std::size_t number = begin(bytes, from, false);
  in_chunks(bytes, team_.largest_count(), [&](auto part, int n) {
    lengths_.push_back(part.size());
    QSWEEP_MPI(MPI_Ibcast, (part.data(), n, MPI_BYTE, from, team_.handle(), &next()));
  });
  return number;
}

void Transfers::wait(std::size_t transfer) {
  const Transfer& t = transfers_[transfer];
  const Watched watched = team_.watched("MPI_Wait", t.bytes, t.peer);
  for (std::size_t i = t.first; i < t.last; ++i) {
    if (requests_[i] == MPI_REQUEST_NULL) continue;
    MPI_Status status;
    QSWEEP_MPI(MPI_Wait, (&requests_[i], &status));
    if (t.received) check_length(status, lengths_[i], t.peer);
  }
}

void Transfers::wait_all() {
  for (std::size_t i = 0; i < transfers_.size(); ++i) wait(i);
  forget();
}

bool Transfers::arrived() {
  int all = 0;
  QSWEEP_MPI(MPI_Testall, (static_cast<int>(requests_.size()), requests_.data(), &all, MPI_STATUSES_IGNORE));
  if (all != 0) forget();
  return all != 0;
}

void Transfers::forget() {
  sends_.clear();
  requests_.clear();
  lengths_.clear();
  transfers_.clear();
}

}  // namespace qsweep
