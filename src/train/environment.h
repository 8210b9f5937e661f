#pragma once
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "exchange/communicator.h"
#include "results/record.h"

/// What decides last bits and must agree between ranks, and what every results file says of where it was made.
namespace qsweep {

/// ConfigError on every rank unless all ranks have the same CPU model, BLAS kernel and program.
void check_ranks_agree(const Team& world);

/// What decides last bits in this process, by name: kernels that can be pinned, then what can only be told.
Attributes kernels_here();

/// DataError, with the command that pins them, if `file` was computed with other kernels; else what differs without being refused
/// (CPU, libraries, program), for a warning, or "".
std::string require_same_kernels(const std::string& file, const Attributes& theirs);

/// Attributes of /runs/<id>/provenance.
Attributes provenance_of(const Team& world, const Team& team, const std::vector<std::string>& command_line, std::chrono::system_clock::time_point start);

/// "FILE.h5:RUN_ID" or "FILE.h5" apart.
std::pair<std::string, std::string> initial_file(const std::string& value);

}  // namespace qsweep
