#include "train/coarse_gradient.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/errors.h"
#include "theory/two_layer_landscape.h"
#include "train/archive.h"
#include "train/ensemble.h"
#include "train/runtime.h"
#include "train/start_curves.h"

namespace qsweep {
namespace {

using Column = std::vector<double>;

/// One run.
class CoarseGradientRun {
 public:
  explicit CoarseGradientRun(const Task& task)
      : task_(task), settings_(task.settings), team_(task.team), starts_(starts_of(task)), ensemble_(make_ensemble(settings_, team_, starts_, watch_)),
        curves_(settings_.run.record_every, settings_.run.iterations, starts_.count, settings_.problem.samples != 0) {}

  Record run() {
    if (task_.saving.resume != nullptr) resume();
    else line_ = losses_along_line();
    const std::uint64_t T = settings_.run.iterations;
    for (;;) {
      const std::uint64_t t = curves_.next_after(done_, T);
      for (; done_ + 1 < t; save_if_wished()) advance(std::min(steps_between_wishes, t - 1 - done_));
      const std::vector<Observation> table = step_and_observe(t);
      if (team_.is_root()) curves_.add(t, table);
      done_ = t;
      const bool diverged = !std::ranges::all_of(table, [](const Observation& o) { return std::isfinite(o[Observed::loss]) && std::isfinite(o[Observed::w_norm]); });
      tell(t, T, table);
      if (diverged || t == T) return stored(diverged ? "diverged" : "complete");
      save_if_wished();
    }
  }

 private:
  static constexpr std::uint64_t steps_between_wishes = 16;  // a few microseconds for one start, a tenth of a second for 10,000

  void advance(std::uint64_t steps) {
    ensemble_->advance(done_ + 1, steps);
    done_ += steps;
  }

  void save_if_wished() {
    const Wish wish = task_.saving.agreed(team_);
    if (wish == Wish::go_on) return;
    Record record = stored("running");
    Archive archive = Archive::saving(team_, record);
    state(archive);
    Runtime taken = execution();
    taken.state(archive);
    archive.finish();
    task_.saving.save(std::move(record));
    if (wish == Wish::save_and_stop) throw Interrupted(fmt::format("stopped after t = {}", done_));
  }

  void resume() {
    Archive archive = Archive::restoring(team_, *task_.saving.resume);
    line_.resize(settings_.problem.line.size() * starts_.count);
    state(archive);
    Runtime taken;
    taken.state(archive);
    archive.finish(task_.saving.origin);
    ++interruptions_;
    before_ = dealt_out(taken, static_cast<std::size_t>(team_.ranks()));
  }

  void state(Archive& archive) {
    archive.shared("iterations_done", done_);
    archive.shared("interruptions", interruptions_);
    archive.of_root("line", line_);
    curves_.state(archive);
    ensemble_->state(archive);
  }

  /// What this run has taken, also before it was interrupted. Collective.
  Runtime execution() const { return together(gather_runtime(team_, watch_, ensemble_->traffic()), before_); }

  static Starts starts_of(const Task& task) {
    Starts starts;
    task.team.all_or_none([&] { starts = make_starts(task.settings); });
    return starts;
  }

  /// The observations of all starts at t, on every rank, and step t itself.
  std::vector<Observation> step_and_observe(std::uint64_t t) {
    std::vector<Observation> mine = ensemble_->observe();
    Column before;
    for (std::size_t i = 0; i < mine.size(); ++i) before.push_back(mine[i][Observed::loss]);
    ensemble_->advance(t, 1);
    Column flat;
    for (std::size_t i = 0; i < mine.size(); ++i) {
      mine[i][Observed::descent] = ensemble_->loss(i) - before[i];
      flat.insert(flat.end(), mine[i].begin(), mine[i].end());
    }
    const Timed timed(watch_, Phase::output);
    const Column all = gather(flat, Observed::items);
    std::vector<Observation> table(starts_.count);
    for (std::size_t s = 0; s < table.size(); ++s) std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(s * Observed::items), Observed::items, table[s].begin());
    return table;
  }

