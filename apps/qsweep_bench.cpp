// qsweep_bench kernels                 quantizing, packing, averaging, weight quantizers: per core, beside the limit they run against
// qsweep_bench codebooks               projections onto codebooks: seconds for 16 million weights, on one core
// qsweep_bench step NETWORK …          one training step, layer by layer
// mpirun -n P qsweep_bench exchange …     the three topologies beside MPI_Allreduce of floats: qsweep_bench/exchange.cpp
// One core; medians of several repetitions; limits are measured in the same run.
#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <chrono>
#include <cstring>
#include <functional>
#include <optional>

#include "base/cpu.h"
#include "base/errors.h"
#include "base/large_pages.h"
#include "base/random.h"
#include "config/experiment.h"
#include "config/grid.h"
#include "config/text.h"
#include "data/files.h"
#include "exchange/communicator.h"
#include "model/blas.h"
#include "model/network.h"
#include "model/networks.h"
#include "qsweep_bench/exchange.h"
#include "qsweep_bench/median.h"
#include "quantize/codebook.h"
#include "quantize/gradient.h"
#include "quantize/weight.h"
#include "train/content.h"
#include "train/trainer.h"

namespace po = boost::program_options;
using namespace qsweep;

namespace {

using Arguments = std::vector<std::string>;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Median seconds of `work` over 9 repetitions after one that warms up.
double time_of(const std::function<void()>& work) {
  work();
  std::vector<double> times;
  for (int i = 0; i < 9; ++i) {
    const auto start = Clock::now();
    work();
    times.push_back(seconds_since(start));
  }
  return median(times);
}

std::vector<float> gaussian(std::size_t n) {
  std::vector<float> values(n);
  const Stream stream(7, Draw::Data);
  std::vector<float> part(std::min<std::size_t>(n, std::size_t{1} << 16));
  stream.normal(0, part);
  for (std::size_t i = 0; i < n; ++i) values[i] = part[i % part.size()] * (1.0F + static_cast<float>(i / part.size()) * 1e-4F);
  return values;
}

/// What one core moves to and from memory, bytes per second.
struct Memory {
  double read, write;
};

Memory measure_memory(std::span<float> large) {
  const auto words = reinterpret_cast<const std::uint64_t*>(large.data());  // integer sums: never slower than memory
  volatile std::uint64_t sink = 0;
  const double read = time_of([&] {
    std::uint64_t sums[16] = {};
    for (std::size_t i = 0; i + 16 <= large.size() / 2; i += 16)
      for (std::size_t j = 0; j < 16; ++j) sums[j] += words[i + j];
    for (const std::uint64_t sum : sums) sink = sink + sum;
  });
  std::vector<float> target(large.size());
  const double write = time_of([&] { std::ranges::fill(target, 1.0F); });
  const auto bytes = static_cast<double>(large.size_bytes());
  return {bytes / read, bytes / write};
}

void row(const std::string& what, double elements, double seconds, double limit_seconds, const std::string& limit) {
  fmt::print("{:<36}{:>9.2f}{:>9.2f}{:>9.0f} %  {}\n", what, elements / seconds / 1e9, seconds / elements * 1e9, 100 * limit_seconds / seconds, limit);
}

void bench_gradients(std::span<const float> g, const Memory& memory) {
  const std::size_t n = g.size();
  const auto elements = static_cast<double>(n);
  for (const int bits : {2, 3, 8}) {
    const StochasticQuantizer quantizer(bits);
    const Fields fields = quantizer.fields(1);
    std::vector<std::uint64_t> words(fields.words(n));
    std::vector<Segment> segments;
    const double encode = time_of([&] {
      std::ranges::fill(words, 0);
      segments = {Segment(0, n, statistics(g), 3.0)};
      quantizer.encode_add(g, segments, RoundingDraws(1, 0, 1), fields, 0, n, words);
    });
    const auto packed = static_cast<double>(words.size() * 8);
    row(fmt::format("SQ{} clip + quantize + pack", bits), elements, encode, (8 * elements + packed) / memory.read, "memory: gradient read twice");
    std::vector<float> mean(n);
    const double decode = time_of([&] { quantizer.decode_mean(words, segments, 1, 0, n, mean); });
    row(fmt::format("SQ{} unpack + average", bits), elements, decode, 4 * elements / memory.write + packed / memory.read, "memory: mean written once");
  }
}

void bench_weights(std::span<const float> w, const Memory& memory) {
  const auto elements = static_cast<double>(w.size());
  std::vector<float> v(w.size()), quantized(w.size());
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = w[i] * w[i] + 0.01F;
  for (const char* name : {"lab", "lat", "laq3", "laq4", "log3"}) {
    const WeightQuantizer quantizer(name);
    float alpha = quantizer.solve(w, v, 0);
    const double seconds = time_of([&] {
      alpha = quantizer.solve(w, v, alpha * 1.001F);  // as after a step
      quantizer.apply(w, alpha, quantized);
    });
    row(fmt::format("{} solve + apply", name), elements, seconds, 12 * elements / memory.read + 4 * elements / memory.write, "memory: w twice, v once, out once");
  }
}

int command_kernels() {
  const std::size_t large = std::size_t{1} << 24, medium = std::size_t{1} << 20;
  std::vector<float> values = gaussian(large);
  const Memory memory = measure_memory(values);
  fmt::print("one core, kernels {}, memory read {:.1f} GB/s, write {:.1f} GB/s\n", name(simd()), memory.read / 1e9, memory.write / 1e9);
  fmt::print("{:<36}{:>9}{:>9}{:>11}  {}\n", "16 Mi elements", "G/s", "ns each", "of limit", "limit");
  bench_gradients(values, memory);
  fmt::print("{:<36}{:>9}{:>9}{:>11}  {}\n", "1 Mi elements", "G/s", "ns each", "of limit", "limit");
  bench_weights(std::span(values).first(medium), memory);
  return 0;
}

/// One projection each, assignments included: they take long enough to be measured once.
int command_codebooks() {
  constexpr std::size_t n = 16'000'000, clusters = 16;
  std::vector<float> x(n), quantized(n);
  Stream(7, Draw::Data).normal(0, x);
  const auto project = [&](const std::string& what, const CodebookChoice& choice, const Codebook* previous) {
    const CodebookQuantizer quantizer(choice);
    const auto start = Clock::now();
    const CodebookQuantizer::Solution solution = quantizer.solve(x, previous, Stream(7, Draw::Clusters));
    quantizer.apply(x, solution.codebook, quantized);
    fmt::print("{:<36}{:>9.2f}{:>9}\n", what, seconds_since(start), solution.passes);
    return solution.codebook;
  };
  fmt::print("{:<36}{:>9}{:>9}\n", "16 million weights, K = 16", "seconds", "passes");
  const Codebook first = project("kmeans, from k-means++", {.kind = "kmeans", .size = clusters}, nullptr);
  std::vector<float> step(n);
  Stream(8, Draw::Data).normal(0, step);
  for (std::size_t i = 0; i < n; ++i) x[i] += 0.01F * step[i];
  project("kmeans, from the codebook before", {.kind = "kmeans", .size = clusters}, &first);
  for (const char* kind : {"kmeans_exact", "scaled_binary", "scaled_ternary"}) project(kind, {.kind = kind, .size = clusters}, nullptr);
  return 0;
}

/// Multiply-adds per second of one large sgemm.
double sgemm_peak() {
  constexpr std::size_t n = 1024;
  const std::vector<float> a(n * n, 0.5F), b(n * n, 0.25F);
  std::vector<float> c(n * n);
  return 2.0 * n * n * n / time_of([&] { multiply(n, n, n, a.data(), b.data(), c.data()); });
}

bool have_mnist() {
  try {
    find_file(data_directory(""), "mnist", "train-images-idx3-ubyte", "");
    return true;
  } catch (const DataError&) {
    return false;
  }
}

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  for (const NetworkInfo& info : networks()) names.push_back(info.name);
  return names;
}

