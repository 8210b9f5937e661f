// A run that is interrupted, after any iteration, as often as one likes, on any ranks, with any exchange, ends with the bits of one
// that was not. Each base is tried with every value of every key, so that a field of the state that a key brings, and that is
// forgotten in a `state(Archive&)`, shows here.
#include <gtest/gtest.h>

#include <set>

#include "base/errors.h"
#include "config/text.h"
#include "train/runs.h"

namespace qsweep {
namespace {

using namespace test;

Point short_linear() { return joined(linear(), {{"run.iterations", "4"}}); }
Point measured() {
  return joined(short_linear(), {{"theory.measure", "true"}, {"weights.quantizer", "lat"}, {"gradients.quantizer", "sq3"}, {"gradients.clip", "2.5"}});
}
Point short_mlp() { return joined(mlp(), {{"run.iterations", "4"}, {"run.evaluate_every", "2"}, {"run.evaluate_train_every", "never"}, {"weights.quantizer", "laq3"}, {"gradients.quantizer", "sq2"}}); }
Point normalized() {
  return {{"data.set", "synthetic_images"}, {"data.limit", "60"}, {"model.kind", "resnet20"}, {"workers.batch", "2"}, {"workers.count", "2"}, {"run.iterations", "3"},
          {"run.evaluate_every", "never"}, {"run.evaluate_train_every", "never"}};
}
Point compressed(const char* method) {
  return joined(short_mlp(), {{"experiment.method", method}, {"model.initial", "drawn_here.h5"}, {"weights.quantizer", "fp"}, {"optimizer.kind", "nesterov"}, {"optimizer.learning_rate", "0.02"}, {"run.iterations", "0"},
                              {"compression.steps", "2"}, {"compression.iterations", "2"}, {"data.limit", "60"}, {"compression.mu0", "0.05"}, {"compression.mu_factor", "2"}});
}
Point binary_connect() { return joined(short_mlp(), {{"experiment.method", "binary_connect"}, {"weights.quantizer", "fp"}}); }
Point toy() {
  return {{"experiment.method", "coarse_gradient"}, {"model.rows", "4"}, {"model.dimension", "3"}, {"problem.starts", "5"}, {"optimizer.learning_rate", "0.05"}, {"run.iterations", "70"}, {"run.record_every", "30"}};
}
Point sampled_toy() { return joined(toy(), {{"data.samples", "24"}, {"workers.count", "4"}, {"problem.line", "0:0.05:0.2"}, {"gradients.quantizer", "sq4"}}); }

class ResumeTest : public WithImages {
 protected:
  /// Runs on until it is stopped or done: the checkpoint, or what there is to store, on the root.
  struct Part {
    Record record;
    bool done = false;
  };
  Part part(const Settings& settings, const Team& team, const Record* from, const std::function<Wish()>& wish) {
    Part part;
    Saving saving{from, "THE.h5", wish, [&](Record record) { part.record = std::move(record); }};
    try {
      part.record = method_of(settings).train({settings, team, *data, std::nullopt, {}, saving});
      part.done = true;
    } catch (const Interrupted&) {
    }
    return part;
  }

