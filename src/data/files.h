#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

/// Files of data sets: plain, gzip (.gz) or xz (.xz), read into the caller's memory. Every error is a DataError that names the
/// file, what is wrong with it and what to do.
namespace qsweep {

/// `value` of data.dir if it is not empty, else $QSWEEP_DATA if set and not empty, else ./data.
std::filesystem::path data_directory(std::string_view value);

/// The first that exists of DIR/folder/name, DIR/folder/name.gz, DIR/folder/name.xz, DIR/name, DIR/name.gz, DIR/name.xz.
/// DataError if none does: the places tried, and `source`, where people get the set.
std::filesystem::path find_file(const std::filesystem::path& dir, std::string_view folder, std::string_view name,
                                std::string_view source);

/// The bytes of one file after decompression, in order. What the file claims about its size is never believed: nothing is allocated
/// by it.
class InputFile {
 public:
  /// The ending decides the format. `source` stands in error messages: where people get the file.
  InputFile(const std::filesystem::path& path, std::string_view source);
  ~InputFile();

  std::size_t read_some(std::span<std::uint8_t> out);  ///< number of bytes read, less than out.size() only at the end
  void read(std::span<std::uint8_t> out);              ///< DataError (truncated) unless out is filled
  void expect_end();                                   ///< DataError if bytes follow; checks the trailer of compressed streams

  /// Throws DataError "PATH: what; get it again: source".
  [[noreturn]] void fail(const std::string& what) const;

  class Decoder;  ///< one for each format

 private:
  std::string path_, source_;
  std::uint64_t position_ = 0;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace qsweep
