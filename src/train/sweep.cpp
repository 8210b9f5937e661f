#include "train/sweep.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <thread>
#include <utility>

#include "base/errors.h"
#include "config/keys.h"
#include "results/checkpoint.h"
#include "results/file.h"
#include "results/provenance.h"
#include "train/adopt.h"
#include "train/archive.h"
#include "train/claim.h"
#include "train/cost.h"
#include "train/environment.h"
#include "train/leftovers.h"
#include "train/method.h"
#include "train/progress.h"
#include "train/stop.h"

namespace qsweep {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t nothing_left = UINT64_MAX, wait_a_moment = UINT64_MAX - 1, stop_now = UINT64_MAX - 2;

/// Which file stands under a name; none: no file. A new one written there differs in its inode, whatever the clocks say.
struct FileVersion {
  ino_t inode = 0;
  std::int64_t seconds = 0, nanoseconds = 0;
  bool operator==(const FileVersion&) const = default;
};

std::optional<FileVersion> version_of(const fs::path& file) {
  struct stat found{};
  if (::stat(file.c_str(), &found) != 0) return std::nullopt;
  return FileVersion{found.st_ino, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

/// Results that are there when the sweep begins and are to be done again (--rerun), by index of the run.
using Outdated = std::vector<std::optional<FileVersion>>;

/// Empty if there is none, or it is no text.
std::string text_of(const Attributes& attributes, const char* name) {
  const auto found = attributes.find(name);
  const auto* text = found == attributes.end() ? nullptr : std::get_if<std::string>(&found->second);
  return text == nullptr ? "" : *text;
}

/// One team's share of a sweep.
class TeamSweep {
 public:
  TeamSweep(const Grid& grid, const SweepOptions& options, const fs::path& folder, const Team& world, const Team& team, DataStore& data, std::vector<std::uint32_t> order,
            const std::vector<double>& costs, const Outdated& outdated, ProgressBoard& board, const Results& header)
      : grid_(grid), options_(options), folder_(folder), world_(world), team_(team), data_(data), order_(std::move(order)), costs_(costs), outdated_(outdated), board_(board),
        header_(header), stop_(options.time_limit), done_(grid.runs().size(), false) {}

  void work() {
    while (!interrupted_) {
      std::uint64_t run = nothing_left;
      team_.on_root([&] { run = claim(); });
      run = team_.broadcast(run);
      if (run == nothing_left) return;
      if (run == stop_now) interrupted_ = true;
      else if (run != wait_a_moment) train(static_cast<std::uint32_t>(run));
      if (run != wait_a_moment) continue;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      if (team_.is_root()) board_.idle();
    }
  }
  std::size_t trained() const { return trained_; }  ///< on the team's root
  const std::vector<std::string>& diverged() const { return diverged_; }
  std::size_t without_reference() const { return without_reference_; }
  bool interrupted() const { return interrupted_; }  ///< on every rank
  const StopRequest& stop() const { return stop_; }

 private:
  fs::path file_of(const RunPlan& run) const { return folder_ / (run.id + ".h5"); }

  /// The next run for this team, claimed; or nothing, or that a reference is still in somebody's hands.
  std::uint64_t claim() {
    bool waiting = false, busy = false;
    for (const std::uint32_t i : order_) {
      const RunPlan& run = grid_.runs()[i];
      if (done_[i]) continue;
      if (run.reference && !reference_ready(i, waiting)) continue;
      if (finished(i)) {
        done_[i] = true;
        continue;
      }
      if (stop_.made()) return stop_now;  // something is left to do, and it is not begun
      auto claim = std::make_unique<Claim>(folder_ / (run.id + ".lock"));
      if (!claim->held()) {  // in somebody else's hands
        busy = true;
        continue;
      }
      if (finished(i)) {
        done_[i] = true;
        continue;
      }
      claim_ = std::move(claim);
      looked_twice_ = false;
      return i;
    }
    // A lock may be held for a moment only, by a process that looks for leftovers or that has just failed.
    if (waiting && stop_.made()) return stop_now;
    if (waiting || (busy && !std::exchange(looked_twice_, true))) return wait_a_moment;
    return nothing_left;
  }

  /// By anybody; with --rerun a file of before does not count.
  bool finished(std::uint32_t i) const {
    const std::optional<FileVersion> version = version_of(file_of(grid_.runs()[i]));
    return version && version != outdated_[i];
  }

  bool reference_ready(std::uint32_t i, bool& waiting) {
    const RunPlan& reference = grid_.runs()[*grid_.runs()[i].reference];
    if (!finished(*grid_.runs()[i].reference)) {
      waiting = true;
      return false;
    }
    const Results results = read_run_attributes(file_of(reference));
    if (results.runs.empty() || text_of(results.runs[0].attributes, "status") != "diverged") return true;
    ++without_reference_;
    done_[i] = true;
    return false;
  }

  std::optional<InitialWeights> initial_weights(const RunPlan& run, const Settings& settings) const {
    if (!run.reference && settings.model.initial.empty()) return std::nullopt;
    const auto [file, id] = run.reference ? std::pair(file_of(grid_.runs()[*run.reference]).string(), std::string()) : initial_file(settings.model.initial);
    InitialWeights initial;
    for (auto& [name, tensor] : read_weights(file, id)) initial[name] = {std::move(tensor.shape), std::move(tensor.values)};
    return initial;
  }

  void train(std::uint32_t i) {
    const std::unique_ptr<Claim> claim = std::move(claim_);  // given back on every way out: others may wait for this very run
    const RunPlan& run = grid_.runs()[i];
    const Settings settings = grid_.settings(run);
    const auto started = std::chrono::system_clock::now();
    const Checkpoints checkpoints(folder_, run.id);
    const auto complete = [&](Record& record) {  // by what the run does not know of itself
      record.id = run.id;
      record.groups["provenance"] = provenance_of(world_, team_, options_.command_line, started);
      Results results = header_;
      results.runs.push_back(std::move(record));
      return results;
    };
    Task task{settings, team_, data_};
    team_.all_or_none([&] { task.initial = initial_weights(run, settings); });
    task.watch = [&](const Progress& p) {
      if (team_.is_root()) board_.update(p.iteration, p.iterations, p.average_loss, costs_[i]);
    };
    const std::optional<Record> checkpoint = newest_checkpoint(checkpoints, i, task);
    if (checkpoint) task.saving.resume = &*checkpoint;
    auto saved = std::chrono::steady_clock::now();
    task.saving.wish = [&] {
      if (stop_.made()) return Wish::save_and_stop;
      const double every = settings.run.checkpoint_every, since = std::chrono::duration<double>(std::chrono::steady_clock::now() - saved).count();
      return every > 0 && since >= every ? Wish::save : Wish::go_on;
    };
    task.saving.save = [&](Record record) {
      team_.on_root([&] {
        record.groups[Archive::group] = kernels_here();
        record.groups[Archive::group]["version"] = checkpoint_version;
        checkpoints.write(complete(record));
      });
      saved = std::chrono::steady_clock::now();
    };
    Record record;
    try {
      record = method_of(settings).train(task);
    } catch (const Interrupted& stopped) {
      if (team_.is_root()) board_.note(fmt::format("{}: {}", run.id, stopped.what()));
      interrupted_ = true;
      return;
    }
    team_.on_root([&] {
      if (std::get<std::string>(record.attributes["status"]) == "diverged") diverged_.push_back(run.id);
      write_results(file_of(run), complete(record));
      checkpoints.remove();
      done_[i] = true;
      ++trained_;
      board_.run_done(costs_[i]);
    });
  }

  /// Where the run goes on, if it was begun before: on every rank or on none, the content on the root. Collective.
  std::optional<Record> newest_checkpoint(const Checkpoints& checkpoints, std::uint32_t i, Task& task) const {
    const std::string& id = grid_.runs()[i].id;
    std::optional<Record> found;
    team_.on_root([&] {
      for (const Checkpoints::File& file : checkpoints.newest_first()) {
        try {
          found = checkpoints.read(file);
        } catch (const DataError& damaged) {
          board_.note(fmt::format("warning: {}; passed over", damaged.what()));
          continue;
        }
        Checkpoints::require_version(file, *found);
        const std::string differs = require_same_kernels(file.path.string(), found->groups[Archive::group]);
        if (!differs.empty()) board_.note(fmt::format("warning: {}: last bits may differ from those of an uninterrupted run: {}", id, differs));
        const std::uint64_t limit = estimate(task.settings, 1).iterations;
        task.saving.origin = file.path.string();
        board_.note(fmt::format("{}: goes on after t = {}{}", id, file.iteration, limit == 0 ? "" : fmt::format("/{}", limit)));
        return;
      }
    });
    if (team_.broadcast(std::uint64_t{found ? 1U : 0U}) == 1 && !found) found.emplace();
    return found;
  }

  const Grid& grid_;
  const SweepOptions& options_;
  const fs::path& folder_;
  const Team& world_;
  const Team& team_;
  DataStore& data_;
  std::vector<std::uint32_t> order_;
  const std::vector<double>& costs_;
  const Outdated& outdated_;
  ProgressBoard& board_;
  const Results& header_;
  StopRequest stop_;
  bool interrupted_ = false;
  std::vector<bool> done_;
  bool looked_twice_ = false;
  std::unique_ptr<Claim> claim_;  ///< of the run that claim() returned; on the team's root
  std::size_t trained_ = 0, without_reference_ = 0;
  std::vector<std::string> diverged_;
};

void make_folder(const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) throw DataError(fmt::format("{}: cannot be made ({}): choose another folder with --out", folder.string(), failed.message()));
  if (::access(folder.c_str(), W_OK) != 0) throw DataError(fmt::format("{}: cannot be written: choose another folder with --out", folder.string()));
}

/// Says how many runs are there already, and if another version of the program made them; gives those that someone copied from another
/// experiment this one's header. DataError for a file that is not ours.
void report_finished(const Grid& grid, const std::vector<std::uint32_t>& order, const fs::path& folder, const Results& header, bool rerun) {
  std::size_t finished = 0, other_commit = 0, copies = 0;
  const std::string commit = build().commit;
  for (const std::uint32_t i : order) {
    const fs::path file = folder / (grid.runs()[i].id + ".h5");
    if (!fs::exists(file)) continue;
    const Results results = read_run_attributes(file);  // also before --rerun: nothing of another program is overwritten
    const auto provenance = results.runs.empty() || !results.runs[0].groups.contains("provenance") ? Attributes{} : results.runs[0].groups.at("provenance");
    if (text_of(provenance, "commit") != commit) ++other_commit;
    ++finished;
    if (rerun || results.experiment == header.experiment) continue;
    adopt_copy(file, header);
    ++copies;
  }
  if (finished == 0) return;
  if (copies > 0) fmt::print("{} copied from other experiments and {} now of {}\n", copies == 1 ? "1 run was" : fmt::format("{} runs were", copies), copies == 1 ? "is" : "are", grid.name());
  if (rerun) fmt::print("{} of {} runs are complete and will be done again (--rerun)\n", finished, order.size());
  else fmt::print("{} of {} runs are complete and skipped (--rerun does them again)\n", finished, order.size());
  if (other_commit != 0 && !rerun) fmt::print("warning: {} of these were made by another version of qsweep (this is {})\n", other_commit, commit);
  std::fflush(stdout);
}

/// What was done, what was not and why, and what to do next.
void report_end(const TeamSweep& sweep, const Grid& grid, const std::vector<std::uint32_t>& order, const fs::path& folder, const std::string& program, const Team& world, std::size_t to_do,
                std::chrono::steady_clock::time_point start, bool interrupted) {
  std::vector<std::uint64_t> counts = {sweep.diverged().size(), sweep.trained()};
  world.sum(counts);
  std::vector<double> without_reference = {static_cast<double>(sweep.without_reference())};  // every team finds the same
  world.max(without_reference);
  if (!world.is_root()) return;
  const auto absent = static_cast<std::size_t>(std::ranges::count_if(order, [&](std::uint32_t i) { return !fs::exists(folder / (grid.runs()[i].id + ".h5")); }));
  const std::size_t left_out = static_cast<std::size_t>(without_reference[0]), elsewhere = absent - std::min(absent, left_out);
  fmt::print("{} of {} runs done in {}; results in {}\n", counts[1], to_do, duration_text(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()), folder.string());
  if (counts[0] > 0) fmt::print("{} diverged (marked in `qsweep show`)\n", counts[0]);
  if (left_out > 0) fmt::print("{} were left out: the reference they start from diverged\n", left_out);
  if (interrupted) fmt::print("{} are left\n", elsewhere);
  else if (elsewhere > 0) fmt::print("another process has {} of the runs in hand; the same command later does what it leaves\n", elsewhere);
  std::fflush(stdout);
  if (!interrupted) fmt::print("next: {0} show {1}\n      {0} collect {1}\n", program, folder.string());
}

/// Of the ranks that were asked to stop, what the first of them was asked by: a signal may have reached some only.
std::string reason_everywhere(const StopRequest& stop, const Team& world) {
  std::string reason = stop.reason();
  double asked = reason.empty() ? -1 : world.ranks() - world.rank();
  world.max(std::span(&asked, 1));
  world.broadcast(reason, world.ranks() - static_cast<int>(asked));
  return reason;
}

std::vector<Settings> settings_by_data(const Grid& grid, const std::vector<std::uint32_t>& order) {
  std::map<std::string, Settings> distinct;
  for (const std::uint32_t i : order) {
    Settings s = grid.settings(grid.runs()[i]);
    if (s.data.none()) continue;
    const std::string key = s.point.at("data.set") + " " + s.point.at("data.limit");
    distinct.try_emplace(key, std::move(s));
  }
  std::vector<Settings> list;
  for (auto& [key, s] : distinct) list.push_back(std::move(s));
  return list;
}

}  // namespace

int automatic_team_size(int ranks, std::size_t runs, std::size_t most_parts) {
  if (runs >= 2 * static_cast<std::size_t>(ranks)) return 1;
  return static_cast<int>(std::min(static_cast<std::size_t>(ranks), most_parts));
}

std::vector<std::uint32_t> claim_order(const Grid& grid, int shard, int shards) {
  std::vector<std::uint32_t> order;
  std::vector<int> shard_of(grid.runs().size());
  int roots = 0;  // runs that depend on nothing are dealt out; a dependant stays in its reference's shard
  for (std::uint32_t i = 0; i < grid.runs().size(); ++i) {
    const std::optional<std::uint32_t> reference = grid.runs()[i].reference;
    shard_of[i] = reference ? shard_of[*reference] : roots++ % shards;
    if (shard_of[i] == shard - 1) order.push_back(i);
  }
  std::vector<double> cost(grid.runs().size());
  for (const std::uint32_t i : order) cost[i] = estimate(grid.settings(grid.runs()[i]), 1).core_seconds;
  std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) {
    const bool first_a = grid.runs()[a].is_reference(), first_b = grid.runs()[b].is_reference();
    return first_a != first_b ? first_a : cost[a] > cost[b];
  });
  return order;
}

