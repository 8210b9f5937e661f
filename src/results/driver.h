#pragma once
#include <hdf5.h>

#include <cstdint>

/// The file driver through which qsweep's files are written. HDF5 1.10 crashes while it closes a file whose last writes failed
/// (disk full, quota, file-size limit), so it is never told: the first failure is kept here, later writes are dropped, and the
/// writer, which asks after each step, gives the file up.
namespace qsweep::hdf5 {

struct Sink {
  int descriptor = -1;        ///< an empty file open for reading and writing; the owner closes it
  int error = 0;              ///< errno of the first write that failed
  std::uint64_t written = 0;  ///< end of the file
};

/// A new HDF5 file in the sink, which must outlive it; negative if HDF5 cannot make one.
hid_t create_file(Sink&);

}  // namespace qsweep::hdf5
