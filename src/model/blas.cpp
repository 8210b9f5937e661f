#include "model/blas.h"

#include <algorithm>
#include <cstdlib>

#include "base/cpu.h"

extern "C" void omp_set_num_threads(int);  // of libgomp, on which oneDNN runs

namespace qsweep {

void use_one_thread() {
  openblas_set_num_threads(1);
  omp_set_num_threads(1);
}

std::string blas_version() {
  const std::string config = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH …"
  return config.substr(0, config.find(' ', config.find(' ') + 1));
}

std::string blas_kernel() { return openblas_get_corename(); }

std::string faster_blas_kernel() {
  const std::string kernel = blas_kernel();
  const auto uses = [&](std::initializer_list<const char*> names) { return std::ranges::find(names, kernel) != names.end(); };
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"), avx2 = __builtin_cpu_supports("avx2");
  if (uses({"SkylakeX", "Cooperlake", "Sapphirerapids", "Zen4"}) || !avx2) return "";
  if (!avx512 && uses({"Haswell", "Zen"})) return "";
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr) return "unset OPENBLAS_CORETYPE";
  return std::string("set OPENBLAS_CORETYPE=") + (avx512 ? "SkylakeX" : "Haswell");
}

}  // namespace qsweep
