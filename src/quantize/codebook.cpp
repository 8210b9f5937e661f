#include "quantize/codebook.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "base/cpu.h"
#include "quantize/codebook_kernels.h"
#include "quantize/codebook_scale.h"
#include "quantize/kmeans.h"

namespace qsweep {
namespace {

const CodebookKernels& kernels() { return dispatch(baseline::codebook_kernels, avx2::codebook_kernels, avx512::codebook_kernels); }

float next_up(float x) { return std::nextafterf(x, std::numeric_limits<float>::infinity()); }

/// The smallest float that is at least x.
float float_above(double x) {
  const auto rounded = static_cast<float>(x);
  return double{rounded} < x ? next_up(rounded) : rounded;
}

bool scaled(const std::string& kind) { return kind.starts_with("scaled"); }
bool adaptive(const std::string& kind) { return kind.starts_with("kmeans"); }

/// The entries that are given, ascending; none for k-means.
std::vector<float> given_levels(const CodebookChoice& c) {
  if (c.kind == "binary" || c.kind == "scaled_binary") return {-1, 1};
  if (c.kind == "ternary" || c.kind == "scaled_ternary") return {-1, 0, 1};
  if (c.kind == "fixed" || c.kind == "scaled") return {c.values.begin(), c.values.end()};
  std::vector<float> levels;
  if (c.kind != "powers_of_two") return levels;
  for (int power = 0; power <= c.smallest_power; ++power) levels.push_back(-std::ldexp(1.0F, -power));
  levels.push_back(0);
  for (int power = c.smallest_power; power >= 0; --power) levels.push_back(std::ldexp(1.0F, -power));
  return levels;
}

/// Does a tie at the midpoint of a < b go to the lower of the two?
bool tie_goes_down(const std::string& kind, float a, float b) {
  if (kind == "ternary") return a < 0;        // −½ to −1, ½ to 1
  if (kind != "powers_of_two") return false;
  if (a == 0 || b == 0) return b == 0;        // ±2^−(C+1) away from 0
  return a > 0;                               // ±¾·2^−k towards 0
}

Codebook in_floats(const std::vector<double>& centroids) { return {{centroids.begin(), centroids.end()}, 1}; }

}  // namespace

std::vector<float> Codebook::values() const {
  std::vector<float> all(levels.size());
  std::ranges::transform(levels, all.begin(), [&](float level) { return scale * level; });
  return all;
}

const std::vector<std::string>& CodebookQuantizer::kinds() {
  static const std::vector<std::string> all = {"kmeans", "kmeans_exact", "binary", "scaled_binary", "ternary", "scaled_ternary", "powers_of_two", "fixed", "scaled"};
  return all;
}

CodebookQuantizer::CodebookQuantizer(const CodebookChoice& choice) : choice_(choice), levels_(given_levels(choice)) {
  size_ = adaptive(choice.kind) ? choice.size : levels_.size();
  assert(1 <= size_ && size_ <= 256 && std::ranges::is_sorted(levels_));
}

int CodebookQuantizer::bits() const {
  int bits = 1;
  while ((std::size_t{1} << bits) < size_) ++bits;
  return bits;
}

std::size_t CodebookQuantizer::floats() const { return adaptive(choice_.kind) ? size_ : scaled(choice_.kind) ? 1 : 0; }

CodebookQuantizer::Solution CodebookQuantizer::solve(std::span<const float> x, const Codebook* previous, const Stream& draws) const {
  const std::string& kind = choice_.kind;
  if (kind == "scaled_binary") return {{levels_, static_cast<float>(scale_of_binary(x))}};
  if (kind == "scaled_ternary") return {{levels_, static_cast<float>(scale_of_ternary(x))}};
  if (kind == "scaled") return {{levels_, static_cast<float>(scale_of_codebook(SortedValues(x), std::vector<double>(levels_.begin(), levels_.end())))}};
  if (!adaptive(kind)) return {{levels_, 1}};
  const SortedValues sorted(x);
  if (kind == "kmeans_exact") return {in_floats(exact_kmeans(sorted, size_).centroids)};
  const KMeans found = previous == nullptr ? first_kmeans(sorted, size_, draws) : lloyd(sorted, {previous->levels.begin(), previous->levels.end()});
  return {in_floats(found.centroids), found.passes};
}

std::vector<float> CodebookQuantizer::thresholds(const Codebook& codebook) const {
  const std::vector<float> values = codebook.values();
  std::vector<float> all;
  for (std::size_t k = 0; k + 1 < values.size(); ++k) {
    const double middle = (double{values[k]} + values[k + 1]) / 2;
    const float above = float_above(middle);
    all.push_back(tie_goes_down(choice_.kind, values[k], values[k + 1]) && double{above} == middle ? next_up(above) : above);
  }
  return all;
}

void CodebookQuantizer::encode(std::span<const float> x, const Codebook& codebook, std::span<std::uint8_t> code) const {
  const std::vector<float> theta = thresholds(codebook);
  kernels().encode(x.data(), x.size(), theta.data(), theta.size(), code.data());
}

void CodebookQuantizer::apply(std::span<const float> x, const Codebook& codebook, std::span<float> quantized) const {
  const std::vector<float> theta = thresholds(codebook), values = codebook.values();
  kernels().apply(x.data(), x.size(), theta.data(), values.data(), theta.size(), quantized.data());
}

}  // namespace qsweep
