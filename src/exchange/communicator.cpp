#include "exchange/communicator.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <numeric>

#include "base/errors.h"
#include "exchange/mpi_call.h"

namespace qsweep {
namespace {

enum Kind : std::uint64_t { none, config, data, other };

Kind kind_of(const std::exception& e) {
  if (dynamic_cast<const ConfigError*>(&e) != nullptr) return config;
  return dynamic_cast<const DataError*>(&e) != nullptr ? data : other;
}

[[noreturn]] void rethrow(Kind kind, const std::string& text) {
  if (kind == config) throw ConfigError(text);
  if (kind == data) throw DataError(text);
  throw std::runtime_error(text);
}

}  // namespace

Mpi::Mpi(int& argc, char**& argv) {
  check_mpi(MPI_Init(&argc, &argv), "MPI_Init");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

Mpi::~Mpi() { MPI_Finalize(); }

void Mpi::abort(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::abort();
}

std::string Mpi::library_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string all(text, static_cast<std::size_t>(length));
  return all.substr(0, all.find(','));
}

Team Team::world() {
  MPI_Comm copy = MPI_COMM_NULL;
  QSWEEP_MPI(MPI_Comm_dup, (MPI_COMM_WORLD, &copy));
  return Team(copy);
}

Team::Team(MPI_Comm owned) : communicator_(owned) {
  MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN);
  MPI_Comm_rank(communicator_, &rank_);
  MPI_Comm_size(communicator_, &ranks_);
}

Team::Team(Team&& other) noexcept { *this = std::move(other); }

Team& Team::operator=(Team&& other) noexcept {
  std::swap(communicator_, other.communicator_);
  std::swap(rank_, other.rank_);
  std::swap(ranks_, other.ranks_);
  std::swap(largest_count_, other.largest_count_);
  std::swap(watchdog_, other.watchdog_);
  std::swap(world_ranks_, other.world_ranks_);
  std::swap(world_ranks_text_, other.world_ranks_text_);
  return *this;
}

void Team::watch(Watchdog& watchdog) {
  watchdog_ = &watchdog;
  MPI_Group mine = MPI_GROUP_NULL, world = MPI_GROUP_NULL;
  QSWEEP_MPI(MPI_Comm_group, (communicator_, &mine));
  QSWEEP_MPI(MPI_Comm_group, (MPI_COMM_WORLD, &world));
  std::vector<int> members(static_cast<std::size_t>(ranks_));
  std::iota(members.begin(), members.end(), 0);
  world_ranks_.resize(members.size());
  QSWEEP_MPI(MPI_Group_translate_ranks, (mine, ranks_, members.data(), world, world_ranks_.data()));
  MPI_Group_free(&mine);
  MPI_Group_free(&world);
  const bool block = world_ranks_.back() - world_ranks_.front() == ranks_ - 1 && ranks_ > 2;
  world_ranks_text_ = block ? fmt::format("{} to {}", world_ranks_.front(), world_ranks_.back()) : fmt::format("{}", fmt::join(world_ranks_, ", "));
}

Watched Team::watched(const char* call, std::size_t bytes, int peer) const {
  return {watchdog_, call, bytes, peer >= 0 && watchdog_ != nullptr ? world_ranks_[static_cast<std::size_t>(peer)] : -1, world_ranks_text_};
}

Team::~Team() {
  // An exception may be on its way while other ranks wait elsewhere: freeing is collective and would hang.
  if (communicator_ != MPI_COMM_NULL && std::uncaught_exceptions() == 0) MPI_Comm_free(&communicator_);
}

Team Team::split(int colour) const {
  MPI_Comm part = MPI_COMM_NULL;
  QSWEEP_MPI(MPI_Comm_split, (communicator_, colour, rank_, &part));
  Team team(part);
  team.largest_count_ = largest_count_;
  return team;
}

Team Team::same_node() const {
  MPI_Comm part = MPI_COMM_NULL;
  QSWEEP_MPI(MPI_Comm_split_type, (communicator_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &part));
  return Team(part);
}

void Team::sum(std::span<std::uint64_t> words) const {
  if (ranks_ == 1) return;
  const Watched waits = watched("MPI_Allreduce", words.size_bytes());
  in_chunks(words, largest_count_, [&](auto piece, int n) { QSWEEP_MPI(MPI_Allreduce, (MPI_IN_PLACE, piece.data(), n, MPI_UINT64_T, MPI_SUM, communicator_)); });
}

void Team::max(std::span<double> values) const {
  if (ranks_ == 1) return;
  const Watched waits = watched("MPI_Allreduce", values.size_bytes());
  in_chunks(values, largest_count_, [&](auto piece, int n) { QSWEEP_MPI(MPI_Allreduce, (MPI_IN_PLACE, piece.data(), n, MPI_DOUBLE, MPI_MAX, communicator_)); });
}

void Team::broadcast(std::span<std::byte> bytes, int from) const {
  if (ranks_ == 1) return;
  const Watched waits = watched("MPI_Bcast", bytes.size(), rank_ == from ? -1 : from);
  in_chunks(bytes, largest_count_, [&](auto piece, int n) { QSWEEP_MPI(MPI_Bcast, (piece.data(), n, MPI_BYTE, from, communicator_)); });
}

std::uint64_t Team::broadcast(std::uint64_t value, int from) const {
  broadcast(std::as_writable_bytes(std::span(&value, 1)), from);
  return value;
}

void Team::broadcast(std::string& text, int from) const {
  text.resize(broadcast(static_cast<std::uint64_t>(text.size()), from));
  broadcast(std::as_writable_bytes(std::span(text)), from);
}

