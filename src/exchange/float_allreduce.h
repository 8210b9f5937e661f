#pragma once
#include <span>

#include "exchange/communicator.h"

/// What is compared with, and nothing else: values <- sum over ranks by MPI_Allreduce(MPI_FLOAT, MPI_SUM). Training never uses it, since
/// the order of its additions, and so its bits, are MPI's own.
namespace qsweep {

void float_allreduce(const Team& team, std::span<float> values);

}  // namespace qsweep
