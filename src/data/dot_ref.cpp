#include "data/dot_kernels.h"

namespace qsweep {

double dot_ref(const float* x, const double* w, std::size_t d) {
  double lane[16] = {};
  for (std::size_t j = 0; j < d; ++j) lane[j % 16] += static_cast<double>(x[j]) * w[j];
  for (std::size_t half = 8; half > 0; half /= 2)
    for (std::size_t l = 0; l < half; ++l) lane[l] += lane[l + half];
  return lane[0];
}

}  // namespace qsweep
