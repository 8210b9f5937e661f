#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "results/record.h"

/// Weights as datasets of a run. Full precision: final/weights/<tensor>, float32. Quantized: final/quantized_weights/<tensor>/
///   codes   uint8, bit-packed: code i takes bits i·b … i·b + b − 1 of the stream whose bit j is bit j mod 8 of byte ⌊j/8⌋
///   levels  [K ≤ 2^b] float32         scale  float32         value_i = scale · levels[code_i], one float32 product
namespace qsweep {

Dataset weights_dataset(const std::string& tensor, std::vector<std::size_t> shape, std::span<const float> values);

struct QuantizedTensor {
  std::vector<std::size_t> shape;
  int bits = 1;                     ///< b, 1 … 8
  std::vector<std::uint8_t> codes;  ///< one per element, each below levels.size(): not packed
  std::vector<float> levels;
  float scale = 1;

  std::vector<float> values() const;
};

/// Bits that hold every code of K levels: ⌈log2 K⌉, at least 1. std::invalid_argument unless 1 ≤ K ≤ 256.
int bits_for(std::size_t levels);

/// The three datasets of one tensor; std::invalid_argument if the struct contradicts itself.
std::vector<Dataset> quantized_weights_datasets(const std::string& tensor, const QuantizedTensor&);

/// The reverse, from a record whose three datasets have been read. DataError if one is missing or they contradict each other.
QuantizedTensor quantized_tensor(const Record&, const std::string& tensor);

std::vector<std::uint8_t> pack_bits(std::span<const std::uint8_t> codes, int bits);
std::vector<std::uint8_t> unpack_bits(std::span<const std::uint8_t> packed, int bits, std::size_t count);

}  // namespace qsweep