void Team::all_gather(std::span<const double> mine, std::span<const int> counts, std::span<double> all) const {
  std::vector<std::size_t> sizes;
  for (const int count : counts) sizes.push_back(static_cast<std::size_t>(count) * sizeof(double));
  std::size_t before = 0;
  for (int p = 0; p < rank_; ++p) before += static_cast<std::size_t>(counts[static_cast<std::size_t>(p)]);
  std::copy(mine.begin(), mine.end(), all.begin() + static_cast<std::ptrdiff_t>(before));
  all_gather_bytes(sizes, std::as_writable_bytes(all));
}

void Team::all_gather_bytes(std::span<const std::size_t> sizes, std::span<std::byte> all) const {
  if (ranks_ == 1) return;
  if (all.size() > largest_count_) {  // beyond MPI's int: one broadcast for each part
    for (int p = 0; p < ranks_; all = all.subspan(sizes[static_cast<std::size_t>(p)]), ++p) broadcast(all.first(sizes[static_cast<std::size_t>(p)]), p);
    return;
  }
  const Watched waits = watched("MPI_Allgatherv", all.size());
  std::vector<int> counts(sizes.size());
  std::ranges::transform(sizes, counts.begin(), [](std::size_t size) { return static_cast<int>(size); });
  std::vector<int> offsets(counts.size());
  std::exclusive_scan(counts.begin(), counts.end(), offsets.begin(), 0);
  QSWEEP_MPI(MPI_Allgatherv, (MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all.data(), counts.data(), offsets.data(), MPI_BYTE, communicator_));
}

void Team::barrier() const {
  const Watched waits = watched("MPI_Barrier", 0);
  QSWEEP_MPI(MPI_Barrier, (communicator_));
}

bool Team::same_everywhere(std::span<const std::byte> bytes) const {
  std::vector<std::byte> roots(bytes.begin(), bytes.end());
  const bool same_size = broadcast(static_cast<std::uint64_t>(bytes.size())) == bytes.size();
  roots.resize(broadcast(static_cast<std::uint64_t>(bytes.size())));
  broadcast(roots);
  std::uint64_t differing = same_size && std::equal(roots.begin(), roots.end(), bytes.begin(), bytes.end()) ? 0 : 1;
  sum(std::span(&differing, 1));
  return differing == 0;
}

void Team::send(std::span<const std::byte> bytes, int to, int tag) const {
  const Watched waits = watched("MPI_Send", bytes.size(), to);
  in_chunks(bytes, largest_count_, [&](auto piece, int n) { QSWEEP_MPI(MPI_Send, (piece.data(), n, MPI_BYTE, to, tag, communicator_)); });
}

void Team::receive(std::span<std::byte> bytes, int from, int tag) const {
  const Watched waits = watched("MPI_Recv", bytes.size(), from);
  in_chunks(bytes, largest_count_, [&](auto piece, int n) {
    MPI_Status status;
    QSWEEP_MPI(MPI_Recv, (piece.data(), n, MPI_BYTE, from, tag, communicator_, &status));
    check_length(status, piece.size(), from);
  });
}

int Team::poll(std::span<std::byte> bytes, int tag) const {
  int arrived = 0;
  MPI_Status status;
  QSWEEP_MPI(MPI_Iprobe, (MPI_ANY_SOURCE, tag, communicator_, &arrived, &status));
  if (arrived == 0) return -1;
  receive(bytes, status.MPI_SOURCE, tag);
  return status.MPI_SOURCE;
}

void Team::on_root(const std::function<void()>& work) const {
  std::uint64_t kind = none;
  std::string text;
  if (is_root()) try {
      work();
    } catch (const MpiError&) {
      throw;
    } catch (const std::exception& e) {
      kind = kind_of(e);
      text = e.what();
    }
  kind = broadcast(kind);
  if (kind == none) return;
  broadcast(text);
  rethrow(static_cast<Kind>(kind), text);
}

void Team::all_or_none(const std::function<void()>& work) const {
  double failed = -1;  // −rank of the lowest failing rank, as a maximum
  Kind kind = none;
  std::string text;
  try {
    work();
  } catch (const MpiError&) {
    throw;
  } catch (const std::exception& e) {
    kind = kind_of(e);
    text = e.what();
    failed = static_cast<double>(ranks_ - rank_);
  }
  max(std::span(&failed, 1));
  if (failed < 0) return;
  const int culprit = ranks_ - static_cast<int>(failed);
  const std::uint64_t culprit_kind = broadcast(static_cast<std::uint64_t>(kind), culprit);
  broadcast(text, culprit);
  rethrow(static_cast<Kind>(culprit_kind), text);
}

NodeMemory::NodeMemory(const Team& node, std::size_t bytes) {
  void* mine = nullptr;
  const MPI_Aint own = node.is_root() ? static_cast<MPI_Aint>(bytes) : 0;
  QSWEEP_MPI(MPI_Win_allocate_shared, (own, 1, MPI_INFO_NULL, node.handle(), &mine, &window_));
  MPI_Aint size = 0;
  int unit = 0;
  QSWEEP_MPI(MPI_Win_shared_query, (window_, 0, &size, &unit, &mine));
  bytes_ = {static_cast<std::uint8_t*>(mine), bytes};
}

NodeMemory::~NodeMemory() {
  if (window_ != MPI_WIN_NULL && std::uncaught_exceptions() == 0) MPI_Win_free(&window_);
}

}  // namespace qsweep
