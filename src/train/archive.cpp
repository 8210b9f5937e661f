#include "train/archive.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/errors.h"
#include "exchange/exchange.h"

namespace qsweep {
namespace {

constexpr int workers_tag = 51;

std::string in_group(const std::string& name) { return fmt::format("{}/{}", Archive::group, name); }

}  // namespace

void Archive::put(const std::string& name, Values values) {
  const std::size_t size = std::visit([](const auto& known) { return known.size(); }, values);
  to_->datasets.push_back({in_group(name), "1", name, {size}, std::move(values)});
}

const Dataset* Archive::take(const std::string& name) {
  taken_.insert(in_group(name));
  const Dataset* found = from_->find(in_group(name));
  if (found == nullptr) refuse(name, "is missing");
  return found;
}

void Archive::refuse(const std::string& name, const char* why) { fail(in_group(name), why); }

void Archive::fail(const std::string& name, const char* what) {
  if (error_.empty()) error_ = fmt::format("{} {}", name, what);
}

void Archive::of_root(const std::string& name, std::span<double> values) {
  std::vector<double> list(values.begin(), values.end());
  of_root(name, list);
  if (!restores() || !team_.is_root()) return;
  if (list.size() != values.size()) refuse(name, "has another shape");
  else std::ranges::copy(list, values.begin());
}

/// The rows of each rank's workers travel to the root, or from it, one rank after the other.
template <class T>
void Archive::rows(const std::string& name, std::span<T> mine, std::size_t each, std::size_t workers) {
  if (!team_.is_root()) {
    if (mine.empty()) return;
    if (restores()) team_.receive(std::as_writable_bytes(mine), 0, workers_tag);
    else team_.send(std::as_bytes(mine), 0, workers_tag);
    return;
  }
  std::vector<T> all(each * workers);
  if (restores()) {
    of_root(name, all);
    if (all.size() != each * workers) refuse(name, "has another shape");
    all.resize(each * workers);
  }
  for (int p = 0; p < team_.ranks(); ++p) {
    const WorkerBlock block = workers_of(p, team_.ranks(), workers);
    const std::span<T> rows = std::span(all).subspan(block.first * each, block.count * each);
    if (rows.empty()) continue;
    if (p == 0 && restores()) std::ranges::copy(rows, mine.begin());
    else if (p == 0) std::ranges::copy(mine, rows.begin());
    else if (restores()) team_.send(std::as_bytes(rows), p, workers_tag);
    else team_.receive(std::as_writable_bytes(rows), p, workers_tag);
  }
  if (!restores()) of_root(name, all);
}
template void Archive::rows(const std::string&, std::span<float>, std::size_t, std::size_t);
template void Archive::rows(const std::string&, std::span<double>, std::size_t, std::size_t);

void Archive::elements(const std::string& name, const Layout& layout, const Partition& partition, std::span<float> mine) {
  elements_at(in_group(name), "1", layout, partition, mine);
}

void Archive::weights(const Layout& layout, const Partition& partition, std::span<float> mine) {
  elements_at("final/weights", "weight", layout, partition, mine);
}

void Archive::elements_at(const std::string& path, const std::string& unit, const Layout& layout, const Partition& partition, std::span<float> mine) {
  const bool root_owns_all = partition.is_whole(0);
  std::vector<float> room(team_.is_root() && !root_owns_all ? layout.dimension() : 0);
  const std::span<float> whole = !team_.is_root() ? std::span<float>() : root_owns_all ? mine : std::span(room);
  if (!restores()) {
    gather(team_, partition, mine, whole);
    if (team_.is_root()) put_tensors(path, unit, layout, whole);
  } else {
    if (team_.is_root()) take_tensors(path, layout, whole);
    scatter(team_, partition, whole, mine);
  }
}

void Archive::put_tensors(const std::string& path, const std::string& unit, const Layout& layout, std::span<const float> whole) {
  for (const Tensor& t : layout.tensors()) {
    const auto values = whole.subspan(t.offset, t.size);
    to_->datasets.push_back({path + "/" + t.name, unit, t.name, t.shape, std::vector<float>(values.begin(), values.end())});
  }
}

void Archive::take_tensors(const std::string& path, const Layout& layout, std::span<float> whole) {
  for (const Tensor& t : layout.tensors()) {
    const std::string name = path + "/" + t.name;
    taken_.insert(name);
    const Dataset* found = from_->find(name);
    const auto* values = found != nullptr ? std::get_if<std::vector<float>>(&found->values) : nullptr;
    if (values == nullptr || found->shape != t.shape || values->size() != t.size) fail(name, found == nullptr ? "is missing" : "has another shape");
    else std::ranges::copy(*values, whole.begin() + static_cast<std::ptrdiff_t>(t.offset));
  }
}

void Archive::finish(const std::string& origin) {
  team_.on_root([&] {
    if (!restores()) return;
    for (const Dataset& d : from_->datasets)
      if (d.path.starts_with(in_group("")) && !taken_.contains(d.path)) fail(d.path, "is unknown to this qsweep");
    if (!error_.empty())
      throw DataError(fmt::format("{}: {}: it is of another qsweep: use the one that wrote it, or delete the checkpoints of this run, and it begins anew", origin, error_));
  });
}

}  // namespace qsweep
