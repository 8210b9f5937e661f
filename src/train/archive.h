#pragma once
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/layout.h"
#include "exchange/communicator.h"
#include "exchange/partition.h"
#include "results/record.h"

/// What decides the rest of a run, by name. Each part of a run (optimizer, workers, metrics, …) lists its fields once, in a member
/// `void state(Archive&)`; the same list saves them and restores them, so that neither can be forgotten without the other. How a field
/// lies over the ranks is said by the verb:
///   shared       the same on every rank: a counter, a scale, a running mean
///   of_root      kept on rank 0 alone: curves, what is measured
///   of_workers   each worker's (or start's) own: [my workers, each] here, [N, each] in the file
///   elements     one value for each parameter: the part that this rank owns here, whole tensors in the file
/// In the file all are in canonical order, below /runs/<id>/checkpoint, and the weights where a finished run has them: so any number
/// of ranks goes on from it, with any exchange.
namespace qsweep {

class Archive {
 public:
  /// The record counts on the root; elsewhere it is not looked at. Both must outlive the archive.
  static Archive saving(const Team& team, Record& record) { return {team, &record, nullptr}; }
  static Archive restoring(const Team& team, const Record& record) { return {team, nullptr, &record}; }
  bool restores() const { return to_ == nullptr; }

  // T: bool, std::uint64_t, double, or a vector of std::int64_t, float, double, std::string.
  template <class T>
  void shared(const std::string& name, T& value) {
    of_root(name, value);
    if (restores()) broadcast(value);
  }
  template <class T>
  void of_root(const std::string& name, T& value) {
    if (!team_.is_root()) return;
    if (!restores()) put(name, pack(value));
    else if (const Dataset* found = take(name); found != nullptr && !unpack(*found, value)) refuse(name, "has another type or shape");
  }
  void of_root(const std::string& name, std::span<double> values);  ///< of this size
  void of_workers(const std::string& name, std::span<float> mine, std::size_t each, std::size_t workers) { rows(name, mine, each, workers); }
  void of_workers(const std::string& name, std::span<double> mine, std::size_t each, std::size_t workers) { rows(name, mine, each, workers); }
  void elements(const std::string& name, const Layout& layout, const Partition& partition, std::span<float> mine);
  void weights(const Layout& layout, const Partition& partition, std::span<float> mine);  ///< elements, stored as final/weights

  /// Restoring only: what was taken does not fit the rest of the run.
  void refuse(const std::string& name, const char* why);

  /// After the last field. Collective; DataError on every rank if one was missing, had another shape, or is unknown to this program:
  /// then what was restored is not to be used. `origin` names the checkpoint.
  void finish(const std::string& origin = "");

  static constexpr const char* group = "checkpoint";

 private:
  using Values = decltype(Dataset::values);
  Archive(const Team& team, Record* to, const Record* from) : team_(team), to_(to), from_(from) {}

  template <class T>
  static constexpr bool is_scalar = std::is_arithmetic_v<T>;
  template <class T>
  using Stored = std::conditional_t<std::is_same_v<T, double>, double, std::int64_t>;  // of a scalar

  template <class T>
  static Values pack(const T& value) {
    if constexpr (is_scalar<T>) return std::vector<Stored<T>>{static_cast<Stored<T>>(value)};
    else return value;
  }
  template <class T>
  static bool unpack(const Dataset& from, T& value) {
    if constexpr (is_scalar<T>) {
      const auto* values = std::get_if<std::vector<Stored<T>>>(&from.values);
      if (values == nullptr || values->size() != 1) return false;
      value = static_cast<T>(values->front());
    } else {
      const auto* values = std::get_if<T>(&from.values);
      if (values == nullptr || (!value.empty() && values->size() != value.size())) return false;  // what grows begins empty
      value = *values;
    }
    return true;
  }
  template <class T>
  void broadcast(T& value) const {
    if constexpr (is_scalar<T>) {
      team_.broadcast(std::as_writable_bytes(std::span(&value, 1)));
    } else {
      static_assert(is_scalar<typename T::value_type>, "lists of strings are kept on the root");
      value.resize(team_.broadcast(static_cast<std::uint64_t>(value.size())));
      team_.broadcast(std::as_writable_bytes(std::span(value)));
    }
  }

  template <class T>
  void rows(const std::string& name, std::span<T> mine, std::size_t each, std::size_t workers);
  void put(const std::string& name, Values values);
  const Dataset* take(const std::string& name);
  void fail(const std::string& name, const char* what);
  void put_tensors(const std::string& path, const std::string& unit, const Layout& layout, std::span<const float> whole);
  void take_tensors(const std::string& path, const Layout& layout, std::span<float> whole);
  void elements_at(const std::string& path, const std::string& unit, const Layout& layout, const Partition& partition, std::span<float> mine);

  const Team& team_;
  Record* to_;
  const Record* from_;
  std::set<std::string> taken_;
  std::string error_;  ///< the first, on the root
};

}  // namespace qsweep
