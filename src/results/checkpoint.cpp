#include "results/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "base/errors.h"
#include "results/checksum.h"
#include "results/file.h"

namespace qsweep {
namespace {

namespace fs = std::filesystem;
constexpr const char* mark = ".checkpoint-";
constexpr std::size_t kept = 2;

}  // namespace

std::optional<CheckpointName> checkpoint_name(const fs::path& file) {
  const std::string name = file.filename().string();
  const std::size_t at = name.find(mark), digits = at + std::string_view(mark).size();
  if (at == std::string::npos || at == 0 || !name.ends_with(".h5")) return std::nullopt;
  CheckpointName found{name.substr(0, at)};
  const char* const end = name.data() + name.size() - 3;
  const auto [read_to, error] = std::from_chars(name.data() + digits, end, found.iteration);
  return error == std::errc{} && read_to == end ? std::optional(found) : std::nullopt;
}

std::vector<Checkpoints::File> Checkpoints::newest_first() const {
  std::vector<File> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error))
    if (const auto name = checkpoint_name(entry.path()); name && name->id == id_) files.push_back({entry.path(), name->iteration});
  std::ranges::sort(files, std::ranges::greater(), &File::iteration);
  return files;
}

void Checkpoints::write(const Results& results) const {
  const std::int64_t iteration = std::get<std::int64_t>(results.runs.at(0).attributes.at("iterations"));
  write_results(folder_ / (id_ + mark + std::to_string(iteration) + ".h5"), results);
  const std::vector<File> files = newest_first();
  std::error_code gone;
  for (std::size_t i = kept; i < files.size(); ++i) fs::remove(files[i].path, gone);
}

Record Checkpoints::read(const File& file) const {
  if (verify_checksum(file.path.string()) == Checksum::absent)
    throw DataError(file.path.string() + ": is not complete: delete it, or restore it");
  Results results = read_results(file.path);
  if (results.runs.size() != 1 || results.runs[0].id != id_) throw DataError(file.path.string() + ": is not of run " + id_ + ": delete it");
  return std::move(results.runs[0]);
}

void Checkpoints::require_version(const File& file, const Record& checkpoint) {
  const auto group = checkpoint.groups.find("checkpoint");
  const Attributes none, &attributes = group == checkpoint.groups.end() ? none : group->second;
  const auto version = attributes.find("version");
  const std::int64_t* number = version == attributes.end() ? nullptr : std::get_if<std::int64_t>(&version->second);
  if (number != nullptr && *number == checkpoint_version) return;
  throw DataError(file.path.string() + ": holds a state of version " + (number == nullptr ? "unknown" : std::to_string(*number)) + ", this qsweep goes on from version " +
                  std::to_string(checkpoint_version) + ": use the qsweep that wrote it, or delete the checkpoints of this run, and it begins anew");
}

void Checkpoints::remove() const {
  std::error_code gone;
  for (const File& file : newest_first()) fs::remove(file.path, gone);
}

}  // namespace qsweep
