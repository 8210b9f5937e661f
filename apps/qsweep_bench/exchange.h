#pragma once
#include <string>
#include <vector>

#include "exchange/communicator.h"

/// qsweep_bench exchange: what one exchange takes in each topology, beside MPI_Allreduce of the same number of floats.
namespace qsweep {

int bench_exchange(const std::vector<std::string>& arguments, const Team& world);

}  // namespace qsweep
