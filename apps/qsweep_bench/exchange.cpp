// mpirun -n 2 qsweep_bench exchange [--from 10] [--to 26] [--gradients sq2] [--weights laq3] [--cifarnet] [--network "1 Gbit/s"] [--gbits 1] [-o FILE.h5]
// One worker on each rank. Three times each:
//   up     finding the scale, quantizing, packing, exchange, unpacking: the mean gradient where it is needed
//   down   packing, sending and unpacking ŵ (nothing with all-reduce: every rank has made its own)
//   alpha  finding the scales of ŵ, for comparison: training does it whatever the network
// Each repetition times the float all-reduce and every topology, so that what disturbs one disturbs all; medians, and the ratio to the
// float all-reduce. With --gbits (and --latency) each is set beside the network model (exchange/network.h): its communication, and the
// work that one rank alone measures. A time is that of the slowest rank from a common start.
#include "qsweep_bench/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <chrono>
#include <functional>

#include "base/errors.h"
#include "base/random.h"
#include "exchange/exchange.h"
#include "exchange/float_allreduce.h"
#include "exchange/network.h"
#include "model/networks.h"
#include "qsweep_bench/median.h"
#include "quantize/quantized_weights.h"
#include "results/file.h"
#include "results/provenance.h"

namespace po = boost::program_options;

namespace qsweep {
namespace {

constexpr const char* topologies[] = {"allreduce", "server", "sharded"};

struct Options {
  int from = 10, to = 26;
  std::string gradients = "sq2", weights = "laq3", network = "shared memory", output;
  bool cifarnet = false;
  double seconds = 1;  ///< for each size
  double gbits = 0, latency = 50;  ///< of the modelled network, Gbit/s and µs; 0: none
};

Options parse(const std::vector<std::string>& arguments) {
  Options o;
  po::options_description known("qsweep_bench exchange [options]");
  known.add_options()("from", po::value(&o.from), "smallest size, 2^FROM elements")("to", po::value(&o.to), "largest size")(
      "gradients", po::value(&o.gradients), "sq2 ... sq8, fp")("weights", po::value(&o.weights), "laq3, lab, fp ...")(
      "cifarnet", po::bool_switch(&o.cifarnet), "the tensors of Cifarnet instead of one tensor of each size")(
      "seconds", po::value(&o.seconds), "for each size")("gbits", po::value(&o.gbits), "bandwidth of a modelled network")("latency", po::value(&o.latency), "its latency in us")(
      "network", po::value(&o.network), "its name, for the figure")("output,o", po::value(&o.output), "FILE.h5 for plot.py");
  po::variables_map values;
  try {
    po::store(po::command_line_parser(arguments).options(known).run(), values);
    po::notify(values);
  } catch (const po::error& e) {
    throw ConfigError(fmt::format("command line: {}; qsweep_bench --help", e.what()));
  }
  if (o.from < 0 || o.to > 32 || o.from > o.to) throw ConfigError("command line: --from, --to: allowed: 0 to 32, in order");
  return o;
}

Layout one_tensor(std::size_t elements) {
  Layout layout;
  layout.add("fc1/weight", {elements}, true);
  return layout;
}

Layout cifarnet() {
  return build(network_plan("cifarnet", {3, 24, 24, 1}, 10, {}, 0.004))->layout();
}

/// Everything one topology needs for a round of one worker on each rank.
class Bench {
 public:
  Bench(const Options& o, const char* topology, const Team& world, const Layout& layout) : team_(world), layout_(layout), weights_({o.weights, "exact"}, layout) {
    settings_.workers = {static_cast<std::size_t>(world.ranks()), 1, topology};
    settings_.gradients.quantizer = o.gradients;
    settings_.gradients.scale = "shared";
    settings_.weights.quantizer = o.weights;
    settings_.run.seed = 1;
    exchange_ = make_exchange(settings_, world, layout, watch_);
    mean_.resize(exchange_->partition().size(world.rank()));
    const std::size_t owned = mean_.size();
    w_.resize(owned);
    v_.assign(owned, 0.01F);
    Stream(3, Draw::InitialWeights).normal(0, w_);
    limits_.assign(layout.tensors().size(), 1e30F);
  }
  void up(const std::vector<std::vector<float>>& gradient, std::uint32_t iteration) {
    const std::size_t tensors = layout_.tensors().size();
    std::vector<double> mine(tensors), all(tensors * settings_.workers.count);
    std::vector<float> scales(all.size());
    if (settings_.gradients.quantized()) {
      for (std::size_t l = 0; l < tensors; ++l) mine[l] = statistics(std::span(gradient[0]).subspan(layout_.tensors()[l].offset, layout_.tensors()[l].size)).largest;
      team_.all_gather(mine, std::vector<int>(settings_.workers.count, static_cast<int>(tensors)), all);
      std::ranges::transform(all, scales.begin(), [](double s) { return static_cast<float>(s); });
    }
    exchange_->average(gradient, {iteration, scales, limits_, {}}, mean_);
  }
  void alpha() { exchange_->quantize(weights_, w_, v_); }
  void down() { exchange_->share(weights_, {}, w_); }
  const Traffic& traffic() const { return exchange_->traffic(); }

