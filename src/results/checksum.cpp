#include "results/checksum.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace qsweep {

namespace {

constexpr std::size_t trailer_bytes = 24;
constexpr std::string_view mark = "qsweep-crc32-v1:";

std::string trailer(unsigned long crc) { return fmt::format("{}{:08x}", mark, crc); }

/// Of the first `size` bytes; -1 (errno) if they cannot be read.
long long checksum(int descriptor, off_t size) {
  std::vector<unsigned char> buffer(std::min(std::size_t{1} << 20, static_cast<std::size_t>(size)));
  unsigned long crc = crc32(0, nullptr, 0);
  for (off_t at = 0; at < size;) {
    const ssize_t got =
        pread(descriptor, buffer.data(), std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(size - at)), at);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = EIO;
    if (got <= 0) return -1;
    crc = crc32(crc, buffer.data(), static_cast<unsigned>(got));
    at += got;
  }
  return static_cast<long long>(crc);
}

/// Where HDF5's part of a file ends, by the file's own word: of superblocks of version 0, which qsweep writes; else nothing.
std::optional<off_t> end_of_hdf5(int descriptor) {
  constexpr std::array<unsigned char, 9> begin = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 0};
  std::array<unsigned char, 48> head{};
  if (pread(descriptor, head.data(), head.size(), 0) != static_cast<ssize_t>(head.size())) return std::nullopt;
  if (!std::equal(begin.begin(), begin.end(), head.begin()) || head[13] != 8) return std::nullopt;  // head[13]: bytes of an address
  std::uint64_t end = 0;
  for (std::size_t i = 48; i-- > 40;) end = end << 8 | head[i];
  return static_cast<off_t>(end);
}

}  // namespace

int append_checksum(int descriptor) {
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) return errno;
  const long long crc = checksum(descriptor, status.st_size);
  if (crc < 0) return errno;
  const std::string text = trailer(static_cast<unsigned long>(crc));
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t put = pwrite(descriptor, text.data() + done, text.size() - done, status.st_size + static_cast<off_t>(done));
    if (put < 0 && errno != EINTR) return errno;
    if (put > 0) done += static_cast<std::size_t>(put);
  }
  return 0;
}

Checksum verify_checksum(const std::string& file) {
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return Checksum::absent;
  struct stat status = {};
  std::string found(trailer_bytes, '\0');
  Checksum verdict = Checksum::absent;
  const bool readable = fstat(descriptor, &status) == 0 && status.st_size > static_cast<off_t>(trailer_bytes);
  const off_t end = status.st_size - static_cast<off_t>(trailer_bytes);
  if (readable && pread(descriptor, found.data(), trailer_bytes, end) == static_cast<ssize_t>(trailer_bytes) &&
      found.rfind(mark, 0) == 0) {
    const long long crc = checksum(descriptor, end);
    verdict = crc >= 0 && found == trailer(static_cast<unsigned long>(crc)) ? Checksum::matches : Checksum::differs;
  } else if (const auto end_of_content = end_of_hdf5(descriptor); end_of_content && status.st_size > *end_of_content) {
    verdict = Checksum::differs;
  }
  close(descriptor);
  return verdict;
}

}  // namespace qsweep
