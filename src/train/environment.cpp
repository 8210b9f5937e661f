#include "train/environment.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <tuple>

#include "base/cpu.h"
#include "base/errors.h"
#include "model/blas.h"
#include "model/convolution.h"
#include "results/provenance.h"

namespace qsweep {

void check_ranks_agree(const Team& world) {
  const std::string mine = fmt::format("CPU {}; BLAS kernel {}; {}; kernels {}; program {}", cpu_model(), blas_kernel(), onednn_version(), name(simd()), build().commit);
  if (world.same_everywhere(std::as_bytes(std::span(mine)))) return;
  std::string roots = mine;
  world.broadcast(roots);
  throw ConfigError(fmt::format("the ranks differ in what decides last bits of results (rank 0: {}): use nodes of one kind, or pin the kernels on all "
                                "with mpirun -x OPENBLAS_CORETYPE=Haswell -x QSWEEP_SIMD=avx2", roots));
}

Attributes kernels_here() {
  return {{"blas_kernel", blas_kernel()}, {"onednn_isa", onednn_isa()}, {"cpu", cpu_model()}, {"libraries", blas_version() + ", " + onednn_version()}, {"commit", build().commit}};
}

std::string require_same_kernels(const std::string& file, const Attributes& theirs) {
  const Attributes here = kernels_here();
  const auto text = [](const Attributes& from, const char* name) {
    const auto found = from.find(name);
    const std::string* value = found == from.end() ? nullptr : std::get_if<std::string>(&found->second);
    return value == nullptr ? "unknown" : *value;
  };
  const auto differs = [&](const char* name) { return text(theirs, name) != text(here, name); };
  std::string pins, difference;
  for (const auto& [name, what, variable] : {std::tuple("blas_kernel", "OpenBLAS's kernel", "OPENBLAS_CORETYPE"), std::tuple("onednn_isa", "oneDNN's", "DNNL_MAX_CPU_ISA")}) {
    if (!differs(name)) continue;
    pins += fmt::format(" {}={}", variable, text(theirs, name));
    difference += fmt::format("{}{} {} (here {})", difference.empty() ? "" : ", ", what, text(theirs, name), text(here, name));
  }
  if (!pins.empty())
    throw DataError(fmt::format("{}: was computed with {}, so last bits would differ: go on with `env{} …`, where the CPU has it (mpirun on several nodes: -x for each); "
                                "or delete the checkpoints of this run, and it begins anew", file, difference, pins));
  for (const char* name : {"cpu", "libraries", "commit"})
    if (differs(name)) difference += fmt::format("{}{} {} (here {})", difference.empty() ? "" : ", ", name, text(theirs, name), text(here, name));
  return difference;
}

Attributes provenance_of(const Team& world, const Team& team, const std::vector<std::string>& command_line, std::chrono::system_clock::time_point start) {
  Circumstances c;
  c.command_line = command_line;
  c.ranks = world.ranks();
  c.blas_kernel = blas_kernel();
  c.versions = {{"mpi", Mpi::library_version()}, {"openblas", blas_version()}, {"onednn", onednn_version()}};
  c.start = start;
  Attributes attributes = provenance(c);
  attributes["team_ranks"] = static_cast<std::int64_t>(team.ranks());
  attributes["simd"] = std::string(name(simd()));
  return attributes;
}

std::pair<std::string, std::string> initial_file(const std::string& value) {
  const auto colon = value.rfind(':');
  if (colon == std::string::npos || value.find('/', colon) != std::string::npos) return {value, ""};
  return {value.substr(0, colon), value.substr(colon + 1)};
}

}  // namespace qsweep
