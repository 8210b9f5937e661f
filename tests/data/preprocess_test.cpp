#include "data/preprocess.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/cpu.h"
#include "base/errors.h"
#include "base/random.h"
#include "data/helpers.h"
#include "data/pixel_kernels.h"

namespace qsweep::test {
namespace {

/// Random images in memory; the first is black and the second of one grey.
struct RandomImages {
  Geometry geometry;
  Bytes pixels, labels;

  RandomImages(Geometry g, std::size_t samples) : geometry(g), pixels(samples * g.size()), labels(samples) {
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(Stream(5, Draw::Data).word(i) >> 24);
    for (std::size_t i = 0; i < samples; ++i) labels[i] = static_cast<std::uint8_t>(i % 10);
    std::fill_n(pixels.begin(), g.size(), std::uint8_t{0});
    if (samples > 1) std::fill_n(pixels.begin() + static_cast<std::ptrdiff_t>(g.size()), g.size(), std::uint8_t{77});
  }
  ImageSetView view() const { return {geometry, pixels, labels}; }
};

constexpr Geometry grey = {1, 28, 28}, colour = {3, 32, 32};

/// An image in double, [C, H, W].
struct Picture {
  Geometry g;
  std::vector<double> v;

  double& at(std::size_t c, std::size_t i, std::size_t j) { return v[(c * g.height + i) * g.width + j]; }
  double at(std::size_t c, std::size_t i, std::size_t j) const { return v[(c * g.height + i) * g.width + j]; }
};

Picture pad(const Picture& in, std::size_t by) {
  Picture out = {{in.g.channels, in.g.height + 2 * by, in.g.width + 2 * by}, {}};
  out.v.resize(out.g.size());
  for (std::size_t c = 0; c < in.g.channels; ++c)
    for (std::size_t i = 0; i < in.g.height; ++i)
      for (std::size_t j = 0; j < in.g.width; ++j) out.at(c, i + by, j + by) = in.at(c, i, j);
  return out;
}

Picture window(const Picture& in, std::size_t row, std::size_t column, std::size_t height, std::size_t width, bool flip) {
  Picture out = {{in.g.channels, height, width}, {}};
  out.v.resize(out.g.size());
  for (std::size_t c = 0; c < in.g.channels; ++c)
    for (std::size_t i = 0; i < height; ++i)
      for (std::size_t j = 0; j < width; ++j) out.at(c, i, j) = in.at(c, row + i, column + (flip ? width - 1 - j : j));
  return out;
}

double mean_of(const double* v, std::size_t size) { return std::accumulate(v, v + size, 0.0) / static_cast<double>(size); }

/// Geometry of the header's formula, for the image and for the mean image.
Picture placed(const Picture& in, const PreprocessOptions& options, const Augmentation* how) {
  const auto row = static_cast<std::size_t>(how == nullptr ? 4 : how->row),
             column = static_cast<std::size_t>(how == nullptr ? 4 : how->column);
  if (how != nullptr && options.augment == Augment::pad4_crop_flip)
    return window(pad(in, 4), row, column, in.g.height, in.g.width, how->flip);
  if (options.crop == 24) return window(in, row, column, 24, 24, how != nullptr && how->flip);
  return in;
}

/// The header's formula step by step. gain: the largest |dx/dv|.
Picture reference(const ImageSetView& images, std::size_t sample, const PreprocessOptions& options, const Augmentation* how,
                  double& gain) {
  Picture in = {images.geometry, {}}, mean = in;
  for (std::size_t i = 0; i < images.geometry.size(); ++i) {
    in.v.push_back(images.image(sample)[i] / 255.0);
    double sum = 0;
    for (std::size_t s = 0; s < images.samples(); ++s) sum += images.image(s)[i];
    mean.v.push_back(sum / 255 / static_cast<double>(images.samples()));
  }
  Picture x = placed(in, options, how);
  const std::size_t plane = x.g.plane();
  gain = 1;
  if (how != nullptr && options.augment == Augment::crop24_flip_colour)
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t i = 0; i < plane; ++i) x.v[c * plane + i] += how->brightness;
      const double m = mean_of(&x.v[c * plane], plane);
      for (std::size_t i = 0; i < plane; ++i) x.v[c * plane + i] = (x.v[c * plane + i] - m) * how->contrast + m;
      gain = how->contrast;
    }
  if (options.normalize == Normalize::mean) {
    const Picture placed_mean = placed(mean, options, how);
    for (std::size_t i = 0; i < x.v.size(); ++i) x.v[i] -= placed_mean.v[i];
  }
  if (options.normalize == Normalize::standard)
    for (std::size_t i = 0; i < x.v.size(); ++i) x.v[i] = (x.v[i] - options.mean[i / plane]) / options.std[i / plane];
  if (options.normalize == Normalize::standard) gain /= *std::min_element(options.std.begin(), options.std.end());
  if (options.normalize == Normalize::image) {
    const double m = mean_of(x.v.data(), x.v.size());
    double squares = 0;
    for (const double v : x.v) squares += (v - m) * (v - m);
    const double n = static_cast<double>(x.v.size()), factor = 1 / std::max(std::sqrt(squares / n), 1 / std::sqrt(n));
    for (double& v : x.v) v = (v - m) * factor;
    gain *= factor;
  }
  return x;
}

