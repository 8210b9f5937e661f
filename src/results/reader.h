#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "results/record.h"

namespace qsweep {

/// An HDF5 file open for reading. Objects are named by their path from the root. Files are complete when they get their name and
/// never change, so none is locked: network file systems often cannot. Everything found wrong is a DataError that names file and
/// object.
class Reader {
 public:
  /// `verify`: read it all once to compare its checksum (results/checksum.h), if it has one.
  explicit Reader(const std::filesystem::path& file, bool verify = true);
  ~Reader();
  Reader(Reader&&) noexcept;

  struct Entry {
    std::string name;
    bool is_group;  ///< else a dataset; anything else is an error
  };
  /// What a group holds: in the order made if the file keeps that, else by name. Empty if there is no such group.
  std::vector<Entry> entries(const std::string& group) const;
  bool contains(const std::string& object) const;
  Attributes attributes(const std::string& object) const;
  /// The path in the result is what follows `group`; unit and long_name stay among the attributes. Floating-point values wider
  /// than float become double, integers int64, but bytes remain bytes.
  Dataset dataset(const std::string& group, const std::string& path) const;

  const std::string& name() const { return name_; }

 private:
  struct State;
  std::string name_;
  std::unique_ptr<State> state_;
};

}  // namespace qsweep
