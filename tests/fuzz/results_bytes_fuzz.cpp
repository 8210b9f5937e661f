// Damaged bytes of results files and checkpoints. HDF5's library crashes over some, so none may reach it: the checksum is compared first.
//   kind 0   the bytes that follow are the file
//        1   a sound file, cut behind as many bytes as two say
//        2   a sound file, whose bytes are changed: two say where, one what is added to it; and so on
//        3   a sound file whose end, as many bytes as two say, is lost: it is zero
#include <zlib.h>

#include "fuzz/forge.h"
#include "results/checkpoint.h"
#include "results/checksum.h"
#include "results/collect.h"
#include "results/diff.h"
#include "results/file.h"
#include "results/show.h"

namespace {

using namespace qsweep;
using namespace qsweep::fuzz;
namespace fs = std::filesystem;

const std::string id = "0123456789abcdef", mark = "qsweep-crc32-v1:";

struct Place {
  Folder folder;
  fs::path runs = folder.path() / "fuzz", file = runs / (id + ".h5"), checkpoint = runs / (id + ".checkpoint-3.h5"), sound = folder.path() / "sound.h5";
  std::string sound_bytes;

  Place() {
    fs::create_directory(runs);
    write_results(sound, sound_results(id));
    std::ifstream in(sound, std::ios::binary);
    sound_bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
};

/// A file that has a checksum has a wrong one; one without is the fuzzer's own, and gets one.
std::string with_wrong_checksum(std::string bytes) {
  if (bytes.size() >= 24 && bytes.compare(bytes.size() - 24, mark.size(), mark) == 0) bytes.resize(bytes.size() - 24);
  unsigned long crc = crc32(0, nullptr, 0);
  crc = crc32(crc, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())) ^ 1U;
  char text[9];
  std::snprintf(text, sizeof text, "%08lx", crc);
  return bytes + mark + text;
}

/// Empty if nothing is damaged.
std::string damaged(const std::string& sound, Draws& draws) {
  std::string bytes = sound;
  switch (draws.below(4)) {
    case 0: return with_wrong_checksum(draws.rest());
    case 1: return bytes.substr(0, draws.word() % bytes.size());
    case 2:
      while (draws.more()) {
        const std::size_t at = draws.word() % bytes.size();
        bytes[at] = static_cast<char>(bytes[at] + draws.byte());
      }
      // Both the mark of the checksum and something before it: then nothing tells that there was one but what lies behind HDF5's end.
      break;
    default: {
      const std::size_t lost = 1 + draws.word() % (bytes.size() - 1);
      std::fill(bytes.end() - static_cast<std::ptrdiff_t>(lost), bytes.end(), '\0');
    }
  }
  return bytes == sound ? "" : bytes;
}

template <class Call>
void refused(const std::string& file, Call call) {
  hold(!reads(file, call), "a damaged file is refused: " + file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place at;
  Draws draws({data, size});
  const std::string bytes = damaged(at.sound_bytes, draws);
  if (bytes.empty() && size > 0) return 0;
  at.folder.write("fuzz/" + at.file.filename().string(), bytes);
  const std::string name = at.file.filename().string();
  refused(name, [&] { open_results(at.file); });
  refused(name, [&] { read_run_attributes(at.file); });
  refused(name, [&] { read_weights(at.file); });
  refused(name, [&] { diff(at.file, at.sound); });
  refused(name, [&] { show(at.file, {80}); });
  refused("fuzz", [&] { show(at.runs, {80}); });
  refused("fuzz", [&] { collect(at.runs, std::nullopt, at.folder.path() / "fuzz.h5"); });
  fs::rename(at.file, at.checkpoint);
  const Checkpoints checkpoints(at.runs, id);
  refused(at.checkpoint.filename().string(), [&] { checkpoints.read(checkpoints.newest_first().at(0)); });
  fs::remove(at.checkpoint);
  return 0;
}