  /// [S, width] of the starts that ranks tell of, on every rank, in order.
  Column gather(const Column& mine, std::size_t width) const {
    std::vector<int> counts;
    for (int p = 0; p < team_.ranks(); ++p) counts.push_back(static_cast<int>(workers_of(p, team_.ranks(), starts_.count).count * width));
    Column all(starts_.count * width);
    team_.all_gather(mine, counts, all);
    return all;
  }

  /// [η, S]: the loss after one step of each size that problem.line names.
  Column losses_along_line() {
    Column line;
    for (const double eta : settings_.problem.line) {
      const Column losses = gather(ensemble_->losses_after(eta), 1);
      line.insert(line.end(), losses.begin(), losses.end());
    }
    return line;
  }

  void tell(std::uint64_t t, std::uint64_t T, const std::vector<Observation>& table) const {
    if (!task_.watch) return;
    double sum = 0;
    for (const Observation& o : table) sum += o[Observed::loss];
    task_.watch({t, T, sum / static_cast<double>(table.size())});
  }

  /// What there is to store, now. Collective.
  Record stored(const std::string& status) {
    const Timed timed(watch_, Phase::output);
    const Column tallies = gather(ensemble_->tally_rows(), tallied), v = gather(ensemble_->v(), starts_.rows), w = gather(ensemble_->w(), starts_.columns), theta = gather(ensemble_->theta(), 1);
    const std::size_t per_step = std::max<std::size_t>(1, settings_.problem.samples) * starts_.count;
    const Runtime runtime = execution();
    Record record;
    if (!team_.is_root()) return record;
    for (const auto& [key, value] : settings_.point) record.attributes[key] = value;
    record.attributes["status"] = status;
    record.attributes["iterations"] = static_cast<std::int64_t>(done_);
    record.attributes["interruptions"] = static_cast<std::int64_t>(interruptions_);
    if (status == "diverged") record.attributes["diverged_iteration"] = static_cast<std::int64_t>(done_);
    curves_.write(record);
    write_line(record);
    write_tallies(tallies, record);
    write_ends(v, w, theta, record);
    write_problem(record);
    describe(runtime, static_cast<double>(per_step) * static_cast<double>(done_), record);
    return record;
  }

  void write_line(Record& record) const {
    if (line_.empty()) return;
    const std::size_t points = settings_.problem.line.size();
    record.datasets.push_back({"curves/line/learning_rate", "weight^2/loss", "step size η", {points}, settings_.problem.line});
    record.datasets.push_back({"curves/line/loss", "loss", "loss after one step", {points, starts_.count}, line_});
  }

  void write_tallies(const Column& all, Record& record) const {
    const auto write = [&](const char* name, const char* unit, const char* label, Tallied which, bool integer) {
      Column reals;
      std::vector<std::int64_t> integers;
      for (std::size_t s = 0; s < starts_.count; ++s) {
        if (integer) integers.push_back(static_cast<std::int64_t>(all[s * tallied + which]));
        else reals.push_back(all[s * tallied + which]);
      }
      Dataset d{std::string("final/") + name, unit, label, {starts_.count}, {}};
      if (integer) d.values = std::move(integers);
      else d.values = std::move(reals);
      record.datasets.push_back(std::move(d));
    };
    write("least_w_norm", "weight", "least norm of w", least_norm, false);
    write("largest_rise", "loss", "largest change of the loss in one step", largest_rise, false);
    write("rises", "1", "steps in which the loss rose", rises, true);
    write("passes", "1", "steps in which w passed through 0", passes, true);
    write("first_pass", "1", "first iteration in which w passed through 0", first_pass, true);
  }

