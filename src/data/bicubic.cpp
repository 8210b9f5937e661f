#include "data/bicubic.h"

#include <array>
#include <vector>

namespace qsweep {
namespace {

constexpr std::array<double, 8> taps = {-3, -9, 29, 111, 111, 29, -9, -3};

/// `count` values `step` apart become count/2 values `out_step` apart.
void halve(const double* in, std::size_t count, std::size_t step, double* out, std::size_t out_step) {
  for (std::size_t i = 0; i < count / 2; ++i) {
    double sum = 0, weight = 0;
    for (std::size_t j = 0; j < taps.size(); ++j) {
      if (2 * i + j < 3 || 2 * i + j - 3 >= count) continue;
      sum += taps[j] * in[(2 * i + j - 3) * step];
      weight += taps[j];
    }
    out[i * out_step] = sum / weight;
  }
}

}  // namespace

void halve_bicubic(std::size_t side, std::span<const double> image, std::span<double> out) {
  const std::size_t half = side / 2;
  std::vector<double> narrow(side * half);
  for (std::size_t row = 0; row < side; ++row) halve(&image[row * side], side, 1, &narrow[row * half], 1);
  for (std::size_t column = 0; column < half; ++column) halve(&narrow[column], side, half, &out[column], half);
}

}  // namespace qsweep
