#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/layout.h"
#include "config/settings.h"
#include "quantize/codebook.h"
#include "results/record.h"
#include "train/archive.h"

/// Learning-compression: minimise L(w) subject to w = Δ(Θ), Θ a codebook and assignments for each group of layers (quantize/codebook.h).
///   L_A(w, Θ, λ; μ) = L(w) − λᵀ(w − Δ(Θ)) + μ/2·‖w − Δ(Θ)‖²                                  λ = 0 always with the quadratic penalty
///   for μ = μ_0·a^k, k = 0, 1, …, from w = the reference, Θ = Π(w), λ = 0:
///     L step   w ← minimise L(w) + μ/2·‖w − t‖²,  t = Δ(Θ) + λ/μ        the trainer's, with the penalty's gradient μ(w − t)
///     C step   Θ ← Π(w − λ/μ)                                           from the codebook before
///     M step   λ ← λ − μ(w − Δ(Θ))                                      with the new Θ
///   What counts is the network Δ(Θ) with the other parameters of w (biases, batch norm), never w.
///   Iterated direct compression is the same loop with λ = 0, no penalty, and w ← Δ(Θ) at the start of each L step; without the penalty
///   alone the loop is plain training, and Θ what direct compression makes of it.
///   w, t, λ [d]: all parameters; those outside the groups have λ = 0 and no target
/// After the M step Σ λ_i = 0 in every cluster of k-means, and Σ c_κ(i) λ_i = 0 with a scaled codebook, if its entries are the best for
/// the assignments. Sums are over blocks in order, λ is double: the same bits on every rank.
/// Source: Carreira-Perpiñán 2017 (framework, theorem on the penalty), Carreira-Perpiñán, Idelbayev 2017.
namespace qsweep {

/// Weight tensors that share a codebook.
struct CompressionGroup {
  std::string name;                  ///< "fc1", or "fc1+fc2"
  std::vector<std::size_t> tensors;  ///< indices in the layout
  std::size_t size = 0;              ///< weights
};

/// By compression.layers: each, together, or names of layers, those of one codebook joined by +. ConfigError for an unknown layer.
std::vector<CompressionGroup> compression_groups(const std::string& choice, const Layout& layout);

class Compression {
 public:
  Compression(const Settings& settings, const Layout& layout);

  double mu(std::size_t k) const;  ///< μ_k; 0 without a penalty
  bool compresses(const Tensor& t) const;
  /// C step at μ: Θ ← Π(w − λ/μ); μ = 0: Π(w).
  void project(std::span<const float> w, double mu);
  void update_multipliers(std::span<const float> w, double mu);  ///< M step
  /// t for the L step at μ, [d].
  std::span<const float> aim(double mu);
  /// Δ(Θ), and the parameters outside the groups as they are in w. [d]
  std::span<const float> quantized(std::span<const float> w);

  double distance(std::span<const float> w) const;  ///< ‖w − Δ(Θ)‖ over the groups
  double norm() const;                              ///< ‖Δ(Θ)‖ over the groups
  /// L_A − L: the penalty and the multipliers' term.
  double penalty(std::span<const float> w, double mu) const;
  std::size_t passes(std::size_t group) const { return passes_[group]; }
  const Codebook& codebook(std::size_t group) const { return codebooks_[group]; }
  const std::vector<CompressionGroup>& groups() const { return groups_; }
  const CodebookQuantizer& quantizer() const { return quantizer_; }
  std::span<const double> multipliers() const { return multipliers_; }
  StoredSize stored_size() const;
  double largest(std::size_t group, std::span<const float> w) const;  ///< max |w| of the group, 1 if all are 0
  /// Histogram of a group's weights in w, `bins` equal parts of [−limit, limit]; what lies outside counts in the first and last.
  std::vector<double> histogram(std::size_t group, std::span<const float> w, std::size_t bins, double limit) const;

  /// final/quantized_weights: assignments and codebooks. Unpacked they are quantized(w) bit for bit: std::logic_error otherwise.
  void describe(Record& record) const;

  /// Θ with the parameters beside it, to go back to.
  struct Kept {
    std::vector<float> quantized;
    std::vector<Codebook> codebooks;
    void state(const std::string& group, Archive& archive);
  };
  void state(Archive& archive);
  Kept keep(std::span<const float> w) { return {{quantized(w).begin(), quantized(w).end()}, codebooks_}; }
  void restore(const Kept& kept);

 private:
  /// Calls visit(begin, end) for each block of each tensor in the groups, and adds what it returns.
  template <class Visit>
  double sum_over_weights(Visit visit) const;
  std::vector<float> gathered(const CompressionGroup& group, std::span<const float> x) const;

  const Layout& layout_;
  std::string penalty_;
  double mu0_, factor_;
  std::uint64_t seed_;
  CodebookQuantizer quantizer_;
  std::vector<CompressionGroup> groups_;
  std::vector<Codebook> codebooks_;    ///< empty levels before the first C step
  std::vector<std::size_t> passes_;
  std::vector<double> multipliers_;    ///< λ [d]
  std::vector<float> shifted_;         ///< w − λ/μ [d], what Θ is the projection of
  std::vector<float> delta_, target_;  ///< Δ(Θ), t [d]
};

}  // namespace qsweep
