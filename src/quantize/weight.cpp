#include "quantize/weight.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>

#include "base/blocks.h"
#include "base/errors.h"
#include "quantize/weight_sweep.h"

namespace qsweep {

/// What a solver is given.
struct WeightProblem {
  const Levels& levels;
  AlphaRule rule;
  const WeightKernels& kernels;
  std::span<const float> w, v;
  float previous;
  const Reduce& reduce;

  std::size_t blocks() const { return block_count(w.size()); }
  /// Calls pass(b, w, v, elements) for each block.
  template <class Pass>
  void for_each_block(Pass pass) const {
    for (std::size_t b = 0; b < blocks(); ++b) {
      const std::size_t begin = b * block_elements;
      pass(b, w.data() + begin, v.empty() ? nullptr : v.data() + begin, std::min(block_elements, w.size() - begin));
    }
  }
};

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr int warm_passes = 10, cold_passes = 100;
constexpr float tolerance = 1e-6f;

float finite_or_nan(double alpha) {
  const float a = static_cast<float>(alpha);
  return std::isfinite(a) ? a : not_a_number;
}

/// Σ d|w|/Σ d
float weighted_mean(const WeightProblem& p) {
  std::vector<BlockSums> sums(p.blocks());
  p.for_each_block([&](std::size_t b, const float* w, const float* v, std::size_t n) { sums[b] = p.kernels.mean(w, v, n); });
  const BlockSums total = p.reduce(sums);
  return total.numerator == 0 ? 0.0f : finite_or_nan(total.numerator / total.denominator);
}

float alpha_of(const Levels& levels, AlphaRule rule, const BlockSums& total) {
  return finite_or_nan((rule == AlphaRule::exact ? levels.top() : 1.0) * total.numerator / total.denominator);
}

/// Sums at any α near one for which all weights were read: those whose code is the same throughout were added up then, the others
/// were set aside, and are the only ones read again.
class Window {
 public:
  explicit Window(const WeightProblem& problem) : p_(problem), fixed_(p_.blocks()), sums_(p_.blocks()), near_end_(p_.blocks()) {
    // Wide enough that α rarely leaves it, narrow enough that few weights are near one of the k thresholds: about 3 to 5 %.
    half_width_ = p_.levels.spacing == Spacing::logarithmic ? 1.0f / 64 : 1.0f / static_cast<float>(24 + 8 * p_.levels.k);
  }

  BlockSums at(float alpha) {
    const float inverse = p_.levels.inverse(alpha);
    if (!(low_ <= inverse && inverse <= high_)) open(inverse);
    for (std::size_t b = 0, begin = 0; b < fixed_.size(); begin = near_end_[b++]) {
      const BlockSums near =
          p_.kernels.sums(p_.levels, p_.rule, magnitude_.data() + begin, curvature_.data() + begin, near_end_[b] - begin, inverse);
      sums_[b] = {fixed_[b].numerator + near.numerator, fixed_[b].denominator + near.denominator};
    }
    return p_.reduce(sums_);
  }

 private:
  void open(float inverse) {
    low_ = inverse * (1 - half_width_);
    high_ = std::min(inverse * (1 + half_width_), std::numeric_limits<float>::max());
    std::size_t end = 0;
    p_.for_each_block([&](std::size_t b, const float* w, const float* v, std::size_t n) {
      constexpr std::size_t room = block_elements + 16;
      if (magnitude_.size() < end + room) {
        magnitude_.resize(end + room);
        curvature_.resize(end + room);
      }
      end +=
          p_.kernels.window(p_.levels, p_.rule, w, v, n, low_, high_, &fixed_[b], magnitude_.data() + end, curvature_.data() + end);
      near_end_[b] = end;
    });
  }

  const WeightProblem& p_;
  float half_width_;                          // relative
  float low_ = 1, high_ = 0;                  // of top/α; none yet
  std::vector<BlockSums> fixed_, sums_;       // by block
  std::vector<std::size_t> near_end_;         // by block: end of its part of
  std::vector<float> magnitude_, curvature_;  // the weights set aside
};

/// 0 if all codes are 0.
float alternate(const WeightProblem& p, Window& window, float alpha, int passes) {
  for (int pass = 0; pass < passes; ++pass) {
    const BlockSums total = window.at(alpha);
    if (total.denominator == 0) return 0.0f;
    const float next = alpha_of(p.levels, p.rule, total);
    const bool settled = !(std::fabs(next - alpha) > tolerance * next);  // NaN ends too
    alpha = next;
    if (settled) break;
  }
  return alpha;
}

float alternating(const WeightProblem& p) {
  Window window(p);
  const float warm = p.previous > 0 ? alternate(p, window, p.previous, warm_passes) : 0.0f;
  if (warm != 0) return warm;
  const float mean = weighted_mean(p);
  if (std::isnan(mean)) return mean;
  float alpha = 0;
  // From the first start the largest |w| reaches at least ½ of a level, but for rounding: then start from half of it.
  for (float start = 2 * mean; start > 0 && alpha == 0; start /= 2) alpha = alternate(p, window, start, cold_passes);
  return alpha;
}

float sign_mean(const WeightProblem& p) { return weighted_mean(p); }

float ternary(const WeightProblem& p) { return finite_or_nan(exact_ternary(p.w, p.v).alpha); }

/// The quantizers: a family's name carries its bits where it has more than one width.
struct Family {
  std::string_view name;
  int least_bits, most_bits;
  Spacing spacing;
  float (*solve)(const WeightProblem&);

