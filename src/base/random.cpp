#include "base/random.h"

#include <Random123/philox.h>

#include <array>
#include <cmath>
#include <numbers>

namespace qsweep {
namespace {

std::array<std::uint32_t, 4> philox(const Stream& s, std::uint64_t block) {
  const r123::Philox4x32::ctr_type counter = {{static_cast<std::uint32_t>(block), s.purpose() + 256 * static_cast<std::uint32_t>(block >> 32),
                                               s.worker(), s.iteration()}};
  const r123::Philox4x32::key_type key = {{static_cast<std::uint32_t>(s.seed()), static_cast<std::uint32_t>(s.seed() >> 32)}};
  const auto out = r123::Philox4x32{}(counter, key);
  return {out[0], out[1], out[2], out[3]};
}

}  // namespace

std::uint32_t Stream::word(std::uint64_t i) const { return philox(*this, i / 4)[i % 4]; }

double Stream::uniform(std::uint64_t i) const { return word(i) * 0x1p-32; }

double Stream::normal(std::uint64_t i) const {
  const auto block = philox(*this, i / 4);
  const unsigned pair = (i % 4) & 2U;
  const double radius = std::sqrt(-2 * std::log((block[pair] + 1.0) * 0x1p-32));  // the argument lies in (0, 1]
  const double angle = 2 * std::numbers::pi * (block[pair + 1] * 0x1p-32);
  return radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

void Stream::words(std::uint64_t first, std::span<std::uint32_t> out) const {
  for (std::size_t j = 0; j < out.size(); ++j) out[j] = word(first + j);
}

void Stream::uniform(std::uint64_t first, float low, float high, std::span<float> out) const {
  for (std::size_t j = 0; j < out.size(); ++j) out[j] = low + (high - low) * (static_cast<float>(word(first + j) >> 8) * 0x1p-24F);
}

void Stream::normal(std::uint64_t first, std::span<float> out) const {
  for (std::size_t j = 0; j < out.size(); ++j) out[j] = static_cast<float>(normal(first + j));
}

}  // namespace qsweep
