#include "base/random.h"

#include <Random123/philox.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/cpu.h"
#include "base/random_kernels.h"

namespace qsweep {
namespace {

constexpr std::size_t buffer_words = 1024;  // a piece of a long request, small enough for the first-level cache

const RandomKernels& kernels() {
  static const RandomKernels& best = dispatch(baseline::random_kernels, avx2::random_kernels, avx512::random_kernels);
  return best;
}

std::array<std::uint32_t, 4> philox(const Stream& s, std::uint64_t block) {
  const r123::Philox4x32::ctr_type counter = {
      {static_cast<std::uint32_t>(block), s.purpose() + 256 * static_cast<std::uint32_t>(block >> 32), s.worker(), s.iteration()}};
  const r123::Philox4x32::key_type key = {{static_cast<std::uint32_t>(s.seed()), static_cast<std::uint32_t>(s.seed() >> 32)}};
  const auto out = r123::Philox4x32{}(counter, key);
  return {out[0], out[1], out[2], out[3]};
}

/// Two independent N(0, 1) from two words: one logarithm and one root for both.
struct NormalPair {
  double cosine, sine;
};

NormalPair box_muller(std::uint32_t word0, std::uint32_t word1) {
  const double radius = std::sqrt(-2 * std::log((word0 + 1.0) * 0x1p-32));  // the argument lies in (0, 1]
  const double angle = 2 * std::numbers::pi * (word1 * 0x1p-32);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// Calls use(words, done) for the words first + done …, piece by piece up to first + count; an even first gives pieces of even
/// sizes.
template <class Use>
void for_pieces(const Stream& stream, std::uint64_t first, std::size_t count, Use use) {
  std::array<std::uint32_t, buffer_words> buffer;
  for (std::size_t done = 0; done < count;) {
    const std::size_t skip = (first + done) % 4;
    const std::size_t piece = std::min(count - done, buffer_words - skip);
    stream.words(first + done - skip, std::span(buffer).first(skip + piece));
    use(std::span<const std::uint32_t>(buffer).subspan(skip, piece), done);
    done += piece;
  }
}

}  // namespace

std::uint32_t Stream::word(std::uint64_t i) const { return philox(*this, i / 4)[i % 4]; }

double Stream::uniform(std::uint64_t i) const { return word(i) * 0x1p-32; }

double Stream::normal(std::uint64_t i) const {
  const auto block = philox(*this, i / 4);
  const unsigned pair = (i % 4) & 2U;
  const NormalPair both = box_muller(block[pair], block[pair + 1]);
  return i % 2 == 0 ? both.cosine : both.sine;
}

void Stream::words(std::uint64_t first, std::span<std::uint32_t> out) const {
  std::size_t j = 0;
  for (; j < out.size() && (first + j) % 4 != 0; ++j) out[j] = word(first + j);
  while (out.size() - j >= 4) {
    const std::uint64_t block = (first + j) / 4;
    const std::uint64_t until_carry = (std::uint64_t{1} << 32) - (block & 0xFFFFFFFFU);
    const std::size_t blocks = std::min<std::uint64_t>((out.size() - j) / 4, until_carry);
    const PhiloxBlocks from = {static_cast<std::uint32_t>(seed_),
                               static_cast<std::uint32_t>(seed_ >> 32),
                               static_cast<std::uint32_t>(block),
                               purpose_ + 256 * static_cast<std::uint32_t>(block >> 32),
                               worker_,
                               iteration_};
    kernels().philox(from, blocks, out.data() + j);
    j += 4 * blocks;
  }
  for (; j < out.size(); ++j) out[j] = word(first + j);
}

void Stream::uniform(std::uint64_t first, float low, float high, std::span<float> out) const {
  for_pieces(*this, first, out.size(), [&](std::span<const std::uint32_t> words, std::size_t done) {
    kernels().uniform(words.data(), words.size(), low, high, out.data() + done);
  });
}

void Stream::normal(std::uint64_t first, std::span<float> out) const {
  std::size_t j = 0;
  if (j < out.size() && first % 2 != 0) out[j++] = static_cast<float>(normal(first));
  const std::size_t pairs = (out.size() - j) / 2 * 2;
  for_pieces(*this, first + j, pairs, [&, start = out.data() + j](std::span<const std::uint32_t> words, std::size_t done) {
    for (std::size_t i = 0; i < words.size(); i += 2) {
      const NormalPair both = box_muller(words[i], words[i + 1]);
      start[done + i] = static_cast<float>(both.cosine);
      start[done + i + 1] = static_cast<float>(both.sine);
    }
  });
  if (j + pairs < out.size()) out[j + pairs] = static_cast<float>(normal(first + j + pairs));
}

}  // namespace qsweep