 private:
  const Team& team_;
  const Layout& layout_;
  Settings settings_;
  Stopwatch watch_;
  std::unique_ptr<Exchange> exchange_;
  QuantizedWeights weights_;
  std::vector<float> mean_, w_, v_, limits_;
};

double slowest(const Team& team, const std::function<void()>& work) {
  team.barrier();
  const auto start = std::chrono::steady_clock::now();
  work();
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  team.max(std::span(&seconds, 1));
  return seconds;
}

/// Medians in seconds, and bytes that the busiest rank gave to MPI in one exchange.
struct Times {
  double up = 0, down = 0, alpha = 0;
  double bytes = 0;
  double exchange() const { return up + down; }
};

struct SizeResult {
  std::size_t elements = 0;
  double floats = 0;  ///< MPI_Allreduce
  double alone = 0;   ///< up on one rank with one worker: what is left without a network
  Times of[3];
};

SizeResult measure(const Options& o, const Team& world, const Layout& layout) {
  SizeResult result;
  result.elements = layout.dimension();
  std::vector<std::vector<float>> gradient(1, std::vector<float>(layout.dimension()));
  Stream(7, Draw::Data, static_cast<std::uint32_t>(world.rank())).normal(0, gradient[0]);
  std::vector<float> floats(gradient[0].size(), 0.25F);
  std::vector<std::unique_ptr<Bench>> benches;
  for (const char* topology : topologies) benches.push_back(std::make_unique<Bench>(o, topology, world, layout));
  std::vector<double> plain, up[3], down[3], alpha[3];
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0;; ++i) {
    plain.push_back(slowest(world, [&] { float_allreduce(world, floats); }));
    for (std::size_t k = 0; k < 3; ++k) {
      const std::uint64_t before = benches[k]->traffic().bytes_sent;
      up[k].push_back(slowest(world, [&] { benches[k]->up(gradient, i); }));
      alpha[k].push_back(slowest(world, [&] { benches[k]->alpha(); }));
      down[k].push_back(slowest(world, [&] { benches[k]->down(); }));
      result.of[k].bytes = static_cast<double>(benches[k]->traffic().bytes_sent - before);
    }
    std::ranges::fill(floats, 0.25F);
    if (i == 0) plain.clear(), std::ranges::for_each(up, [](auto& v) { v.clear(); }), std::ranges::for_each(down, [](auto& v) { v.clear(); }), std::ranges::for_each(alpha, [](auto& v) { v.clear(); });
    double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    world.max(std::span(&spent, 1));
    if (i >= 7 && (spent > o.seconds || i >= 2000)) break;
  }
  result.floats = median(plain);
  if (o.gbits > 0) {
    const Team myself = world.split(world.rank());
    Bench bench(o, "allreduce", myself, layout);
    std::vector<double> times;
    for (std::uint32_t i = 0; i < 9; ++i) times.push_back(slowest(myself, [&] { bench.up(gradient, i); }));
    result.alone = median(times);
    world.max(std::span(&result.alone, 1));
  }
  for (std::size_t k = 0; k < 3; ++k) {
    world.max(std::span(&result.of[k].bytes, 1));
    result.of[k] = {median(up[k]), median(down[k]), median(alpha[k]), result.of[k].bytes};
  }
  return result;
}

std::string time_text(double seconds) {
  return seconds < 1e-3 ? fmt::format("{:.1f} us", 1e6 * seconds) : fmt::format("{:.2f} ms", 1e3 * seconds);
}

void print_row(const SizeResult& r) {
  for (std::size_t k = 0; k < 3; ++k) {
    const Times& t = r.of[k];
    fmt::print("{:>10}{:>12}  {:<10}{:>11}{:>11}{:>8.3f}{:>8.3f}{:>11}\n", k == 0 ? std::to_string(r.elements) : "", k == 0 ? time_text(r.floats) : "", topologies[k], time_text(t.up),
               time_text(t.down), t.up / r.floats, t.exchange() / r.floats, time_text(t.alpha));
  }
}

/// Measured, one exchange both ways, beside what the model says.
void print_model(const Options& o, const Team& world, const Layout& layout, const SizeResult& r) {
  const ModelledNetwork network{1e9 * o.gbits, 1e-6 * o.latency, 1e12, 0};
  const ModelledCluster cluster{static_cast<std::size_t>(world.ranks()), 1};
  const auto line = [](const char* what, double measured, double model) {
    fmt::print("{:>10}{:>12}{:>12}{:>9.2f}\n", what, time_text(measured), time_text(model), model / measured);
  };
  fmt::print("{:>10}{:>12}{:>12}{:>9}   {} Gbit/s, {} us; {} of work without a network\n", "", "measured", "model", "ratio", o.gbits, o.latency, time_text(r.alone));
  line("floats", r.floats, communication_time(modelled_traffic("floats", layout, 32, 32, {}), network, cluster));
  const std::size_t gradient_bits = bits_of_gradients(o.gradients), weight_bits = bits_of_weights(o.weights);
  for (std::size_t k = 0; k < 3; ++k)
    line(topologies[k], r.of[k].exchange(), r.alone + communication_time(modelled_traffic(topologies[k], layout, gradient_bits, weight_bits, {}), network, cluster));
}

void store(const Options& o, const Team& world, const std::vector<SizeResult>& sizes, const std::vector<std::string>& command) {
  Results results{"exchange", "", {"workers.exchange"}, {}};
  for (std::size_t k = 0; k < 3; ++k) {
    Record run;
    run.id = topologies[k];
    run.attributes = {{"workers.exchange", std::string(topologies[k])}, {"workers.count", std::int64_t{world.ranks()}}, {"gradients.quantizer", o.gradients},
                      {"weights.quantizer", o.weights}, {"status", std::string("complete")}, {"network", o.network}};
    const auto add = [&](const char* name, const char* unit, const char* label, const std::function<double(const SizeResult&)>& value) {
      std::vector<double> values;
      for (const SizeResult& r : sizes) values.push_back(value(r));
      run.datasets.push_back({std::string("bench/") + name, unit, label, {values.size()}, values});
    };
    add("elements", "1", "elements", [](const SizeResult& r) { return static_cast<double>(r.elements); });
    add("floats", "s", "MPI_Allreduce of floats", [](const SizeResult& r) { return r.floats; });
    add("up", "s", "scale, quantize, pack, exchange, unpack", [&](const SizeResult& r) { return r.of[k].up; });
    add("down", "s", "pack, send and unpack quantized weights", [&](const SizeResult& r) { return r.of[k].down; });
    add("alpha", "s", "scales of the weights", [&](const SizeResult& r) { return r.of[k].alpha; });
    add("bytes", "B", "bytes of the busiest rank", [&](const SizeResult& r) { return r.of[k].bytes; });
    Circumstances c;
    c.command_line = command;
    c.ranks = world.ranks();
    c.blas_kernel = "not used";
    c.versions = {{"mpi", Mpi::library_version()}};
    run.groups["provenance"] = provenance(c);
    results.runs.push_back(std::move(run));
  }
  write_results(o.output, results);
}

}  // namespace