void expect_image(std::span<const float> x, const Picture& expected, double gain, const std::string& what) {
  ASSERT_EQ(x.size(), expected.v.size());
  // x = fl(fl(s p) + b): s and b rounded once, product and sum once, each by 2⁻²⁴; |s p| ≤ gain, |b| ≤ gain + max|x|; the mean
  // image adds two more such roundings of numbers below 1 + max|x|. The reference's own error (double, 10⁴ additions) is below
  // 10⁻¹¹ · gain.
  double largest = 0;
  for (const double v : expected.v) largest = std::max(largest, std::abs(v));
  const double tolerance = 0x1p-22 * (2 * gain + largest) + 1e-11 * gain;
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], expected.v[i], tolerance) << what << ", value " << i;
}

std::vector<PreprocessOptions> all_options(const Geometry& g) {
  const std::vector<double> mean(g.channels, .4), std = g.channels == 1 ? std::vector{.3} : std::vector{.2, .25, .3};
  std::vector<PreprocessOptions> all;
  for (const std::size_t crop : {0U, 24U})
    for (const Augment augment : {Augment::none, Augment::crop24_flip_colour, Augment::pad4_crop_flip})
      for (const Normalize normalize : {Normalize::none, Normalize::mean, Normalize::standard, Normalize::image}) {
        if ((augment == Augment::crop24_flip_colour && crop == 0) || (augment == Augment::pad4_crop_flip && crop != 0)) continue;
        if (g == grey && crop != 0) continue;
        all.push_back({crop, augment, normalize});
        if (normalize == Normalize::standard) all.back().mean = mean, all.back().std = std;
      }
  return all;
}

TEST(Preprocess, BatchesEqualTheFormulaWrittenPlainly) {
  for (const Geometry& g : {grey, colour}) {
    const RandomImages images(g, 5);
    const std::vector<std::uint32_t> samples = {3, 0, 4, 1, 2, 2, 3};
    for (const PreprocessOptions& options : all_options(g)) {
      const std::string what = "crop " + std::to_string(options.crop) + " augment " +
                               std::to_string(static_cast<int>(options.augment)) + " normalize " +
                               std::to_string(static_cast<int>(options.normalize));
      const Preprocessor preprocessor(options, images.view());
      const std::size_t size = preprocessor.shape().size();
      std::vector<float> x(samples.size() * size, NAN);
      std::vector<std::int32_t> labels(samples.size(), -1);
      double gain = 0;
      preprocessor.training_batch(images.view(), samples, 1000, 8, x, labels);
      for (std::size_t i = 0; i < samples.size(); ++i) {
        const Augmentation how = draw_augmentation(8, 1000 + i);
        const Picture expected =
            reference(images.view(), samples[i], options, options.augment == Augment::none ? nullptr : &how, gain);
        expect_image(std::span(x).subspan(i * size, size), expected, gain, what);
        EXPECT_EQ(labels[i], static_cast<std::int32_t>(samples[i]));
      }
      preprocessor.evaluation_batch(images.view(), 1, std::span(x).first(4 * size), std::span(labels).first(4));
      for (std::size_t i = 0; i < 4; ++i) {
        const Picture expected = reference(images.view(), 1 + i, options, nullptr, gain);
        expect_image(std::span(x).subspan(i * size, size), expected, gain, what + " evaluation");
        EXPECT_EQ(labels[i], static_cast<std::int32_t>(1 + i));
      }
    }
  }
}