void run_sweep(const Grid& grid, const SweepOptions& options, const Team& world) {
  const auto watch = std::chrono::steady_clock::now();
  const fs::path folder = options.out / grid.name();
  const std::vector<std::uint32_t> order = claim_order(grid, options.shard, options.shards);
  world.on_root([&] {
    make_folder(folder);
    remove_leftovers(folder, options.rerun);
    if (options.team_size.value_or(1) > world.ranks()) fmt::print("note: --team-size {} of {} rank{}: teams of {}\n", *options.team_size, world.ranks(), world.ranks() == 1 ? "" : "s", world.ranks());
    const Results header{grid.name(), grid.effective_text(), grid.axes(), {}};
    const std::size_t references = options.rerun ? 0 : adopt_references(grid, order, folder, header);
    if (references > 0) fmt::print("{} in other experiments of {} and {} copied\n", references == 1 ? "1 reference is complete" : fmt::format("{} references are complete", references), options.out.string(), references == 1 ? "was" : "were");
    report_finished(grid, order, folder, header, options.rerun);
    if (order.empty()) fmt::print("shard {}/{} of {} runs is empty\n", options.shard, options.shards, grid.runs().size());
  });
  std::size_t most_parts = 1, to_do = 0;
  std::vector<std::uint32_t> open;  // runs not done yet: what rank 0 finds counts, as others may be finishing runs meanwhile
  std::vector<double> costs(grid.runs().size(), 0.0);
  double total = 0;
  Outdated outdated(grid.runs().size());
  for (const std::uint32_t i : order) {
    const Settings s = grid.settings(grid.runs()[i]);
    most_parts = std::max(most_parts, method_of(s).parts(s));
    costs[i] = estimate(s, 1).core_seconds;
    const std::optional<FileVersion> version = version_of(folder / (grid.runs()[i].id + ".h5"));
    if (options.rerun) outdated[i] = version;
    if (options.rerun || !version) open.push_back(i), total += costs[i];
  }
  open.resize(to_do = world.broadcast(static_cast<std::uint64_t>(open.size())));
  world.broadcast(std::as_writable_bytes(std::span(open)));
  check_ranks_agree(world);  // all have counted before anybody writes
  if (to_do == 0) return;
  const int size = options.team_size ? std::min(*options.team_size, world.ranks()) : automatic_team_size(world.ranks(), to_do, most_parts);
  Watchdog watchdog(Watchdog::limit_from_environment(), world.rank());
  Team team = world.split(world.rank() / size);
  team.watch(watchdog);
  DataStore data;
  data.load(world, settings_by_data(grid, open));
  Results header;
  if (team.is_root()) header = {grid.name(), grid.effective_text(), grid.axes(), {}};
  ProgressBoard board(world, world.rank() / size, (world.ranks() + size - 1) / size, to_do, total);
  TeamSweep sweep(grid, options, folder, world, team, data, order, costs, outdated, board, header);
  std::exception_ptr failure;
  try {
    sweep.work();
  } catch (const ConfigError&) {
    failure = std::current_exception();
  } catch (const DataError&) {
    failure = std::current_exception();
  }
  if (team.is_root()) board.finish();
  world.all_or_none([&] {
    if (failure) std::rethrow_exception(failure);
  });
  std::uint64_t interrupted = sweep.interrupted() ? 1 : 0;
  world.sum(std::span(&interrupted, 1));
  report_end(sweep, grid, order, folder, options.command_line.empty() ? "qsweep" : options.command_line.front(), world, to_do, watch, interrupted != 0);
  if (interrupted != 0) throw Interrupted(fmt::format("stopped by {} after saving: the same command goes on", reason_everywhere(sweep.stop(), world)));
}

}  // namespace qsweep
