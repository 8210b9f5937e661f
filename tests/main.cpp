#include <gtest/gtest.h>

#include "base/cpu.h"

int main(int argc, char** argv) {
  qsweep::flush_denormals();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
