#include <gtest/gtest.h>

#include "base/cpu.h"
#include "model/blas.h"

int main(int argc, char** argv) {
  qsweep::flush_denormals();
  qsweep::use_one_thread();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