  /// Stopped after each iteration; `settings_of_part` and `team_of_part` may change from one to the next.
  std::string interrupted(const std::function<Settings(int)>& settings_of_part, const std::function<const Team&(int)>& team_of_part) {
    Part now;
    for (int i = 0; !now.done; ++i) {
      const Team& team = team_of_part(i);
      if (&team != &world && !world.is_root()) {  // the others wait: the root says below whether it is done
        now.done = false;
      } else {
        const Record from = std::move(now.record);
        now = part(settings_of_part(i), team, i == 0 ? nullptr : &from, [] { return Wish::save_and_stop; });
      }
      now.done = world.broadcast(std::uint64_t{now.done ? 1U : 0U}) == 1;
    }
    std::string text = world.is_root() ? contents(now.record) : "";
    world.broadcast(text);
    return text;
  }
  std::string uninterrupted(const Settings& settings) { return contents(part(settings, world, nullptr, {}).record); }
  std::string interrupted_once(const Settings& settings) {
    int left = settings.compresses() ? 3 : 2;  // in the midst of the second L step, when there are multipliers
    const Part first = part(settings, world, nullptr, [&] { return --left == 0 ? Wish::save_and_stop : Wish::go_on; });
    return contents(first.done ? first.record : part(settings, world, &first.record, [] { return Wish::go_on; }).record);
  }
  std::string interrupted(const Settings& settings) {
    return interrupted([&](int) { return settings; }, [&](int) -> const Team& { return world; });
  }
};

/// Values to try for a key: the words that it allows, and some numbers.
std::vector<std::string> values_of(const Key& key) {
  std::set<std::string> values;
  std::vector<std::string> words = split_words(key.allowed);
  for (std::string& word : words)
    if (word.ends_with(',')) word.pop_back();
  std::erase_if(words, [](const std::string& word) { return word.find_first_not_of("0123456789") == std::string::npos; });  // its limits
  for (const char* number : {"0.5", "2", "1 2"}) words.emplace_back(number);
  for (const std::string& word : words) try {
      values.insert(key.canonical(word));
    } catch (const std::exception&) {  // not a value, but a word of the description
    }
  return {values.begin(), values.end()};
}

class EveryValueOfEveryKey : public ResumeTest {
 protected:
  void expect_same_bits(const Point& base);
};

void EveryValueOfEveryKey::expect_same_bits(const Point& base) {
  if (world.ranks() > 1) GTEST_SKIP() << "which fields there are does not depend on the ranks";
  // Names, places and files; what says how long the run is; sizes of networks and sets that take long or need files.
  const std::set<std::string> others = {"experiment.name", "experiment.method", "data.dir", "data.set", "model.kind", "model.initial", "run.iterations", "run.epochs", "run.checkpoint_every"};
  std::size_t tried = 0;
  const auto conflict = find_conflict(settings_with(base));
  ASSERT_FALSE(conflict) << conflict->key << ": " << conflict->reason;
  for (const Key& key : keys()) {
    if (others.contains(key.name)) continue;
    for (const std::string& value : values_of(key)) {
      const Point point = effective_point(joined(base, {{key.name, value}}));
      if (point.at(key.name) == meaningless || point == effective_point(base)) continue;
      const Settings settings = settings_of(point);
      if (find_conflict(settings)) continue;
      try {
        EXPECT_EQ(interrupted_once(settings), uninterrupted(settings)) << key.name << " = " << value;
        ++tried;
      } catch (const ConfigError&) {  // a value that this network does not have
      }
    }
  }
  EXPECT_GE(tried, 20U);
}

TEST_F(EveryValueOfEveryKey, linear) { expect_same_bits(short_linear()); }
TEST_F(EveryValueOfEveryKey, linear_with_theory) { expect_same_bits(measured()); }
TEST_F(EveryValueOfEveryKey, network) { expect_same_bits(short_mlp()); }
TEST_F(EveryValueOfEveryKey, learning_compression) { expect_same_bits(compressed("learning_compression")); }
TEST_F(EveryValueOfEveryKey, iterated_direct_compression) { expect_same_bits(compressed("iterated_direct_compression")); }
TEST_F(EveryValueOfEveryKey, binary_connect) { expect_same_bits(binary_connect()); }
TEST_F(EveryValueOfEveryKey, coarse_gradient) { expect_same_bits(toy()); }
TEST_F(EveryValueOfEveryKey, coarse_gradient_of_samples) { expect_same_bits(sampled_toy()); }

TEST_F(ResumeTest, on_other_ranks_and_with_another_exchange_each_time) {
  const Team alone = world.split(world.is_root() ? 0 : 1);
  for (const Point& base : {measured(), short_mlp(), joined(short_mlp(), {{"optimizer.kind", "adam"}, {"weights.quantizer", "fp"}}),
                            joined(compressed("learning_compression"), {{"compression.keep", "best"}}), toy(), sampled_toy(),
                            joined(short_linear(), {{"model.dimension", "10001"}, {"weights.quantizer", "lab"}, {"optimizer.kind", "momentum"}})}) {
    std::string expected = world.is_root() ? contents(part(settings_with(base), alone, nullptr, {}).record) : "";
    world.broadcast(expected);
    for (const char* exchange : {"allreduce", "server", "sharded"})
      EXPECT_EQ(interrupted([&](int) { return settings_with(joined(base, {{"workers.exchange", exchange}})); },
                            [&](int i) -> const Team& { return i % 2 == 0 ? world : alone; }), expected) << exchange;
    const char* exchanges[] = {"sharded", "allreduce", "server"};
    EXPECT_EQ(interrupted([&](int i) { return settings_with(joined(base, {{"workers.exchange", exchanges[i % 3]}})); },
                          [&](int i) -> const Team& { return i % 4 == 3 ? alone : world; }), expected);
  }
}

TEST_F(ResumeTest, batch_norm_keeps_the_statistics_of_each_worker) {
  if (world.ranks() > 2) GTEST_SKIP() << "two workers, at most two ranks";
  const Settings settings = settings_with(normalized());
  EXPECT_EQ(interrupted(settings), contents_alone(settings, world, *data));
}

TEST_F(ResumeTest, patience_and_thinned_curves_go_on) {
  if (world.ranks() > 1) GTEST_SKIP() << "thousands of iterations: on one rank";
  // Until 2,000 points are reached, the interval doubles, and patience ends it: interrupted every 700 iterations.
  const Settings settings = settings_with(joined(linear(), {{"model.dimension", "1"}, {"workers.batch", "1"}, {"workers.count", "1"}, {"optimizer.learning_rate", "0.001"},
                                                            {"run.iterations", "0"}, {"run.patience", "2500"}, {"run.record_every", "auto"}}));
  Part now;
  for (int i = 0; !now.done; ++i) {
    int left = 700;
    const Record from = std::move(now.record);
    now = part(settings, world, i == 0 ? nullptr : &from, [&] { return --left == 0 ? Wish::save_and_stop : Wish::go_on; });
  }
  std::string text = world.is_root() ? contents(now.record) : "";
  world.broadcast(text);
  EXPECT_EQ(text, contents_of(settings, world, *data));
}

TEST_F(ResumeTest, the_wish_of_any_rank_is_enough_and_saving_changes_nothing) {
  const Settings settings = settings_with(short_linear());
  std::vector<std::int64_t> saved;
  int asked = 0;
  Saving saving{nullptr, "", [&] { return ++asked % 2 == 0 && world.rank() == world.ranks() - 1 ? Wish::save : Wish::go_on; },
                [&](const Record& record) { saved.push_back(world.is_root() ? std::get<std::int64_t>(record.attributes.at("iterations")) : -1); }};
  Trainer trainer(settings, world, *data, std::nullopt, "");
  const Record record = trainer.run({}, saving);
  std::string text = world.is_root() ? contents(record) : "";
  world.broadcast(text);
  EXPECT_EQ(text, contents_of(settings, world, *data));
  EXPECT_EQ(saved, world.is_root() ? (std::vector<std::int64_t>{2}) : (std::vector<std::int64_t>{-1}));  // not after the last
}

TEST_F(ResumeTest, what_is_restored_is_what_was_saved) {
  for (const Point& base : {measured(), short_mlp()}) {
    const Settings settings = settings_with(base);
    int left = 2;
    const Part first = part(settings, world, nullptr, [&] { return --left == 0 ? Wish::save_and_stop : Wish::go_on; });
    // The next iteration's checkpoint holds all fields of this one, by name: none is lost on the way.
    const Part second = part(settings, world, &first.record, [] { return Wish::save_and_stop; });
    if (!world.is_root()) continue;
    std::set<std::string> names, again;
    for (const Dataset& d : first.record.datasets) names.insert(d.path);
    for (const Dataset& d : second.record.datasets) again.insert(d.path);
    EXPECT_EQ(names, again);
    EXPECT_EQ(std::get<std::string>(second.record.attributes.at("status")), "running");
    EXPECT_EQ(std::get<std::int64_t>(second.record.attributes.at("iterations")), 3);
    EXPECT_EQ(std::get<std::int64_t>(second.record.attributes.at("interruptions")), 1);
    EXPECT_EQ(curve(second.record, "curves/loss").size(), 3U);
    EXPECT_GE(curve(second.record, "runtime/total")[0], curve(first.record, "runtime/total")[0]);
  }
}

TEST_F(ResumeTest, a_state_that_does_not_fit_is_refused_on_every_rank) {
  const Settings settings = settings_with(measured());
  const Part first = part(settings, world, nullptr, [] { return Wish::save_and_stop; });
  std::uint64_t fields = first.record.datasets.size();
  fields = world.broadcast(fields);
  const auto refusal = [&](const Record& from) -> std::string {
    try {
      part(settings, world, &from, [] { return Wish::save_and_stop; });
    } catch (const DataError& error) {
      return error.what();
    }
    return "";
  };
  std::size_t refused = 0;
  for (std::size_t i = 0; i < fields; ++i) {
    Record lacking = first.record, reshaped = first.record;
    std::string path;
    if (world.is_root()) {
      path = lacking.datasets[i].path;
      lacking.datasets.erase(lacking.datasets.begin() + static_cast<std::ptrdiff_t>(i));
      reshaped.datasets[i].shape = {1, 2, 3};
      reshaped.datasets[i].values = std::vector<std::uint8_t>(6);
    }
    world.broadcast(path);
    if (!path.starts_with("checkpoint/") && !path.starts_with("final/weights/")) continue;  // for readers only
    EXPECT_NE(refusal(lacking).find(path + " is missing"), std::string::npos) << path;
    EXPECT_TRUE(refusal(reshaped).starts_with("THE.h5: " + path)) << path;
    ++refused;
  }
  EXPECT_GT(refused, 20U);
  Record more = first.record;
  more.datasets.push_back({"checkpoint/of_the_future", "1", "", {}, std::vector<double>{1}});
  EXPECT_NE(refusal(more).find("checkpoint/of_the_future is unknown"), std::string::npos);
}

/// One value more than it should have, of the right type: a file that another program changed.
void lengthen(Dataset& d) {
  std::visit([](auto& values) { values.push_back(values.back()); }, d.values);
  d.shape = {std::visit([](const auto& values) { return values.size(); }, d.values)};
}

TEST_F(ResumeTest, fields_of_another_length_are_refused) {
  if (world.ranks() > 1) GTEST_SKIP() << "every rank is told what the root finds: shown above";
  for (const Point& base : {measured(), joined(short_mlp(), {{"run.histograms", "1 2"}}), joined(compressed("learning_compression"), {{"compression.keep", "best"}}), toy(), sampled_toy()}) {
    const Settings settings = settings_with(base);
    int left = 2;
    const Part first = part(settings, world, nullptr, [&] { return --left == 0 ? Wish::save_and_stop : Wish::go_on; });
    std::size_t refused = 0;
    for (std::size_t i = 0; i < first.record.datasets.size(); ++i) {
      const Dataset& field = first.record.datasets[i];
      if (!field.path.starts_with("checkpoint/") || std::visit([](const auto& values) { return values.empty(); }, field.values)) continue;
      Record changed = first.record;
      lengthen(changed.datasets[i]);
      EXPECT_THROW(part(settings, world, &changed, [] { return Wish::save_and_stop; }), DataError) << field.path;
      ++refused;
    }
    EXPECT_GT(refused, 10U);
  }
}

}  // namespace
}  // namespace qsweep
