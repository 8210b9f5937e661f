#pragma once
#include <cstddef>
#include <cstdint>

/// The inner loops of Stream (random.h), built for each instruction set (cpu.h): the same bits from all of them.
namespace qsweep {

/// Key and counter of Philox4x32-10 for consecutive blocks: block j has the counter (first + j, counter1, counter2, counter3).
struct PhiloxBlocks {
  std::uint32_t key0, key1;
  std::uint32_t first;  ///< first + number of blocks ≤ 2³²: the caller carries into counter1
  std::uint32_t counter1, counter2, counter3;
};

struct RandomKernels {
  /// out[4j … 4j+3] = block j, for j < blocks
  void (*philox)(const PhiloxBlocks& from, std::size_t blocks, std::uint32_t* out);
  /// out[j] = low + (high − low)·⌊word[j]/2⁸⌋/2²⁴
  void (*uniform)(const std::uint32_t* word, std::size_t count, float low, float high, float* out);
};

namespace baseline {
extern const RandomKernels random_kernels;
}
namespace avx2 {
extern const RandomKernels random_kernels;
}
namespace avx512 {
extern const RandomKernels random_kernels;
}

}  // namespace qsweep
