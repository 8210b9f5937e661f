#pragma once
#include <array>
#include <vector>

#include "train/compression.h"
#include "train/evaluation.h"
#include "train/recorder.h"

/// What learning-compression records at each μ step: curves/compression over mu_step, the first being direct compression of the
/// reference; the best network so far; at the end the last and the best. Times go to runtime/, since curves are equal to the bit.
namespace qsweep {

/// The two networks of one μ step on both sets: Δ(Θ) with the other parameters of w, and w itself.
struct CompressionScores {
  Score quantized_train, quantized_test, train, test;
};

/// L_A(w, Θ, λ; μ) around the L and the C step of one μ step.
struct Lagrangian {
  double before_l = 0, after_l = 0, after_c = 0;
};

class CompressionReport {
 public:
  /// classifies: accuracies mean something.
  CompressionReport(const Compression& compression, bool classifies, std::span<const float> reference);

  void add(const Compression& compression, std::span<const float> w, const CompressionScores& scores, double mu, const Lagrangian& lagrangian);
  /// Seconds of the L step (0 for direct compression) and of the C step of the last μ step.
  void add_times(double l_step, double c_step);
  bool last_is_best() const { return best_ + 1 == train_loss_.size(); }
  void state(Archive& archive);
  double last_gap() const { return gap_; }  ///< ‖w − Δ(Θ)‖/‖Δ(Θ)‖
  void write(const Compression& compression, Record& record) const;

 private:
  static constexpr std::size_t bins = 96;
  bool classifies_;
  std::vector<double> limits_;  ///< of each group's histogram
  Recorder curves_;
  std::vector<double> train_loss_, l_seconds_, c_seconds_;
  std::size_t best_ = 0;
  double gap_ = 0;
};

}  // namespace qsweep
