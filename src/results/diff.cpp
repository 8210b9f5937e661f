#include "results/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <set>

#include "results/file.h"

namespace qsweep {

namespace {

template <class T>
constexpr const char* type_name = nullptr;
template <>
constexpr const char* type_name<double> = "float64";
template <>
constexpr const char* type_name<float> = "float32";
template <>
constexpr const char* type_name<std::int64_t> = "int64";
template <>
constexpr const char* type_name<std::uint8_t> = "uint8";
template <>
constexpr const char* type_name<std::string> = "string";

std::string kind(const Dataset& dataset) {
  return std::visit(
      [&](const auto& values) {
        return fmt::format("{} [{}]", type_name<typename std::decay_t<decltype(values)>::value_type>,
                           fmt::join(dataset.shape, ", "));
      },
      dataset.values);
}

bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }
bool same_bits(float a, float b) { return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); }
template <class T>
bool same_bits(const T& a, const T& b) {
  return a == b;
}

std::string show(double x) {
  return x == x ? fmt::format("{}", x) : fmt::format("{} (bits {:#018x})", x, std::bit_cast<std::uint64_t>(x));
}
std::string show(float x) {
  return x == x ? fmt::format("{}", x) : fmt::format("{} (bits {:#010x})", x, std::bit_cast<std::uint32_t>(x));
}
template <class T>
std::string show(const T& x) {
  return fmt::format("{}", x);
}

std::vector<std::size_t> index_of(std::size_t flat, const std::vector<std::size_t>& shape) {
  std::vector<std::size_t> index(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0; flat /= shape[axis]) index[axis] = flat % shape[axis];
  return index;
}

std::optional<Difference> compare(const std::string& run, const Dataset& a, const Dataset& b) {
  if (a.shape != b.shape || a.values.index() != b.values.index()) return Difference{run, a.path, {}, kind(a), kind(b)};
  return std::visit(
      [&](const auto& left) -> std::optional<Difference> {
        const auto& right = std::get<std::decay_t<decltype(left)>>(b.values);
        for (std::size_t i = 0; i < left.size(); ++i)
          if (!same_bits(left[i], right[i])) return Difference{run, a.path, index_of(i, a.shape), show(left[i]), show(right[i])};
        return std::nullopt;
      },
      a.values);
}

std::set<std::string> run_names(const Reader& file) {
  std::set<std::string> names;
  for (const auto& entry : file.entries("/runs")) names.insert(entry.name);
  return names;
}

std::set<std::string> compared_paths(const Reader& file, const std::string& run) {
  std::set<std::string> paths;
  for (const std::string group : {"curves", "final"})
    for (const std::string& path : dataset_paths(file, run + "/" + group)) paths.insert(group + "/" + path);
  return paths;
}

void compare_run(const Reader& a, const Reader& b, const std::string& id, Comparison& result) {
  const std::string group = "/runs/" + id;
  const std::set<std::string> in_a = compared_paths(a, group), in_b = compared_paths(b, group);
  std::set<std::string> paths = in_a;
  paths.insert(in_b.begin(), in_b.end());
  for (const std::string& path : paths) {
    if (!in_a.count(path) || !in_b.count(path))
      result.first = Difference{id, path, {}, in_a.count(path) ? "present" : "absent", in_b.count(path) ? "present" : "absent"};
    else
      result.first = compare(id, a.dataset(group, path), b.dataset(group, path));
    if (result.first) return;
    ++result.datasets;
  }
  ++result.runs;
}

}  // namespace

std::string Difference::text() const {
  const std::string place = index.empty() ? "" : fmt::format("[{}]", fmt::join(index, ", "));
  return fmt::format("run {}: {}{}: {} against {}", run, dataset, place, a, b);
}

Comparison diff(const std::filesystem::path& a, const std::filesystem::path& b) {
  const Reader left = open_results(a), right = open_results(b);
  const std::set<std::string> in_b = run_names(right);
  std::set<std::string> only_b = in_b;
  Comparison result;
  for (const auto& entry : left.entries("/runs")) {
    only_b.erase(entry.name);
    if (!in_b.count(entry.name))
      result.only_a.push_back(entry.name);
    else if (!result.first)
      compare_run(left, right, entry.name, result);
  }
  result.only_b.assign(only_b.begin(), only_b.end());
  return result;
}

}  // namespace qsweep
