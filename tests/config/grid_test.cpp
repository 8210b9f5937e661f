// Axes, unions, zips, references, --set, the effective text.
#include <chrono>
#include <set>

#include "config/helpers.h"
#include "slowdown.h"

namespace qsweep {
namespace {

using test::grid_of;
using test::ids;
using test::sorted_ids;
using test::values;
using Strings = std::vector<std::string>;

const std::string base = "[run]\niterations = 5\n";

TEST(Grid, a_comma_makes_an_axis_and_the_last_axis_runs_fastest) {
  const Grid grid = grid_of(base + "seed = 3, 4\n[model]\ndimension = 8, 16, 32\n");
  EXPECT_EQ(values(grid, "run.seed"), (Strings{"3", "3", "3", "4", "4", "4"}));
  EXPECT_EQ(values(grid, "model.dimension"), (Strings{"8", "16", "32", "8", "16", "32"}));
  EXPECT_EQ(grid.axes(), (Strings{"model.dimension", "run.seed"}));
  const auto all = ids(grid);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 6U);
}

TEST(Grid, equal_values_and_equal_runs_are_merged) {
  EXPECT_EQ(grid_of(base + "seed = 1, 1.0, 2, +1\n").runs().size(), 2U);
  EXPECT_EQ(
      grid_of("[sweep.a]\nrun.iterations = 5\nrun.seed = 1, 2\n[sweep.b]\nrun.iterations = 5\nrun.seed = 2, 3\n").runs().size(),
      3U);
}

TEST(Grid, a_key_without_meaning_collapses) {
  const Grid grid = grid_of(base + "[gradients]\nquantizer = fp, sq2\nclip = none, 2, 3\n");
  EXPECT_EQ(values(grid, "gradients.quantizer"), (Strings{"fp", "sq2", "sq2", "sq2"}));
  EXPECT_EQ(values(grid, "gradients.clip"), (Strings{"-", "none", "2", "3"}));
  EXPECT_EQ(ids(grid).at(0), ids(grid_of(base)).at(0)) << "a collapsed run is the plain run";
}

TEST(Grid, axes_are_keys_with_more_than_one_value) {
  // Keys that only one of the networks knows have one value and no meaning elsewhere: not an axis.
  const Grid grid = grid_of(
      "[sweep.a]\nrun.iterations = 5\n[sweep.b]\nrun.iterations = 5\ndata.set = synthetic_images\nmodel.kind = "
      "mlp\noptimizer.projection = 0.5\n");
  EXPECT_EQ(grid.axes(), (Strings{"data.set", "model.kind"}));
  EXPECT_EQ(grid_of(base).axes(), Strings{});
}

TEST(Grid, the_grid_is_the_union_of_the_sweeps_over_the_base) {
  const Grid grid =
      grid_of(base + "seed = 1, 2\n[sweep.small]\nmodel.dimension = 8\n[sweep.large]\nmodel.dimension = 512, 1024\nrun.seed = 7\n");
  EXPECT_EQ(values(grid, "model.dimension"), (Strings{"8", "8", "512", "1024"}));
  EXPECT_EQ(values(grid, "run.seed"), (Strings{"1", "2", "7", "7"}));
}

TEST(Grid, a_sweep_without_keys_is_the_base) {
  EXPECT_EQ(values(grid_of(base + "[sweep.plain]\n[sweep.other]\nmodel.dimension = 8\n"), "model.dimension"),
            (Strings{"256", "8"}));
}

TEST(Grid, zipped_axes_advance_together) {
  const Grid grid = grid_of(
      "[sweep]\nzip = workers.count run.iterations\n[workers]\ncount = 1, 2, 4\n[run]\niterations = 40, 20, 20\nseed = 1, 2\n");
  EXPECT_EQ(values(grid, "workers.count"), (Strings{"1", "1", "2", "2", "4", "4"}));
  EXPECT_EQ(values(grid, "run.iterations"), (Strings{"40", "40", "20", "20", "20", "20"})) << "repeated values keep their places";
  EXPECT_EQ(values(grid, "run.seed"), (Strings{"1", "2", "1", "2", "1", "2"}));
}

TEST(Grid, a_zip_of_one_sweep) {
  const Grid grid = grid_of(base +
                            "[sweep.zipped]\nzip = model.dimension workers.count run.seed\nmodel.dimension = 8, 16\nworkers.count "
                            "= 1, 2\nrun.seed = 5, 6\n[sweep.product]\nmodel.dimension = 8, 16\nworkers.count = 3, 4\n");
  EXPECT_EQ(values(grid, "model.dimension"), (Strings{"8", "16", "8", "8", "16", "16"}));
  EXPECT_EQ(values(grid, "workers.count"), (Strings{"1", "2", "3", "4", "3", "4"}));
}

TEST(Grid, a_zip_of_the_base_reaches_axes_of_a_sweep) {
  const Grid grid = grid_of(base +
                            "[sweep]\nzip = model.dimension workers.count\n[sweep.a]\nmodel.dimension = 8, 16\nworkers.count = 1, "
                            "2\n[sweep.b]\nrun.seed = 9\n");
  EXPECT_EQ(values(grid, "model.dimension"), (Strings{"8", "16", "256"}));
}

const std::string referenced = base +
                               "[model]\ndimension = 8, 16\n[weights]\nquantizer = lab, laq2, laq3\n[reference]\nweights.quantizer "
                               "= fp\nrun.iterations = 50\n";

TEST(Grid, references_are_runs_of_their_own_that_come_first) {
  const Grid grid = grid_of(referenced);
  ASSERT_EQ(grid.runs().size(), 8U) << "one reference for each dimension";
  std::set<std::uint32_t> references;
  for (std::uint32_t i = 0; i < grid.runs().size(); ++i) {
    const RunPlan& run = grid.runs()[i];
    const Settings s = grid.settings(run);
    EXPECT_NE(run.is_reference(), run.reference.has_value());
    if (run.is_reference()) {
      EXPECT_EQ(s.weights.quantizer, "fp");
      EXPECT_EQ(s.run.iterations, 50U);
      EXPECT_EQ(s.model.initial, "") << "a reference starts from drawn weights";
      continue;
    }
    ASSERT_LT(*run.reference, i);
    references.insert(*run.reference);
    const RunPlan& reference = grid.runs()[*run.reference];
    EXPECT_TRUE(reference.is_reference());
    EXPECT_EQ(grid.settings(reference).model.dimension, s.model.dimension) << "the reference of its own point";
    EXPECT_EQ(s.model.initial, "reference " + reference.id);
  }
  EXPECT_EQ(references.size(), 2U);
}

TEST(Grid, where_a_run_starts_is_no_axis) {
  EXPECT_EQ(grid_of(referenced, {"reference.run.iterations=5", "run.seed=1,2"}).axes(), (Strings{"model.dimension", "weights.quantizer", "run.seed"}))
      << "each dimension and seed has a reference of its own";
}

TEST(Grid, a_reference_has_the_id_that_it_has_alone) {
  const Strings with = sorted_ids(grid_of(referenced));
  for (const std::string& alone : ids(grid_of("[run]\niterations = 50\n[model]\ndimension = 8, 16\n")))
    EXPECT_TRUE(std::ranges::binary_search(with, alone));
  for (const std::string& plain : ids(grid_of(base + "[model]\ndimension = 8\n[weights]\nquantizer = lab, laq2, laq3\n")))
    EXPECT_FALSE(std::ranges::binary_search(with, plain)) << "where a run starts from is part of its id";
  const Grid longer = grid_of(referenced, {"reference.run.iterations=51"});
  EXPECT_TRUE(std::ranges::none_of(ids(longer), [&](const std::string& id) { return std::ranges::binary_search(with, id); }))
      << "and so is what its reference does";
}

TEST(Grid, a_point_that_is_its_own_reference_depends_on_nothing) {
  const Grid grid = grid_of(base + "[weights]\nquantizer = lab, fp, laq2\n[reference]\nweights.quantizer = fp\n");
  ASSERT_EQ(grid.runs().size(), 3U);
  EXPECT_EQ(values(grid, "weights.quantizer"), (Strings{"fp", "lab", "laq2"}));
  EXPECT_TRUE(grid.runs()[0].is_reference() && !grid.runs()[0].reference);
  EXPECT_EQ(grid.runs()[1].reference, 0U);
  EXPECT_EQ(grid.runs()[2].reference, 0U);
}

const std::string chained = base +
                            "[weights]\nquantizer = laq3, laq4\n[reference]\nweights.quantizer = lab\nrun.iterations = 50\nreference.weights.quantizer = "
                            "fp\n[reference.reference]\noptimizer.learning_rate = 0.5\n";

TEST(Grid, a_reference_may_have_a_reference) {
  const Grid grid = grid_of(chained);
  ASSERT_EQ(values(grid, "weights.quantizer"), (Strings{"fp", "lab", "laq3", "laq4"}));
  EXPECT_EQ(values(grid, "run.iterations"), (Strings{"50", "50", "5", "5"})) << "a reference's reference begins as that one";
  EXPECT_EQ(values(grid, "optimizer.learning_rate"), (Strings{"0.5", "0.01", "0.01", "0.01"}));
  EXPECT_EQ(grid.settings(grid.runs()[1]).model.initial, "reference " + grid.runs()[0].id);
  EXPECT_EQ(grid.runs()[1].reference, 0U);
  EXPECT_EQ(grid.runs()[2].reference, 1U);
  EXPECT_EQ(grid.runs()[3].reference, 1U);
  EXPECT_TRUE(grid.runs()[0].is_reference() && grid.runs()[1].is_reference() && !grid.runs()[2].is_reference());
  const Strings middle = sorted_ids(grid_of("[run]\niterations = 50\n[weights]\nquantizer = lab\n[reference]\nweights.quantizer = fp\noptimizer.learning_rate = 0.5\n"));
  for (const std::string& id : middle) EXPECT_TRUE(std::ranges::binary_search(sorted_ids(grid), id)) << "the chain's first two runs are those of an experiment of their own";
}

TEST(Grid, a_sweep_may_say_what_its_reference_is) {
  const std::string text = base + "[weights]\nquantizer = laq3\n[sweep.a]\nreference.weights.quantizer = lab\n[sweep.b]\nreference.weights.quantizer = "
                                  "lat\n[reference]\nrun.iterations = 50\nreference.weights.quantizer = fp\n";
  const Grid grid = grid_of(text);
  EXPECT_EQ(values(grid, "weights.quantizer"), (Strings{"fp", "lab", "laq3", "lat", "laq3"})) << "one float network for both";
  EXPECT_EQ(grid.runs()[2].reference, 1U);
  EXPECT_EQ(grid.runs()[4].reference, 3U);
  EXPECT_EQ(grid.runs()[3].reference, 0U);
  EXPECT_EQ(values(grid_of(text, {"reference.weights.quantizer=log3"}), "weights.quantizer"), (Strings{"fp", "log3", "laq3"})) << "the command line wins over the sweeps";
  EXPECT_EQ(values(grid_of(text, {"sweep.b.reference.weights.quantizer=log3"}), "weights.quantizer"), (Strings{"fp", "lab", "laq3", "log3", "laq3"}));
  EXPECT_EQ(values(grid_of(text, {"reference.reference.run.iterations=7"}), "run.iterations"), (Strings{"7", "50", "5", "50", "5"}));
}

TEST(Grid, chains_of_references_are_named_in_messages) {
  const auto message = [](const std::string& text) {
    try {
      grid_of(text);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message(base + "[sweep.a]\nreference.weights.quantizer = lab, lat\n").find("reference.weights.quantizer: allowed: one value"), std::string::npos);
  EXPECT_NE(message(base + "[reference]\nreference.optimizer.momentum = 0.5\n").find("test.ini:4: "), std::string::npos) << "sgd has no momentum";
  EXPECT_NE(message(base + "[reference]\nreference.weight.quantizer = lab\n").find("nearest: weights.quantizer"), std::string::npos);
  EXPECT_NE(message(base + "[optimizer]\nkind = sgd\n[sweep.a]\nreference.workers.exchange = allreduce\nreference.gradients.quantizer = sq2\nreference.gradients.scale = worker\n").find("test.ini:8: "), std::string::npos)
      << "the line of the sweep is blamed";
}

TEST(Grid, the_command_line_wins_over_the_file_and_over_sweeps) {
  const std::string text = base +
                           "seed = 1, 2\n[model]\ndimension = 8\n[sweep.a]\nmodel.dimension = 16\nweights.quantizer = "
                           "lab\n[sweep.b]\nmodel.dimension = 32\nweights.quantizer = lat\n[reference]\nrun.iterations = 9\n";
  EXPECT_EQ(values(grid_of(text, {"model.dimension=64,128", "run.seed=5"}), "model.dimension"),
            (Strings{"64", "64", "128", "128", "64", "64", "128", "128"}));
  const Grid addressed = grid_of(text, {"sweep.b.model.dimension=99", "reference.run.iterations=7", "run.seed = 1"});
  EXPECT_EQ(values(addressed, "model.dimension"), (Strings{"16", "16", "99", "99"}));
  EXPECT_EQ(values(addressed, "run.iterations"), (Strings{"7", "5", "7", "5"}));
  EXPECT_EQ(values(grid_of(base, {"run.seed=5", "run.seed=6,7"}), "run.seed"), (Strings{"6", "7"})) << "the last one counts";
  EXPECT_EQ(
      values(grid_of(base, {"sweep.zip=model.dimension run.seed", "model.dimension=8,16", "run.seed=1,2"}), "model.dimension"),
      (Strings{"8", "16"}));
}

TEST(Grid, what_the_command_line_sets_must_reach_a_run) {
  EXPECT_EQ(values(grid_of(base + "seed = 1\n[reference]\nrun.iterations = 9\n", {"run.iterations=3"}), "run.iterations"), (Strings{"9", "3"}));
  const std::string compressed =
      "[experiment]\nmethod = learning_compression\n[data]\nset = mnist\n[model]\nkind = lenet300\n[reference]\nexperiment.method = distributed\nrun.epochs = 2\n";
  EXPECT_EQ(values(grid_of(compressed, {"reference.run.epochs=1"}), "run.epochs"), (Strings{"1", "-"}));
  try {
    grid_of(compressed, {"run.epochs=1"});
    FAIL() << "only the reference has epochs, and it has its own";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("reaches no run"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("reference.run.epochs"), std::string::npos) << error.what();
  }
}

void expect_round_trip(const Grid& grid) {
  const Grid again = grid_of(grid.effective_text());
  EXPECT_EQ(sorted_ids(again), sorted_ids(grid)) << grid.effective_text();
  EXPECT_EQ(again.name(), grid.name());
  EXPECT_EQ(again.axes(), grid.axes());
  EXPECT_EQ(again.effective_text(), grid.effective_text());
  for (const RunPlan& run : grid.runs()) {  // same ids, and the same dependencies
    const auto same = std::ranges::find(again.runs(), run.id, &RunPlan::id);
    ASSERT_NE(same, again.runs().end());
    ASSERT_EQ(same->reference.has_value(), run.reference.has_value());
    if (!run.reference) continue;
    EXPECT_EQ(again.runs()[*same->reference].id, grid.runs()[*run.reference].id);
  }
}

TEST(Grid, the_effective_text_is_the_same_experiment) {
  for (const std::string& text : Strings{
           base, chained, base + "[sweep.a]\nreference.weights.quantizer = lab\n[sweep.b]\nweights.quantizer = laq3\n", "run.patience = 4\n", base + "seed = 1, 2\n[gradients]\nquantizer = fp, sq2\nclip = 2, 3\n", referenced,
           "[sweep]\nzip = workers.count run.iterations\n[workers]\ncount = 1, 2, 4\n[run]\niterations = 40, 20, 20\nseed = 1, 2\n",
           base + "[sweep.zipped]\nzip = model.dimension workers.count\nmodel.dimension = 8, 16\nworkers.count = 2, "
                  "2\n[sweep.plain]\n",
           base + "[sweep.a]\nmodel.dimension = 8\n[sweep.b]\ndata.set = synthetic_images\nmodel.kind = mlp\nworkers.total_batch = "
                  "128\nworkers.count = 2\n",
           "[run]\nepochs = 1\n[data]\nset = mnist, cifar10\nnormalize = none, standard\n[model]\nkind = mlp\ninitial = "
           "x.h5\n[weights]\nquantizer = lab, laq3\n",
           base + "[weights]\nquantizer = lab, fp\n[reference]\nweights.quantizer = fp\nmodel.initial = x.h5\n"})
    expect_round_trip(grid_of(text));
  expect_round_trip(grid_of(base + "[sweep.a]\nrun.seed = 1\n[sweep.b]\nrun.seed = 2\nmodel.dimension = 7\n",
                            {"run.seed=3"}));  // empties a sweep
}

TEST(Grid, the_effective_text_has_every_key) {
  const std::string text = grid_of(base).effective_text();
  for (const Key& key : keys()) {
    const auto dot = key.name.find('.');
    const std::size_t section = text.find("[" + key.name.substr(0, dot) + "]");
    ASSERT_NE(section, std::string::npos) << key.name;
    EXPECT_TRUE(text.find(key.name.substr(dot + 1) + " = ", section) != std::string::npos) << key.name;
  }
}

TEST(Grid, every_experiment_file_is_valid_and_survives_the_round_trip) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(QSWEEP_SOURCE_DIR "/experiments")) {
    if (entry.path().extension() != ".ini") continue;
    SCOPED_TRACE(entry.path().string());
    ++files;
    const Grid grid = grid_of(test::text_of(entry.path()), {}, entry.path().string());
    EXPECT_GT(grid.runs().size(), 0U);
    expect_round_trip(grid);
  }
  EXPECT_GT(files, 0U);
}

