# cmake -DSOURCE=… -DHEADER=… -DVERSION=… -DCOMPILER=… -DFLAGS=… -DTYPE=… -P commit.cmake
# Runs on every build. Writes the header that names the commit, and how the program is built, only where it changed, so that an
# unchanged commit recompiles nothing. "-dirty": the sources of the program differ from the commit. "unknown" without git, or where
# the folder is not itself the top of a repository (an unpacked archive inside another one).
find_program(git git)
set(commit unknown)
if(git)
  file(REAL_PATH "${SOURCE}" source)
  set(ask "${git}" -c "safe.directory=${source}" -C "${source}" --no-optional-locks)
  execute_process(COMMAND ${ask} rev-parse --show-toplevel OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(top)
    file(REAL_PATH "${top}" top)
  endif()
  if("${top}" STREQUAL "${source}")
    execute_process(COMMAND ${ask} rev-parse HEAD OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
    execute_process(COMMAND ${ask} status --porcelain -- src apps cmake CMakeLists.txt CMakePresets.json
      OUTPUT_VARIABLE changes ERROR_QUIET RESULT_VARIABLE unsure)
    if(NOT failed)
      set(commit "${head}")
      if(unsure OR NOT "${changes}" STREQUAL "")
        string(APPEND commit "-dirty")
      endif()
    endif()
  endif()
endif()
string(REGEX REPLACE "[ ;]+" " " flags "${FLAGS}")
string(STRIP "${flags}" flags)
file(CONFIGURE OUTPUT "${HEADER}" @ONLY CONTENT [[
#pragma once
// Written by cmake/commit.cmake.
namespace qsweep {
inline constexpr const char* build_version = R"text(@VERSION@)text";
inline constexpr const char* build_commit = R"text(@commit@)text";
inline constexpr const char* build_compiler = R"text(@COMPILER@)text";
inline constexpr const char* build_flags = R"text(@flags@)text";
inline constexpr const char* build_type = R"text(@TYPE@)text";
}  // namespace qsweep
]])
