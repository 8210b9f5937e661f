#pragma once
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "base/errors.h"

/// What the fuzz targets share. A target takes any bytes for a file of one kind and reads them as the program does. What holds of all:
/// the reader returns, or throws ConfigError or DataError with one message that its user can read and that names the file. Another
/// exception, a sanitizer's report, a crash, more than 10 s or 2 GB are bugs of the reader.
///   tests/fuzz/<target>_fuzz.cpp      the target, with what its bytes mean
///   tests/fuzz/corpus/<target>/       seeds, and every input that once found a bug
/// In every build driver.cpp runs the corpus and mutations of it (ctest -R fuzz); with libFuzzer: scripts/fuzz.sh.
namespace qsweep::fuzz {

using Bytes = std::span<const std::uint8_t>;

/// What must hold whatever the bytes are.
inline void hold(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what.c_str());
  std::abort();
}

/// Not endless, with the name of what it is about.
inline void hold_readable(const std::string& message, const std::string& file) {
  hold(message.find(file) != std::string::npos, "a message names '" + file + "': " + message);
  hold(message.size() < 4096, "a message has less than 4096 bytes: " + message);
}

/// Whether it was read; refused if not.
template <class Call>
bool reads(const std::string& file, Call call) {
  try {
    call();
    return true;
  } catch (const ConfigError& refused) {
    hold_readable(refused.what(), file);
  } catch (const DataError& refused) {
    hold_readable(refused.what(), file);
  }
  return false;
}

/// A folder that lasts as long as the program, in memory where the system has such a place.
class Folder {
 public:
  Folder() {
    const char* chosen = std::getenv("TMPDIR");
    const std::filesystem::path memory = "/dev/shm", place = chosen == nullptr && access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
    std::string name = (place / "qsweep_fuzz_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    const std::filesystem::path file = path_ / name;
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Takes the input apart, from its front; zeros when it is used up.
class Draws {
 public:
  explicit Draws(Bytes bytes) : left_(bytes) {}
  bool more() const { return !left_.empty(); }
  std::uint8_t byte() {
    if (left_.empty()) return 0;
    const std::uint8_t first = left_.front();
    left_ = left_.subspan(1);
    return first;
  }
  std::size_t below(std::size_t n) { return byte() % n; }  ///< n ≤ 256
  std::size_t word() {
    const std::size_t high = byte();
    return high << 8 | byte();
  }
  std::string text(std::size_t size) {
    std::string made;
    for (std::size_t i = 0; i < size && more(); ++i) made += static_cast<char>(byte());
    return made;
  }
  std::string rest() { return text(left_.size()); }

 private:
  Bytes left_;
};

}  // namespace qsweep::fuzz
