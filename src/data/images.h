#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

/// Image classification sets, as bytes in the caller's memory (which may be shared by the ranks of a node):
///   pixels [samples, channels, height, width]   0 … 255, channel planes one after the other, rows from the top
///   labels [samples]                            0 … 9, of synthetic_imagenet 0 … 249
/// Sources: mnist, LeCun et al. 1998; fashion_mnist, Xiao et al. 2017 (both IDX files); cifar10, Krizhevsky 2009 (binary version);
/// synthetic_images: data/synthetic_images.h; synthetic_imagenet: noise of ImageNet's size and number of classes, to time networks
/// with. These two need no files.
namespace qsweep {

enum class ImageSet { mnist, fashion_mnist, cifar10, synthetic_images, synthetic_imagenet };
enum class Part { train, test };

struct Geometry {
  std::size_t channels = 0, height = 0, width = 0;

  constexpr std::size_t plane() const { return height * width; }
  constexpr std::size_t size() const { return channels * height * width; }  ///< values of one image
  constexpr bool operator==(const Geometry&) const = default;
};

struct ImageSetDescription {
  std::string_view name;  ///< value of data.set
  Geometry geometry;
  std::size_t train = 0, test = 0;  ///< number of samples
  std::size_t classes = 10;

  std::size_t samples(Part part) const { return part == Part::train ? train : test; }
};

/// Bytes of one part of a set, owned by someone else.
struct ImageSetView {
  Geometry geometry;
  std::span<const std::uint8_t> pixels;  ///< [samples, channels, height, width]
  std::span<const std::uint8_t> labels;  ///< [samples]

  std::size_t samples() const { return labels.size(); }
  const std::uint8_t* image(std::size_t sample) const { return pixels.data() + sample * geometry.size(); }
};

ImageSet image_set(std::string_view name);          ///< by the value of data.set; ConfigError names the allowed ones
const ImageSetDescription& describe(ImageSet set);  ///< touches no file

/// Samples that a run uses: data.limit of the training part (0 = all; ConfigError if there are not so many), the whole test part.
std::size_t sample_count(ImageSet set, Part part, std::size_t limit);

/// DataError if a file is not there that the test part or so many training samples come from. Opens none.
void expect_files(ImageSet set, const std::filesystem::path& dir, std::size_t training_samples);

/// The first labels.size() samples of a part, from the files below `dir` (data_directory). pixels.size() = labels.size() · image
/// size. DataError if a file is missing, damaged, of another kind or size, or holds a label above 9. Of the training part no more
/// is read, and checked, than is asked for.
void read(ImageSet set, const std::filesystem::path& dir, Part part, std::span<std::uint8_t> pixels,
          std::span<std::uint8_t> labels);

}  // namespace qsweep
