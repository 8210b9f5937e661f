// qsweep run experiments/distributed/dimension_linear.ini --set model.dimension=64,256
// mpirun -n 2 qsweep run …     the same on two ranks; `qsweep --help` lists the commands.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>

#include "base/cpu.h"
#include "base/errors.h"
#include "base/large_pages.h"
#include "config/experiment.h"
#include "config/grid.h"
#include "config/keys.h"
#include "config/text.h"
#include "exchange/communicator.h"
#include "model/blas.h"
#include "results/collect.h"
#include "results/diff.h"
#include "results/file.h"
#include "results/provenance.h"
#include "results/show.h"
#include "theory/bound_report.h"
#include "train/content.h"
#include "train/plan.h"
#include "train/stop.h"
#include "train/sweep.h"

namespace po = boost::program_options;
using namespace qsweep;

namespace {

using Arguments = std::vector<std::string>;

constexpr const char* help_text =
    R"(qsweep: quantized distributed training, swept over a grid

  qsweep run EXPERIMENT.ini [--set section.key=value[,value...]]... [--out DIR]
             [--team-size K] [--shard I/N] [--rerun] [--time-limit 55m]
                    trains what is not done yet; mpirun -n P qsweep run ...
  qsweep plan EXPERIMENT.ini [--set ...] [--ranks P] [--shard I/N]
                    the runs of the grid and what they take; nothing runs
  qsweep show FILE.h5 | DIR/NAME
                    a table of the runs; also while they run
  qsweep collect DIR/NAME [-o FILE.h5] [--without-weights] [--points N]
                    the runs of one experiment into one file
  qsweep diff A.h5 B.h5
                    the first curve or final value that differs to the bit
  qsweep bound --dimension D --weights laq3 --gradients sq2 [--clip C] ...
                    the theorems' constants and factors, no training
  qsweep keys [SECTION | KEY]
                    every key of an experiment file, its default and values
  qsweep info       versions, CPU, BLAS kernel, MPI, HDF5

qsweep COMMAND --help tells more. Exit codes: 0 done, 2 experiment or command
line wrong, 3 a file missing, damaged or unwritable, 75 stopped after saving
(the same command goes on), 1 anything else.
)";

/// --help was asked for: not an error, but the end of the command.
struct HelpWanted {
  std::string text;
};

/// Options of one command. HelpWanted on --help, ConfigError on anything unknown.
po::variables_map parse(const Arguments& arguments, po::options_description visible, const std::string& usage, const char* positional, int most_positional) {
  visible.add_options()("help,h", "this text");
  po::options_description all(visible);
  po::positional_options_description places;
  if (most_positional > 0) {
    all.add_options()(positional, po::value<Arguments>()->composing());
    places.add(positional, most_positional);
  }
  po::variables_map values;
  try {
    const int style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments).options(all).positional(places).style(style).run(), values);
    if (values.count("help") != 0) {
      std::ostringstream text;
      text << "usage: " << usage << "\n\n" << visible;
      throw HelpWanted{text.str()};
    }
    po::notify(values);
  } catch (const po::error& e) {
    throw ConfigError(fmt::format("command line: {}; usage: {}", e.what(), usage));
  }
  return values;
}

std::string single(const po::variables_map& values, const char* name, const std::string& usage) {
  if (values.count(name) == 0 || values[name].as<Arguments>().size() != 1) throw ConfigError(fmt::format("command line: one {} wanted; usage: {}", name, usage));
  return values[name].as<Arguments>().front();
}

/// Names and texts out of a damaged file must not command the terminal.
std::string printable(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return (c < 32 && c != '\n') || c == 127; }, '?');
  return text;
}

