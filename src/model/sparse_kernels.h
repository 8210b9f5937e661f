#pragma once
#include <cstddef>
#include <cstdint>

#include "base/cpu.h"

/// Inner loops of products with a matrix most of whose elements are zero, the same bits from each build.
namespace qsweep {

/// The elements of a matrix that are not zero, line by line: those of line i are first[i] … first[i + 1] − 1, their places ascend.
struct SparseLines {
  std::size_t lines;
  const std::size_t* first;     ///< [lines + 1]
  const std::uint32_t* places;  ///< of each element in its line
  const float* values;
};

struct SparseKernels {
  /// The positions where x differs from background, in order, and x − background there; returns how many. Room for n + 16 of each.
  std::size_t (*compress)(std::size_t n, const float* x, const float* background, std::uint32_t* positions, float* differences);
  /// to [columns, to_stride] = from [rows, from_stride ≥ columns]ᵀ, zeros beyond rows up to to_stride
  void (*transpose)(std::size_t rows, std::size_t columns, const float* from, std::size_t from_stride, float* to, std::size_t to_stride);
  /// out [lines, width] += sparse [lines, rows] · table [rows, width], each sum in the order of the places; width a multiple of
  /// sparse_lanes, at most `panel`. next [lines]: scratch.
  void (*add_product)(const SparseLines& sparse, std::size_t rows, const float* table, std::size_t width, float* out, std::size_t* next);
  std::size_t panel;  ///< columns whose sums the registers hold
};

constexpr std::size_t sparse_lanes = 16;

namespace baseline { extern const SparseKernels sparse_kernels; }
namespace avx2 { extern const SparseKernels sparse_kernels; }
namespace avx512 { extern const SparseKernels sparse_kernels; }

inline const SparseKernels& sparse_kernels() { return dispatch(baseline::sparse_kernels, avx2::sparse_kernels, avx512::sparse_kernels); }

}  // namespace qsweep
