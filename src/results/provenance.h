#pragma once
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "results/record.h"

/// Where a run comes from: with its settings and seed, everything that decided its numbers.
namespace qsweep {

/// How this program was built. The commit is asked of git on every build; "-dirty" if the program's sources differ from it,
/// "unknown" without git.
struct Build {
  std::string version, commit, compiler, flags, type;
};
Build build();

std::string hdf5_version();  ///< of the library in use, not of the header
std::string cpu_model();     ///< "unknown" where the system does not tell
std::string host_name();

/// What only the rest of the program knows.
struct Circumstances {
  std::vector<std::string> command_line;  ///< argv
  int ranks = 1;
  std::string blas_kernel;                      ///< "SkylakeX"
  std::map<std::string, std::string> versions;  ///< library to version: {"mpi", "Open MPI 4.1.4"} becomes the attribute mpi_version
  std::chrono::system_clock::time_point start = std::chrono::system_clock::now();
};

/// The attributes of /runs/<id>/provenance; none is empty but, often, the list `environment`.
Attributes provenance(const Circumstances&);

}  // namespace qsweep
