#include "data/synthetic_images.h"

#include <algorithm>

#include "base/random.h"

namespace qsweep {
namespace {

constexpr std::uint64_t fixed_seed = 10;
constexpr std::size_t side = 32, spacing = 8, knots = side / spacing;
constexpr std::size_t sample_words = 4;  // before the words of the noise
constexpr std::size_t values = SyntheticImages::geometry.size();

int bounded(std::uint32_t word, std::uint32_t bound) { return static_cast<int>((std::uint64_t{word} * bound) >> 32); }

}  // namespace

SyntheticImages::SyntheticImages() : patterns_(std::make_unique<std::array<Pattern, 10>>()) {
  std::array<std::uint32_t, 3 * knots * knots> words;
  for (std::size_t k = 0; k < patterns_->size(); ++k) {
    Stream(fixed_seed, Draw::TrueWeights).words(k * words.size(), words);
    const auto knot = [&words](std::size_t c, std::size_t u, std::size_t v) {
      return static_cast<int>(words[(c * knots + u % knots) * knots + v % knots] >> 24) - 128;
    };
    for (std::size_t i = 0; i < values; ++i) {
      const std::size_t c = i / (side * side), y = i / side % side, x = i % side;
      const std::size_t u = y / spacing, v = x / spacing;
      const int down = static_cast<int>(y % spacing), right = static_cast<int>(x % spacing), n = spacing;
      (*patterns_)[k][i] = static_cast<std::int16_t>((n - down) * ((n - right) * knot(c, u, v) + right * knot(c, u, v + 1)) +
                                                     down * ((n - right) * knot(c, u + 1, v) + right * knot(c, u + 1, v + 1)));
    }
  }
}

void SyntheticImages::make_one(std::uint32_t n, std::uint8_t* pixels, std::uint8_t& label) const {
  std::array<std::uint32_t, sample_words + values / 2> words;
  Stream(fixed_seed, Draw::Data, n).words(0, words);
  label = static_cast<std::uint8_t>(n % 10);
  const std::size_t other = (label + 1 + static_cast<std::size_t>(bounded(words[0], 9))) % 10;
  const int a = 64 + bounded(words[1], 64), b = bounded(words[2], 96);
  const auto shift = [w = words[3]](unsigned i) { return (w >> (8 * i)) % 8 + side - 4; };  // − 4 … 3, modulo 32
  const std::size_t dy = shift(0), dx = shift(1), ey = shift(2), ex = shift(3);

  const Pattern &own = (*patterns_)[label], &second = (*patterns_)[other];
  for (std::size_t i = 0; i < values; ++i) {
    const std::size_t plane = i / (side * side) * (side * side), y = i / side, x = i;
    const int pattern =
        a * own[plane + (y + dy) % side * side + (x + dx) % side] + b * second[plane + (y + ey) % side * side + (x + ex) % side];
    const std::uint32_t bytes = words[sample_words + i / 2] >> (16 * (i % 2));
    const int noise = static_cast<int>((bytes & 255) + ((bytes >> 8) & 255)) - 255;
    pixels[i] = static_cast<std::uint8_t>(std::clamp(128 + (pattern >> 13) + (noise >> 1), 0, 255));
  }
}

void SyntheticImages::make(Part part, std::span<std::uint8_t> pixels, std::span<std::uint8_t> labels) const {
  const std::size_t first = part == Part::train ? 0 : train;
  for (std::size_t i = 0; i < labels.size(); ++i)
    make_one(static_cast<std::uint32_t>(first + i), pixels.data() + i * values, labels[i]);
}

}  // namespace qsweep