TEST(Preprocess, AugmentationDependsOnSeedAndPositionOnly) {
  const RandomImages images(colour, 64);
  for (const Augment augment : {Augment::crop24_flip_colour, Augment::pad4_crop_flip}) {
    const Preprocessor preprocessor({augment == Augment::crop24_flip_colour ? 24U : 0U, augment, Normalize::image}, images.view());
    const std::size_t size = preprocessor.shape().size();
    std::vector<std::uint32_t> samples(64);
    std::iota(samples.begin(), samples.end(), 0U);
    std::vector<std::int32_t> labels(64);
    const auto batch = [&](std::size_t first, std::size_t count, std::uint64_t position, std::uint64_t seed) {
      std::vector<float> x(count * size, NAN);
      preprocessor.training_batch(images.view(), std::span(samples).subspan(first, count), position, seed, x,
                                  std::span(labels).first(count));
      return x;
    };
    const std::vector<float> whole = batch(0, 64, 500, 8);
    std::vector<float> parts(whole.size());
    for (const auto& [first, count] : {std::pair(40U, 24U), std::pair(0U, 1U), std::pair(1U, 39U)})
      std::ranges::copy(batch(first, count, 500 + first, 8), parts.begin() + static_cast<std::ptrdiff_t>(first * size));
    EXPECT_EQ(parts, whole);
    EXPECT_NE(batch(0, 64, 500, 9), whole);
    EXPECT_NE(batch(0, 64, 501, 8), whole);
  }
}

TEST(Preprocess, AugmentationDrawsAreUniformAndIndependent) {
  const int n = 100'000;
  std::vector<int> rows(9), columns(9);
  int flips = 0;
  double brightness = 0, brightness2 = 0, contrast = 0, product = 0, low = 2, high = 0;
  for (int q = 0; q < n; ++q) {
    const Augmentation how = draw_augmentation(4, static_cast<std::uint64_t>(q));
    ++rows.at(static_cast<std::size_t>(how.row));
    ++columns.at(static_cast<std::size_t>(how.column));
    flips += how.flip;
    brightness += how.brightness;
    brightness2 += how.brightness * how.brightness;
    contrast += how.contrast;
    product += how.brightness * (how.contrast - 1) * (how.flip ? 1 : -1);
    ASSERT_TRUE(std::abs(how.brightness) <= 63 / 255.0);
    low = std::min(low, how.contrast), high = std::max(high, how.contrast);
  }
  const double b = 63 / 255.0, b_variance = b * b / 3, c_variance = 1.6 * 1.6 / 12;
  for (const auto* counts : {&rows, &columns})
    for (const int count : *counts) EXPECT_NEAR(count, n / 9.0, 6 * std::sqrt(n * (1 / 9.0) * (8 / 9.0)));
  EXPECT_NEAR(flips, n / 2.0, 6 * std::sqrt(n / 4.0));
  EXPECT_NEAR(brightness / n, 0, 6 * std::sqrt(b_variance / n));
  EXPECT_NEAR(brightness2 / n, b_variance, 6 * std::sqrt((1 / 5.0 - 1 / 9.0) * b * b * b * b / n));
  EXPECT_NEAR(contrast / n, 1, 6 * std::sqrt(c_variance / n));
  EXPECT_NEAR(product / n, 0, 6 * std::sqrt(b_variance * c_variance / n));
  EXPECT_GE(low, .2);
  EXPECT_LT(low, .2 + 1.6 * 20 / n);  // missing the lowest 20/n of the range has probability e⁻²⁰
  EXPECT_LT(high, 1.8);
  EXPECT_GT(high, 1.8 - 1.6 * 20 / n);
}

