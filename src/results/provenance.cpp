#include "results/provenance.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "commit.h"
#include "results/hdf5.h"

namespace qsweep {

namespace {

/// As a shell takes it back.
std::string quoted(const std::string& word) {
  const char* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string text(1, '\'');
  for (const char c : word)
    if (c == '\'')
      text.append("'\\''");
    else
      text.push_back(c);
  text.push_back('\'');
  return text;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(quoted(word));
  return text;
}

/// Variables that change which instructions run, as "NAME=value".
std::vector<std::string> environment() {
  std::vector<std::string> set;
  for (const std::string name : {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "QSWEEP_SIMD"})
    if (const char* value = std::getenv(name.c_str())) set.push_back(name + "=" + value);
  return set;
}

std::string or_unknown(const std::string& text) { return text.empty() ? "unknown" : text; }

}  // namespace

Build build() { return {build_version, build_commit, or_unknown(build_compiler), or_unknown(build_flags), or_unknown(build_type)}; }

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  if (H5get_libversion(&major, &minor, &release) < 0) return "unknown";
  return fmt::format("{}.{}.{}", major, minor, release);
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t value = line.find_first_not_of(": \t", line.find(':'));
    if (line.rfind("model name", 0) == 0 && value != std::string::npos) return line.substr(value);
  }
  return "unknown";
}

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 && name[0] ? name : "unknown";
}

Attributes provenance(const Circumstances& now) {
  const Build built = build();
  Attributes attributes{
      {"version", built.version},
      {"commit", built.commit},
      {"compiler", built.compiler},
      {"compiler_flags", built.flags},
      {"build_type", built.type},
      {"hdf5_version", hdf5_version()},
      {"blas_kernel", or_unknown(now.blas_kernel)},
      {"cpu", cpu_model()},
      {"host", host_name()},
      {"ranks", std::int64_t{now.ranks}},
      {"command_line", or_unknown(join(now.command_line))},
      {"start_utc", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(now.start)))},
      {"environment", environment()}};
  for (const auto& [library, version] : now.versions) attributes[library + "_version"] = or_unknown(version);
  return attributes;
}

}  // namespace qsweep
