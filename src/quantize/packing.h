#pragma once
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

/// Small unsigned numbers side by side in 64-bit words:
///   word ⌊j/⌊64/b⌋⌋ holds number j in bits b·r … b·r + b − 1,  r = j mod ⌊64/b⌋;  bits that belong to no field are 0
/// Words add field by field as long as every sum stays below 2^b: then no carry leaves a field, and the sum of packed
/// numbers is the packed sum, in any order of summation.
namespace qsweep {

struct Fields {
  int width;     ///< b, bits of one field, 1 … 32
  int per_word;  ///< ⌊64/b⌋

  /// Fields that hold any number in [0, largest].
  static constexpr Fields up_to(std::uint64_t largest) {
    const int width = static_cast<int>(std::bit_width(largest));
    assert(1 <= width && width <= 32);
    return {width, 64 / width};
  }
  constexpr std::size_t words(std::size_t numbers) const { return (numbers + per_word - 1) / per_word; }
  friend bool operator==(const Fields&, const Fields&) = default;
};

/// The plain references of packing: what the kernels compute, one number at a time.
/// words[…] += numbers; words has fields.words(numbers.size()) elements
template <class Number>
void pack_ref(std::span<const Number> numbers, Fields fields, std::span<std::uint64_t> words) {
  for (std::size_t j = 0; j < numbers.size(); ++j)
    words[j / fields.per_word] += std::uint64_t{numbers[j]} << (fields.width * static_cast<int>(j % fields.per_word));
}

template <class Number>
void unpack_ref(std::span<const std::uint64_t> words, Fields fields, std::span<Number> numbers) {
  const std::uint64_t mask = (std::uint64_t{1} << fields.width) - 1;
  for (std::size_t j = 0; j < numbers.size(); ++j)
    numbers[j] = static_cast<Number>(words[j / fields.per_word] >> (fields.width * static_cast<int>(j % fields.per_word)) & mask);
}

}  // namespace qsweep
