// smpirun -np P … qsweep_cluster TENSORS COMPUTE QUANTIZE UPDATE DECODE SIZES_ONLY WIDTHS
// One iteration of training on a simulated cluster (SimGrid's SMPI), one worker on each of P ranks: the exchange is qsweep's own, computing
// is replaced by times measured on one rank, so that a laptop shows what 1,024 nodes would do. scripts/simulate_cluster.sh calls it.
//   TENSORS     file, a line for each tensor: its name, its elements, and 1 for weights or 0 for biases
//   COMPUTE     seconds of forward and backward;  QUANTIZE of quantizing both ways;  UPDATE of the optimizer;  DECODE: of adding one
//               worker's codes, which the server does for all
//   SIZES_ONLY  1: messages of the same sizes without codes (Exchange::send_sizes_only)
//   WIDTHS      bits of gradient codes: 2,4
// Prints a line for each topology and width: topology, bits, ranks, seconds.
#include <mpi.h>
#include <smpi/smpi.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "exchange/exchange.h"
#include "exchange/float_allreduce.h"
#include "quantize/quantized_weights.h"

using namespace qsweep;

namespace {

struct Times {
  double compute, quantize, update, decode;
};

Layout read_layout(const char* file) {
  Layout layout;
  std::ifstream in(file);
  std::string name;
  std::size_t elements = 0;
  for (int is_weight = 0; in >> name >> elements >> is_weight;) layout.add(name, {elements}, is_weight == 1);
  return layout;
}

/// Simulated seconds of `work`, of the slowest rank from a common start.
template <class Work>
double measured(const Team& team, Work work) {
  team.barrier();
  const double start = MPI_Wtime();
  work();
  double seconds = MPI_Wtime() - start;
  team.max(std::span(&seconds, 1));
  return seconds;
}

/// Memory that all ranks share: what lies there means nothing where they write.
std::span<float> shared(std::size_t elements) { return {static_cast<float*>(SMPI_SHARED_MALLOC(elements * sizeof(float))), elements}; }

double floats(const Team& team, const Layout& layout, const Times& times) {
  const std::span<float> values = shared(layout.dimension());
  const double seconds = measured(team, [&] {
    smpi_execute(times.compute + times.update);
    float_allreduce(team, values);
  });
  SMPI_SHARED_FREE(values.data());
  return seconds;
}

double quantized(const Team& team, const Layout& layout, const Times& times, const std::string& topology, int bits, bool sizes_only) {
  Settings s;
  s.workers = {static_cast<std::size_t>(team.ranks()), 1, topology};
  s.gradients.quantizer = "sq" + std::to_string(bits);
  s.gradients.scale = "shared";
  s.weights = {"laq3", "exact"};
  s.run.seed = 1;
  Stopwatch watch;
  const auto exchange = make_exchange(s, team, layout, watch);
  if (sizes_only) exchange->send_sizes_only();
  QuantizedWeights weights(s.weights, layout);
  const std::size_t owned = exchange->partition().size(team.rank()), tensors = layout.tensors().size();
  const bool makes_weights = topology != "allreduce";  // with all-reduce each rank makes all of ŵ: time measured, nothing sent
  std::vector<float> w(makes_weights ? owned : 0), v(w.size(), 0.01F), mean(sizes_only ? 0 : owned);
  Stream(3, Draw::InitialWeights, static_cast<std::uint32_t>(team.rank())).normal(0, w);
  std::vector<std::vector<float>> gradient(1);
  if (!sizes_only) {
    gradient[0].resize(layout.dimension());
    Stream(7, Draw::Data, static_cast<std::uint32_t>(team.rank())).normal(0, gradient[0]);
  }
  const std::vector<float> scales(tensors * s.workers.count, 6.0F), limits(tensors, 1e30F);
  constexpr std::size_t report = 5;
  const std::vector<double> mine(report + tensors, 1.0);
  std::vector<double> reports(mine.size() * s.workers.count);
  const std::vector<int> counts(s.workers.count, static_cast<int>(mine.size()));
  if (makes_weights) exchange->quantize(weights, w, v);  // the first search for scales takes more passes than the later ones
  const double seconds = measured(team, [&] {
    smpi_execute(times.compute + times.quantize + times.update);
    team.all_gather(mine, counts, reports);
    exchange->average(gradient, {1, scales, limits, {}}, mean);
    if (topology == "server" && team.is_root()) smpi_execute(times.decode * (team.ranks() - 1));
    if (!makes_weights) return;
    exchange->quantize(weights, w, v);
    exchange->share(weights, {}, w);
  });
  return seconds;
}

}  // namespace

int main(int argc, char** argv) {
  Mpi mpi(argc, argv);
  if (argc != 8) return std::fputs("usage: see scripts/simulate_cluster.sh\n", stderr), 2;
  const Team world = Team::world();
  const Layout layout = read_layout(argv[1]);
  const Times times{std::stod(argv[2]), std::stod(argv[3]), std::stod(argv[4]), std::stod(argv[5])};
  const bool sizes_only = std::string(argv[6]) == "1";
  const auto tell = [&](const char* topology, int bits, double seconds) {
    if (world.is_root()) std::printf("%s %d %d %.9f\n", topology, bits, world.ranks(), seconds), std::fflush(stdout);
  };
  tell("floats", 32, floats(world, layout, times));
  std::istringstream widths(argv[7]);
  for (std::string bits; std::getline(widths, bits, ',');)
    for (const char* topology : {"allreduce", "server", "sharded"}) tell(topology, std::stoi(bits), quantized(world, layout, times, topology, std::stoi(bits), sizes_only));
  return 0;
}
