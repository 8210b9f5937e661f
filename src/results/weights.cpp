#include "results/weights.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "base/errors.h"

namespace qsweep {

namespace {

std::size_t product(const std::vector<std::size_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
}

std::size_t packed_bytes(std::size_t count, int bits) { return (count * static_cast<std::size_t>(bits) + 7) / 8; }

bool consistent(const QuantizedTensor& tensor) {
  return tensor.bits >= 1 && tensor.bits <= 8 && !tensor.levels.empty() &&
         tensor.levels.size() <= (std::size_t{1} << tensor.bits) && tensor.codes.size() == product(tensor.shape) &&
         std::all_of(tensor.codes.begin(), tensor.codes.end(), [&](std::uint8_t code) { return code < tensor.levels.size(); });
}

std::string group(const std::string& tensor) { return "final/quantized_weights/" + tensor + "/"; }

[[noreturn]] void fail(const Record& run, const std::string& tensor, const std::string& what) {
  throw DataError("run " + run.id + ": " + group(tensor) + what + ": the file is damaged: run again with --rerun");
}

template <class T>
const std::vector<T>& values_of(const Record& run, const std::string& tensor, const std::string& name) {
  const Dataset* dataset = run.find(group(tensor) + name);
  if (!dataset) fail(run, tensor, name + " is missing");
  const auto* values = std::get_if<std::vector<T>>(&dataset->values);
  if (!values) fail(run, tensor, name + " has another type");
  return *values;
}

/// The attribute `shape` of the codes, whose product must be small enough for them.
std::vector<std::size_t> shape_of(const Record& run, const std::string& tensor, const Dataset& codes, std::size_t most) {
  const auto found = codes.attributes.find("shape");
  const auto* sizes = found == codes.attributes.end() ? nullptr : std::get_if<std::vector<std::int64_t>>(&found->second);
  if (!sizes) fail(run, tensor, "codes lacks the attribute shape");
  std::size_t count = 1;
  for (const std::int64_t size : *sizes) {
    if (size < 0 || (size > 0 && count > most / static_cast<std::size_t>(size)))
      fail(run, tensor, "codes contradicts its attribute shape");
    count *= static_cast<std::size_t>(size);
  }
  return {sizes->begin(), sizes->end()};
}

}  // namespace

Dataset weights_dataset(const std::string& tensor, std::vector<std::size_t> shape, std::span<const float> values) {
  return {"final/weights/" + tensor, "weight", "full-precision " + tensor, std::move(shape),
          std::vector<float>(values.begin(), values.end())};
}

std::vector<float> QuantizedTensor::values() const {
  std::vector<float> scaled(levels.size()), out(codes.size());
  std::transform(levels.begin(), levels.end(), scaled.begin(), [&](float level) { return scale * level; });
  std::transform(codes.begin(), codes.end(), out.begin(), [&](std::uint8_t code) { return scaled[code]; });
  return out;
}

int bits_for(std::size_t levels) {
  if (levels < 1 || levels > 256) throw std::invalid_argument("results: codes of one byte have 1 to 256 levels");
  int bits = 1;
  while ((std::size_t{1} << bits) < levels) ++bits;
  return bits;
}

std::vector<std::uint8_t> pack_bits(std::span<const std::uint8_t> codes, int bits) {
  std::vector<std::uint8_t> packed(packed_bytes(codes.size(), bits));
  unsigned waiting = 0;  // at most 7 + 8 bits
  int count = 0;
  std::size_t byte = 0;
  for (const std::uint8_t code : codes) {
    waiting |= static_cast<unsigned>(code) << count;
    for (count += bits; count >= 8; count -= 8, waiting >>= 8) packed[byte++] = static_cast<std::uint8_t>(waiting & 255U);
  }
  if (count > 0) packed[byte] = static_cast<std::uint8_t>(waiting & 255U);
  return packed;
}

std::vector<std::uint8_t> unpack_bits(std::span<const std::uint8_t> packed, int bits, std::size_t count) {
  std::vector<std::uint8_t> codes(count);
  unsigned waiting = 0;
  int available = 0;
  std::size_t byte = 0;
  for (std::uint8_t& code : codes) {
    if (available < bits) {
      waiting |= static_cast<unsigned>(packed[byte++]) << available;
      available += 8;
    }
    code = static_cast<std::uint8_t>(waiting & ((1U << bits) - 1));
    waiting >>= bits;
    available -= bits;
  }
  return codes;
}

std::vector<Dataset> quantized_weights_datasets(const std::string& tensor, const QuantizedTensor& quantized) {
  if (!consistent(quantized))
    throw std::invalid_argument("results: codes, levels, bits and shape of " + tensor + " contradict each other");
  std::vector<std::uint8_t> packed = pack_bits(quantized.codes, quantized.bits);
  Dataset codes{group(tensor) + "codes", "1", "bit-packed codes of quantized " + tensor, {packed.size()}, std::move(packed)};
  codes.attributes = {{"bits", std::int64_t{quantized.bits}},
                      {"shape", std::vector<std::int64_t>(quantized.shape.begin(), quantized.shape.end())}};
  const std::vector<std::size_t> level_shape{quantized.levels.size()};
  return {std::move(codes),
          Dataset{group(tensor) + "levels", "1", "quantization levels of " + tensor, level_shape, quantized.levels},
          Dataset{group(tensor) + "scale",
                  "weight",
                  "scale of the quantization levels of " + tensor,
                  {},
                  std::vector<float>{quantized.scale}}};
}

QuantizedTensor quantized_tensor(const Record& run, const std::string& tensor) {
  const auto& packed = values_of<std::uint8_t>(run, tensor, "codes");
  const auto& scale = values_of<float>(run, tensor, "scale");
  const Dataset& codes = *run.find(group(tensor) + "codes");
  const auto bits = codes.attributes.find("bits");
  if (bits == codes.attributes.end() || !std::holds_alternative<std::int64_t>(bits->second))
    fail(run, tensor, "codes lacks the attribute bits");
  const std::int64_t width = std::get<std::int64_t>(bits->second);
  if (width < 1 || width > 8) fail(run, tensor, "codes has bits outside 1 to 8");
  if (scale.size() != 1) fail(run, tensor, "scale is not one number");

  QuantizedTensor made;
  made.bits = static_cast<int>(width);
  made.shape = shape_of(run, tensor, codes, packed.size() * 8);
  if (packed.size() != packed_bytes(product(made.shape), made.bits)) fail(run, tensor, "codes contradicts its attribute shape");
  made.codes = unpack_bits(packed, made.bits, product(made.shape));
  made.levels = values_of<float>(run, tensor, "levels");
  made.scale = scale[0];
  if (!consistent(made)) fail(run, tensor, "codes point outside levels");
  return made;
}

}  // namespace qsweep