int bench_exchange(const std::vector<std::string>& arguments, const Team& world) {
  const Options o = parse(arguments);
  world.on_root([&] {  // before minutes of measuring
    if (!o.output.empty()) require_replaceable(o.output);
  });
  if (world.is_root()) {
    if (world.ranks() == 1) fmt::print("note: one rank has nobody to exchange with: mpirun -n 2 qsweep_bench exchange\n");
    fmt::print("{} ranks, one worker each, {}; {} up, {} down; medians, x: times MPI_Allreduce of floats\n", world.ranks(), o.network, o.gradients, o.weights);
    fmt::print("{:>10}{:>12}  {:<10}{:>11}{:>11}{:>8}{:>8}{:>11}\n", "elements", "floats", "topology", "up", "down", "x up", "x both", "(alpha)");
  }
  std::vector<SizeResult> sizes;
  for (int k = o.from; k <= o.to; ++k) {
    const Layout layout = o.cifarnet ? cifarnet() : one_tensor(std::size_t{1} << k);
    sizes.push_back(measure(o, world, layout));
    if (world.is_root()) print_row(sizes.back());
    if (world.is_root() && o.gbits > 0) print_model(o, world, layout, sizes.back());
    std::fflush(stdout);
    if (o.cifarnet) break;
  }
  std::vector<std::string> command = {"qsweep_bench", "exchange"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  world.on_root([&] {
    if (!o.output.empty()) store(o, world, sizes, command);
  });
  return 0;
}

}  // namespace qsweep
