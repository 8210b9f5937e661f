#include "train/claim.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/errors.h"

namespace qsweep {

Claim::Claim(std::filesystem::path lock_file) : file_(std::move(lock_file)) {
  descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw DataError(fmt::format("{}: cannot be written ({}): choose another folder with --out, or free it", file_.string(), std::strerror(errno)));
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(descriptor_, F_SETLK, &whole) != 0) {
    if (errno != EAGAIN && errno != EACCES) {
      const int error = errno;
      ::close(descriptor_);
      throw DataError(fmt::format("{}: cannot be locked ({}): the folder's file system must support fcntl locks; choose another with --out", file_.string(), std::strerror(error)));
    }
    return;
  }
  // Whoever held the lock before may have removed the file: then this lock is on a file that nobody else will find.
  struct stat opened{}, named{};
  held_ = ::fstat(descriptor_, &opened) == 0 && ::stat(file_.c_str(), &named) == 0 && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

Claim::~Claim() {
  if (held_) ::unlink(file_.c_str());
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace qsweep
