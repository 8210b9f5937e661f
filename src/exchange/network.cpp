#include "exchange/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/errors.h"
#include "exchange/chain.h"
#include "quantize/weight.h"

namespace qsweep {
namespace {

constexpr double payload = 1448.0 / 1514;  // of an Ethernet frame that carries TCP with time stamps

double steps(std::size_t ranks) { return static_cast<double>(std::bit_width(ranks - 1)); }  // ⌈log2⌉

/// Bits of all elements, `bits` for the quantized ones.
double bits_of(std::size_t elements, std::size_t quantized, std::size_t bits) {
  return static_cast<double>(quantized * bits + (elements - quantized) * 32);
}

/// The same in fields of ⌊64/b⌋ to a word.
double packed_bits(std::size_t elements, std::size_t quantized, std::size_t bits) {
  const double word = 64.0 / static_cast<double>(64 / bits);
  return static_cast<double>(quantized) * word + static_cast<double>(elements - quantized) * 32;
}

double widening(const ModelledTraffic& t, const ModelledNetwork& n, const ModelledCluster& c) {
  double time = 0;
  const auto within = static_cast<std::size_t>(steps(c.ranks_per_node)), all = static_cast<std::size_t>(steps(c.ranks()));
  for (std::size_t j = 0; j < all; ++j) {
    const double bits = bits_of(t.elements, t.quantized, t.gradient_bits == 32 ? 32 : t.gradient_bits + j);
    time += j < within ? n.node_latency + bits / n.node_bandwidth : n.latency + bits / n.bandwidth;
  }
  const double weights = bits_of(t.elements, t.quantized_weights, t.weight_bits);
  return time + (c.nodes > 1 ? n.latency + weights / n.bandwidth : n.node_latency + weights / n.node_bandwidth);
}

double ring_or_doubling(double bits, double ranks, double bandwidth, double latency) {
  return std::min(2 * (ranks - 1) * (latency + bits / ranks / bandwidth), steps(static_cast<std::size_t>(ranks)) * (latency + bits / bandwidth));
}

}  // namespace

std::size_t bits_of_gradients(const std::string& quantizer) { return static_cast<std::size_t>(Settings::Gradients{quantizer, {}, {}}.bits()); }

std::size_t bits_of_weights(const std::string& quantizer) { return quantizer == "fp" ? 32 : static_cast<std::size_t>(WeightQuantizer(quantizer).bits()); }

ModelledTraffic modelled_traffic(const std::string& exchange, const Layout& layout, std::size_t gradient_bits, std::size_t weight_bits,
                                 const std::vector<std::string>& full_precision) {
  ModelledTraffic traffic{exchange, gradient_bits, weight_bits, 0, 0, layout.dimension()};
  const auto layer_of = [](const Tensor& t) { return t.name.substr(0, t.name.find('/')); };
  std::vector<std::string> layers;
  for (const Tensor& t : layout.tensors())
    if (layers.empty() || layers.back() != layer_of(t)) layers.push_back(layer_of(t));
  for (const std::string& layer : full_precision)
    if (std::ranges::find(layers, layer) == layers.end())
      throw ConfigError(fmt::format("network.full_precision = {}: this model has no layer {}; allowed: none, or names out of {}", fmt::join(full_precision, " "), layer, fmt::join(layers, " ")));
  for (const Tensor& t : layout.tensors()) {
    if (std::ranges::find(full_precision, layer_of(t)) != full_precision.end()) continue;
    traffic.quantized += t.size;
    if (t.is_weight) traffic.quantized_weights += t.size;
  }
  return traffic;
}

double communication_time(const ModelledTraffic& t, const ModelledNetwork& network, const ModelledCluster& c) {
  if (c.ranks() == 1) return 0;
  if (t.exchange == "widening") return widening(t, network, c);
  const bool one_node = c.nodes == 1;
  const double bandwidth = one_node ? network.node_bandwidth : network.bandwidth * payload, latency = one_node ? network.node_latency : network.latency;
  const auto P = static_cast<double>(c.ranks()), R = one_node ? 1.0 : static_cast<double>(c.ranks_per_node);  // one node: each rank has a link
  const double reports = steps(c.ranks()) * latency;
  if (t.exchange == "floats") return ring_or_doubling(32.0 * static_cast<double>(t.elements), P, bandwidth, latency);
  const double codes = packed_bits(t.elements, t.quantized, t.gradient_bits), weights = packed_bits(t.elements, t.quantized_weights, t.weight_bits);
  if (t.exchange == "server") return reports + 2 * latency + ((P - R) * codes + weights) / bandwidth;
  if (t.exchange == "sharded") return reports + 2 * latency + R * (P - R) / P * (codes + weights) / bandwidth;
  if (t.gradient_bits == 32) {
    const double piece = std::min(codes, 32.0 * chain_piece_elements);
    return reports + (P - 1) * latency + ((P - 2) * piece + 2 * codes) / bandwidth;
  }
  const std::size_t largest = 2 * ((std::size_t{1} << (t.gradient_bits - 1)) - 1) * c.ranks();
  return reports + ring_or_doubling(packed_bits(t.elements, t.quantized, static_cast<std::size_t>(std::bit_width(largest))), P, bandwidth, latency);
}

}  // namespace qsweep
