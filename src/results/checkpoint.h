#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "results/record.h"

/// The checkpoints of one run, beside its results: <id>.checkpoint-<iteration>.h5, results files (results/FORMAT.md) of status `running`
/// with the group checkpoint/ in addition. Each is written whole (results/writer.h); the last two are kept, so that a damaged one
/// costs the way from the one before.
namespace qsweep {

inline constexpr std::int64_t checkpoint_version = 1;

class Checkpoints {
 public:
  /// Of the run whose results will be DIR/NAME/<id>.h5.
  Checkpoints(std::filesystem::path folder, std::string id) : folder_(std::move(folder)), id_(std::move(id)) {}

  struct File {
    std::filesystem::path path;
    std::uint64_t iteration;
  };
  std::vector<File> newest_first() const;
  /// Stores the one run of `results`, with its state; removes all but the last two.
  void write(const Results& results) const;
  /// DataError if it is damaged, or of another run.
  Record read(const File& file) const;
  /// DataError if its state is that of another version of qsweep.
  static void require_version(const File& file, const Record& checkpoint);
  void remove() const;

 private:
  std::filesystem::path folder_;
  std::string id_;
};

/// What a file name says; none if it is not that of a checkpoint.
struct CheckpointName {
  std::string id;
  std::uint64_t iteration = 0;
};
std::optional<CheckpointName> checkpoint_name(const std::filesystem::path& file);

}  // namespace qsweep
