#include "model/regression.h"

#include <algorithm>
#include <stdexcept>

#include "model/blas.h"

// Of LAPACK, which OpenBLAS holds: all eigenvalues, ascending, and eigenvectors of a symmetric matrix.
extern "C" void dsyevd_(const char* vectors, const char* triangle, const int* n, double* a, const int* stride, double* eigenvalues, double* work, const int* work_size, int* integers,
                        const int* integers_size, int* info);

namespace qsweep {
namespace {

std::vector<double> centre(std::span<const double> x, std::size_t columns, std::vector<double>& mean) {
  const std::size_t rows = x.size() / columns;
  mean.assign(columns, 0.0);
  for (std::size_t i = 0; i < x.size(); ++i) mean[i % columns] += x[i];
  for (double& m : mean) m /= static_cast<double>(rows);
  std::vector<double> centred(x.begin(), x.end());
  for (std::size_t i = 0; i < x.size(); ++i) centred[i] -= mean[i % columns];
  return centred;
}

/// c [m, n] = a [k, m]ᵀ · b [k, n]
std::vector<double> products(std::size_t m, std::size_t n, std::size_t k, const double* a, const double* b) {
  std::vector<double> c(m * n);
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, blas_int(m), blas_int(n), blas_int(k), 1, a, blas_int(m), b, blas_int(n), 0, c.data(), blas_int(n));
  return c;
}

}  // namespace

RegressionMoments::RegressionMoments(std::size_t of_x, std::size_t of_y, std::span<const double> x, std::span<const double> y)
    : inputs(of_x), outputs(of_y), samples(x.size() / of_x) {
  const std::vector<double> xc = centre(x, inputs, mean_x), yc = centre(y, outputs, mean_y);
  cross = products(outputs, inputs, samples, yc.data(), xc.data());
  gram = products(inputs, inputs, samples, xc.data(), xc.data());
  for (const double value : yc) squares += value * value;
}

double RegressionMoments::loss(std::span<const float> w) const {
  const std::vector<double> weights(w.begin(), w.begin() + static_cast<std::ptrdiff_t>(outputs * inputs));
  std::vector<double> image(weights.size());
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas_int(outputs), blas_int(inputs), blas_int(inputs), 1, weights.data(), blas_int(inputs), gram.data(), blas_int(inputs), 0,
              image.data(), blas_int(inputs));
  double sum = squares, offset = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * (image[i] - 2 * cross[i]);
  for (std::size_t o = 0; o < outputs; ++o) {
    double gap = mean_y[o] - w[outputs * inputs + o];
    for (std::size_t i = 0; i < inputs; ++i) gap -= weights[o * inputs + i] * mean_x[i];
    offset += gap * gap;
  }
  return sum / static_cast<double>(samples) + offset;
}

Regression::Regression(RegressionMoments moments) : moments_(std::move(moments)), eigenvalues_(moments_.inputs), vectors_(moments_.gram) {
  layout_.add("fc1/weight", {moments_.outputs, moments_.inputs}, true);
  layout_.add("fc1/bias", {moments_.outputs}, false);
  const int n = blas_int(moments_.inputs), work_size = 1 + 6 * n + 2 * n * n, integers_size = 3 + 5 * n;
  std::vector<double> work(static_cast<std::size_t>(work_size));
  std::vector<int> integers(static_cast<std::size_t>(integers_size));
  int info = 0;
  dsyevd_("V", "U", &n, vectors_.data(), &n, eigenvalues_.data(), work.data(), &work_size, integers.data(), &integers_size, &info);
  if (info != 0) throw std::runtime_error("dsyevd: info = " + std::to_string(info));
}

void Regression::minimise(double mu, std::span<const float> target, std::span<float> w) const {
  const double factor = 2 / static_cast<double>(moments_.samples);
  if (mu == 0 && !(eigenvalues_.front() > 1e-12 * eigenvalues_.back())) throw std::domain_error("the inputs' covariance is singular: there is no unique regression");
  std::vector<double> right(moments_.cross.size()), rotated(moments_.cross.size()), solution(moments_.cross.size());
  for (std::size_t i = 0; i < right.size(); ++i) right[i] = factor * moments_.cross[i] + (mu > 0 ? mu * target[i] : 0.0);
  const int m = blas_int(moments_.outputs), n = blas_int(moments_.inputs);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, n, 1, right.data(), n, vectors_.data(), n, 0, rotated.data(), n);
  for (std::size_t i = 0; i < rotated.size(); ++i) rotated[i] /= factor * eigenvalues_[i % moments_.inputs] + mu;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, n, 1, rotated.data(), n, vectors_.data(), n, 0, solution.data(), n);
  std::ranges::transform(solution, w.begin(), [](double value) { return static_cast<float>(value); });
  for (std::size_t o = 0; o < moments_.outputs; ++o) {
    double bias = moments_.mean_y[o];
    for (std::size_t i = 0; i < moments_.inputs; ++i) bias -= w[o * moments_.inputs + i] * moments_.mean_x[i];
    w[moments_.outputs * moments_.inputs + o] = static_cast<float>(bias);
  }
}

}  // namespace qsweep