TEST(Grid, ten_thousand_runs_are_no_burden) {
  std::string seeds = "1";
  for (int s = 2; s <= 100; ++s) seeds += ", " + std::to_string(s);
  const std::string text = base + "seed = " + seeds +
                           "\n[model]\ndimension = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10\n[weights]\nquantizer = fp, lab, lat, laq2, "
                           "laq3\n[gradients]\nquantizer = fp, sq2\n";
  for (const std::string& extra : Strings{"", "[reference]\nweights.quantizer = fp\ngradients.quantizer = fp\n"}) {
    const auto start = std::chrono::steady_clock::now();
    const Grid grid = grid_of(text + extra);
    const double built = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    EXPECT_EQ(grid.runs().size(), 10'000U);
    EXPECT_EQ(grid.axes().size(), 4U) << "where a run starts is no axis";
    const std::string effective = grid.effective_text();
    const double all = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    RecordProperty("build_seconds" + std::string(extra.empty() ? "" : "_references"), std::to_string(built));
    std::cout << "10,000 runs: built in " << built << " s, with axes and text " << all << " s\n";
    EXPECT_LT(all, 20 * test::slowdown) << "far from anything a user would wait for, whatever else the machine does";
    EXPECT_LE(sizeof(RunPlan) + grid.runs()[0].id.capacity() + grid.runs()[0].choice.capacity() * sizeof(grid.runs()[0].choice[0]),
              200U)
        << "bytes of a run";
  }
}

TEST(Experiments, straight_through_files_are_grids_of_their_names) {
  const std::pair<const char*, std::size_t> expected[] = {{"figure1", 3}, {"population_descent", 15}, {"basin_counts", 6}, {"instability_toy", 3}};
  for (const auto& [name, runs] : expected) {
    const std::string file = std::string(QSWEEP_SOURCE_DIR "/experiments/straight_through/") + name + ".ini";
    const Grid grid = test::grid_of(test::text_of(file), {}, file);
    EXPECT_EQ(grid.name(), name);
    EXPECT_EQ(grid.runs().size(), runs) << name;
    EXPECT_EQ(test::sorted_ids(test::grid_of(grid.effective_text())), test::sorted_ids(grid)) << name << ": the stored text gives the same runs";
  }
}

TEST(Experiments, starts_of_a_file_count_by_its_content) {
  const std::string toy = "[experiment]\nmethod = coarse_gradient\n[run]\niterations = 5\n[problem]\nstart = ";
  const auto id = [&](const std::string& start, const std::string& content) {
    return Grid(parse_experiment(toy + start, "test.ini"), [&](const std::string&) { return content; }).runs().at(0).id;
  };
  EXPECT_EQ(id("a.h5", "x"), id("b.h5:0123", "x"));
  EXPECT_NE(id("a.h5", "x"), id("a.h5", "y"));
  EXPECT_NE(id("a.h5", "x"), id("random", "x"));
}

}  // namespace
}  // namespace qsweep
