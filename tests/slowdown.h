#pragma once

/// How much longer whatever is timed may take under the sanitizers.
namespace qsweep::test {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr int slowdown = 10;
#else
inline constexpr int slowdown = 1;
#endif

}  // namespace qsweep::test
