#include "data/files.h"

#include <fmt/format.h>
#include <lzma.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/errors.h"

namespace qsweep {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{1} << 16;
constexpr std::uint64_t xz_memory_limit = std::uint64_t{256} << 20;  // xz -9 needs 65 MiB; a forged header may ask for 4 GiB

/// The stored bytes, one chunk at a time.
class ChunkReader {
 public:
  explicit ChunkReader(const char* path) : file_(std::fopen(path, "rb")) {
    if (file_ == nullptr) throw std::system_error(errno, std::generic_category(), "cannot be opened");
  }
  std::span<const std::uint8_t> next() {  // empty at the end
    const std::size_t size = read(buffer_);
    return std::span(buffer_).first(size);
  }
  std::size_t read(std::span<std::uint8_t> out) {
    const std::size_t size = std::fread(out.data(), 1, out.size(), file_.get());
    if (size < out.size() && std::ferror(file_.get()) != 0)
      throw std::system_error(errno, std::generic_category(), "cannot be read");
    return size;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
  std::array<std::uint8_t, chunk_bytes> buffer_;
};

/// What is wrong with a compressed stream; InputFile adds the name.
struct StreamError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace

class InputFile::Decoder {
 public:
  explicit Decoder(const char* path) : input_(path) {}
  virtual ~Decoder() = default;
  virtual std::size_t read(std::span<std::uint8_t> out) = 0;  // at least 1 byte, 0 only at the end

 protected:
  ChunkReader input_;
};

namespace {

class PlainDecoder final : public InputFile::Decoder {
 public:
  using Decoder::Decoder;
  std::size_t read(std::span<std::uint8_t> out) override { return input_.read(out.first(std::min(out.size(), chunk_bytes))); }
};

class GzipDecoder final : public InputFile::Decoder {
 public:
  explicit GzipDecoder(const char* path) : Decoder(path) {
    if (inflateInit2(&stream_, 15 + 16 /* gzip header and trailer */) != Z_OK) throw StreamError("zlib cannot start");
  }
  ~GzipDecoder() override { inflateEnd(&stream_); }

  std::size_t read(std::span<std::uint8_t> out) override {
    const auto asked = static_cast<uInt>(std::min(out.size(), chunk_bytes));
    stream_.next_out = out.data();
    stream_.avail_out = asked;
    while (stream_.avail_out == asked) {
      if (stream_.avail_in == 0) refill();
      if (stream_.avail_in == 0) {
        if (ended_) return 0;
        throw StreamError("truncated: the gzip stream ends too early");
      }
      if (ended_) inflateReset(&stream_);  // a file may be several gzip streams
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END)
        throw StreamError(fmt::format("corrupt gzip stream ({})", stream_.msg != nullptr ? stream_.msg : zError(status)));
      ended_ = status == Z_STREAM_END;
    }
    return asked - stream_.avail_out;
  }

 private:
  void refill() {
    const auto chunk = input_.next();
    stream_.next_in = const_cast<Bytef*>(chunk.data());  // zlib reads only
    stream_.avail_in = static_cast<uInt>(chunk.size());
  }
  z_stream stream_ = {};
  bool ended_ = false;
};

class XzDecoder final : public InputFile::Decoder {
 public:
  explicit XzDecoder(const char* path) : Decoder(path) {
    if (lzma_stream_decoder(&stream_, xz_memory_limit, LZMA_CONCATENATED) != LZMA_OK) throw StreamError("liblzma cannot start");
  }
  ~XzDecoder() override { lzma_end(&stream_); }

  std::size_t read(std::span<std::uint8_t> out) override {
    const std::size_t asked = std::min(out.size(), chunk_bytes);
    stream_.next_out = out.data();
    stream_.avail_out = asked;
    while (stream_.avail_out == asked && !ended_) {
      if (stream_.avail_in == 0 && !last_) refill();
      const lzma_ret status = lzma_code(&stream_, last_ ? LZMA_FINISH : LZMA_RUN);
      ended_ = status == LZMA_STREAM_END;
      if (status != LZMA_OK && !ended_) throw StreamError(text(status));
    }
    return asked - stream_.avail_out;
  }

 private:
  void refill() {
    const auto chunk = input_.next();
    stream_.next_in = chunk.data();
    stream_.avail_in = chunk.size();
    last_ = chunk.empty();
  }
  static std::string text(lzma_ret status) {
    switch (status) {
      case LZMA_BUF_ERROR:
        return "truncated: the xz stream ends too early";
      case LZMA_FORMAT_ERROR:
        return "corrupt: not an xz stream";
      case LZMA_MEMLIMIT_ERROR:
        return "corrupt xz stream, or one that asks for more than 256 MiB to decompress";
      default:
        return fmt::format("corrupt xz stream (liblzma error {})", static_cast<int>(status));
    }
  }
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ended_ = false, last_ = false;
};

std::unique_ptr<InputFile::Decoder> open(const std::filesystem::path& path) {
  if (path.extension() == ".gz") return std::make_unique<GzipDecoder>(path.c_str());
  if (path.extension() == ".xz") return std::make_unique<XzDecoder>(path.c_str());
  return std::make_unique<PlainDecoder>(path.c_str());
}

}  // namespace

std::filesystem::path data_directory(std::string_view value) {
  if (!value.empty()) return value;
  const char* variable = std::getenv("QSWEEP_DATA");
  return variable != nullptr && *variable != '\0' ? variable : "data";
}

std::filesystem::path find_file(const std::filesystem::path& dir, std::string_view folder, std::string_view name,
                                std::string_view source) {
  for (const auto& place : {dir / folder, dir})
    for (const char* ending : {"", ".gz", ".xz"}) {
      const auto path = place / (std::string(name) + ending);
      std::error_code unused;  // what cannot be looked at is not there
      if (std::filesystem::exists(path, unused)) return path;
    }
  throw DataError(
      fmt::format("{0}: not found; tried {1} and {2}, each plain, .gz and .xz. Get it from {3} and put it there, or name its "
                  "directory by data.dir or "
                  "the environment variable QSWEEP_DATA",
                  name, (dir / folder / name).string(), (dir / name).string(), source));
}

InputFile::InputFile(const std::filesystem::path& path, std::string_view source) : path_(path.string()), source_(source) {
  try {
    decoder_ = open(path);
  } catch (const std::runtime_error& error) {  // the operating system's, or a StreamError
    throw DataError(fmt::format("{}: {}", path_, error.what()));
  }
}

InputFile::~InputFile() = default;

void InputFile::fail(const std::string& what) const {
  throw DataError(fmt::format("{}: {}; get it again: {}", path_, what, source_));
}

std::size_t InputFile::read_some(std::span<std::uint8_t> out) {
  std::size_t done = 0;
  try {
    while (done < out.size()) {
      const std::size_t size = decoder_->read(out.subspan(done));
      if (size == 0) break;
      done += size;
    }
  } catch (const StreamError& error) {
    fail(error.what());
  } catch (const std::system_error& error) {
    throw DataError(fmt::format("{}: {}", path_, error.what()));
  }
  position_ += done;
  return done;
}

void InputFile::read(std::span<std::uint8_t> out) {
  const std::uint64_t begin = position_;
  if (read_some(out) < out.size()) fail(fmt::format("truncated: {} bytes, at least {} expected", position_, begin + out.size()));
}

void InputFile::expect_end() {
  std::array<std::uint8_t, 1> byte;
  if (read_some(byte) != 0) fail(fmt::format("too long: bytes follow the {} that are expected", position_ - 1));
}

}  // namespace qsweep
