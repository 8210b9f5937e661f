// What a grid will take, and in which order and shares its runs are done.
#include "train/plan.h"

#include <fmt/format.h>

#include <set>

#include "config/helpers.h"
#include "data/images.h"
#include "train/content.h"
#include "train/cost.h"
#include "train/environment.h"
#include "train/method.h"
#include "train/sweep.h"
#include "train/trainer.h"

namespace qsweep {
namespace {

using test::grid_of;
using Given = std::initializer_list<std::pair<const std::string, std::string>>;

Settings settings(Given given) { return settings_of(effective_point(Point(given))); }

TEST(IterationLimit, epochs_are_rounded_up_and_the_lower_limit_counts) {
  const auto limit = [](const char* set, const char* samples, const char* workers, const char* batch, const char* epochs,
                        const char* iterations) {
    return iteration_limit(settings({{"data.set", set},
                                     {"model.kind", "mlp"},
                                     {"data.limit", samples},
                                     {"workers.count", workers},
                                     {"workers.batch", batch},
                                     {"run.epochs", epochs},
                                     {"run.iterations", iterations}}));
  };
  EXPECT_EQ(limit("mnist", "0", "1", "64", "1", "0"), 938U);          // 60,000/64 = 937.5
  EXPECT_EQ(limit("mnist", "0", "2", "64", "2", "0"), 938U);          // 120,000/128 = 937.5
  EXPECT_EQ(limit("cifar10", "0", "3", "64", "12", "0"), 3125U);      // 600,000/192, to the integer
  EXPECT_EQ(limit("cifar10", "0", "1", "3", "99", "0"), 1'650'000U);  // 4,950,000/3, to the integer
  EXPECT_EQ(limit("mnist", "1000", "1", "10", "0.25", "0"), 25U);
  EXPECT_EQ(limit("mnist", "1000", "1", "64", "1", "0"), 16U);
  EXPECT_EQ(limit("mnist", "1000", "1", "10", "5", "77"), 77U);
  EXPECT_EQ(limit("mnist", "1000", "1", "10", "5", "9999"), 500U);
  EXPECT_EQ(limit("mnist", "0", "1", "64", "0", "12"), 12U);
  EXPECT_EQ(iteration_limit(settings({{"run.patience", "5"}})), 0U);
  for (const std::uint64_t batch : {1U, 3U, 7U, 49U, 64U, 192U, 1000U})
    for (const std::uint64_t epochs : {1U, 2U, 7U, 99U, 768U})
      EXPECT_EQ(limit("cifar10", "0", "1", std::to_string(batch).c_str(), std::to_string(epochs).c_str(), "0"),
                (epochs * 50'000 + batch - 1) / batch)
          << batch << " " << epochs;
}

TEST(Cost, of_convolutional_networks_is_that_of_their_layers_and_evaluations) {
  const auto seconds = [](Point more) {
    Point p{{"data.set", "cifar10"}, {"model.kind", "resnet20"}, {"run.epochs", "10"}};
    for (const auto& [key, value] : more) p[key] = value;
    return estimate(settings_of(effective_point(p)), 1).core_seconds;
  };
  const double plain = seconds({});
  EXPECT_GT(seconds({{"model.kind", "vgg11"}}), 2 * plain) << "four times the multiplications";
  EXPECT_LT(seconds({{"model.kind", "vgg11"}}), 5 * plain);
  EXPECT_GT(seconds({{"model.convolution", "direct"}}), plain);
  EXPECT_GT(seconds({{"run.evaluate_every", "0"}}), plain);
  EXPECT_LT(seconds({{"run.evaluate_every", "never"}, {"run.evaluate_train_every", "never"}}), plain);
  EXPECT_GT(seconds({{"model.sum_norm", "plain"}}), plain);
  EXPECT_GT(seconds({{"weights.quantizer", "laq3"}}), plain);
  EXPECT_NEAR(seconds({{"run.epochs", "20"}, {"run.evaluate_train_every", "never"}, {"run.evaluate_every", "never"}}) /
                  seconds({{"run.evaluate_train_every", "never"}, {"run.evaluate_every", "never"}}),
              2, 0.01);
}

TEST(Cost, of_compression_counts_what_follows_each_l_step) {
  const auto seconds = [](const char* steps, const char* iterations, const char* samples) {
    return estimate(settings({{"experiment.method", "learning_compression"},
                              {"data.set", "cifar10"},
                              {"data.limit", samples},
                              {"model.kind", "binaryconnect_vgg"},
                              {"compression.size", "2"},
                              {"compression.steps", steps},
                              {"compression.iterations", iterations}}),
                    1)
        .core_seconds;
  };
  EXPECT_GT(seconds("100", "1", "1000"), 5 * seconds("1", "100", "1000")) << "four evaluations after each L step";
  EXPECT_GT(seconds("10", "1", "50000"), 2 * seconds("10", "1", "1000")) << "of the training set, too";
}

TEST(Cost, grows_with_everything_that_takes_time) {
  const Given linear = {{"run.iterations", "1000"}};
  const auto with = [&](const char* key, const char* value, bool network) {
    Point p = network ? Point{{"data.set", "mnist"}, {"model.kind", "mlp"}, {"run.iterations", "1000"}} : Point(linear);
    if (key != nullptr) p[key] = value;
    return estimate(settings_of(effective_point(p)), 1);
  };
  for (const bool network : {false, true}) {
    const Cost plain = with(nullptr, "", network);
    EXPECT_GT(plain.core_seconds, 0);
    EXPECT_EQ(plain.iterations, 1000U);
    for (const auto& [key, value] :
         {std::pair("model.dimension", "1024"), {"workers.count", "4"}, {"workers.batch", "256"}, {"run.iterations", "4000"}}) {
      const Cost more = with(key, value, network);
      EXPECT_GT(more.core_seconds, plain.core_seconds) << key;
      EXPECT_GE(more.flops_per_iteration, plain.flops_per_iteration) << key;
      EXPECT_GE(more.bytes_per_rank, plain.bytes_per_rank) << key;
    }
  }
  EXPECT_GT(with("theory.measure", "true", false).core_seconds, with(nullptr, "", false).core_seconds);
  EXPECT_EQ(with("model.dimension", "300", true).parameters, 784U * 300 + 300 + 3000 + 10);
  EXPECT_EQ(with("model.dimension", "300", false).parameters, 300U);
  const Settings s = settings({{"run.iterations", "10"}, {"workers.count", "8"}, {"model.dimension", "1000"}});
  EXPECT_EQ(estimate(s, 8).bytes_per_rank - estimate(s, 1).bytes_per_rank, 7U * 4 * 1000)
      << "a gradient of each worker that a rank carries";
  EXPECT_GT(estimate(settings({{"run.patience", "50"}}), 1).core_seconds, 0) << "an end that is not known costs something, too";
}

TEST(TeamSize, one_rank_a_run_if_there_are_many_runs) {
  EXPECT_EQ(automatic_team_size(4, 8, 2), 1);
  EXPECT_EQ(automatic_team_size(4, 7, 2), 2);
  EXPECT_EQ(automatic_team_size(4, 1, 16), 4);
  EXPECT_EQ(automatic_team_size(4, 1, 1), 1);
  EXPECT_EQ(automatic_team_size(1, 1, 16), 1);
  EXPECT_EQ(automatic_team_size(1, 2, 16), 1);
}

const std::string referenced =
    "[run]\nseed = 1, 2, 3, 4, 5\niterations = 10\n[model]\ndimension = 8, 512\n[weights]\nquantizer = "
    "lab\n[reference]\nweights.quantizer = fp\n";

TEST(ClaimOrder, references_first_then_the_longest) {
  const Grid grid = grid_of(referenced, {"run.iterations=10,1000"});
  const std::vector<std::uint32_t> order = claim_order(grid, 1, 1);
  EXPECT_EQ(std::set<std::uint32_t>(order.begin(), order.end()).size(), grid.runs().size());
  EXPECT_EQ(order.size(), grid.runs().size());
  for (std::size_t i = 1; i < order.size(); ++i) {
    const RunPlan &before = grid.runs()[order[i - 1]], &run = grid.runs()[order[i]];
    EXPECT_TRUE(before.is_reference() || !run.is_reference());
    if (before.is_reference() != run.is_reference()) continue;
    EXPECT_GE(estimate(grid.settings(before), 1).core_seconds, estimate(grid.settings(run), 1).core_seconds);
  }
}

TEST(ClaimOrder, shards_part_the_grid_and_keep_dependants_with_their_reference) {
  const Grid grid = grid_of(referenced);
  ASSERT_EQ(grid.runs().size(), 20U);
  for (const int shards : {1, 2, 3, 4, 7, 30}) {
    std::multiset<std::uint32_t> all;
    std::size_t most = 0, least = grid.runs().size();
    for (int shard = 1; shard <= shards; ++shard) {
      const std::vector<std::uint32_t> order = claim_order(grid, shard, shards);
      const std::set<std::uint32_t> mine(order.begin(), order.end());
      for (const std::uint32_t i : order)
        EXPECT_TRUE(!grid.runs()[i].reference || mine.contains(*grid.runs()[i].reference))
            << "run " << i << " without its reference in " << shard << "/" << shards;
      all.insert(order.begin(), order.end());
      most = std::max(most, order.size());
      least = std::min(least, order.size());
    }
    EXPECT_EQ(all.size(), grid.runs().size()) << shards;
    EXPECT_EQ(std::set<std::uint32_t>(all.begin(), all.end()).size(), grid.runs().size()) << shards;
    EXPECT_LE(most - least, 2U) << "ten references with one dependant each: shares differ by one pair at most, of " << shards;
  }
}

std::size_t characters(const std::string& line) {
  return static_cast<std::size_t>(
      std::ranges::count_if(line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

TEST(Plan, fits_the_terminal_and_names_every_run) {
  const std::vector<std::string> texts = {
      referenced, test::text_of(QSWEEP_SOURCE_DIR "/experiments/smoke.ini"),
      "[sweep]\nzip = run.seed run.record_every model.dimension weights.quantizer weights.alpha_rule gradients.quantizer "
      "gradients.clip workers.count workers.batch optimizer.kind "
      "optimizer.learning_rate optimizer.schedule optimizer.epsilon\n"
      "[run]\npatience = 3000000\nseed = 1, 2\nrecord_every = 1, 2\n[model]\ndimension = 8, 16\n[weights]\nquantizer = laq3, "
      "laq4\nalpha_rule = exact, released\n[gradients]\nquantizer = sq2, "
      "sq4\nclip = 2, 3\n[workers]\ncount = 1, 1024\nbatch = 64, 128\n[optimizer]\nkind = adam, rmsprop\nlearning_rate = 0.01, "
      "0.003\nschedule = constant, inverse_sqrt\nepsilon = 1e-8, 1e-6\n"};
  for (const std::string& text : texts) {
    const Grid grid = grid_of(text);
    for (const int columns : {80, 132, 400}) {
      const std::string plan = plan_text(grid, 4096, 1, 1, columns);
      std::istringstream in(plan);
      for (std::string line; std::getline(in, line);) EXPECT_LE(characters(line), static_cast<std::size_t>(columns)) << line;
      for (const RunPlan& run : grid.runs()) ASSERT_NE(plan.find(run.id), std::string::npos);
      test::expect_contains(plan, {"iterations", "memory/rank", "core time", std::to_string(grid.runs().size()) + " runs"});
    }
    const std::string wide = plan_text(grid, 1, 1, 1, 400), narrow = plan_text(grid, 1, 1, 1, 80);
    for (const std::string& key : grid.axes()) {  // by its last part, or by its section where that is "quantizer", "kind" or "set"
      const std::string last = key.substr(key.find('.') + 1);
      const std::string axis = last == "quantizer" || last == "kind" || last == "set" || last == "count" ? key.substr(0, key.find('.')) : last;
      EXPECT_NE(wide.find(axis), std::string::npos) << axis;
      EXPECT_NE(narrow.find(axis), std::string::npos) << axis << " is neither a column nor named as left out";
    }
  }
}

TEST(Plan, of_a_shard_holds_its_runs_alone) {
  const Grid grid = grid_of(referenced);
  const std::string plan = plan_text(grid, 1, 2, 3, 80);
  const std::vector<std::uint32_t> mine = claim_order(grid, 2, 3);
  for (std::uint32_t i = 0; i < grid.runs().size(); ++i)
    EXPECT_EQ(plan.find(grid.runs()[i].id) != std::string::npos, std::ranges::find(mine, i) != mine.end()) << i;
}

TEST(Plan, says_what_data_is_missing) {
  const std::string text = "[data]\nset = cifar10\ndir = /nowhere\ncrop = 24\n[model]\nkind = mlp\n[run]\nepochs = 1\nseed = 1, 2\n";
  const std::string plan = plan_text(grid_of(text), 1, 1, 1, 400);
  test::expect_contains(plan, {"`run` would stop at once: data_batch_1.bin: not found; tried /nowhere/cifar10/data_batch_1.bin", "QSWEEP_DATA"});
  EXPECT_EQ(plan.find("not found"), plan.rfind("not found")) << "once for all runs\n" << plan;
  EXPECT_EQ(plan_text(grid_of("[run]\niterations = 7\n"), 1, 1, 1, 400).find("not found"), std::string::npos);
}

TEST(Plan, says_how_long_a_run_may_be) {
  test::expect_contains(plan_text(grid_of("[run]\npatience = 50\n"), 1, 1, 1, 80), {"by patience", "at most"});
  test::expect_contains(plan_text(grid_of("[run]\npatience = 50\niterations = 777\n"), 1, 1, 1, 80), {"<=777"});
  test::expect_contains(plan_text(grid_of("[run]\niterations = 777\n"), 3, 1, 1, 80), {"  777  ", "on 3 ranks"});
}

TEST(Content, is_that_of_the_file_and_the_id) {
  std::string name = (std::filesystem::temp_directory_path() / "qsweep_content_XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  const std::filesystem::path folder = name;
  std::ofstream(folder / "a.h5") << "bytes";
  std::ofstream(folder / "b.h5") << "bytes";
  std::ofstream(folder / "c.h5") << "other";
  const auto hash = [&](const std::string& value) { return content_hash((folder / value).string()); };
  EXPECT_EQ(hash("a.h5"), hash("b.h5"));
  EXPECT_NE(hash("a.h5"), hash("c.h5"));
  EXPECT_NE(hash("a.h5:0123"), hash("a.h5:4567"));
  EXPECT_EQ(hash("a.h5").size(), 16U);
  EXPECT_THROW(hash("absent.h5"), DataError);
  EXPECT_THROW(content_hash(folder.string()), DataError) << "a folder is no file";
  std::filesystem::remove_all(folder);
  EXPECT_EQ(initial_file("x.h5"), (std::pair<std::string, std::string>("x.h5", "")));
  EXPECT_EQ(initial_file("d/x.h5:12ab"), (std::pair<std::string, std::string>("d/x.h5", "12ab")));
  EXPECT_EQ(initial_file("odd:folder/x.h5"), (std::pair<std::string, std::string>("odd:folder/x.h5", "")));
}

TEST(Method, every_name_that_the_key_allows_has_one_row) {
  std::vector<std::string> names;
  for (const Method& method : methods()) names.push_back(method.name);
  EXPECT_EQ(find_key("experiment.method")->allowed, fmt::format("{}", fmt::join(names, ", ")));
  EXPECT_EQ(method_of(settings({{"run.iterations", "1"}})).name, "distributed");
  EXPECT_EQ(method_of(settings({{"workers.count", "7"}})).parts(settings({{"workers.count", "7"}})), 7U);
  Settings unknown = settings({{"run.iterations", "1"}});
  unknown.method = "typo";
  EXPECT_THROW(method_of(unknown), std::logic_error);
}

TEST(MakeModel, has_the_inputs_of_its_data) {
  EXPECT_EQ(make_model(settings({{"model.dimension", "77"}}))->layout().dimension(), 77U);
  const auto parameters = [](Given given) { return make_model(settings(given))->layout().tensors().at(0).shape; };
  EXPECT_EQ(parameters({{"data.set", "mnist"}, {"model.kind", "mlp"}, {"model.dimension", "5"}}),
            (std::vector<std::size_t>{5, 784}));
  EXPECT_EQ(parameters({{"data.set", "cifar10"}, {"model.kind", "mlp"}, {"model.dimension", "5"}}),
            (std::vector<std::size_t>{5, 3072}));
  EXPECT_EQ(parameters(
                {{"data.set", "cifar10"}, {"model.kind", "mlp"}, {"model.dimension", "5"}, {"data.augment", "crop24_flip_colour"}}),
            (std::vector<std::size_t>{5, 1728}));
}

}  // namespace
}  // namespace qsweep
