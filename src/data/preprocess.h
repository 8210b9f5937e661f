#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "data/images.h"

/// From bytes to mini-batches x [B, C, H', W'] of floats, in this order, p/255 meaning a pixel in [0, 1]:
///   augment (training only)
///     crop24_flip_colour   24×24 crop at r, c ∈ {0 … 8} of 32×32; flip of columns with probability ½; + δ, δ ∈ U[−63/255, 63/255);
///                          per channel with mean m over the crop (after + δ): (v − m)γ + m, γ ∈ U[.2, 1.8); no clamp
///     pad4_crop_flip       zeros (black pixels) 4 wide all round, crop of the original size at r, c ∈ {0 … 8}, flip
///   crop                   without augmentation: the middle 24×24
///   normalize, v the result so far
///     none       v
///     mean       v − M, M [C, H, W] the training set's mean image, cropped, padded and flipped like the image
///     standard   (v − μ_c)/σ_c, moments of the training set's channels (population), or those given
///     image      (v − mean)/max(std, 1/√n), of this image's n = C·H'·W' values
/// Every step but M is affine in p within a channel, so each image costs one pass of integer sums and one of output; the
/// coefficients are computed in double and rounded once. Draws: position q of the endless stream of samples (data/order.h) has
/// words 8q … 8q + 4 of Stream(seed, Draw::Augmentation): row, column, flip, brightness, contrast. They depend on (seed, q) alone,
/// not on workers or ranks. Sources: crop24_flip_colour and image: Hou, Zhang, Kwok 2019 (TensorFlow's adjust_contrast,
/// per_image_standardization); pad4_crop_flip: He et al. 2016.
namespace qsweep {

enum class Augment { none, crop24_flip_colour, pad4_crop_flip };
enum class Normalize { none, mean, standard, image };

Augment augment(std::string_view value);      ///< by the value of data.augment; ConfigError names the allowed ones
Normalize normalize(std::string_view value);  ///< by the value of data.normalize
std::size_t crop(std::string_view value);     ///< by the value of data.crop: none is 0

struct PreprocessOptions {
  std::size_t crop = 0;  ///< 0 or 24
  Augment augment = Augment::none;
  Normalize normalize = Normalize::none;
  std::vector<double> mean = {}, std = {};  ///< μ, σ [C] for standard; empty: the training set's
};

/// Whether a black pixel becomes the same in every image.
bool black_is_uniform(const PreprocessOptions& options);

/// What augmentation does to the sample at one position.
struct Augmentation {
  std::ptrdiff_t row = 0, column = 0;  ///< of the crop, in the image or (pad4_crop_flip) in the padded image
  bool flip = false;
  double brightness = 0, contrast = 1;  ///< δ, γ; only crop24_flip_colour
};
Augmentation draw_augmentation(std::uint64_t seed, std::uint64_t position);

/// Moments of channels, pixels / 255: population mean and standard deviation, from exact integer sums.
struct Moments {
  std::vector<double> mean, std;  ///< [C]
};
Moments channel_moments(const ImageSetView& images);
std::vector<float> mean_image(const ImageSetView& images);  ///< [C, H, W], pixels / 255

class Preprocessor {
 public:
  /// `train`: the training samples that the run uses. ConfigError if the options do not suit the images or each other.
  Preprocessor(const PreprocessOptions& options, const ImageSetView& train);

  Geometry shape() const { return shape_; }  ///< of one image of x
  /// What a black pixel becomes, exactly, [C, H', W']; empty where that depends on the image, or if less than half of the training
  /// set's pixels are black.
  std::span<const float> background() const { return background_; }

  /// The given samples, samples[i] standing at position first_position + i of the stream. x [B, C, H', W'], labels [B].
  void training_batch(const ImageSetView& images, std::span<const std::uint32_t> samples, std::uint64_t first_position,
                      std::uint64_t seed, std::span<float> x, std::span<std::int32_t> labels) const;
  /// Samples first … first + labels.size() − 1, without augmentation. x [B, C, H', W'], labels [B].
  void evaluation_batch(const ImageSetView& images, std::size_t first, std::span<float> x, std::span<std::int32_t> labels) const;

 private:
  struct Scratch;
  struct Affine {
    double scale, shift;
  };
  void check(const ImageSetView& train) const;
  void take_moments(const ImageSetView& train);
  void find_background(const ImageSetView& train);
  void convert(const std::uint8_t* image, const Augmentation& how, Scratch& scratch, float* out) const;
  void coefficients(const std::uint8_t* pixels, const Augmentation& how, Affine* channels) const;

  PreprocessOptions options_;
  Geometry from_, shape_;
  Moments moments_;                ///< standard
  std::vector<float> mean_image_;  ///< mean
  std::vector<float> background_;
};

}  // namespace qsweep