Arguments preset(const std::string& model) {
  if (model == "linear") return {"model.dimension=1024", "model.kind=linear", "data.set=synthetic_linear", "run.iterations=2000"};
  const NetworkInfo* network = find_network(model);
  if (network == nullptr) throw ConfigError(fmt::format("command line: step {}: allowed: linear, {}", model, fmt::join(network_names(), ", ")));
  const bool grey = network->channels != 3;
  Arguments sets = {"model.kind=" + model, "run.iterations=" + std::string(network->convolves ? "30" : "60"), "run.evaluate_train_every=never", "run.evaluate_every=1000000"};
  if (model == "lenet5") sets.push_back("model.dropout=0");  // as in the programs it is compared with
  if (grey && !have_mnist() && model != "mlp") throw DataError("step " + model + " needs MNIST: see data.dir in README");
  sets.push_back(grey && have_mnist() ? "data.set=mnist" : "data.set=synthetic_images");
  if (model == "mlp") sets.push_back("model.dimension=1024");
  if (network->side == 24) sets.push_back("data.crop=24");
  return sets;
}

/// Where the time of forward and backward goes, layer by layer, over 20 mini-batches of noise after three that warm up.
void print_layers(const Settings& settings) {
  const std::unique_ptr<Model> model = make_model(settings);
  auto* network = dynamic_cast<Network*>(model.get());
  if (network == nullptr) return;
  const std::size_t size = settings.workers.batch;
  std::vector<float> w(model->layout().dimension()), gradient(w.size()), state(model->state_layout().dimension());
  model->initialize(1, w);
  model->initialize_state(state);
  const std::vector<float> x = gaussian(size * network->inputs());
  std::vector<std::int32_t> labels(size);
  for (std::size_t i = 0; i < size; ++i) labels[i] = static_cast<std::int32_t>(i % network->outputs());
  const Batch batch{size, x, {}, labels};
  LayerProfile profile;
  constexpr int warm = 3, passes = 20;
  for (int i = 0; i < warm + passes; ++i) {
    if (i == warm) network->attach(&profile);
    network->gradient(w, batch, gradient, state);
  }
  fmt::print("  {:<22}{:>12}{:>12}\n", "layer", "forward ms", "backward ms");
  for (const LayerTime& row : profile.rows())
    fmt::print("  {:<22}{:>12.4f}{:>12.4f}{}\n", row.layer, 1e3 * row.forward / passes, 1e3 * row.backward / passes, row.layer.starts_with("block") ? "  (its layers are above)" : "");
}