  /// Where each start ended, and which share ended at each kind of critical point.
  void write_ends(const Column& v, const Column& w, const Column& theta, Record& record) const {
    std::vector<std::int64_t> ends;
    Column distances, shares(critical_kinds, 0.0);
    for (std::size_t s = 0; s < starts_.count; ++s) {
      const Nearest nearest = nearest_critical_point(landscape(starts_.target_v(s)), Vector(v).subspan(s * starts_.rows, starts_.rows), theta[s]);
      const auto kind = static_cast<std::size_t>(nearest.distance <= end_tolerance ? nearest.kind : Critical::none);
      ends.push_back(static_cast<std::int64_t>(kind));
      distances.push_back(nearest.distance);
      shares[kind] += 100.0 / static_cast<double>(starts_.count);
    }
    record.datasets.push_back({"final/critical_point", "1", "critical point at the end", {starts_.count}, std::move(ends), {{"names", std::vector<std::string>(critical_names.begin(), critical_names.end())}}});
    record.datasets.push_back({"final/critical_distance", "weight", "distance from the nearest critical point in (v, θ)", {starts_.count}, std::move(distances)});
    for (std::size_t kind = 0; kind < critical_kinds; ++kind)
      record.datasets.push_back({std::string("final/share_") + critical_names[kind], "%", std::string("starts that ended at: ") + critical_names[kind], {}, Column{shares[kind]}});
    record.datasets.push_back({"final/v", "weight", "v after the last step", {starts_.count, starts_.rows}, v});
    record.datasets.push_back({"final/w", "weight", "w after the last step", {starts_.count, starts_.columns}, w});
  }

  void write_problem(Record& record) const {
    const auto write = [&](const char* name, const char* label, std::size_t width, const Column& values) {
      record.datasets.push_back({std::string("problem/") + name, "weight", label, {starts_.count, width}, values});
    };
    write("v_star", "target v*", starts_.rows, starts_.v_star);
    write("w_star", "target w*", starts_.columns, starts_.w_star);
    write("v_0", "initial v", starts_.rows, starts_.v_0);
    write("w_0", "initial w", starts_.columns, starts_.w_0);
  }

  const Task& task_;
  const Settings& settings_;
  const Team& team_;
  Stopwatch watch_;
  Starts starts_;
  std::unique_ptr<Ensemble> ensemble_;
  StartCurves curves_;
  Column line_;
  std::uint64_t done_ = 0;  ///< steps
  std::uint64_t interruptions_ = 0;
  Runtime before_;          ///< what was taken before the last interruption, by rank
};

}  // namespace

Record train_coarse_gradient(const Task& task) { return CoarseGradientRun(task).run(); }

std::size_t coarse_gradient_parts(const Settings& s) { return s.problem.samples == 0 ? s.problem.starts : s.workers.count; }

Cost coarse_gradient_cost(const Settings& s, std::size_t parts_per_rank, const Speed& speed) {
  Cost cost;
  const double m = static_cast<double>(s.problem.rows), n = static_cast<double>(s.model.dimension), starts = static_cast<double>(s.problem.starts);
  const double samples = static_cast<double>(s.problem.samples);
  cost.parameters = s.problem.rows + s.model.dimension;
  cost.iterations = s.run.iterations;
  const double evaluations = static_cast<double>(s.run.iterations + s.problem.line.size());
  const double per_start = samples == 0 ? 80e-9 + 3e-9 * m : samples * m * (4e-9 + 2e-9 * n);  // measured: error functions and angles; samples
  cost.flops_per_iteration = starts * (samples == 0 ? 10 * m : 4 * samples * m * n);
  const double points = static_cast<double>(s.run.iterations / Recorder(s.run.record_every, s.run.iterations).interval()), per_point = 220e-9;  // what is observed, and quantiles of it
  cost.core_seconds = starts * (per_start * evaluations + per_point * points + samples * m * n / speed.draws * 10) + 0.05;
  const std::size_t rows = 2 * (s.problem.rows + s.model.dimension) + 4 * Observed::items;
  cost.bytes_per_rank = 8 * s.problem.starts * rows + (s.problem.samples == 0 ? 0 : 4 * s.problem.samples / s.workers.count * parts_per_rank * s.problem.rows * s.model.dimension * s.problem.starts) + (std::size_t{60} << 20);
  return cost;
}

}  // namespace qsweep
