#include "data/files.h"

#include <optional>

#include "base/errors.h"
#include "base/random.h"
#include "data/helpers.h"

namespace qsweep::test {
namespace {

Bytes random_bytes(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(Stream(5, Draw::Data).word(i) >> 24);
  return bytes;
}

std::string read_error(const std::filesystem::path& path, std::size_t size, bool whole = true) {
  return message_of<DataError>([&] {
    InputFile file(path, "the source");
    Bytes out(size);
    file.read(out);
    if (whole) file.expect_end();
  });
}

TEST(Files, EveryFormatGivesTheSameBytes) {
  const TemporaryDirectory dir;
  for (const std::size_t size : {1U, 2U, 7U, 1003U, 65536U, 200'001U}) {  // below, at and above the chunk of 65,536
    const Bytes bytes = random_bytes(size);
    for (const auto& path : {dir.write("a", bytes), dir.write("a.gz", gzip(bytes)), dir.write("a.xz", xz(bytes))}) {
      InputFile file(path, "the source");
      Bytes out(size);
      file.read(std::span(out).first(size / 3));
      file.read(std::span(out).subspan(size / 3));
      file.expect_end();
      EXPECT_EQ(out, bytes) << path;
      EXPECT_EQ(file.read_some(out), 0U) << path;
    }
  }
}

TEST(Files, ConcatenatedStreamsAreOneFile) {
  const TemporaryDirectory dir;
  const Bytes bytes = random_bytes(2000), first(bytes.begin(), bytes.begin() + 700), second(bytes.begin() + 700, bytes.end());
  for (const auto& [name, compress] : {std::pair("a.gz", &gzip), std::pair("a.xz", &xz)}) {
    Bytes stored = compress(first);
    const Bytes more = compress(second);
    stored.insert(stored.end(), more.begin(), more.end());
    InputFile file(dir.write(name, stored), "the source");
    Bytes out(2000);
    file.read(out);
    file.expect_end();
    EXPECT_EQ(out, bytes);
  }
}

TEST(Files, WrongLengthIsToldInEveryFormat) {
  const TemporaryDirectory dir;
  const Bytes bytes = random_bytes(1003);
  for (const auto& path : {dir.write("a", bytes), dir.write("a.gz", gzip(bytes)), dir.write("a.xz", xz(bytes))}) {
    expect_contains(read_error(path, 1002), {path.string(), "too long", "1002", "the source"});
    expect_contains(read_error(path, 1004), {path.string(), "truncated", "1003", "1004", "the source"});
  }
}

TEST(Files, EmptyFilesAreTruncated) {
  const TemporaryDirectory dir;
  for (const char* name : {"a", "a.gz", "a.xz"}) expect_contains(read_error(dir.write(name, {}), 1), {name, "truncated"});
}

TEST(Files, CutCompressedStreamsAreTruncatedWhereverTheyAreCut) {
  const TemporaryDirectory dir;
  const Bytes bytes = random_bytes(1003);
  for (const auto& [name, stored] : {std::pair("a.gz", gzip(bytes)), std::pair("a.xz", xz(bytes))})
    for (std::size_t size = 0; size < stored.size(); size += size < 40 || size + 40 > stored.size() ? 1 : 37) {
      const Bytes cut(stored.begin(), stored.begin() + static_cast<std::ptrdiff_t>(size));
      expect_contains(read_error(dir.write(name, cut), 1003), {name, "truncated"});
    }
}

TEST(Files, AChangedBitIsAnErrorWhereverItIs) {
  const TemporaryDirectory dir;
  const Bytes bytes = random_bytes(1003);
  for (const auto& [name, stored] : {std::pair("a.gz", gzip(bytes)), std::pair("a.xz", xz(bytes))})
    for (std::size_t i = 0; i < stored.size(); i += i < 12 || i + 40 > stored.size() ? 1 : 37) {
      if (name == std::string("a.gz") && i >= 3 && i <= 10) continue;  // nothing guards them: header, padding
      Bytes changed = stored;
      changed[i] ^= 16;
      const std::string what = read_error(dir.write(name, changed), 1003);
      EXPECT_TRUE(what.find("corrupt") != std::string::npos || what.find("truncated") != std::string::npos ||
                  what.find("too long") != std::string::npos)
          << name << " byte " << i << ": " << what;
    }
  expect_contains(read_error(dir.write("b.gz", bytes), 1003), {"corrupt gzip stream"});
  expect_contains(read_error(dir.write("b.xz", bytes), 1003), {"not an xz stream"});
}

TEST(Files, UnreadableFilesNameTheReason) {
  const TemporaryDirectory dir;
  expect_contains(read_error(dir.path() / "missing", 1), {"missing", "No such file"});
  std::filesystem::create_directory(dir.path() / "folder");
  expect_contains(read_error(dir.path() / "folder", 1), {"folder", "directory"});
}

TEST(Files, AreLookedUpInTheSetsFolderFirstPlainFirst) {
  const TemporaryDirectory dir;
  const auto find = [&] { return find_file(dir.path(), "mnist", "a", "SOURCE"); };
  expect_contains(message_of<DataError>(find), {"a: not found", (dir.path() / "mnist" / "a").string(), (dir.path() / "a").string(),
                                                ".gz", ".xz", "SOURCE", "data.dir", "QSWEEP_DATA"});
  for (const char* name : {"a.xz", "a.gz", "a", "mnist/a.xz", "mnist/a.gz", "mnist/a"}) {  // each goes before all that were there
    const auto path = dir.write(name, {1});
    EXPECT_EQ(find(), path);
  }
}

TEST(Files, DirectoryIsTheKeyThenTheVariableThenData) {
  const char* variable = std::getenv("QSWEEP_DATA");
  const std::optional<std::string> before = variable == nullptr ? std::nullopt : std::optional<std::string>(variable);
  setenv("QSWEEP_DATA", "/from/variable", 1);
  EXPECT_EQ(data_directory("/from/key"), "/from/key");
  EXPECT_EQ(data_directory(""), "/from/variable");
  setenv("QSWEEP_DATA", "", 1);
  EXPECT_EQ(data_directory(""), "data");
  unsetenv("QSWEEP_DATA");
  EXPECT_EQ(data_directory(""), "data");
  if (before) setenv("QSWEEP_DATA", before->c_str(), 1);
}

}  // namespace
}  // namespace qsweep::test
