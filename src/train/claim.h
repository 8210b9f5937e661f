#pragma once
#include <filesystem>
#include <string>

/// The right to do one run: an exclusive fcntl lock on <id>.lock beside the results. The kernel frees it on any death of the
/// process, so nothing stale is left; it serves teams, shards and second processes alike.
namespace qsweep {

class Claim {
 public:
  /// Tries to lock; does not wait. DataError if the lock file cannot be made.
  explicit Claim(std::filesystem::path lock_file);
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  ~Claim();  ///< removes the lock file and gives the lock back
  bool held() const { return held_; }

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
  bool held_ = false;
};

}  // namespace qsweep
