#include "quantize/gradient.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <numeric>
#include <string>

#include "base/blocks.h"
#include "base/errors.h"
#include "quantize/gradient_kernels.h"

namespace qsweep {
namespace {

constexpr std::size_t slack = 8;  // bytes that the packing kernels may touch after the last code
constexpr float smallest_scale = 0x1p-100F;
constexpr std::size_t narrow_values = 256;  // fields of at most 8 bits: bytes and tables

const GradientKernels& kernels_of(Simd level) {
  switch (level) {
    case Simd::avx512:
      return avx512::gradient_kernels;
    case Simd::avx2:
      return avx2::gradient_kernels;
    default:
      return baseline::gradient_kernels;
  }
}

/// Calls use(segment's index, begin, end) for the parts of [first, last) that lie in one segment each.
template <class Use>
void for_parts(std::span<const Segment> segments, std::size_t first, std::size_t last, Use use) {
  auto segment = std::partition_point(segments.begin(), segments.end(), [&](const Segment& s) { return s.end <= first; });
  for (; first < last; ++segment) {
    assert(segment != segments.end() && segment->begin <= first);
    const std::size_t end = std::min(last, segment->end);
    if (end > first) use(static_cast<std::size_t>(segment - segments.begin()), first, end);
    first = end;
  }
}

/// Elements in a block: whole words, and whole groups of 64 elements, so that no block ends in a slow remainder.
std::size_t block_of(Fields fields) {
  const std::size_t unit = std::lcm(static_cast<std::size_t>(fields.per_word), std::size_t{64});  // at most 21·64
  return block_elements / unit * unit;
}

/// The second half of the comparison, for an element whose first 16 bits equal those of its threshold: does the tail round up?
bool tail_rounds_up(float g, const Rounding& rounding, const Stream& tail, std::size_t i) {
  const float x = std::min(std::min(std::abs(g), rounding.limit) * rounding.codes_per_unit, static_cast<float>(rounding.max_code));
  const auto threshold = static_cast<std::uint32_t>((x - std::floor(x)) * 0x1p32F);
  return (tail.word(i / 2) >> 16 * (i % 2) & 0xFFFFU) < (threshold & 0xFFFFU);
}

float value_of(float scale, std::int64_t sum_of_codes, double divisor) {
  return static_cast<float>(double{scale} * static_cast<double>(sum_of_codes) / divisor);
}

}  // namespace

double GradientStatistics::deviation() const {
  const double n = static_cast<double>(elements);
  return elements == 0 ? 0 : std::sqrt(std::max(0.0, squared_norm - sum * sum / n) / n);
}

GradientStatistics& GradientStatistics::operator+=(const GradientStatistics& other) {
  elements += other.elements;
  largest = std::bit_cast<float>(std::max(std::bit_cast<std::uint32_t>(largest), std::bit_cast<std::uint32_t>(other.largest)));
  sum += other.sum;
  squared_norm += other.squared_norm;
  return *this;
}

GradientStatistics statistics(std::span<const float> tensor, Simd level) {
  const GradientKernels& kernels = kernels_of(level);
  return sum_blocks(tensor.size(), [&](std::size_t begin, std::size_t end) {
    const BlockStatistics block = kernels.statistics(tensor.data() + begin, end - begin);
    return GradientStatistics{end - begin, std::bit_cast<float>(block.largest_bits), block.sum, block.squares};
  });
}

Segment::Segment(std::size_t first, std::size_t last, const GradientStatistics& g, double c) : begin(first), end(last) {
  if (std::isfinite(c) && g.elements > 1) {
    const double bound = c * g.deviation();
    limit = static_cast<float>(bound);
    if (double{limit} > bound) limit = std::nextafter(limit, 0.0F);
  }
  scale = std::min(g.largest, limit);
}

StochasticQuantizer::StochasticQuantizer(int bits, Simd level) : bits_(bits), max_code_(0), kernels_(&kernels_of(level)) {
  if (bits < 2 || bits > 8) throw ConfigError("gradients.quantizer = sq" + std::to_string(bits) + ": allowed: sq2 … sq8");
  max_code_ = (1 << (bits - 1)) - 1;
}

void StochasticQuantizer::encode_add(std::span<const float> gradient, std::span<const Segment> segments, const RoundingDraws& draws,
                                     Fields fields, std::size_t first, std::size_t last, std::span<std::uint64_t> words,
                                     std::span<std::uint64_t> squared_codes) const {
  alignas(64) std::array<std::uint8_t, block_elements + slack> codes;
  alignas(64) std::array<std::uint32_t, block_elements / 2 + 8> random;
  std::array<std::uint16_t, block_elements> undecided;
  const std::size_t step = block_of(fields);
  for (std::size_t begin = first; begin < last; begin += step) {
    const std::size_t end = std::min(last, begin + step), drawn = begin / 8 * 8;  // draws come four words at a time
    draws.half.words(drawn / 2, std::span(random).first((end - drawn + 7) / 8 * 4));
    const Half* const half = reinterpret_cast<const Half*>(random.data());
    for_parts(segments, begin, end, [&](std::size_t s, std::size_t from, std::size_t to) {
      const float k = static_cast<float>(max_code_);
      const Rounding rounding = {segments[s].limit, segments[s].scale < smallest_scale ? 0.0F : k / segments[s].scale, max_code_};
      std::uint8_t* const code = codes.data() + (from - begin);
      QuantizedBlock done =
          kernels_->quantize(gradient.data() + from, to - from, rounding, half + (from - drawn), code, undecided.data());
      for (const std::uint16_t j : std::span(undecided).first(done.undecided))
        if (const float g = gradient[from + j]; tail_rounds_up(g, rounding, draws.tail, from + j)) {
          const int level = std::abs(code[j] - max_code_);
          code[j] = static_cast<std::uint8_t>(g < 0 ? code[j] - 1 : code[j] + 1);
          done.squared_codes += 2 * static_cast<std::uint64_t>(level) + 1;
        }
      if (!squared_codes.empty()) squared_codes[s] += done.squared_codes;
    });
    const std::size_t count = fields.words(end - begin);
    std::fill(codes.data() + (end - begin), codes.data() + count * fields.per_word + slack, std::uint8_t{0});
    kernels_->pack_add(codes.data(), count, fields.width, fields.per_word, words.data() + (begin - first) / fields.per_word);
  }
}

template <bool add>
void StochasticQuantizer::decode_narrow(std::span<const std::uint64_t> words, std::span<const Segment> segments, int workers,
                                        std::size_t first, std::size_t last, std::span<float> out) const {
  alignas(64) std::array<std::uint8_t, block_elements + slack> codes;
  std::array<float, narrow_values> table;
  std::size_t table_of = segments.size();  // the segment whose values the table holds
  const Fields fields = this->fields(workers);
  const std::int64_t zero = std::int64_t{max_code_} * workers;
  const std::size_t entries = static_cast<std::size_t>(2 * zero + 1), step = block_of(fields);
  const auto value = [&](std::size_t s, std::size_t code) {
    return value_of(segments[s].scale, static_cast<std::int64_t>(code) - zero, static_cast<double>(zero));
  };
  for (std::size_t begin = first; begin < last; begin += step) {
    const std::size_t end = std::min(last, begin + step);
    kernels_->unpack(words.data() + (begin - first) / fields.per_word, fields.words(end - begin), fields.width, fields.per_word,
                     codes.data());
    for_parts(segments, begin, end, [&](std::size_t s, std::size_t from, std::size_t to) {
      const std::uint8_t* const code = codes.data() + (from - begin);
      float* const target = out.data() + (from - first);
      if (segments[s].end - segments[s].begin < entries) {  // a table would cost more than it saves
        for (std::size_t j = 0; j < to - from; ++j) target[j] = add ? target[j] + value(s, code[j]) : value(s, code[j]);
        return;
      }
      if (table_of != s)
        for (std::size_t e = 0; e < entries; ++e) table[e] = value(s, e);
      table_of = s;
      (add ? kernels_->look_up_add : kernels_->look_up)(code, to - from, table.data(), entries, target);
    });
  }
}

void StochasticQuantizer::decode_mean_wide(std::span<const std::uint64_t> words, std::span<const Segment> segments, int workers,
                                           std::size_t first, std::size_t last, std::span<float> mean) const {
  std::array<std::uint32_t, block_elements + 1> codes;
  const Fields fields = this->fields(workers);
  const int zero = max_code_ * workers;
  const std::size_t step = block_of(fields);
  for (std::size_t begin = first; begin < last; begin += step) {
    const std::size_t end = std::min(last, begin + step);
    kernels_->unpack_wide(words.data() + (begin - first) / fields.per_word, fields.words(end - begin), fields.width,
                          fields.per_word, codes.data());
    for_parts(segments, begin, end, [&](std::size_t s, std::size_t from, std::size_t to) {
      kernels_->evaluate(codes.data() + (from - begin), to - from, segments[s].scale, zero, zero, mean.data() + (from - first));
    });
  }
}

void StochasticQuantizer::decode_mean(std::span<const std::uint64_t> words, std::span<const Segment> segments, int workers,
                                      std::size_t first, std::size_t last, std::span<float> mean) const {
  if (fields(workers).width <= 8)
    decode_narrow<false>(words, segments, workers, first, last, mean);
  else
    decode_mean_wide(words, segments, workers, first, last, mean);
}

void StochasticQuantizer::decode_add(std::span<const std::uint64_t> words, std::span<const Segment> segments, std::size_t first,
                                     std::size_t last, std::span<float> sum) const {
  decode_narrow<true>(words, segments, 1, first, last, sum);
}

void StochasticQuantizer::divide(std::span<float> sum, int workers) const {
  kernels_->divide(sum.data(), sum.size(), static_cast<float>(workers));
}

double StochasticQuantizer::squared_norm(float scale, std::uint64_t squared_codes) const {
  const double unit = double{scale} / max_code_;
  return unit * unit * static_cast<double>(squared_codes);
}

}  // namespace qsweep
