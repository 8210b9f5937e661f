#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/layout.h"
#include "base/random.h"
#include "exchange/exchange.h"
#include "quantize/gradient.h"
#include "quantize/gradient_reference.h"

/// One round of N workers as any rank can work it out alone: gradients, scales, limits, and the mean by the formula of
/// exchange/exchange.h, one element after the other.
namespace qsweep::test {

inline Layout odd_layout() {
  Layout layout;  // sizes that fill no word, no register and no block; one element; one more than a block
  layout.add("fc1/weight", {17, 59}, true);
  layout.add("fc1/bias", {1}, false);
  layout.add("fc2/weight", {4097}, true);
  layout.add("fc2/bias", {7}, false);
  layout.add("fc3/weight", {64}, true);
  return layout;
}

inline Settings settings(std::size_t workers, const std::string& exchange, const std::string& quantizer,
                         const std::string& scale = "shared", std::optional<double> clip = {}) {
  Settings s;
  s.workers.count = workers;
  s.workers.exchange = exchange;
  s.gradients.quantizer = quantizer;
  s.gradients.scale = scale;
  s.gradients.clip = clip;
  s.weights.quantizer = "fp";
  s.run.seed = 77;
  return s;
}

/// g^(n): tensors of different magnitude; tensor 3 is zero for all workers, tensor 4 for worker 1 alone.
inline std::vector<float> gradient_of(std::size_t worker, const Layout& layout) {
  std::vector<float> g(layout.dimension());
  Stream(5, Draw::Data, static_cast<std::uint32_t>(worker), 3).normal(0, g);
  for (std::size_t l = 0; l < layout.tensors().size(); ++l) {
    const Tensor& t = layout.tensors()[l];
    const float magnitude =
        l == 3 || (l == 4 && worker == 1) ? 0.0F : std::ldexp(1.0F + 0.25F * static_cast<float>(worker), -3 * static_cast<int>(l));
    for (std::size_t i = t.offset; i < t.end(); ++i) g[i] *= magnitude;
  }
  return g;
}

struct SerialRound {
  Layout layout;
  Settings s;
  std::vector<std::vector<float>> gradients;  ///< [N][d]
  std::vector<float> scales, limits;          ///< [N, tensors]
  std::vector<double> squared_norms;          ///< ‖Q_g‖² [N, tensors], summed over the decoded message
  std::vector<float> mean;                    ///< [d]
};

inline std::size_t tensor_of(const Layout& layout, std::size_t i) {
  std::size_t l = 0;
  while (layout.tensors()[l].end() <= i) ++l;
  return l;
}

/// Own clip limits and scales of every worker, straight from their definitions.
inline void measure(SerialRound& r) {
  for (const auto& g : r.gradients)
    for (const Tensor& t : r.layout.tensors()) {
      const Segment own(t.offset, t.end(), statistics(std::span(g).subspan(t.offset, t.size)),
                        r.s.gradients.clip.value_or(no_clip));
      r.scales.push_back(own.scale);
      r.limits.push_back(own.limit);
    }
}

inline void average_fp(SerialRound& r) {
  for (std::size_t i = 0; i < r.mean.size(); ++i) {
    for (const auto& g : r.gradients) r.mean[i] += g[i];
    r.mean[i] /= static_cast<float>(r.gradients.size());
  }
}

inline void average_codes(SerialRound& r, std::uint32_t iteration) {
  const int k = StochasticQuantizer(r.s.gradients.bits()).max_code(), workers = static_cast<int>(r.gradients.size());
  const std::size_t tensors = r.layout.tensors().size();
  for (std::size_t l = 0; l < tensors; ++l) {
    const Tensor& t = r.layout.tensors()[l];
    float shared = 0;
    for (std::size_t n = 0; n < r.gradients.size(); ++n) shared = std::max(shared, r.scales[n * tensors + l]);
    for (std::size_t i = t.offset; i < t.end(); ++i) {
      std::int64_t sum = 0;
      for (std::size_t n = 0; n < r.gradients.size(); ++n) {
        const float scale = r.s.gradients.shared_scale() ? shared : r.scales[n * tensors + l];
        const RoundingDraws draws(r.s.run.seed, static_cast<std::uint32_t>(n), iteration);
        const int code = quantize_ref(r.gradients[n][i], r.limits[n * tensors + l], scale, k, rounding_bits_ref(draws, i));
        const float value = mean_ref(code, scale, k, 1);
        r.squared_norms[n * tensors + l] += double{value} * value;
        if (r.s.gradients.shared_scale())
          sum += code;
        else
          r.mean[i] += value;
      }
      if (r.s.gradients.shared_scale())
        r.mean[i] = mean_ref(sum, shared, k, workers);
      else
        r.mean[i] /= static_cast<float>(workers);
    }
  }
}

inline SerialRound serial_round(const Settings& s, const Layout& layout, std::vector<std::vector<float>> gradients,
                                std::uint32_t iteration) {
  SerialRound r{layout, s, std::move(gradients), {}, {}, {}, {}};
  r.mean.assign(layout.dimension(), 0.0F);
  r.squared_norms.assign(s.workers.count * layout.tensors().size(), 0.0);
  if (!s.gradients.quantized()) {
    average_fp(r);
    return r;
  }
  measure(r);
  average_codes(r, iteration);
  return r;
}

/// Full-precision weights and second moments to be quantized.
struct State {
  std::vector<float> w, v;
};

/// zero: of that tensor all weights are 0, and so is its α.
inline State state_of(const Layout& layout, std::size_t zero) {
  State s{std::vector<float>(layout.dimension()), std::vector<float>(layout.dimension())};
  Stream(8, Draw::InitialWeights).normal(0, s.w);
  Stream(9, Draw::InitialWeights).uniform(0, 0.0F, 2.0F, s.v);
  const Tensor& tensor = layout.tensors()[zero];
  std::fill_n(s.w.begin() + static_cast<std::ptrdiff_t>(tensor.offset), tensor.size, 0.0F);
  return s;
}

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float x, float y) { return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y); });
}

}  // namespace qsweep::test
