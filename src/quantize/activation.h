#pragma once
#include <string>
#include <vector>

/// Quantized activations of b bits, step α, L = 2^b − 1, and what stands for their derivative (straight-through estimators):
///   ceil     σ(x) = 0 for x ≤ 0;  jα for (j−1)α < x ≤ jα, j = 1 … L−1;  Lα for x > (L−1)α        (any x > 0 yields at least α)
///   nearest  σ(x) = jα for (j−½)α ≤ x < (j+½)α, 0 below and Lα above
///   μ'(x)    identity: 1;   relu: 1{x > 0};   clipped_relu: 1{0 < x ≤ Lα}, from μ = min(max(x, 0), Lα)
/// α is fixed. The input is batch-normalized, so the rules below are about x ~ N(0, 1); half of it is positive.
/// Source: Yin et al. 2019, section 4 and Figure 3; Cai et al. 2017 (half-wave Gaussian quantization).
namespace qsweep {

enum class Surrogate { identity, relu, clipped_relu };

struct ActivationQuantizer {
  int bits = 1;
  float alpha = 1;
  bool nearest = false;
  Surrogate surrogate = Surrogate::clipped_relu;

  float levels() const { return static_cast<float>((1 << bits) - 1); }  ///< L
  float top() const { return levels() * alpha; }
  /// The x with μ'(x) = 1: 0 < x ≤ bound(), or every x for the identity.
  float bound() const;
};

Surrogate surrogate(const std::string& name);

/// How α may be chosen:
///   published   of the authors' code of a companion paper, fitted to nearest rounding; 1, 2 and 4 bits only
///   nearest     least E(x − q(x))², q rounding to the nearest of 0, α … Lα (there α = ⟨x, j⟩/⟨j, j⟩)
///   ceil        least E(x − σ(x))² of the ceil type
///   positive    least E(x − q(x))², q rounding positive x to the nearest of α … Lα
///   lloyd       the fixed point of α = ⟨x, j⟩/⟨j, j⟩ with ceil's j: not the minimum, for comparison
const std::vector<std::string>& alpha_rules();
bool has_published_alpha(int bits);
/// std::invalid_argument for an unknown rule, or published where nothing is.
double alpha_of(const std::string& rule, int bits);

}  // namespace qsweep
