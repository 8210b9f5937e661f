#include "data/preprocess.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <utility>

#include "base/errors.h"
#include "base/random.h"
#include "data/pixel_kernels.h"

namespace qsweep {
namespace {

constexpr std::size_t max_channels = 4;
constexpr std::ptrdiff_t padding = 4;
constexpr double white = 255;
constexpr std::array<std::pair<std::string_view, Augment>, 3> augment_names = {
    {{"none", Augment::none}, {"crop24_flip_colour", Augment::crop24_flip_colour}, {"pad4_crop_flip", Augment::pad4_crop_flip}}};
constexpr std::array<std::pair<std::string_view, Normalize>, 4> normalize_names = {
    {{"none", Normalize::none}, {"mean", Normalize::mean}, {"standard", Normalize::standard}, {"image", Normalize::image}}};

template <class Names>
auto find(std::string_view key, std::string_view value, const Names& names) {
  std::string allowed;
  for (const auto& [name, meaning] : names) {
    if (name == value) return meaning;
    allowed += (allowed.empty() ? "" : ", ") + std::string(name);
  }
  throw ConfigError(fmt::format("{} = {}: allowed: {}", key, value, allowed));
}

/// out [C, h, w] = the window of `image` whose corner lies at (row, column), zero outside the image, columns reversed if flip.
template <class T>
void take_window(const T* image, const Geometry& from, const Geometry& shape, const Augmentation& how, T* out) {
  const auto height = static_cast<std::ptrdiff_t>(from.height), width = static_cast<std::ptrdiff_t>(from.width);
  const auto columns = static_cast<std::ptrdiff_t>(shape.width);
  const std::ptrdiff_t left = std::max<std::ptrdiff_t>(0, -how.column), right = std::min(columns, width - how.column);
  for (std::size_t c = 0; c < shape.channels; ++c)
    for (std::size_t i = 0; i < shape.height; ++i, out += columns) {
      const std::ptrdiff_t row = how.row + static_cast<std::ptrdiff_t>(i);
      if (row < 0 || row >= height) {
        std::fill_n(out, columns, T{});
        continue;
      }
      const T* in = image + static_cast<std::ptrdiff_t>(c) * height * width + row * width + how.column;
      std::fill(out, out + left, T{});
      std::copy(in + left, in + right, out + left);
      std::fill(out + right, out + columns, T{});
      if (how.flip) std::reverse(out, out + columns);
    }
}

/// Shuffled samples are far apart: the next one is fetched from memory while this one is converted.
void prefetch(const std::uint8_t* image, std::size_t size) {
  for (std::size_t i = 0; i < size; i += 64) __builtin_prefetch(image + i);
}

std::string text(const Geometry& g) { return fmt::format("{}x{}x{}", g.channels, g.height, g.width); }

void check_moments(const PreprocessOptions& options, const Geometry& images) {
  for (const auto& [key, list] : {std::pair("data.mean", &options.mean), std::pair("data.std", &options.std)}) {
    if (list->empty()) continue;
    const std::string setting = fmt::format("{} = {}", key, fmt::join(*list, " "));
    if (options.normalize != Normalize::standard) throw ConfigError(setting + ": allowed only with data.normalize = standard");
    if (list->size() != images.channels)
      throw ConfigError(fmt::format("{}: allowed: one value for each channel, here {}", setting, images.channels));
    for (const double value : *list)
      if (!std::isfinite(value) || (list == &options.std && value <= 0))
        throw ConfigError(setting + ": allowed: finite values" + (list == &options.std ? " above 0" : ""));
  }
}

}  // namespace

Augment augment(std::string_view value) { return find("data.augment", value, augment_names); }
Normalize normalize(std::string_view value) { return find("data.normalize", value, normalize_names); }
std::size_t crop(std::string_view value) {
  return find("data.crop", value, std::array<std::pair<std::string_view, std::size_t>, 2>{{{"none", 0}, {"24", 24}}});
}

bool black_is_uniform(const PreprocessOptions& options) { return options.augment == Augment::none && options.normalize != Normalize::image; }

Augmentation draw_augmentation(std::uint64_t seed, std::uint64_t position) {
  std::array<std::uint32_t, 5> words;
  Stream(seed, Draw::Augmentation).words(8 * position, words);
  const auto offset = [](std::uint32_t word) {
    return static_cast<std::ptrdiff_t>((std::uint64_t{word} * 9) >> 32);
  };  // bias below 2⁻³⁰
  const double brightness = 63 / white;
  return {offset(words[0]), offset(words[1]), (words[2] >> 31) != 0, brightness * (2 * (words[3] * 0x1p-32) - 1),
          .2 + 1.6 * (words[4] * 0x1p-32)};
}

Moments channel_moments(const ImageSetView& images) {
  const Geometry& g = images.geometry;
  std::vector<std::uint64_t> sum(g.channels), squares(g.channels);  // 255² · 1,024 · 60,000 < 2⁶⁴
  for (std::size_t i = 0; i < images.samples(); ++i)
    for (std::size_t c = 0; c < g.channels; ++c) {
      std::uint32_t sums[2];
      pixel_kernels().sums(images.image(i) + c * g.plane(), g.plane(), sums);
      sum[c] += sums[0];
      squares[c] += sums[1];
    }
  Moments moments;
  const double n = static_cast<double>(images.samples() * g.plane());
  for (std::size_t c = 0; c < g.channels; ++c) {
    const double mean = static_cast<double>(sum[c]) / n;
    const double variance = static_cast<double>(squares[c]) / n - mean * mean;  // of bytes: the rounding is below 2⁻³⁶
    moments.mean.push_back(mean / white);
    moments.std.push_back(std::sqrt(std::max(0.0, variance)) / white);
  }
  return moments;
}

std::vector<float> mean_image(const ImageSetView& images) {
  const std::size_t size = images.geometry.size();
  assert(images.samples() <= std::size_t{1} << 24);
  std::vector<std::uint32_t> totals(size);
  for (std::size_t i = 0; i < images.samples(); ++i) pixel_kernels().accumulate(images.image(i), size, totals.data());
  std::vector<float> mean(size);
  for (std::size_t i = 0; i < size; ++i) mean[i] = static_cast<float>(totals[i] / (white * static_cast<double>(images.samples())));
  return mean;
}

/// The window of one image, and of the mean image.
struct Preprocessor::Scratch {
  std::vector<std::uint8_t> pixels;
  std::vector<float> mean;
};

Preprocessor::Preprocessor(const PreprocessOptions& options, const ImageSetView& train)
    : options_(options), from_(train.geometry), shape_(train.geometry) {
  assert(train.samples() > 0 && from_.channels <= max_channels && from_.plane() <= 65'536);
  check(train);
  if (options_.crop != 0) shape_.height = shape_.width = options_.crop;
  if (options_.normalize == Normalize::mean) mean_image_ = mean_image(train);
  if (options_.normalize == Normalize::standard) take_moments(train);
  find_background(train);
}

void Preprocessor::take_moments(const ImageSetView& train) {
  if (options_.mean.empty() || options_.std.empty()) moments_ = channel_moments(train);
  if (!options_.mean.empty()) moments_.mean = options_.mean;
  if (!options_.std.empty()) moments_.std = options_.std;
  for (const double deviation : moments_.std)
    if (deviation == 0)
      throw ConfigError("data.normalize = standard: a channel of the training set is constant; allowed: none, mean, image");
}

void Preprocessor::find_background(const ImageSetView& train) {
  if (!black_is_uniform(options_)) return;
  const auto black = static_cast<std::size_t>(std::ranges::count(train.pixels, std::uint8_t{0}));
  if (2 * black < train.pixels.size()) return;
  const std::vector<std::uint8_t> image(from_.size());
  const auto centre = static_cast<std::ptrdiff_t>((from_.height - shape_.height) / 2);
  Scratch scratch;
  background_.resize(shape_.size());
  convert(image.data(), {centre, centre}, scratch, background_.data());
}

void Preprocessor::check(const ImageSetView& train) const {
  const Geometry& g = train.geometry;
  const bool colour = options_.augment == Augment::crop24_flip_colour, pad = options_.augment == Augment::pad4_crop_flip;
  if (options_.crop != 0 && options_.crop != 24) throw ConfigError(fmt::format("data.crop = {}: allowed: none, 24", options_.crop));
  if (options_.crop == 24 && (g.height != 32 || g.width != 32))
    throw ConfigError(fmt::format("data.crop = 24: needs images of 32x32, these are {}; allowed: none", text(g)));
  if (colour && g != Geometry{3, 32, 32})
    throw ConfigError(fmt::format(
        "data.augment = crop24_flip_colour: needs images of 3x32x32, these are {}; allowed: none, pad4_crop_flip", text(g)));
  if (colour && options_.crop == 0) throw ConfigError("data.crop = none: allowed with data.augment = crop24_flip_colour: 24");
  if (pad && options_.crop != 0) throw ConfigError("data.crop = 24: allowed with data.augment = pad4_crop_flip: none");
  check_moments(options_, g);
}

/// Coefficients of v ↦ normalize(colour(v)) for each channel, as functions of the byte p = 255 v.
void Preprocessor::coefficients(const std::uint8_t* pixels, const Augmentation& how, Affine* channels) const {
  const bool colour = options_.augment == Augment::crop24_flip_colour, image = options_.normalize == Normalize::image;
  const double n = static_cast<double>(shape_.plane()), delta = how.brightness, gamma = how.contrast;
  std::array<double, max_channels> mean = {};  // of each channel after + δ, which contrast keeps
  double grand_mean = 0, squares = 0;  // squares: Σ (v − grand mean)² = Σ_c γ² (n Σp² − (Σp)²)/(255² n) + n (m_c − grand mean)²
  if (colour || image)
    for (std::size_t c = 0; c < shape_.channels; ++c) {
      std::uint32_t s[2];
      pixel_kernels().sums(pixels + c * shape_.plane(), shape_.plane(), s);
      mean[c] = s[0] / (white * n) + delta;
      grand_mean += mean[c] / static_cast<double>(shape_.channels);
      squares += gamma * gamma * static_cast<double>(shape_.plane() * s[1] - std::uint64_t{s[0]} * s[0]) / (white * white * n);
    }
  double factor = 1;
  if (image) {
    for (std::size_t c = 0; c < shape_.channels; ++c) squares += n * (mean[c] - grand_mean) * (mean[c] - grand_mean);
    const double size = static_cast<double>(shape_.size());
    factor = 1 / std::max(std::sqrt(squares / size), 1 / std::sqrt(size));
  }
  for (std::size_t c = 0; c < shape_.channels; ++c) {
    Affine& a = channels[c] = {gamma / white, gamma * delta + (1 - gamma) * mean[c]};
    if (image) a = {factor * a.scale, factor * (a.shift - grand_mean)};
    if (options_.normalize == Normalize::standard) a = {a.scale / moments_.std[c], (a.shift - moments_.mean[c]) / moments_.std[c]};
  }
}

void Preprocessor::convert(const std::uint8_t* image, const Augmentation& how, Scratch& scratch, float* out) const {
  const std::uint8_t* pixels = image;
  const float* mean = mean_image_.data();
  if (shape_ != from_ || how.row != 0 || how.column != 0 || how.flip) {
    scratch.pixels.resize(shape_.size());
    take_window(image, from_, shape_, how, scratch.pixels.data());
    pixels = scratch.pixels.data();
    if (!mean_image_.empty()) {
      scratch.mean.resize(shape_.size());
      take_window(mean_image_.data(), from_, shape_, how, scratch.mean.data());
      mean = scratch.mean.data();
    }
  }
  std::array<Affine, max_channels> channels;
  coefficients(pixels, how, channels.data());
  for (std::size_t c = 0; c < shape_.channels; ++c) {
    const auto scale = static_cast<float>(channels[c].scale), shift = static_cast<float>(channels[c].shift);
    const std::size_t begin = c * shape_.plane();
    if (mean_image_.empty())
      pixel_kernels().affine(pixels + begin, shape_.plane(), scale, shift, out + begin);
    else
      pixel_kernels().affine_minus(pixels + begin, mean + begin, shape_.plane(), scale, shift, out + begin);
  }
}

void Preprocessor::training_batch(const ImageSetView& images, std::span<const std::uint32_t> samples, std::uint64_t first_position,
                                  std::uint64_t seed, std::span<float> x, std::span<std::int32_t> labels) const {
  assert(images.geometry == from_ && labels.size() == samples.size() && x.size() == samples.size() * shape_.size());
  const auto centre = static_cast<std::ptrdiff_t>((from_.height - shape_.height) / 2);
  Scratch scratch;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    Augmentation how = {centre, centre};
    if (options_.augment != Augment::none) how = draw_augmentation(seed, first_position + i);
    if (options_.augment == Augment::pad4_crop_flip) how = {how.row - padding, how.column - padding, how.flip};
    if (i + 1 < samples.size()) prefetch(images.image(samples[i + 1]), from_.size());
    convert(images.image(samples[i]), how, scratch, x.data() + i * shape_.size());
    labels[i] = images.labels[samples[i]];
  }
}

void Preprocessor::evaluation_batch(const ImageSetView& images, std::size_t first, std::span<float> x,
                                    std::span<std::int32_t> labels) const {
  assert(images.geometry == from_ && first + labels.size() <= images.samples() && x.size() == labels.size() * shape_.size());
  const auto centre = static_cast<std::ptrdiff_t>((from_.height - shape_.height) / 2);
  Scratch scratch;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    convert(images.image(first + i), {centre, centre}, scratch, x.data() + i * shape_.size());
    labels[i] = images.labels[first + i];
  }
}

}  // namespace qsweep
