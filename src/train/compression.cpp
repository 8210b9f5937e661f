#include "train/compression.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/blocks.h"
#include "base/errors.h"
#include "config/text.h"
#include "results/weights.h"

namespace qsweep {
namespace {

std::string layer_of(const Tensor& t) { return t.name.substr(0, t.name.find('/')); }

CodebookChoice choice_of(const Settings& s) {
  const auto& c = s.compression;
  return {c.codebook, c.size, c.values, c.smallest_power};
}

}  // namespace

std::vector<CompressionGroup> compression_groups(const std::string& choice, const Layout& layout) {
  std::vector<CompressionGroup> groups;
  std::vector<std::string> layers;
  for (const Tensor& t : layout.tensors())
    if (t.is_weight) layers.push_back(layer_of(t));
  std::string text = choice;
  if (choice == "each") text = fmt::format("{}", fmt::join(layers, " "));
  if (choice == "together") text = fmt::format("{}", fmt::join(layers, "+"));
  std::vector<std::string> taken;
  for (const std::string& word : split_words(text)) {
    CompressionGroup group{word, {}, 0};
    for (std::size_t begin = 0; begin <= word.size();) {
      const std::size_t end = std::min(word.find('+', begin), word.size());
      const std::string layer = word.substr(begin, end - begin);
      begin = end + 1;
      if (std::ranges::find(layers, layer) == layers.end() || std::ranges::find(taken, layer) != taken.end())
        throw ConfigError(fmt::format("compression.layers = {}: {} is no layer with weights, or named twice; allowed: each, together, or names out of {}, those that share a codebook joined by +",
                                      choice, layer.empty() ? "an empty name" : layer, fmt::join(layers, " ")));
      taken.push_back(layer);
      for (std::size_t l = 0; l < layout.tensors().size(); ++l)
        if (layout.tensors()[l].is_weight && layer_of(layout.tensors()[l]) == layer) group.tensors.push_back(l), group.size += layout.tensors()[l].size;
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

Compression::Compression(const Settings& s, const Layout& layout)
    : layout_(layout), penalty_(s.method == "learning_compression" ? s.compression.penalty : "none"), mu0_(s.compression.mu0), factor_(s.compression.mu_factor), seed_(s.run.seed),
      quantizer_(choice_of(s)), groups_(compression_groups(s.compression.layers, layout)), codebooks_(groups_.size()), passes_(groups_.size()),
      multipliers_(layout.dimension()), shifted_(layout.dimension()), delta_(layout.dimension()), target_(layout.dimension()) {}

double Compression::mu(std::size_t k) const { return penalty_ == "none" ? 0 : mu0_ * std::pow(factor_, static_cast<double>(k)); }

bool Compression::compresses(const Tensor& t) const {
  return std::ranges::any_of(groups_, [&](const CompressionGroup& g) { return std::ranges::any_of(g.tensors, [&](std::size_t l) { return layout_.tensors()[l].name == t.name; }); });
}

/// The values of a group one after the other.
std::vector<float> Compression::gathered(const CompressionGroup& group, std::span<const float> x) const {
  std::vector<float> values;
  values.reserve(group.size);
  for (const std::size_t l : group.tensors) {
    const std::span<const float> part = x.subspan(layout_.tensors()[l].offset, layout_.tensors()[l].size);
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

void Compression::project(std::span<const float> w, double mu) {
  for (std::size_t i = 0; i < w.size(); ++i) shifted_[i] = mu > 0 ? static_cast<float>(w[i] - multipliers_[i] / mu) : w[i];
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const std::vector<float> x = gathered(groups_[g], shifted_);
    const Codebook* before = codebooks_[g].levels.empty() ? nullptr : &codebooks_[g];
    const CodebookQuantizer::Solution solution = quantizer_.solve(x, before, Stream(seed_, Draw::Clusters, static_cast<std::uint32_t>(g)));
    codebooks_[g] = solution.codebook;
    passes_[g] = solution.passes;
    for (const std::size_t l : groups_[g].tensors) {
      const Tensor& t = layout_.tensors()[l];
      quantizer_.apply(std::span<const float>(shifted_).subspan(t.offset, t.size), codebooks_[g], std::span(delta_).subspan(t.offset, t.size));
    }
  }
}

template <class Visit>
double Compression::sum_over_weights(Visit visit) const {
  double total = 0;
  for (const CompressionGroup& group : groups_)
    for (const std::size_t l : group.tensors) {
      const Tensor& t = layout_.tensors()[l];
      total += sum_blocks(t.size, [&](std::size_t begin, std::size_t end) {
        double sum = 0;
        for (std::size_t i = t.offset + begin; i < t.offset + end; ++i) sum += visit(i);
        return sum;
      });
    }
  return total;
}

void Compression::update_multipliers(std::span<const float> w, double mu) {
  if (penalty_ != "augmented_lagrangian") return;
  for (const CompressionGroup& group : groups_)
    for (const std::size_t l : group.tensors)
      for (std::size_t i = layout_.tensors()[l].offset; i < layout_.tensors()[l].end(); ++i) multipliers_[i] -= mu * (double{w[i]} - delta_[i]);
}

std::span<const float> Compression::aim(double mu) {
  for (std::size_t i = 0; i < target_.size(); ++i) target_[i] = mu > 0 ? static_cast<float>(delta_[i] + multipliers_[i] / mu) : delta_[i];
  return target_;
}

std::span<const float> Compression::quantized(std::span<const float> w) {
  for (const Tensor& t : layout_.tensors())
    if (!compresses(t)) std::copy_n(w.begin() + static_cast<std::ptrdiff_t>(t.offset), t.size, delta_.begin() + static_cast<std::ptrdiff_t>(t.offset));
  return delta_;
}

double Compression::distance(std::span<const float> w) const {
  return std::sqrt(sum_over_weights([&](std::size_t i) { return (double{w[i]} - delta_[i]) * (double{w[i]} - delta_[i]); }));
}

double Compression::norm() const {
  return std::sqrt(sum_over_weights([&](std::size_t i) { return double{delta_[i]} * delta_[i]; }));
}

double Compression::penalty(std::span<const float> w, double mu) const {
  return sum_over_weights([&](std::size_t i) {
    const double gap = double{w[i]} - delta_[i];
    return (mu / 2 * gap - multipliers_[i]) * gap;
  });
}

StoredSize Compression::stored_size() const {
  StoredSize size;
  for (const Tensor& t : layout_.tensors()) (compresses(t) ? size.weights : size.free) += t.size;
  size.bits_of_codes = size.weights * static_cast<std::size_t>(quantizer_.size() > 1 ? quantizer_.bits() : 0);
  size.floats = groups_.size() * quantizer_.floats();
  return size;
}

double Compression::largest(std::size_t group, std::span<const float> w) const {
  float most = 0;
  for (const float value : gathered(groups_[group], w)) most = std::max(most, std::fabs(value));
  return most > 0 ? most : 1;
}

std::vector<double> Compression::histogram(std::size_t group, std::span<const float> w, std::size_t bins, double limit) const {
  std::vector<double> counts(bins, 0.0);
  for (const float value : gathered(groups_[group], w)) {
    const double place = (value / limit + 1) / 2 * static_cast<double>(bins);
    counts[static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(bins - 1)))] += 1;
  }
  return counts;
}

void Compression::describe(Record& record) const {
  for (std::size_t g = 0; g < groups_.size(); ++g)
    for (const std::size_t l : groups_[g].tensors) {
      const Tensor& t = layout_.tensors()[l];
      QuantizedTensor tensor{t.shape, quantizer_.bits(), std::vector<std::uint8_t>(t.size), codebooks_[g].levels, codebooks_[g].scale};
      quantizer_.encode(std::span<const float>(shifted_).subspan(t.offset, t.size), codebooks_[g], tensor.codes);
      const std::vector<float> unpacked = tensor.values();
      if (!std::equal(unpacked.begin(), unpacked.end(), delta_.begin() + static_cast<std::ptrdiff_t>(t.offset)))
        throw std::logic_error(t.name + ": unpacked assignments differ from the weights that were evaluated");
      for (Dataset& d : quantized_weights_datasets(t.name, tensor)) record.datasets.push_back(std::move(d));
    }
}

void Compression::restore(const Kept& kept) {
  delta_ = shifted_ = kept.quantized;  // the entries themselves: each is nearest to itself
  codebooks_ = kept.codebooks;
}

void Compression::Kept::state(const std::string& group, Archive& archive) {
  archive.shared(group + "/quantized", quantized);
  for (std::size_t g = 0; g < codebooks.size(); ++g) {
    archive.shared(group + "/levels/" + std::to_string(g), codebooks[g].levels);
    double scale = codebooks[g].scale;
    archive.shared(group + "/scale/" + std::to_string(g), scale);
    codebooks[g].scale = static_cast<float>(scale);
  }
}

/// Between C steps: what Θ is the projection of does not count any more, only Θ itself.
void Compression::state(Archive& archive) {
  Kept now{delta_, codebooks_};
  if (archive.restores())
    for (Codebook& codebook : now.codebooks) codebook.levels.resize(quantizer_.size());
  now.state("compression", archive);
  if (archive.restores()) restore(now);
  std::vector<double> passes(passes_.begin(), passes_.end());
  archive.shared("compression/passes", passes);
  passes_.assign(passes.begin(), passes.end());
  archive.shared("compression/multipliers", multipliers_);
}

}  // namespace qsweep
