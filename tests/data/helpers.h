#pragma once
#include <gtest/gtest.h>
#include <lzma.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "data/images.h"

namespace qsweep::test {

using Bytes = std::vector<std::uint8_t>;

/// A directory that goes with its object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "qsweep_data_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code unused;
    std::filesystem::remove_all(path_, unused);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& name, const Bytes& bytes) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return file;
  }

 private:
  std::filesystem::path path_;
};

inline Bytes gzip(const Bytes& in) {
  z_stream z = {};
  if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::runtime_error("deflateInit2");
  Bytes out(deflateBound(&z, in.size()) + 64);
  z.next_in = const_cast<Bytef*>(in.data());
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = out.data();
  z.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  if (status != Z_STREAM_END) throw std::runtime_error("deflate");
  return out;
}

inline Bytes xz(const Bytes& in) {
  Bytes out(lzma_stream_buffer_bound(in.size()));
  std::size_t size = 0;
  if (lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, nullptr, in.data(), in.size(), out.data(), &size, out.size()) != LZMA_OK)
    throw std::runtime_error("lzma_easy_buffer_encode");
  out.resize(size);
  return out;
}

inline std::string md5(std::initializer_list<std::span<const std::uint8_t>> parts) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestInit_ex(context, EVP_md5(), nullptr);
  for (const auto& part : parts) EVP_DigestUpdate(context, part.data(), part.size());
  std::uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(context, digest, &size);
  EVP_MD_CTX_free(context);
  std::string text;
  for (unsigned i = 0; i < size; ++i)
    for (const int nibble : {digest[i] >> 4, digest[i] & 15}) text += "0123456789abcdef"[nibble];
  return text;
}

/// The first place of $QSWEEP_DATA, data and ../shared/data beside the sources that has the set's folder; empty if none.
inline std::filesystem::path real_data(const std::string& folder) {
  const std::filesystem::path root = QSWEEP_SOURCE_DIR;
  std::vector<std::filesystem::path> places = {root / "data", root / ".." / "shared" / "data"};
  if (const char* variable = std::getenv("QSWEEP_DATA")) places.insert(places.begin(), variable);
  for (const auto& place : places)
    if (std::filesystem::exists(place / folder)) return place;
  return {};
}

/// A part of a set in memory of its own.
struct Images {
  Geometry geometry;
  Bytes pixels, labels;

  Images(ImageSet set, const std::filesystem::path& dir, Part part, std::size_t limit = 0) : geometry(describe(set).geometry) {
    labels.resize(sample_count(set, part, limit));
    pixels.resize(labels.size() * geometry.size());
    read(set, dir, part, pixels, labels);
  }
  ImageSetView view() const { return {geometry, pixels, labels}; }
  std::vector<int> label_counts() const {
    std::vector<int> counts(10);
    for (const std::uint8_t label : labels) ++counts.at(label);
    return counts;
  }
};

/// The message of the Error that `action` must throw.
template <class Error, class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

inline void expect_contains(const std::string& text, std::initializer_list<std::string> parts) {
  for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
}

}  // namespace qsweep::test