std::string usage() {
  return fmt::format(R"(qsweep_bench: what the machine does

  qsweep_bench kernels      quantizers and packing, beside what memory allows
  qsweep_bench codebooks    C steps on 16 million weights
  qsweep_bench step NETWORK [--dimension D] [--weights lab] [--gradients sq2]
                            [--set section.key=value]...
                            one training step, layer by layer; NETWORK: linear,
{}  mpirun -n P qsweep_bench exchange [--from 10] [--to 26] [--cifarnet]
                            [--gradients sq2] [--weights laq3] [--seconds S]
                            [--network NAME] [--gbits G] [--latency US]
                            [-o FILE.h5]
                            one exchange, for 2^FROM to 2^TO elements; with
                            --gbits what a network of G Gbit/s and US µs adds
)",
                     wrapped(fmt::format("{}", fmt::join(network_names(), ", ")), 28, 80));
}

int command_step(const Arguments& arguments, const Team& world) {
  po::options_description options;
  options.add_options()("dimension", po::value<std::string>(), "d")("weights", po::value<std::string>()->default_value("fp"))(
      "gradients", po::value<std::string>()->default_value("fp"))("set", po::value<Arguments>()->composing(), "section.key=value")("model", po::value<Arguments>());
  po::positional_options_description places;
  places.add("model", 1);
  po::variables_map values;
  try {
    po::store(po::command_line_parser(arguments).options(options).positional(places).run(), values);
  } catch (const po::error& e) {
    throw ConfigError(fmt::format("command line: {}; qsweep_bench --help", e.what()));
  }
  const std::string model = values.count("model") != 0 ? values["model"].as<Arguments>().front() : "linear";
  Arguments sets = preset(model);
  for (const auto& [key, option] : {std::pair{"model.dimension", "dimension"}, {"weights.quantizer", "weights"}, {"gradients.quantizer", "gradients"}})
    if (values.count(option) != 0) sets.push_back(fmt::format("{}={}", key, values[option].as<std::string>()));
  sets.push_back("optimizer.kind=adam");
  sets.push_back("optimizer.learning_rate=0.001");
  sets.push_back("run.record_every=1000000");
  if (values.count("set") != 0) std::ranges::copy(values["set"].as<Arguments>(), std::back_inserter(sets));
  const Grid grid(parse_experiment("", "command line", sets), content_hash);
  const Settings settings = grid.settings(grid.runs().front());
  DataStore data;
  data.load(world, {settings});
  Trainer trainer(settings, world, data, std::nullopt, "");
  std::vector<double> steps;
  auto last = Clock::now();
  const Record record = trainer.run([&](const Progress&) {
    steps.push_back(seconds_since(last));
    last = Clock::now();
  });
  steps.erase(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(5, steps.size() - 1)));
  const double step = median(steps), samples = static_cast<double>(settings.workers.count * settings.workers.batch);
  const double parameters = static_cast<double>(make_model(settings)->layout().dimension()), flops = 4 * parameters * samples;
  const double peak = sgemm_peak();  // on all ranks at once, as the steps were
  if (!world.is_root()) return 0;
  fmt::print("{}{}, W({})-G({}), batch {}, data {}: {:.4f} ms a step, {:.0f} samples/s\n", model, settings.model.dimension == 0 ? "" : fmt::format(" d = {}", settings.model.dimension), settings.weights.quantizer,
             settings.gradients.quantizer, settings.workers.batch, settings.data.set, 1e3 * step, samples / step);
  fmt::print("  matrix products alone at sgemm peak ({:.0f} GFLOP/s): {:.4f} ms = {:.0f} % of the step\n", peak / 1e9, 1e3 * flops / peak, 100 * flops / peak / step);
  const auto iterations = static_cast<double>(settings.run.iterations);
  for (const Dataset& d : record.datasets)
    if (d.path.starts_with("runtime/") && d.unit == "s" && d.path != "runtime/total") {
      const double share = std::get<std::vector<double>>(d.values).front();
      if (share / iterations > 1e-9) fmt::print("  {:<10} {:.4f} ms\n", d.path.substr(8), 1e3 * share / iterations);
    }
  print_layers(settings);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  use_large_pages(argv);
  flush_denormals();
  use_one_thread();
  const Mpi mpi(argc, argv);
  const Arguments arguments(argv + std::min(argc, 2), argv + argc);
  const std::string command = argc > 1 ? argv[1] : "";
  const Team world = Team::world();
  const bool help = command == "--help" || command == "-h" || std::ranges::any_of(arguments, [](const std::string& word) { return word == "--help" || word == "-h"; });
  if (help || command.empty()) {
    if (world.is_root()) fmt::print("{}", usage());
    return help ? 0 : 2;
  }
  try {
    if ((command == "kernels" || command == "codebooks") && !arguments.empty()) throw ConfigError(fmt::format("command line: {} {}: {} takes no options; qsweep_bench --help", command, arguments.front(), command));
    if (command == "kernels") return command_kernels();
    if (command == "codebooks") return command_codebooks();
    if (command == "exchange") return bench_exchange(arguments, world);
    if (command == "step") return command_step(arguments, world);
    throw ConfigError(fmt::format("command line: {}: no such command; allowed: kernels, codebooks, step, exchange (qsweep_bench --help)", command));
  } catch (const ConfigError& e) {
    if (world.is_root()) fmt::print(stderr, "qsweep_bench: {}\n", e.what());
    return 2;
  } catch (const DataError& e) {
    if (world.is_root()) fmt::print(stderr, "qsweep_bench: {}\n", e.what());
    return 3;
  }
}
