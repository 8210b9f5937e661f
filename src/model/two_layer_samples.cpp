#include "model/two_layer_samples.h"

#include <algorithm>
#include <stdexcept>

namespace qsweep {

Estimator estimator(const std::string& name) {
  if (name == "identity") return Estimator::identity;
  if (name == "relu") return Estimator::relu;
  if (name == "clipped_relu") return Estimator::clipped_relu;
  throw std::invalid_argument("estimator " + name);
}

TwoLayerSamples::TwoLayerSamples(std::vector<float> z, Vector v_star, Vector w_star)
    : rows_(v_star.size()), columns_(w_star.size()), z_(std::move(z)), labels_(z_.size() / (rows_ * columns_), 0.0) {
  std::vector<double> x(rows_);
  for (std::size_t sample = 0; sample < labels_.size(); ++sample) labels_[sample] = residual(sample, v_star, w_star, x);  // labels are 0 still
}

double TwoLayerSamples::residual(std::size_t sample, Vector v, Vector w, std::span<double> x) const {
  const float* z = &z_[sample * rows_ * columns_];
  double output = 0;
  for (std::size_t i = 0; i < rows_; ++i, z += columns_) {
    x[i] = 0;
    for (std::size_t j = 0; j < columns_; ++j) x[i] += z[j] * w[j];
    if (x[i] > 0) output += v[i];
  }
  return output - labels_[sample];
}

double TwoLayerSamples::loss(Vector v, Vector w) const {
  std::vector<double> x(rows_);
  double sum = 0;
  for (std::size_t sample = 0; sample < count(); ++sample) {
    const double e = residual(sample, v, w, x);
    sum += e * e / 2;
  }
  return sum / static_cast<double>(count());
}

double TwoLayerSamples::gradient(Estimator estimator, Vector v, Vector w, std::span<double> gradient_v, std::span<double> gradient_w) const {
  std::vector<double> x(rows_);
  std::ranges::fill(gradient_v, 0);
  std::ranges::fill(gradient_w, 0);
  double sum = 0;
  for (std::size_t sample = 0; sample < count(); ++sample) {
    const double e = residual(sample, v, w, x);
    const float* z = &z_[sample * rows_ * columns_];
    sum += e * e / 2;
    for (std::size_t i = 0; i < rows_; ++i, z += columns_) {
      if (x[i] > 0) gradient_v[i] += e;
      const bool passes = estimator == Estimator::identity || (x[i] > 0 && (estimator == Estimator::relu || x[i] < 1));  // μ'
      if (passes)
        for (std::size_t j = 0; j < columns_; ++j) gradient_w[j] += z[j] * v[i] * e;
    }
  }
  const auto samples = static_cast<double>(count());
  for (double& g : gradient_v) g /= samples;
  for (double& g : gradient_w) g /= samples;
  return sum / samples;
}

}  // namespace qsweep
