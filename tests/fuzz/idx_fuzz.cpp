// IDX files, of MNIST and Fashion-MNIST: three bytes, then the file of images or of labels, whose other file is sound:
//   flags   1: labels, else images; 2: fashion_mnist; 4: the test part; 8: two samples are read, else one
//   zeros   how many follow the bytes, two bytes
// What is read is what stands in the file.
#include <algorithm>
#include <vector>

#include "data/images.h"
#include "fuzz/fuzz.h"

namespace {

using namespace qsweep;
using namespace qsweep::fuzz;

std::string header(std::initializer_list<std::size_t> integers) {
  std::string bytes;
  for (const std::size_t integer : integers)
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(integer >> shift & 255U);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  Draws draws({data, size});
  const std::uint8_t flags = draws.byte();
  const std::size_t zeros = draws.word();
  const std::string file = draws.rest() + std::string(zeros, '\0');
  const bool labels_given = (flags & 1U) != 0, fashion = (flags & 2U) != 0, test = (flags & 4U) != 0;
  const std::size_t samples = (flags & 8U) != 0 ? 2 : 1, all = test ? 10'000 : 60'000;
  const std::string sound_images = header({0x803, all, 28, 28}) + std::string(samples * 784, '\7'), sound_labels = header({0x801, all}) + std::string(samples, '\7');
  const std::string &images = labels_given ? sound_images : file, &labels = labels_given ? file : sound_labels;
  const std::string stem = test ? "t10k" : "train", sub = fashion ? "fashion-mnist/" : "mnist/";
  folder.write(sub + stem + "-images-idx3-ubyte", images);
  folder.write(sub + stem + "-labels-idx1-ubyte", labels);

  std::vector<std::uint8_t> pixels(samples * 784), classes(samples);
  if (!reads(stem + (labels_given ? "-labels-idx1-ubyte" : "-images-idx3-ubyte"),
             [&] { read(fashion ? ImageSet::fashion_mnist : ImageSet::mnist, folder.path(), test ? Part::test : Part::train, pixels, classes); }))
    return 0;
  const auto stands_in = [](const std::vector<std::uint8_t>& values, const std::string& bytes, const std::string& head) {
    return bytes.starts_with(head) && bytes.compare(head.size(), values.size(), std::string(values.begin(), values.end())) == 0;
  };
  hold(stands_in(pixels, images, header({0x803, all, 28, 28})), "pixels are the file's");
  hold(stands_in(classes, labels, header({0x801, all})), "labels are the file's");
  hold(std::ranges::all_of(classes, [](std::uint8_t label) { return label <= 9; }), "labels are 0 to 9");
  return 0;
}
