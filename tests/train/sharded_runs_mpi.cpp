// Runs with state cut over ranks: all curves and finals are those of one rank with all-reduce, or of a server.
#include <gtest/gtest.h>

#include "train/runs.h"

namespace qsweep {
namespace {

using namespace test;

class ShardedRuns : public WithImages {
 protected:
  void expect_same_bits(const Point& point, const char* oracle = "allreduce") {
    const std::string expected = contents_alone(settings_with(joined(point, {{"workers.exchange", oracle}})), world, *data);
    EXPECT_EQ(contents_of(settings_with(joined(point, {{"workers.exchange", "sharded"}})), world, *data), expected);
  }
};

TEST_F(ShardedRuns, linear_runs) {
  for (const char* dimension : {"23", "10001"})  // one block; three
    for (const auto& [weights, gradients] :
         {std::pair("fp", "fp"), std::pair("lab", "sq2"), std::pair("lat", "sq3"), std::pair("laq3", "sq8")}) {
      SCOPED_TRACE(fmt::format("d = {} {} {}", dimension, weights, gradients));
      expect_same_bits(joined(linear(), {{"model.dimension", dimension},
                                         {"run.iterations", "6"},
                                         {"optimizer.learning_rate", "0.003"},
                                         {"weights.quantizer", weights},
                                         {"gradients.quantizer", gradients}}));
    }
}

TEST_F(ShardedRuns, measuring_the_theory) {
  const Point measured =
      joined(linear(),
             {{"theory.measure", "true"}, {"weights.quantizer", "lat"}, {"gradients.quantizer", "sq3"}, {"gradients.clip", "2.5"}});
  expect_same_bits(measured);
  expect_same_bits(joined(measured, {{"theory.comparator", "hindsight"}}));
  expect_same_bits(joined(
      measured, {{"model.dimension", "9000"}, {"run.iterations", "5"}, {"optimizer.kind", "sgd"}, {"run.record_every", "2"}}));
}

TEST_F(ShardedRuns, every_optimizer) {
  for (const char* kind : {"sgd", "momentum", "nesterov", "adam"}) {
    SCOPED_TRACE(kind);
    expect_same_bits(joined(
        mlp(), {{"optimizer.kind", kind}, {"weights.quantizer", "laq3"}, {"gradients.quantizer", "sq2"}, {"run.epochs", "1"}}));
  }
}

TEST_F(ShardedRuns, networks) {  // one weight tensor is cut, biases and the last layer belong to one rank
  for (const auto& [weights, gradients] : {std::pair("fp", "fp"), std::pair("lab", "sq2"), std::pair("lat", "sq3"),
                                           std::pair("laq3", "sq8"), std::pair("log4", "fp")}) {
    SCOPED_TRACE(fmt::format("{} {}", weights, gradients));
    expect_same_bits(joined(mlp(), {{"weights.quantizer", weights}, {"gradients.quantizer", gradients}, {"run.epochs", "1"}}));
  }
}

TEST_F(ShardedRuns, scales_of_their_own_are_as_with_a_server) {
  for (const char* workers : {"1", "3", "6"})
    expect_same_bits(joined(mlp(), {{"workers.count", workers},
                                    {"weights.quantizer", "laq3"},
                                    {"gradients.quantizer", "sq2"},
                                    {"gradients.scale", "worker"},
                                    {"run.epochs", "1"}}),
                     "server");
}

TEST_F(ShardedRuns, scales_of_their_own_are_allowed) {
  const Point own = {{"gradients.quantizer", "sq2"}, {"gradients.scale", "worker"}, {"run.iterations", "1"}};
  for (const auto& [topology, allowed] : {std::pair("allreduce", false), std::pair("server", true), std::pair("sharded", true)})
    EXPECT_EQ(find_conflict(settings_with(joined(own, {{"workers.exchange", topology}}))).has_value(), !allowed) << topology;
}

TEST_F(ShardedRuns, a_diverging_run_ends_alike) {
  const Point point = joined(linear(), {{"model.dimension", "9000"},
                                        {"optimizer.kind", "sgd"},
                                        {"optimizer.schedule", "constant"},
                                        {"optimizer.projection", "none"},
                                        {"optimizer.learning_rate", "1e6"},
                                        {"weights.quantizer", "laq3"},
                                        {"gradients.quantizer", "sq2"}});
  expect_same_bits(point);
  EXPECT_TRUE(contents_of(settings_with(joined(point, {{"workers.exchange", "sharded"}})), world, *data).starts_with("diverged"));
}

}  // namespace
}  // namespace qsweep
