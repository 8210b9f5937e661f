#include "quantize/quantized_weights.h"

#include <algorithm>
#include <cstring>

#include "base/random.h"

#include "results/weights.h"

namespace qsweep {
namespace {

/// Copies between a message and values, moving on in the message.
template <class T>
void put(std::span<std::byte>& message, std::span<const T> values) {
  std::memcpy(message.data(), values.data(), values.size_bytes());
  message = message.subspan(values.size_bytes());
}
template <class T>
void take(std::span<const std::byte>& message, std::span<T> values) {
  std::memcpy(values.data(), message.data(), values.size_bytes());
  message = message.subspan(values.size_bytes());
}

/// The part of tensor t in [first, last) of the vector.
struct Part {
  std::size_t begin, size;
  Part(const Tensor& t, std::size_t first, std::size_t last) : begin(std::clamp(first, t.offset, t.end())), size(std::max(begin, std::min(last, t.end())) - begin) {}
};

AlphaRule rule_of(const std::string& name) { return name == "released" ? AlphaRule::released : AlphaRule::exact; }

}  // namespace

QuantizedWeights::QuantizedWeights(const Settings::Weights& settings, const Layout& layout) : layout_(layout), scales_(layout.tensors().size(), 0.0F) {
  if (settings.quantized()) quantizer_.emplace(settings.quantizer, rule_of(settings.alpha_rule));
}

void QuantizedWeights::quantize(std::span<const float> w, std::span<const float> v) {
  if (!quantizer_) {
    view_ = w;
    return;
  }
  for (std::size_t l = 0; l < layout_.tensors().size(); ++l) {
    const Tensor& t = layout_.tensors()[l];
    if (t.is_weight && !fixed_) scales_[l] = quantizer_->solve(w.subspan(t.offset, t.size), v.empty() ? v : v.subspan(t.offset, t.size), scales_[l]);
  }
  fill(w, rounds_++);
}

void QuantizedWeights::apply(std::span<const float> w) {
  if (quantizer_) fill(w, rounds_ - 1);
  else view_ = w;
}

void QuantizedWeights::fill(std::span<const float> w, std::uint32_t round) {
  const std::span<float> values = own_values();
  for (std::size_t l = 0; l < layout_.tensors().size(); ++l) {
    const Tensor& t = layout_.tensors()[l];
    const std::span<const float> from = w.subspan(t.offset, t.size);
    const std::span<float> to = values.subspan(t.offset, t.size);
    if (!t.is_weight) std::ranges::copy(from, to.begin());
    else if (stochastic_) draw_signs(from, scales_[l], t.offset, round, to);
    else quantizer_->apply(from, scales_[l], to);
  }
}

void QuantizedWeights::fix_scales(std::vector<float> scales, bool stochastic, std::uint64_t seed) {
  scales_ = std::move(scales);
  fixed_ = true;
  stochastic_ = stochastic;
  seed_ = seed;
}

void QuantizedWeights::draw_signs(std::span<const float> w, float scale, std::size_t first, std::uint32_t round, std::span<float> to) const {
  std::vector<float> share(w.size());
  Stream(seed_, Draw::WeightRounding, 0, round).uniform(first, 0, 1, share);
  for (std::size_t i = 0; i < w.size(); ++i) to[i] = share[i] < (w[i] / scale + 1) / 2 ? scale : -scale;
}

void QuantizedWeights::solve(std::span<const float> w, std::span<const float> v, OtherSlices& others) {
  for (std::size_t l = 0; l < layout_.tensors().size(); ++l) {
    const Tensor& t = layout_.tensors()[l];
    if (!quantized(t) || fixed_) continue;
    const Part part(t, others.first(), others.last());
    const auto of = [&](std::span<const float> x) { return x.empty() || part.size == 0 ? x.first(0) : x.subspan(part.begin - others.first(), part.size); };
    const OtherSlices::Solve whole = [&](std::span<const float> all_w, std::span<const float> all_v) { return quantizer_->solve(all_w, all_v, scales_[l]); };
    if (!others.is_cut(t)) {
      if (part.size > 0) scales_[l] = whole(of(w), of(v));
    } else if (quantizer_->needs_whole_tensor()) {
      scales_[l] = others.on_one_rank(t, of(w), of(v), whole);
    } else {
      scales_[l] = quantizer_->solve(of(w), of(v), scales_[l], [&](std::span<const BlockSums> mine) { return others.total(t, mine); });
    }
  }
}

std::span<float> QuantizedWeights::own_values() {
  values_.resize(layout_.dimension());
  view_ = values_;
  return values_;
}

void QuantizedWeights::keep_values() {
  const std::span<const float> before = view_;
  if (before.data() != values_.data()) std::ranges::copy(before, own_values().begin());
}

float QuantizedWeights::largest_scale() const { return *std::ranges::max_element(scales_); }

std::uint64_t QuantizedWeights::bits() const {
  std::uint64_t sum = 0;
  for (const Tensor& t : layout_.tensors()) sum += quantized(t) ? static_cast<std::uint64_t>(quantizer_->bits()) * t.size + 32 : 32 * t.size;
  return sum;
}

std::size_t QuantizedWeights::message_bytes(std::size_t first, std::size_t last) const {
  std::size_t bytes = 0;
  for (const Tensor& t : layout_.tensors()) {
    const Part part(t, first, last);
    if (part.size == 0) continue;
    bytes += quantized(t) ? quantizer_->word_count(part.size) * sizeof(std::uint64_t) : part.size * sizeof(float);
    if (quantized(t) && part.begin == t.offset) bytes += sizeof(float);
  }
  return bytes;
}

void QuantizedWeights::write_message(std::span<const float> w, std::span<std::byte> message, std::size_t first) const {
  std::vector<std::uint8_t> codes;
  std::vector<std::uint64_t> words;
  for (std::size_t l = 0; l < layout_.tensors().size(); ++l) {
    const Tensor& t = layout_.tensors()[l];
    const Part part(t, first, first + w.size());
    if (part.size == 0) continue;
    const std::span<const float> from = w.subspan(part.begin - first, part.size);
    if (!quantized(t)) {
      put(message, from);
      continue;
    }
    codes.resize(part.size);
    words.assign(quantizer_->word_count(part.size), 0);
    quantizer_->encode(from, scales_[l], codes);
    quantizer_->pack(codes, words);
    if (part.begin == t.offset) put(message, std::span<const float>(&scales_[l], 1));
    put(message, std::span<const std::uint64_t>(words));
  }
}

void QuantizedWeights::read_message(std::span<const std::byte> message, std::size_t first, std::size_t last) {
  const std::span<float> values = own_values();
  std::vector<std::uint8_t> codes;
  std::vector<std::uint64_t> words;
  for (std::size_t l = 0; l < layout_.tensors().size(); ++l) {
    const Tensor& t = layout_.tensors()[l];
    const Part part(t, first, last);
    if (part.size == 0) continue;
    const std::span<float> to = values.subspan(part.begin, part.size);
    if (!quantized(t)) {
      take(message, to);
      continue;
    }
    codes.resize(part.size);
    words.resize(quantizer_->word_count(part.size));
    if (part.begin == t.offset) take(message, std::span<float>(&scales_[l], 1));
    take(message, std::span(words));
    quantizer_->unpack(words, codes);
    quantizer_->decode(codes, scales_[l], to);
  }
}

void QuantizedWeights::describe(std::span<const float> w, Record& record) const {
  if (!quantizer_) return;
  for (std::size_t l = 0; l < layout_.tensors().size(); ++l) {
    const Tensor& t = layout_.tensors()[l];
    if (!t.is_weight) continue;
    QuantizedTensor tensor{t.shape, bits_for(quantizer_->levels().size()), std::vector<std::uint8_t>(t.size), {quantizer_->levels().begin(), quantizer_->levels().end()}, scales_[l]};
    quantizer_->encode(w.subspan(t.offset, t.size), scales_[l], tensor.codes);
    for (Dataset& d : quantized_weights_datasets(t.name, tensor)) record.datasets.push_back(std::move(d));
  }
}

}  // namespace qsweep
