#include "base/cpu.h"

#include <immintrin.h>

#include <cstdlib>
#include <string>

#include "base/errors.h"

namespace qsweep {
namespace {

Simd best_of_cpu() {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx512 ? Simd::avx512 : avx2 ? Simd::avx2 : Simd::baseline;
}

Simd chosen() {
  const Simd best = best_of_cpu();
  const char* asked = std::getenv("QSWEEP_SIMD");
  if (asked == nullptr || *asked == '\0') return best;
  for (const Simd s : {Simd::baseline, Simd::avx2, Simd::avx512})
    if (name(s) == asked) {
      if (s > best) throw ConfigError("environment: QSWEEP_SIMD = " + std::string(asked) + ": this CPU offers no more than " + std::string(name(best)));
      return s;
    }
  throw ConfigError("environment: QSWEEP_SIMD = " + std::string(asked) + ": allowed: baseline, avx2, avx512");
}

}  // namespace

Simd simd() {
  static const Simd once = chosen();
  return once;
}

std::string_view name(Simd s) {
  switch (s) {
    case Simd::avx512: return "avx512";
    case Simd::avx2: return "avx2";
    default: return "baseline";
  }
}

void flush_denormals() { _mm_setcsr(_mm_getcsr() | _MM_FLUSH_ZERO_ON | 0x0040 /* denormals are zero */); }

}  // namespace qsweep
