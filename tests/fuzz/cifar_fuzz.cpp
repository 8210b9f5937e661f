// CIFAR-10's binary files:
//   flags   4: the test part; 8: two records are read, else one
//   zeros   how many follow the bytes, two bytes
// What is read is what stands in the file.
#include <algorithm>
#include <vector>

#include "data/images.h"
#include "fuzz/fuzz.h"

namespace {

using namespace qsweep;
using namespace qsweep::fuzz;

constexpr std::size_t image = 3072;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  Draws draws({data, size});
  const std::uint8_t flags = draws.byte();
  const std::size_t zeros = draws.word();
  const std::string file = draws.rest() + std::string(zeros, '\0');
  const bool test = (flags & 4U) != 0;
  const std::size_t samples = (flags & 8U) != 0 ? 2 : 1;
  const std::string name = test ? "test_batch.bin" : "data_batch_1.bin";
  folder.write("cifar10/" + name, file);

  std::vector<std::uint8_t> pixels(samples * image), labels(samples);
  if (!reads(name, [&] { read(ImageSet::cifar10, folder.path(), test ? Part::test : Part::train, pixels, labels); })) return 0;
  for (std::size_t i = 0; i < samples; ++i) {
    const std::string record = file.substr(i * (image + 1), image + 1);
    hold(record.size() == image + 1 && static_cast<std::uint8_t>(record[0]) == labels[i] && labels[i] <= 9, "labels are the file's, 0 to 9");
    hold(std::equal(pixels.begin() + static_cast<std::ptrdiff_t>(i * image), pixels.begin() + static_cast<std::ptrdiff_t>((i + 1) * image), record.begin() + 1,
                    [](std::uint8_t pixel, char byte) { return pixel == static_cast<std::uint8_t>(byte); }),
         "pixels are the file's");
  }
  return 0;
}
