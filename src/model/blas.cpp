#include "model/blas.h"

#include "base/cpu.h"

namespace qsweep {

void use_one_blas_thread() { openblas_set_num_threads(1); }

std::string blas_version() {
  const std::string config = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH …"
  return config.substr(0, config.find(' ', config.find(' ') + 1));
}

std::string blas_kernel() { return openblas_get_corename(); }

bool faster_blas_kernel_possible() {
  const std::string kernel = blas_kernel();
  return __builtin_cpu_supports("avx512f") && kernel != "SkylakeX" && kernel != "Cooperlake" && kernel != "Sapphirerapids" && kernel != "Zen4";
}

}  // namespace qsweep