std::string read_text(const std::string& file) {
  const auto refuse = [&](const char* what) { throw ConfigError(fmt::format("{}: {}: name an experiment file, for example experiments/smoke.ini", file, what)); };
  std::error_code unknown;
  if (!std::filesystem::exists(file, unknown)) refuse("no such file");
  if (std::filesystem::is_directory(file, unknown)) refuse("is a folder");  // which would open, and read as nothing
  std::ifstream in(file);
  if (!in) refuse("cannot be read");
  std::ostringstream text;
  constexpr std::size_t most = std::size_t{16} << 20;  // somebody may name a results file, or a device that never ends
  std::vector<char> chunk(std::size_t{1} << 16);
  std::size_t size = 0;
  while (size <= most && (in.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || in.gcount() > 0)) {
    text.write(chunk.data(), in.gcount());
    size += static_cast<std::size_t>(in.gcount());
  }
  if (size > most) refuse("larger than 16 MiB");
  if (in.bad()) refuse("cannot be read");
  return text.str();
}

Arguments sets_of(const po::variables_map& values) { return values.count("set") != 0 ? values["set"].as<Arguments>() : Arguments{}; }

/// "I/N" with 1 ≤ I ≤ N.
std::pair<int, int> shard_of(const po::variables_map& values) {
  if (values.count("shard") == 0) return {1, 1};
  const std::string text = values["shard"].as<std::string>();
  try {
    const std::vector<std::string> parts = split(text, '/');
    const double shard = parse_real(parts.at(0)), shards = parse_real(parts.at(1));
    if (parts.size() == 2 && shard == std::floor(shard) && shards == std::floor(shards) && 1 <= shard && shard <= shards && shards <= 1e6)
      return {static_cast<int>(shard), static_cast<int>(shards)};
  } catch (const std::exception&) {
  }
  throw ConfigError(fmt::format("--shard {}: allowed: I/N with 1 ≤ I ≤ N", text));
}

double time_limit_of(const std::string& text) {
  try {
    if (const double seconds = parse_duration(text); seconds > 0) return seconds;
  } catch (const std::invalid_argument&) {
  }
  throw ConfigError(fmt::format("--time-limit {}: allowed: seconds, or numbers with s, m, h or d: 90, 55m, 1h30m", text));
}

