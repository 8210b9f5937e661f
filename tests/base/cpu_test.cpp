#include "base/cpu.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

namespace qsweep {
namespace {

TEST(Cpu, names_are_those_of_the_environment_variable) {
  EXPECT_EQ(name(Simd::baseline), "baseline");
  EXPECT_EQ(name(Simd::avx2), "avx2");
  EXPECT_EQ(name(Simd::avx512), "avx512");
}

TEST(Cpu, dispatch_picks_the_table_of_the_level) {
  const int tables[3] = {0, 1, 2};
  EXPECT_EQ(dispatch(tables[0], tables[1], tables[2]), static_cast<int>(simd()));
}

TEST(Cpu, an_environment_variable_chooses_the_level) {
  const char* asked = std::getenv("QSWEEP_SIMD");
  if (asked != nullptr && *asked != '\0')
    EXPECT_EQ(name(simd()), asked);
  else
    EXPECT_EQ(simd() >= Simd::avx2,
              __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"));
}

TEST(Cpu, denormals_are_flushed) {  // main() called flush_denormals()
  volatile float smallest = std::numeric_limits<float>::min();
  EXPECT_EQ(smallest * 0.5F, 0.0F) << "a denormal result";
  volatile float denormal = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(denormal * 0x1p60F, 0.0F) << "a denormal input";
}

}  // namespace
}  // namespace qsweep
