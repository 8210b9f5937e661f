#include "model/linear.h"

#include "base/random.h"
#include "model/blas.h"
#include "model/penalty.h"

namespace qsweep {

LinearModel::LinearModel(std::size_t dimension, double l2) : l2_(l2) { layout_.add("fc1/weight", {1, dimension}, true); }

void LinearModel::initialize(std::uint64_t seed, std::span<float> w) const { Stream(seed, Draw::InitialWeights).uniform(0, -0.5F, 0.5F, w); }

double LinearModel::residual_loss(std::span<const float> w, const Batch& batch) {
  residual_.assign(batch.targets.begin(), batch.targets.end());
  multiply_vector(batch.size, w.size(), 1, batch.x.data(), w.data(), -1, residual_.data());
  double sum = 0;
  for (const float r : residual_) sum += double{r} * r;
  return sum / (2 * static_cast<double>(batch.size));
}

double LinearModel::gradient(std::span<const float> w, const Batch& batch, std::span<float> gradient, std::span<float>) {
  const double data_term = residual_loss(w, batch);
  transposed_multiply_vector(batch.size, w.size(), 1.0F / static_cast<float>(batch.size), batch.x.data(), residual_.data(), 0, gradient.data());
  return data_term + add_penalty(l2_, w, gradient);
}

double LinearModel::loss(std::span<const float> w, const Batch& batch, std::span<const float>) { return residual_loss(w, batch) + penalty(l2_, w); }

Evaluation LinearModel::evaluate(std::span<const float> w, const Batch& batch, std::span<const float>) {
  return {residual_loss(w, batch) * static_cast<double>(batch.size), 0};
}

void LinearModel::gram(const Batch& batch, std::span<float> matrix) const {
  const std::size_t d = layout_.dimension(), b = batch.size;
  cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, blas_int(b), blas_int(d), 1.0F / static_cast<float>(b), batch.x.data(), blas_int(d), 0, matrix.data(), blas_int(b));
  for (std::size_t i = 0; i < b; ++i)
    for (std::size_t j = 0; j < i; ++j) matrix[j * b + i] = matrix[i * b + j];
}

}  // namespace qsweep