/// COLUMNS, where somebody exported it, is a wish; else the terminal's width.
int terminal_columns() {
  if (const char* columns = std::getenv("COLUMNS"); columns != nullptr && std::atoi(columns) > 0) return std::atoi(columns);
  winsize size{};
  if (isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

po::options_description experiment_options() {
  po::options_description options("options", 80, 40);
  options.add_options()("set", po::value<Arguments>()->composing(), "section.key=value[,value...]: wins over the file");
  options.add_options()("shard", po::value<std::string>(), "I/N: only this part of the grid, 1 ≤ I ≤ N");
  return options;
}

void warn_of_slow_kernel() {
  if (const std::string advice = faster_blas_kernel(); !advice.empty())
    fmt::print(stderr, "warning: OpenBLAS uses its {} kernel, this CPU has a faster one: {}\n", blas_kernel(), advice);
}

int command_run(const Arguments& arguments, const Arguments& command_line, const Team& world) {
  const std::string usage = "qsweep run EXPERIMENT.ini [options]";
  po::options_description options = experiment_options();
  options.add_options()("out", po::value<std::string>()->default_value("results"), "folder of results: DIR/NAME/<run id>.h5");
  options.add_options()("team-size", po::value<int>(), "ranks that share a run (default: chosen from the grid)");
  options.add_options()("rerun", po::bool_switch(), "runs that are complete are done again");
  options.add_options()("time-limit", po::value<std::string>(), "55m, 1h30m: then all is saved and it ends with exit code 75");
  const po::variables_map values = parse(arguments, options, usage, "experiment", 1);
  const std::string file = single(values, "experiment", usage);
  SweepOptions sweep;
  sweep.out = values["out"].as<std::string>();
  std::tie(sweep.shard, sweep.shards) = shard_of(values);
  if (values.count("team-size") != 0) sweep.team_size = values["team-size"].as<int>();
  if (sweep.team_size && *sweep.team_size < 1) throw ConfigError(fmt::format("--team-size {}: allowed: 1 and more", *sweep.team_size));
  sweep.rerun = values["rerun"].as<bool>();
  if (values.count("time-limit") != 0) sweep.time_limit = time_limit_of(values["time-limit"].as<std::string>());
  sweep.command_line = command_line;
  std::string text;
  world.on_root([&] { text = read_text(file); });
  world.broadcast(text);
  std::optional<Grid> grid;
  world.all_or_none([&] { grid.emplace(parse_experiment(text, file, sets_of(values)), content_hashes()); });
  if (world.is_root()) warn_of_slow_kernel();
  run_sweep(*grid, sweep, world);
  return 0;
}

int command_plan(const Arguments& arguments) {
  const std::string usage = "qsweep plan EXPERIMENT.ini [options]";
  po::options_description options = experiment_options();
  options.add_options()("ranks", po::value<int>()->default_value(1), "P: ranks that would do it");
  options.add_options()("name", po::bool_switch(), "prints experiment.name alone: where results will lie below --out");
  const po::variables_map values = parse(arguments, options, usage, "experiment", 1);
  const std::string file = single(values, "experiment", usage);
  const int ranks = values["ranks"].as<int>();
  if (ranks < 1) throw ConfigError(fmt::format("--ranks {}: allowed: 1 and more", ranks));
  const auto [shard, shards] = shard_of(values);
  const Grid grid(parse_experiment(read_text(file), file, sets_of(values)), content_hashes());
  if (values["name"].as<bool>()) fmt::print("{}\n", grid.name());
  else fmt::print("{}", plan_text(grid, ranks, shard, shards, terminal_columns()));
  return 0;
}

/// The ids that the newest run's own experiment text asks for, in grid order; none if it cannot be told any more.
std::optional<Arguments> expected_ids(const std::filesystem::path& folder) {
  std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::error_code vanished;  // between listing and looking at it: then it is the oldest
    if (entry.path().extension() == ".h5") files.emplace_back(entry.last_write_time(vanished), entry.path());
  }
  std::ranges::sort(files, std::greater());
  for (const auto& [time, file] : files) try {
      const Results results = read_run_attributes(file);
      const Grid grid(parse_experiment(results.settings, file.string()), content_hashes());
      Arguments ids;
      for (const RunPlan& run : grid.runs()) ids.push_back(run.id);
      return ids;
    } catch (const std::runtime_error&) {  // not a results file, or of another version: collect names it
    }
  return std::nullopt;
}

std::string collect_text(const std::filesystem::path& folder, const std::filesystem::path& output, const CollectOptions& options) {
  if (std::filesystem::is_regular_file(folder)) throw DataError(fmt::format("{}: a file, not a folder: name DIR/NAME as `qsweep run` made it", folder.string()));
  if (!std::filesystem::is_directory(folder)) throw DataError(fmt::format("{}: no such folder: name DIR/NAME as `qsweep run` made it", folder.string()));
  const CollectReport report = collect(folder, expected_ids(folder), output, options);
  std::string text = fmt::format("{}: {} runs\n", output.string(), report.collected.size());
  const auto list = [&](const std::vector<std::string>& ids, const char* what) {
    const std::size_t told = std::min<std::size_t>(ids.size(), 3);
    if (!ids.empty()) text += fmt::format("{} {}: {}{}\n", ids.size(), what, fmt::join(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(told), " "), told < ids.size() ? " …" : "");
  };
  list(report.missing, "missing (not run yet, still running, or damaged)");
  list(report.stale, "stale, left out (not in the experiment any more)");
  for (const LeftOut& file : report.foreign) text += fmt::format("no run of this experiment, or damaged, left out: {}: {}\n", file.file, file.reason);
  if (report.settings_differ) text += "note: the runs come from differing experiment files; the newest is kept\n";
  return text;
}

int command_collect(const Arguments& arguments) {
  const std::string usage = "qsweep collect DIR/NAME [-o FILE.h5] [--without-weights] [--points N]";
  po::options_description options("options");
  options.add_options()("output,o", po::value<std::string>(), "default: DIR/NAME.h5")("without-weights", "leave the final weights out: a small file")(
      "points", po::value<int>(), "keep so many rows of each curve at most, first and last among them");
  const po::variables_map values = parse(arguments, options, usage, "folder", 1);
  std::filesystem::path folder = single(values, "folder", usage);
  if (!folder.has_filename()) folder = folder.parent_path();  // a trailing slash
  const std::filesystem::path output = values.count("output") != 0 ? std::filesystem::path(values["output"].as<std::string>()) : folder.parent_path() / (folder.filename().string() + ".h5");
  CollectOptions what{.weights = values.count("without-weights") == 0};
  if (values.count("points") != 0) {
    const int points = values["points"].as<int>();
    if (points < 2) throw ConfigError(fmt::format("--points {}: allowed: 2 and more", points));
    what.points = static_cast<std::size_t>(points);
  }
  fmt::print("{}", printable(collect_text(folder, output, what)));
  return 0;
}

int command_show(const Arguments& arguments) {
  const std::string usage = "qsweep show FILE.h5 | DIR/NAME";
  const po::variables_map values = parse(arguments, po::options_description("options"), usage, "file", 1);
  fmt::print("{}", show(single(values, "file", usage), {terminal_columns()}));
  return 0;
}

int command_diff(const Arguments& arguments) {
  const std::string usage = "qsweep diff A.h5 B.h5";
  const po::variables_map values = parse(arguments, po::options_description("options"), usage, "files", 2);
  if (values.count("files") == 0 || values["files"].as<Arguments>().size() != 2) throw ConfigError("command line: two files wanted; usage: " + usage);
  const Comparison comparison = diff(values["files"].as<Arguments>()[0], values["files"].as<Arguments>()[1]);
  for (const std::string& run : comparison.only_a) fmt::print("run {}: only in the first file\n", run);
  for (const std::string& run : comparison.only_b) fmt::print("run {}: only in the second file\n", run);
  if (comparison.first) fmt::print("{}\n", printable(comparison.first->text()));
  else if (comparison.runs == 0) fmt::print("no run is in both\n");
  else fmt::print("{} datasets of {} runs are equal to the bit\n", comparison.datasets, comparison.runs);
  return comparison.equal() ? 0 : 1;
}

int command_bound(const Arguments& arguments) {
  const std::string usage = "qsweep bound --dimension D --weights laq3 --gradients sq2 [--clip C] ...";
  BoundRequest r;
  po::options_description options("options", 80, 40);
  double clip = 0;
  options.add_options()("dimension", po::value(&r.dimension)->required(), "d")("weights", po::value(&r.weights)->default_value(r.weights), "fp, lab, lat, laqM, logM")(
      "gradients", po::value(&r.gradients)->default_value(r.gradients), "fp, sqM")("clip", po::value(&clip), "c, in standard deviations (default: none)")(
      "workers", po::value(&r.workers)->default_value(r.workers), "N")("iterations", po::value(&r.iterations)->default_value(r.iterations), "T")(
      "eta", po::value(&r.eta)->default_value(r.eta, fmt::format("{:g}", r.eta)), "η of η/√t")("beta2", po::value(&r.beta)->default_value(r.beta, fmt::format("{:g}", r.beta)), "β of the second moment")(
      "gradient-infinity", po::value(&r.gradient_infinity)->default_value(r.gradient_infinity), "G_inf, largest gradient entry")(
      "lipschitz", po::value(&r.lipschitz)->default_value(r.lipschitz), "L")("radius", po::value(&r.radius)->default_value(r.radius, fmt::format("{:g}", r.radius)), "r of the box")(
      "alpha", po::value(&r.alpha)->default_value(r.alpha, fmt::format("{:g}", r.alpha)), "weight scale α")("sigma", po::value(&r.sigma)->default_value(r.sigma, fmt::format("{:g}", r.sigma)), "σ of a gradient entry");
  const po::variables_map values = parse(arguments, options, usage, "", 0);
  if (values.count("clip") != 0) r.clip = clip;
  fmt::print("{}", bound_report(r));
  return 0;
}

int command_keys(const Arguments& arguments) {
  const std::string usage = "qsweep keys [SECTION | KEY]";
  const po::variables_map values = parse(arguments, po::options_description("options"), usage, "section", 1);
  const std::string section = values.count("section") != 0 ? values["section"].as<Arguments>().front() : "";
  fmt::print("{}", keys_text(section, terminal_columns()));
  return 0;
}

int command_info(const Arguments& arguments) {
  parse(arguments, po::options_description("options"), "qsweep info", "", 0);
  const Build b = build();
  const auto columns = static_cast<std::size_t>(terminal_columns());
  fmt::print("qsweep      {} ({})\ncompiler    {}\n", b.version, b.commit, b.compiler);
  fmt::print("flags       {}", wrapped(fmt::format("{} {}", b.type, b.flags), 12, columns).substr(12));
  fmt::print("CPU         {}, kernels {}\n", cpu_model(), name(simd()));
  fmt::print("BLAS        {}, kernel {}{}\n", blas_version(), blas_kernel(), faster_blas_kernel().empty() ? "" : fmt::format(" (a faster one is possible: {})", faster_blas_kernel()));
  fmt::print("MPI         {}\nHDF5        {}\n", Mpi::library_version(), hdf5_version());
  return 0;
}

const std::vector<std::pair<std::string, std::function<int(const Arguments&)>>> commands = {
    {"plan", command_plan}, {"collect", command_collect}, {"show", command_show}, {"diff", command_diff},
    {"bound", command_bound}, {"keys", command_keys}, {"info", command_info}};

/// Exit code of what `work` returns or throws. What all ranks share is told by one.
int report_errors(const std::function<int()>& work, bool tells) {
  const auto tell = [&](const char* text) {
    if (tells) fmt::print(stderr, "qsweep: {}\n", printable(text));
  };
  try {
    return work();
  } catch (const HelpWanted& help) {
    if (tells) fmt::print("{}", help.text);
    return 0;
  } catch (const ConfigError& e) {
    tell(e.what());
    return 2;
  } catch (const DataError& e) {
    tell(e.what());
    return 3;
  } catch (const Interrupted& e) {
    tell(e.what());
    return 75;
  }
}

int run_on_ranks(int argc, char** argv, const Arguments& arguments) {
  StopRequest::listen();
  const Mpi mpi(argc, argv);
  try {
    const Team world = Team::world();
    return report_errors([&] { return command_run(arguments, Arguments(argv, argv + argc), world); }, world.is_root());
  } catch (const std::exception& e) {  // not shared by all ranks: the others would wait for ever
    fmt::print(stderr, "qsweep: {}\n", e.what());
    Mpi::abort(1);
  }
}

int run_alone(const std::string& command, const Arguments& arguments) {
  for (const auto& [name, run] : commands)
    if (name == command) return run(arguments);
  throw ConfigError(fmt::format("command line: {}: no such command; allowed: run, plan, show, collect, diff, bound, keys, info (qsweep --help)", command));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "run") use_large_pages(argv);
  flush_denormals();
  use_one_thread();
  std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit then shows as a failed write
  const Arguments arguments(argv + std::min(argc, 2), argv + argc);
  const std::string command = argc > 1 ? argv[1] : "--help";
  if (command == "run") return run_on_ranks(argc, argv, arguments);
  const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");  // under mpirun one rank is enough for these
  if (rank != nullptr && std::string(rank) != "0") return 0;
  if (command == "--help" || command == "-h" || command == "help") {
    fmt::print("{}", help_text);
    return argc > 1 ? 0 : 2;
  }
  if (command == "--version") {
    fmt::print("qsweep {} ({})\n", build().version, build().commit);
    return 0;
  }
  try {
    return report_errors([&] { return run_alone(command, arguments); }, true);
  } catch (const std::exception& e) {
    fmt::print(stderr, "qsweep: {}\n", e.what());
    return 1;
  }
}
