#pragma once
#include <cstdint>
#include <span>
#include <vector>

/// The two products of a dense layer with data most of whose values are its background (black pixels), at the cost of those that are
/// not. With β [inputs] the background, S = X − 1βᵀ and δ the derivative at the layer's outputs:
///   X Wᵀ = S Wᵀ + 1(Wβ)ᵀ,   δᵀX = δᵀS + (δᵀ1)βᵀ
/// Every sum runs over the values that are not background, in the order of inputs or of samples.
namespace qsweep {

class SparseProduct {
 public:
  SparseProduct(std::size_t inputs, std::size_t outputs) : inputs_(inputs), outputs_(outputs) {}

  /// y [batch, outputs] += x [batch, inputs] · w [outputs, inputs]ᵀ
  void add_product_transposed(std::size_t batch, const float* x, std::span<const float> background, const float* w, float* y);
  /// dw [outputs, inputs] = dy [batch, outputs]ᵀ · x, the x of the last product; sums [outputs] = dyᵀ1
  void transposed_multiply(const float* dy, std::span<const float> sums, float* dw);

 private:
  /// S by rows (samples), and by columns (inputs).
  struct Lines {
    std::vector<std::size_t> first;
    std::vector<std::uint32_t> places;
    std::vector<float> values;
  };
  void find_rows(std::size_t batch, const float* x);
  void find_columns();
  /// out [lines, width] += lines · table, of one panel
  void add_product(const Lines& lines, std::size_t width);

  std::size_t inputs_, outputs_;
  std::vector<float> background_;
  Lines rows_, columns_;
  std::vector<float> table_, out_;  ///< one panel of outputs: Wᵀ or dy, and y or dWᵀ
  std::vector<std::size_t> next_;
};

}  // namespace qsweep
