// Plain, gzip and xz files: a byte that chooses the ending, then the file. However it is read, in pieces or at once, it gives the same
// bytes, or is refused; of a file that unpacks without end no more is unpacked than is asked for.
#include <algorithm>
#include <array>
#include <vector>

#include "data/files.h"
#include "fuzz/fuzz.h"

namespace {

using namespace qsweep;
using namespace qsweep::fuzz;

constexpr std::size_t most = 300'000;  // several chunks of 65,536

struct Unpacked {
  std::string bytes;
  bool whole = false;
};

Unpacked unpack(const std::filesystem::path& path, std::size_t piece) {
  Unpacked made;
  made.whole = reads(path.filename().string(), [&] {
    InputFile file(path, "the source");
    std::vector<std::uint8_t> room(piece);
    for (std::size_t got = piece; got == piece && made.bytes.size() < most;) {
      got = file.read_some(std::span(room).first(std::min(piece, most - made.bytes.size())));
      made.bytes.append(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(got));
    }
    file.expect_end();
  });
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  Draws draws({data, size});
  const std::string ending = std::array<const char*, 3>{".gz", ".xz", ""}[draws.below(3)];
  const std::filesystem::path file = folder.write("packed" + ending, draws.rest());
  const Unpacked at_once = unpack(file, most), in_pieces = unpack(file, 777);
  hold(at_once.whole == in_pieces.whole, "it is whole or not, however it is read");
  hold(!at_once.whole || at_once.bytes == in_pieces.bytes, "it has the same bytes, however it is read");
  hold(at_once.bytes.size() <= most, "no more is unpacked than is asked for");
  return 0;
}
