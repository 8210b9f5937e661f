#pragma once
#include <cstdint>
#include <string>

/// A CRC-32 of the whole file behind the end of what HDF5 knows of it: last 24 bytes = "qsweep-crc32-v1:" and 8 hexadecimal digits.
/// HDF5 checks neither numbers nor strings, and crashes over some damaged strings; it ignores bytes behind its end. A program that
/// changes a file through HDF5 cuts them off, so a file without them is simply not checked. But other bytes in their place differ: there
/// was a checksum, and the end of the file was lost.
namespace qsweep {

enum class Checksum { matches, differs, absent };

/// 0, or errno of what failed. The descriptor is open for reading and writing.
int append_checksum(int descriptor);
Checksum verify_checksum(const std::string& file);

}  // namespace qsweep
