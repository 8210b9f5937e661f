// Results files and checkpoints that HDF5 finds in order: the bytes say what is changed in a sound one (fuzz/forge.h). All that reads
// them is tried. What can be read is written, collected and read again with the same bits.
#include <algorithm>
#include <optional>
#include <sstream>

#include "fuzz/forge.h"
#include "results/checkpoint.h"
#include "results/collect.h"
#include "results/diff.h"
#include "results/file.h"
#include "results/show.h"
#include "results/weights.h"

namespace {

using namespace qsweep;
using namespace qsweep::fuzz;
namespace fs = std::filesystem;

const std::string id = "0123456789abcdef";

struct Place {
  Folder folder;
  fs::path runs = folder.path() / "fuzz", file = runs / (id + ".h5"), checkpoint = runs / (id + ".checkpoint-3.h5"), sound = folder.path() / "sound.h5",
           again = folder.path() / "again.h5", collected = folder.path() / "fuzz.h5";

  Place() {
    fs::create_directory(runs);
    write_results(sound, sound_results(id));
  }
  void forge_from(Draws& draws) const {
    for (const fs::path& old : {file, checkpoint, again, collected}) fs::remove(old);  // a new file: HDF5 may still hold the old one open
    fs::copy_file(sound, file);
    forge(file, id, draws);
    fs::create_hard_link(file, checkpoint);
  }
};

void hold_narrow(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto characters = std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    hold(characters <= 80, "no line is wider than the terminal: " + line);
    hold(std::none_of(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }), "no control characters are shown: " + line);
  }
}

/// Of files that can be compared: where a dataset stands for the group curves or final, they cannot.
bool same(const fs::path& a, const fs::path& b) {
  Comparison compared;
  reads("", [&] { compared = diff(a, b); });
  if (compared.first) std::fprintf(stderr, "%s\n", compared.first->text().c_str());
  return compared.equal();
}

void read_all(const Place& at) {
  const std::string name = id + ".h5";
  std::optional<Results> all;
  if (reads(name, [&] { all = read_results(at.file); })) {
    if (reads(at.again.filename().string(), [&] { write_results(at.again, *all); })) hold(same(at.file, at.again), "what was read is written with the same bits");
    for (const Record& run : all->runs) reads(run.id, [&] { quantized_tensor(run, "fc1/weight").values(); });
  }
  reads(name, [&] { read_run_attributes(at.file, {"final/loss"}); });
  reads(name, [&] { hold_narrow(show(at.file, {80})); });
  reads(name, [&] { diff(at.file, at.sound); });
  reads(name, [&] { diff(at.sound, at.file); });
  reads(name, [&] { read_weights(at.file); });
  reads(name, [&] { read_problem(at.file, id); });
}

void read_folder(const Place& at) {
  const Checkpoints checkpoints(at.runs, id);
  const Checkpoints::File newest = checkpoints.newest_first().at(0);
  reads(at.checkpoint.filename().string(), [&] { Checkpoints::require_version(newest, checkpoints.read(newest)); });
  reads("fuzz", [&] { hold_narrow(show(at.runs, {80})); });
  if (reads("fuzz", [&] { collect(at.runs, std::nullopt, at.collected); })) hold(same(at.file, at.collected), "a run is collected with the same bits");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  Draws draws({data, size});
  place.forge_from(draws);
  read_all(place);
  read_folder(place);
  return 0;
}
