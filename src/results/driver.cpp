#include "results/driver.h"
#if __has_include(<H5FDdevelop.h>)
#include <H5FDdevelop.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <new>

namespace qsweep::hdf5 {

namespace {

/// HDF5's part must come first: it sees only that.
struct Driver {
  H5FD_t base;
  Sink* sink;
  haddr_t allocated;
};

struct Information {
  Sink* sink;
};

Driver& driver(H5FD_t* file) { return *reinterpret_cast<Driver*>(file); }
const Driver& driver(const H5FD_t* file) { return *reinterpret_cast<const Driver*>(file); }

H5FD_t* open_driver(const char*, unsigned, hid_t access, haddr_t) {
  const auto* information = static_cast<const Information*>(H5Pget_driver_info(access));
  if (!information) return nullptr;
  auto* made = new (std::nothrow) Driver{};
  if (!made) return nullptr;
  made->sink = information->sink;
  return &made->base;
}

herr_t close_driver(H5FD_t* file) {
  delete &driver(file);
  return 0;
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  if (flags)
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

haddr_t allocated(const H5FD_t* file, H5FD_mem_t) { return driver(file).allocated; }

herr_t set_allocated(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  driver(file).allocated = address;
  return 0;
}

haddr_t file_end(const H5FD_t* file, H5FD_mem_t) { return driver(file).sink->written; }

herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* buffer) {
  char* to = static_cast<char*>(buffer);
  while (size > 0) {
    const ssize_t got = pread(driver(file).sink->descriptor, to, size, static_cast<off_t>(address));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) {  // allocated and not yet written: zeros, as in a sparse file
      std::memset(to, 0, size);
      return 0;
    }
    to += got;
    address += static_cast<haddr_t>(got);
    size -= static_cast<std::size_t>(got);
  }
  return 0;
}

herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, const void* buffer) {
  Sink& sink = *driver(file).sink;
  const char* from = static_cast<const char*>(buffer);
  while (size > 0 && sink.error == 0) {
    const ssize_t put = pwrite(sink.descriptor, from, size, static_cast<off_t>(address));
    if (put < 0 && errno != EINTR) sink.error = errno;
    if (put < 0) continue;
    from += put;
    address += static_cast<haddr_t>(put);
    size -= static_cast<std::size_t>(put);
  }
  sink.written = std::max<std::uint64_t>(sink.written, address + size);
  return 0;
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  Sink& sink = *driver(file).sink;
  if (sink.error == 0 && ftruncate(sink.descriptor, static_cast<off_t>(driver(file).allocated)) != 0) sink.error = errno;
  sink.written = driver(file).allocated;
  return 0;
}

H5FD_class_t driver_class() {
  H5FD_class_t made{};
#ifdef H5FD_CLASS_VERSION
  made.version = H5FD_CLASS_VERSION;
#endif
  made.name = "qsweep";
  made.maxaddr = (haddr_t{1} << 62);
  made.fc_degree = H5F_CLOSE_STRONG;
  made.fapl_size = sizeof(Information);
  made.open = open_driver;
  made.close = close_driver;
  made.query = query;
  made.get_eoa = allocated;
  made.set_eoa = set_allocated;
  made.get_eof = file_end;
  made.read = read;
  made.write = write;
  made.truncate = truncate;
  const H5FD_mem_t map[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
  std::copy(std::begin(map), std::end(map), std::begin(made.fl_map));
  return made;
}

}  // namespace

hid_t create_file(Sink& sink) {
  static const H5FD_class_t description = driver_class();
  static const hid_t registered = H5FDregister(&description);
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  const Information information{&sink};
  hid_t file = -1;
  if (registered >= 0 && access >= 0 && H5Pset_driver(access, registered, &information) >= 0)
    file = H5Fcreate("results", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  if (access >= 0) H5Pclose(access);
  return file;
}

}  // namespace qsweep::hdf5
