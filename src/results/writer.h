#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "results/record.h"

namespace qsweep {

/// One results file while it is made. A reader sees all of it or nothing: it is written under a temporary name in the same folder,
/// FILE.tmp-<host>-<process id>, closed, synchronized to disk and renamed. Without finish() the temporary is removed and an older
/// file of that name stays. Objects are named by their path from the root, "/runs/x"; groups are made on the way.
/// Every function throws DataError, naming the file and what to do, if the folder is unwritable or the disk is full.
class Writer {
 public:
  explicit Writer(std::filesystem::path file);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// A group whose members are listed in the order in which they were made.
  void ordered_group(const std::string& group);
  /// Makes the group where there is none.
  void attributes(const std::string& group, const Attributes&);
  void dataset(const std::string& group, const Dataset&);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace qsweep
