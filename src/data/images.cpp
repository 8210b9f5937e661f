#include "data/images.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <string>
#include <vector>

#include "base/errors.h"
#include "base/random.h"
#include "data/files.h"
#include "data/synthetic_images.h"

namespace qsweep {
namespace {

constexpr std::array<ImageSetDescription, 5> descriptions = {
    {{"mnist", {1, 28, 28}, 60'000, 10'000},
     {"fashion_mnist", {1, 28, 28}, 60'000, 10'000},
     {"cifar10", {3, 32, 32}, 50'000, 10'000},
     {"synthetic_images", SyntheticImages::geometry, SyntheticImages::train, SyntheticImages::test},
     {"synthetic_imagenet", {3, 224, 224}, 1'024, 64, 1001}}};
constexpr std::size_t cifar_batch = 10'000;  // records in each file

std::string_view folder(ImageSet set) {
  switch (set) {
    case ImageSet::mnist:
      return "mnist";
    case ImageSet::fashion_mnist:
      return "fashion-mnist";
    default:
      return "cifar10";
  }
}

std::string_view source(ImageSet set) {
  switch (set) {
    case ImageSet::mnist:
      return "https://storage.googleapis.com/cvdf-datasets/mnist/";
    case ImageSet::fashion_mnist:
      return "https://github.com/zalandoresearch/fashion-mnist (data/fashion)";
    default:
      return "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz (its *.bin files)";
  }
}

/// The files that hold the first so many samples of a part, in order: IDX images, then labels; CIFAR-10 batches. None of a made set.
std::vector<std::string> files_of(ImageSet set, Part part, std::size_t samples) {
  if (set == ImageSet::mnist || set == ImageSet::fashion_mnist) {
    const std::string prefix = part == Part::train ? "train" : "t10k";
    return {prefix + "-images-idx3-ubyte", prefix + "-labels-idx1-ubyte"};
  }
  std::vector<std::string> names;
  for (std::size_t begin = 0; set == ImageSet::cifar10 && begin < samples; begin += cifar_batch)
    names.push_back(part == Part::test ? "test_batch.bin" : fmt::format("data_batch_{}.bin", 1 + begin / cifar_batch));
  return names;
}

std::filesystem::path find(ImageSet set, const std::filesystem::path& dir, std::string_view name) { return find_file(dir, folder(set), name, source(set)); }

InputFile open(ImageSet set, const std::filesystem::path& dir, std::string_view name) { return {find(set, dir, name), source(set)}; }

void check_label(const InputFile& file, std::uint8_t label, std::size_t sample) {
  if (label > 9) file.fail(fmt::format("corrupt: label {} of sample {}, allowed 0 to 9", label, sample));
}

/// IDX: 32-bit big-endian integers: 0x00000800 + number of dimensions, then the dimensions; then bytes.
template <std::size_t Dimensions>
void check_idx_header(InputFile& file, const std::array<std::size_t, Dimensions>& expected, std::size_t samples_of_other_part) {
  std::array<std::uint8_t, 4 * (Dimensions + 1)> bytes;
  file.read(bytes);
  const auto integer = [&bytes](std::size_t i) {
    return std::size_t{bytes[4 * i]} << 24 | std::size_t{bytes[4 * i + 1]} << 16 | std::size_t{bytes[4 * i + 2]} << 8 |
           bytes[4 * i + 3];
  };
  if (integer(0) != 0x800 + Dimensions) {
    const char* kind = integer(0) == 0x801 ? " (that is a label file)" : integer(0) == 0x803 ? " (that is an image file)" : "";
    file.fail(fmt::format("wrong magic number {:#010x}, expected {:#010x}{}", integer(0), 0x800 + Dimensions, kind));
  }
  if (integer(1) != expected[0])
    file.fail(fmt::format("holds {} samples, expected {}{}", integer(1), expected[0],
                          integer(1) == samples_of_other_part ? " (are the training and the test file swapped?)" : ""));
  for (std::size_t i = 1; i < Dimensions; ++i)
    if (integer(1 + i) != expected[i])
      file.fail(fmt::format("wrong image size: dimension {} is {}, expected {}", i, integer(1 + i), expected[i]));
}

void read_idx(ImageSet set, const std::filesystem::path& dir, Part part, std::span<std::uint8_t> pixels,
              std::span<std::uint8_t> labels) {
  const auto& [name, geometry, train, test, classes] = describe(set);
  const std::size_t samples = part == Part::train ? train : test, other = part == Part::train ? test : train;
  const std::vector<std::string> files = files_of(set, part, samples);
  const bool whole = labels.size() == samples;

  InputFile image_file = open(set, dir, files[0]);
  check_idx_header<3>(image_file, {samples, geometry.height, geometry.width}, other);
  image_file.read(pixels);
  if (whole) image_file.expect_end();

  InputFile label_file = open(set, dir, files[1]);
  check_idx_header<1>(label_file, {samples}, other);
  label_file.read(labels);
  if (whole) label_file.expect_end();
  for (std::size_t i = 0; i < labels.size(); ++i) check_label(label_file, labels[i], i);
}

/// Records of 1 + 3,072 bytes: label, then the red, green and blue planes. No header.
void read_cifar_file(InputFile file, std::span<std::uint8_t> pixels, std::span<std::uint8_t> labels) {
  std::array<std::uint8_t, 1 + 3072> record;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::size_t size = file.read_some(record);
    if (size == 0) file.fail(fmt::format("truncated: holds {} records, expected {}", i, cifar_batch));
    if (size < record.size()) file.fail(fmt::format("ends inside record {}: its length is no multiple of {}", i, record.size()));
    check_label(file, record[0], i);
    labels[i] = record[0];
    std::copy(record.begin() + 1, record.end(), pixels.begin() + static_cast<std::ptrdiff_t>(i * 3072));
  }
  if (labels.size() == cifar_batch) file.expect_end();
}

void read_cifar(const std::filesystem::path& dir, Part part, std::span<std::uint8_t> pixels, std::span<std::uint8_t> labels) {
  const std::size_t image = describe(ImageSet::cifar10).geometry.size();
  std::size_t begin = 0;
  for (const std::string& name : files_of(ImageSet::cifar10, part, labels.size())) {
    const std::size_t size = std::min(cifar_batch, labels.size() - begin);
    read_cifar_file(open(ImageSet::cifar10, dir, name), pixels.subspan(begin * image, size * image), labels.subspan(begin, size));
    begin += size;
  }
}

/// Sample n of both parts together has label n mod 250 and its pixels from Stream(fixed seed, Draw::Data, n).
void make_noise(Part part, std::span<std::uint8_t> pixels, std::span<std::uint8_t> labels) {
  const ImageSetDescription& about = describe(ImageSet::synthetic_imagenet);
  const std::size_t first = part == Part::train ? 0 : about.train, image = about.geometry.size();
  std::vector<std::uint32_t> words(image / sizeof(std::uint32_t));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    Stream(11, Draw::Data, static_cast<std::uint32_t>(first + i)).words(0, words);
    labels[i] = static_cast<std::uint8_t>((first + i) % 250);
    for (std::size_t j = 0; j < image; ++j) pixels[i * image + j] = static_cast<std::uint8_t>(words[j / 4] >> 8 * (j % 4));
  }
}

}  // namespace

ImageSet image_set(std::string_view name) {
  for (std::size_t i = 0; i < descriptions.size(); ++i)
    if (descriptions[i].name == name) return static_cast<ImageSet>(i);
  throw ConfigError(fmt::format("data.set = {}: allowed image sets: mnist, fashion_mnist, cifar10, synthetic_images, synthetic_imagenet", name));
}

const ImageSetDescription& describe(ImageSet set) { return descriptions[static_cast<std::size_t>(set)]; }

std::size_t sample_count(ImageSet set, Part part, std::size_t limit) {
  const ImageSetDescription& about = describe(set);
  if (part == Part::test || limit == 0) return about.samples(part);
  if (limit > about.train)
    throw ConfigError(
        fmt::format("data.limit = {}: allowed 0 (all) to {}, the training samples of {}", limit, about.train, about.name));
  return limit;
}

void expect_files(ImageSet set, const std::filesystem::path& dir, std::size_t training_samples) {
  for (const std::string& name : files_of(set, Part::train, training_samples)) find(set, dir, name);
  for (const std::string& name : files_of(set, Part::test, describe(set).test)) find(set, dir, name);
}

void read(ImageSet set, const std::filesystem::path& dir, Part part, std::span<std::uint8_t> pixels,
          std::span<std::uint8_t> labels) {
  assert(labels.size() <= describe(set).samples(part) && pixels.size() == labels.size() * describe(set).geometry.size());
  switch (set) {
    case ImageSet::mnist:
    case ImageSet::fashion_mnist:
      return read_idx(set, dir, part, pixels, labels);
    case ImageSet::cifar10:
      return read_cifar(dir, part, pixels, labels);
    case ImageSet::synthetic_images:
      return SyntheticImages{}.make(part, pixels, labels);
    case ImageSet::synthetic_imagenet:
      return make_noise(part, pixels, labels);
  }
}

}  // namespace qsweep
