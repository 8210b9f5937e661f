#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "config/keys.h"
#include "train/trainer.h"

/// Short runs of the trainer on a team, and what tests read from their records.
namespace qsweep::test {

inline Settings settings_with(const Point& given) { return settings_of(effective_point(given)); }

/// Keys of `more` win.
inline Point joined(Point base, const Point& more) {
  for (const auto& [key, value] : more) base[key] = value;
  return base;
}

inline Point linear() {
  return {{"model.dimension", "23"},
          {"workers.batch", "6"},
          {"workers.count", "5"},
          {"optimizer.kind", "rmsprop"},
          {"optimizer.schedule", "inverse_sqrt"},
          {"run.iterations", "40"},
          {"optimizer.learning_rate", "0.03"},
          {"run.record_every", "1"}};
}

inline Point mlp() {
  return {{"data.set", "synthetic_images"},
          {"data.limit", "150"},
          {"data.normalize", "standard"},
          {"model.kind", "mlp"},
          {"model.dimension", "9"},
          {"workers.batch", "8"},
          {"workers.count", "3"},
          {"optimizer.kind", "rmsprop"},
          {"run.epochs", "2"},
          {"run.evaluate_every", "0"},
          {"optimizer.learning_rate", "0.003"},
          {"run.record_every", "1"}};
}

/// Tests whose runs read the images of mlp(): loaded once, and shared by the ranks.
class WithImages : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    data = new DataStore;
    data->load(Team::world(), {settings_with(mlp())});
  }
  static void TearDownTestSuite() { delete data; }  // before MPI ends: it holds shared memory

  Team world = Team::world();
  static inline DataStore* data = nullptr;
};

/// A record on the team's root, an empty one elsewhere.
inline Record record_of(const Settings& settings, const Team& team, DataStore& data) {
  return Trainer(settings, team, data, std::nullopt, "").run();
}

/// Everything that must not depend on ranks, as text: paths, shapes and all bits of curves, final, bound, problem; how it ended.
inline std::string contents(const Record& record) {
  std::vector<const Dataset*> sorted;
  for (const Dataset& d : record.datasets)
    for (const char* group : {"curves/", "final/", "bound/", "problem/"})
      if (d.path.starts_with(group)) sorted.push_back(&d);
  std::ranges::sort(sorted, {}, [](const Dataset* d) { return d->path; });
  std::string text = std::get<std::string>(record.attributes.at("status")) +
                     fmt::format(" {}\n", std::get<std::int64_t>(record.attributes.at("iterations")));
  for (const Dataset* d : sorted) {
    text += fmt::format("{} [{}] ", d->path, fmt::join(d->shape, ", "));
    std::visit(
        [&](const auto& values) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(values)>, std::vector<std::string>>)
            text += short_hash({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])});
        },
        d->values);
    text += "\n";
  }
  return text;
}

/// The contents of a run on the whole team, on every rank.
inline std::string contents_of(const Settings& settings, const Team& team, DataStore& data) {
  const Record record = record_of(settings, team, data);
  std::string text = team.is_root() ? contents(record) : "";
  team.broadcast(text);
  return text;
}

/// The same of a run on rank 0 alone, on every rank.
inline std::string contents_alone(const Settings& settings, const Team& world, DataStore& data) {
  const Team part = world.split(world.is_root() ? 0 : 1);
  std::string text = world.is_root() ? contents(record_of(settings, part, data)) : "";
  world.broadcast(text);
  return text;
}

/// Empty, and a failure, if there is none: throwing on one rank would leave the others waiting in the next run.
inline const std::vector<double>& curve(const Record& record, const std::string& path) {
  static const std::vector<double> none;
  const Dataset* found = record.find(path);
  if (found == nullptr) ADD_FAILURE() << "no dataset " << path;
  return found == nullptr ? none : std::get<std::vector<double>>(found->values);
}
inline const std::vector<std::int64_t>& index(const Record& record, const std::string& path = "curves/iteration") {
  return std::get<std::vector<std::int64_t>>(record.find(path)->values);
}

/// On rank 0 what the record is, on the others nothing: for tests that look at a record once.
inline std::optional<Record> on_root(const Settings& settings, const Team& team, DataStore& data) {
  Record record = record_of(settings, team, data);
  if (!team.is_root()) return std::nullopt;
  return record;
}

}  // namespace qsweep::test