TEST(Preprocess, MomentsAreThoseOfTheTrainingSet) {
  const RandomImages images(colour, 7);
  const Moments moments = channel_moments(images.view());
  PreprocessOptions given = {0, Augment::none, Normalize::standard};
  const Preprocessor computed(given, images.view());
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0, squares = 0;
    for (std::size_t s = 0; s < 7; ++s)
      for (std::size_t i = 0; i < 1024; ++i) sum += images.view().image(s)[c * 1024 + i] / 255.0;
    for (std::size_t s = 0; s < 7; ++s)
      for (std::size_t i = 0; i < 1024; ++i) squares += std::pow(images.view().image(s)[c * 1024 + i] / 255.0 - sum / 7168, 2);
    EXPECT_NEAR(moments.mean.at(c), sum / 7168, 1e-12);  // 7,168 additions in double
    EXPECT_NEAR(moments.std.at(c), std::sqrt(squares / 7168), 1e-12);
  }
  given.mean = moments.mean, given.std = moments.std;
  std::vector<float> a(7 * 3072), b(7 * 3072);
  std::vector<std::int32_t> labels(7);
  computed.evaluation_batch(images.view(), 0, a, labels);
  Preprocessor(given, images.view()).evaluation_batch(images.view(), 0, b, labels);
  EXPECT_EQ(a, b);
  double sum = 0, squares = 0;
  for (const float v : a) sum += v, squares += static_cast<double>(v) * v;
  EXPECT_NEAR(sum / 21504, 0, 1e-6);  // float roundings of numbers below 4
  EXPECT_NEAR(squares / 21504, 1, 4e-6);
}

TEST(Preprocess, WhiteIsOneAndBlackIsZero) {
  RandomImages images(grey, 1);
  images.pixels[0] = 255;
  std::vector<float> x(784);
  std::vector<std::int32_t> labels(1);
  Preprocessor({}, images.view()).evaluation_batch(images.view(), 0, x, labels);
  EXPECT_EQ(x[0], 1);
  EXPECT_EQ(x[1], 0);
}

TEST(Preprocess, BackgroundIsWhatABlackPixelBecomes) {
  RandomImages images(grey, 5);
  for (std::size_t i = 0; i < images.pixels.size(); ++i)
    if (i % 3 != 0) images.pixels[i] = 0;
  for (const Normalize how : {Normalize::none, Normalize::mean, Normalize::standard}) {
    const Preprocessor preprocessor({0, Augment::none, how}, images.view());
    std::vector<float> x(784);
    std::vector<std::int32_t> labels(1);
    preprocessor.evaluation_batch(images.view(), 0, x, labels);  // the black image
    EXPECT_TRUE(std::ranges::equal(preprocessor.background(), x));
  }
  EXPECT_TRUE(Preprocessor({0, Augment::none, Normalize::image}, images.view()).background().empty());
  EXPECT_TRUE(Preprocessor({0, Augment::pad4_crop_flip}, images.view()).background().empty());
  for (std::size_t i = 784; i < images.pixels.size(); ++i) images.pixels[i] = i % 3 == 0 ? 0 : 9;
  EXPECT_TRUE(Preprocessor({}, images.view()).background().empty()) << "less than half of these are black";
}

