#include "exchange/float_allreduce.h"

#include "exchange/mpi_call.h"

namespace qsweep {

void float_allreduce(const Team& team, std::span<float> values) {
  in_chunks(values, team.largest_count(), [&](auto part, int n) { QSWEEP_MPI(MPI_Allreduce, (MPI_IN_PLACE, part.data(), n, MPI_FLOAT, MPI_SUM, team.handle())); });
}

}  // namespace qsweep
