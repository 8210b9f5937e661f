#pragma once
#include <optional>
#include <string>

/// The command `bound`: what the theorems promise for a setting, as a table, without training.
namespace qsweep {

/// Each field is an experiment key or one of the theorems' constants; the defaults are the linear experiment's.
struct BoundRequest {
  double dimension = 1024;          ///< d
  std::string weights = "lab";      ///< fp, lab, lat, laq2 … laq8, log2 … log8
  std::string gradients = "fp";     ///< fp, sq2 … sq8
  std::optional<double> clip = {};  ///< c, in σ; only with quantized gradients
  double workers = 1;               ///< N; enters remark 1 only: theorems 2 and 3 hold for any N as they stand
  double iterations = 50000;        ///< T
  double eta = 0.03;                ///< η of η_t = η/√t
  double beta = 0.9;                ///< optimizer.beta2
  double epsilon = 1e-8;            ///< optimizer.epsilon
  double gradient_infinity = 1;     ///< G_∞
  double lipschitz = 1;             ///< L
  double radius = 0.5;              ///< r of the box [−r, r]^d
  double alpha = 0.5;               ///< α
  double sigma = 0.1;               ///< σ of a gradient entry; enters with clip only
};

/// A table of at most 80 columns: each quantity as printed in the paper and repaired, its unit and source. ConfigError for an
/// unknown name, a clip with fp gradients, or a number out of range.
std::string bound_report(const BoundRequest&);

}  // namespace qsweep