TEST(Preprocess, UnsuitableSettingsAreTold) {
  const RandomImages small(grey, 3), large(colour, 3), grey32(Geometry{1, 32, 32}, 3), black(grey, 1);
  const auto error = [](const RandomImages& images, const PreprocessOptions& options) {
    return message_of<ConfigError>([&] { Preprocessor(options, images.view()); });
  };
  expect_contains(error(small, {24}), {"data.crop = 24", "1x28x28", "allowed: none"});
  expect_contains(error(large, {20}), {"data.crop = 20", "allowed: none, 24"});
  expect_contains(error(small, {0, Augment::crop24_flip_colour}), {"data.augment = crop24_flip_colour", "1x28x28", "allowed"});
  expect_contains(error(grey32, {24, Augment::crop24_flip_colour}), {"data.augment = crop24_flip_colour", "1x32x32"});
  expect_contains(error(large, {0, Augment::crop24_flip_colour}), {"data.crop = none", "24"});
  expect_contains(error(large, {24, Augment::pad4_crop_flip}), {"data.crop = 24", "pad4_crop_flip"});
  expect_contains(error(large, {0, Augment::none, Normalize::none, {.5, .5, .5}}), {"data.mean = 0.5 0.5 0.5", "standard"});
  expect_contains(error(large, {0, Augment::none, Normalize::standard, {.5}}), {"data.mean = 0.5", "each channel", "3"});
  expect_contains(error(large, {0, Augment::none, Normalize::standard, {}, {1, 0, 1}}), {"data.std = 1 0 1", "above 0"});
  expect_contains(error(small, {0, Augment::none, Normalize::standard, {NAN}}), {"data.mean = nan", "finite"});
  expect_contains(error(black, {0, Augment::none, Normalize::standard}), {"data.normalize = standard", "constant"});
}

TEST(Preprocess, ValuesOfKeysAreRead) {
  EXPECT_EQ(augment("none"), Augment::none);
  EXPECT_EQ(augment("crop24_flip_colour"), Augment::crop24_flip_colour);
  EXPECT_EQ(augment("pad4_crop_flip"), Augment::pad4_crop_flip);
  EXPECT_EQ(normalize("none"), Normalize::none);
  EXPECT_EQ(normalize("mean"), Normalize::mean);
  EXPECT_EQ(normalize("standard"), Normalize::standard);
  EXPECT_EQ(normalize("image"), Normalize::image);
  EXPECT_EQ(crop("none"), 0U);
  EXPECT_EQ(crop("24"), 24U);
  expect_contains(message_of<ConfigError>([] { augment("flip"); }),
                  {"data.augment = flip", "none, crop24_flip_colour, pad4_crop_flip"});
  expect_contains(message_of<ConfigError>([] { normalize(""); }), {"data.normalize", "none, mean, standard, image"});
  expect_contains(message_of<ConfigError>([] { crop("28"); }), {"data.crop = 28", "none, 24"});
}

TEST(PixelKernels, EveryBuildGivesTheSameBits) {
  std::vector<const PixelKernels*> builds = {&baseline::pixel_kernel_table};
  if (simd() >= Simd::avx2) builds.push_back(&avx2::pixel_kernel_table);
  if (simd() >= Simd::avx512) builds.push_back(&avx512::pixel_kernel_table);
  for (const std::size_t size : {1U, 2U, 7U, 64U, 576U, 1003U}) {
    const RandomImages images(Geometry{1, 1, size}, 3);
    const std::uint8_t* p = images.view().image(2);
    std::vector<float> mean(size), expected(size), expected_minus(size);
    Stream(1, Draw::Data).uniform(0, 0, 1, mean);
    std::uint32_t sum = 0, squares = 0;
    for (std::size_t i = 0; i < size; ++i) {
      expected[i] = .37F * static_cast<float>(p[i]) + -1.3F;
      expected_minus[i] = expected[i] - mean[i];
      sum += p[i], squares += static_cast<std::uint32_t>(p[i]) * p[i];
    }
    for (const PixelKernels* build : builds) {
      std::vector<float> out(size), out_minus(size);
      std::vector<std::uint32_t> totals(size, 5);
      std::uint32_t sums[2];
      build->affine(p, size, .37F, -1.3F, out.data());
      build->affine_minus(p, mean.data(), size, .37F, -1.3F, out_minus.data());
      build->sums(p, size, sums);
      build->accumulate(p, size, totals.data());
      EXPECT_EQ(out, expected);
      EXPECT_EQ(out_minus, expected_minus);
      EXPECT_EQ(sums[0], sum);
      EXPECT_EQ(sums[1], squares);
      for (std::size_t i = 0; i < size; ++i) EXPECT_EQ(totals[i], 5U + p[i]);
    }
  }
}

}  // namespace
}  // namespace qsweep::test
