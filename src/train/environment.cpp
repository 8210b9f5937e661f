#include "train/environment.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

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
