#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

/// Compression of weights by a codebook, Θ = (codebook, assignments), and its projection, the C step of learning-compression:
///   Π(x) = argmin over Θ of ‖x − Δ(Θ)‖²,   Δ(Θ)_i = value of entry κ(i) = scale · level_κ(i),  one float product
///   x [n]  the values that share the codebook, finite;   κ(i) = number of thresholds that x_i reaches: the nearest entry
///   kmeans            K adaptive entries: the best of 10 k-means++ starts first, then from the codebook before: a local minimum
///   kmeans_exact      K adaptive entries, global minimum (quantize/kmeans.h)
///   fixed             given entries c_1 < … < c_K;  binary {−1, 1};  ternary {−1, 0, 1};  powers_of_two {0, ±1, ±1/2, …, ±2^−C}
///   scaled            a·{c_1, …, c_K}, a > 0 adapted: quantize/codebook_scale.h; scaled_binary {−a, a}, scaled_ternary {−a, 0, a}
/// All but kmeans give the global minimum. Ties: the upper entry at a midpoint, so sgn(0) = +1; but |x| = ½ in ternary goes to ±1, and
/// in powers of two |x| = ¾·2^−k goes to the smaller magnitude and |x| = 2^−(C+1) to 2^−C.
/// Source: Carreira-Perpiñán, Idelbayev 2017.
namespace qsweep {

struct Codebook {
  std::vector<float> levels;  ///< [K], ascending
  float scale = 1;

  std::vector<float> values() const;  ///< scale · level
  bool operator==(const Codebook&) const = default;
};

/// What an experiment chooses: compression.codebook, .size, .values, .smallest_power.
struct CodebookChoice {
  std::string kind = "kmeans";
  std::size_t size = 2;               ///< K, kmeans and kmeans_exact
  std::vector<double> values = {};    ///< fixed and scaled: c_1 < … < c_K
  int smallest_power = 0;             ///< C
};

class CodebookQuantizer {
 public:
  explicit CodebookQuantizer(const CodebookChoice& choice);
  static const std::vector<std::string>& kinds();

  std::size_t size() const { return size_; }  ///< K
  int bits() const;                           ///< ⌈log2 K⌉ of one assignment, at least 1
  std::size_t floats() const;                 ///< stored with the assignments: K, 1 (the scale) or 0

  struct Solution {
    Codebook codebook;
    std::size_t passes = 0;  ///< of k-means; 0 for the others
  };
  /// previous: the codebook to start k-means from; none in the first C step. draws: k-means++.
  Solution solve(std::span<const float> x, const Codebook* previous, const Stream& draws) const;

  void encode(std::span<const float> x, const Codebook& codebook, std::span<std::uint8_t> code) const;
  void apply(std::span<const float> x, const Codebook& codebook, std::span<float> quantized) const;  ///< Δ(Θ)
  /// θ [K − 1]: κ = number of θ_k ≤ x. Floats: a threshold that a tie must not reach is the next float.
  std::vector<float> thresholds(const Codebook& codebook) const;

 private:
  CodebookChoice choice_;
  std::size_t size_;
  std::vector<float> levels_;  ///< where they are given
};

/// Compression ratio ρ of P1 weights in all, `free` other parameters (biases), b = 32 bits for a float:
///   ρ = (P1 + P0)·b / ( Σ over compressed weights of ⌈log2 K⌉ + (P0 + floats of all codebooks)·b )
/// Weights that no codebook compresses count like biases.
struct StoredSize {
  std::size_t weights = 0, free = 0, bits_of_codes = 0, floats = 0;
  double ratio() const { return 32.0 * static_cast<double>(weights + free) / (static_cast<double>(bits_of_codes) + 32.0 * static_cast<double>(free + floats)); }
};

}  // namespace qsweep