  std::string name_of(int bits) const { return std::string(name) + (least_bits == most_bits ? "" : std::to_string(bits)); }
};

std::span<const Family> families() {
  static constexpr std::array table = {
      Family{"lab", 1, 1, Spacing::sign, sign_mean},
      Family{"lat", 2, 2, Spacing::uniform, ternary},
      Family{"laq", 2, 8, Spacing::uniform, alternating},
      Family{"log", 2, 8, Spacing::logarithmic, alternating},
  };
  return table;
}

}  // namespace

BlockSums in_order(std::span<const BlockSums> blocks) {
  BlockSums total;
  for (const BlockSums& b : blocks) total = {total.numerator + b.numerator, total.denominator + b.denominator};
  return total;
}

WeightQuantizer::WeightQuantizer(std::string_view name, AlphaRule rule, Simd instructions) : rule_(rule), solver_(nullptr) {
  const WeightKernels* const builds[] = {&baseline::weight_kernels, &avx2::weight_kernels, &avx512::weight_kernels};
  kernels_ = builds[static_cast<int>(instructions)];
  for (const Family& family : families())
    for (int bits = family.least_bits; bits <= family.most_bits; ++bits)
      if (family.name_of(bits) == name) {
        levels_ = Levels::of(family.spacing, bits);
        solver_ = family.solve;
      }
  if (solver_ == nullptr)
    throw ConfigError(fmt::format("weights.quantizer = {}: allowed: fp, {}", name, fmt::join(names(), ", ")));
  values_ = levels_.values();
}

std::vector<std::string> WeightQuantizer::names() {
  std::vector<std::string> all;
  for (const Family& family : families())
    for (int bits = family.least_bits; bits <= family.most_bits; ++bits) all.push_back(family.name_of(bits));
  return all;
}

bool WeightQuantizer::needs_whole_tensor() const { return solver_ == ternary; }

float WeightQuantizer::solve(std::span<const float> w, std::span<const float> v, float previous, const Reduce& reduce) const {
  assert(v.empty() || v.size() == w.size());
  return solver_({levels_, rule_, *kernels_, w, v, previous, reduce});
}

void WeightQuantizer::apply(std::span<const float> w, float alpha, std::span<float> quantized) const {
  assert(quantized.size() == w.size());
  kernels_->apply(levels_, w.data(), w.size(), alpha, levels_.inverse(alpha), quantized.data());
}

void WeightQuantizer::encode(std::span<const float> w, float alpha, std::span<std::uint8_t> code) const {
  assert(code.size() == w.size());
  kernels_->encode(levels_, w.data(), w.size(), levels_.inverse(alpha), code.data());
}

void WeightQuantizer::decode(std::span<const std::uint8_t> code, float alpha, std::span<float> quantized) const {
  assert(quantized.size() == code.size());
  std::array<float, 256> value{};
  for (std::size_t c = 0; c < values_.size(); ++c) value[c] = alpha * values_[c];
  for (std::size_t i = 0; i < code.size(); ++i) quantized[i] = value[code[i]];
}

std::size_t WeightQuantizer::word_count(std::size_t codes) const {
  const std::size_t per_word = 64 / static_cast<std::size_t>(bits());
  return (codes + per_word - 1) / per_word;
}

void WeightQuantizer::pack(std::span<const std::uint8_t> code, std::span<std::uint64_t> word) const {
  assert(word.size() == word_count(code.size()));
  kernels_->pack(code.data(), code.size(), bits(), word.data());
}

void WeightQuantizer::unpack(std::span<const std::uint64_t> word, std::span<std::uint8_t> code) const {
  assert(word.size() == word_count(code.size()));
  kernels_->unpack(word.data(), code.size(), bits(), code.data());
}

}  // namespace qsweep
