/* Preloaded into the program: one MPI call of one rank fails, the n-th of its kind.
     QSWEEP_FAULT_RANK=r QSWEEP_FAULT_KIND=MPI_Bcast QSWEEP_FAULT_CALL=n LD_PRELOAD=libmpi_faults.so mpirun -x LD_PRELOAD …
   Without a kind none fails. Where QSWEEP_FAULT_COUNTS is set, each rank writes its calls of each kind to $QSWEEP_FAULT_COUNTS.r. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_KINDS = 32 };
static struct { const char* name; long calls; } kinds[MOST_KINDS];

static long count(const char* name) {
  int k = 0;
  while (kinds[k].name != NULL && strcmp(kinds[k].name, name) != 0) ++k;
  kinds[k].name = name;
  return ++kinds[k].calls;
}

static int fails(const char* name) {
  static long wanted = -1;
  const char* kind = getenv("QSWEEP_FAULT_KIND");
  int rank = -1;
  PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (wanted < 0) {
    const char* call = getenv("QSWEEP_FAULT_CALL");
    const char* at = getenv("QSWEEP_FAULT_RANK");
    wanted = call != NULL && at != NULL && atoi(at) == rank ? atol(call) : 0;
  }
  const long call = count(name);
  if (kind == NULL || strcmp(kind, name) != 0 || call != wanted) return 0;
  fprintf(stderr, "FAULT: %s of rank %d, its call %ld\n", name, rank, call);
  return 1;
}

#define FAULTY(name, parameters, arguments) \
  int name parameters { return fails(#name) ? MPI_ERR_OTHER : P##name arguments; }

FAULTY(MPI_Allreduce, (const void* a, void* b, int n, MPI_Datatype t, MPI_Op o, MPI_Comm c), (a, b, n, t, o, c))
FAULTY(MPI_Bcast, (void* a, int n, MPI_Datatype t, int root, MPI_Comm c), (a, n, t, root, c))
FAULTY(MPI_Allgatherv, (const void* a, int n, MPI_Datatype t, void* b, const int* counts, const int* at, MPI_Datatype u, MPI_Comm c), (a, n, t, b, counts, at, u, c))
FAULTY(MPI_Barrier, (MPI_Comm c), (c))
FAULTY(MPI_Send, (const void* a, int n, MPI_Datatype t, int to, int tag, MPI_Comm c), (a, n, t, to, tag, c))
FAULTY(MPI_Recv, (void* a, int n, MPI_Datatype t, int from, int tag, MPI_Comm c, MPI_Status* s), (a, n, t, from, tag, c, s))
FAULTY(MPI_Isend, (const void* a, int n, MPI_Datatype t, int to, int tag, MPI_Comm c, MPI_Request* r), (a, n, t, to, tag, c, r))
FAULTY(MPI_Irecv, (void* a, int n, MPI_Datatype t, int from, int tag, MPI_Comm c, MPI_Request* r), (a, n, t, from, tag, c, r))
FAULTY(MPI_Wait, (MPI_Request* r, MPI_Status* s), (r, s))
FAULTY(MPI_Waitall, (int n, MPI_Request* r, MPI_Status* s), (n, r, s))
FAULTY(MPI_Testall, (int n, MPI_Request* r, int* all, MPI_Status* s), (n, r, all, s))
FAULTY(MPI_Iprobe, (int from, int tag, MPI_Comm c, int* arrived, MPI_Status* s), (from, tag, c, arrived, s))
FAULTY(MPI_Comm_dup, (MPI_Comm c, MPI_Comm* d), (c, d))
FAULTY(MPI_Comm_split, (MPI_Comm c, int colour, int key, MPI_Comm* d), (c, colour, key, d))
FAULTY(MPI_Comm_split_type, (MPI_Comm c, int type, int key, MPI_Info i, MPI_Comm* d), (c, type, key, i, d))
FAULTY(MPI_Win_allocate_shared, (MPI_Aint n, int unit, MPI_Info i, MPI_Comm c, void* at, MPI_Win* w), (n, unit, i, c, at, w))
FAULTY(MPI_Win_shared_query, (MPI_Win w, int rank, MPI_Aint* n, int* unit, void* at), (w, rank, n, unit, at))

int MPI_Finalize(void) {
  const char* name = getenv("QSWEEP_FAULT_COUNTS");
  int rank = -1;
  PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (name != NULL) {
    char file[4096];
    snprintf(file, sizeof file, "%s.%d", name, rank);
    FILE* out = fopen(file, "w");
    if (out != NULL) {
      for (int k = 0; kinds[k].name != NULL; ++k) fprintf(out, "%s %ld\n", kinds[k].name, kinds[k].calls);
      fclose(out);
    }
  }
  return PMPI_Finalize();
}
