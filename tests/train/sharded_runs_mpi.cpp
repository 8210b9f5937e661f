// Runs with state cut over ranks: all curves and finals are those of one rank with all-reduce, or of a server.
#include <gtest/gtest.h>

#include "exchange/formulas.h"
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

/// What results say was sent, over a whole run, against docs/exchange.md; and bits as the paper counts them.
TEST_F(ShardedRuns, traffic_in_the_results_is_what_the_formulas_say) {
  constexpr std::size_t workers = 5, iterations = 7;
  for (const char* topology : {"allreduce", "server", "sharded"})
    for (const auto& [gradients, gradient_bits] : {std::pair("fp", 32U), std::pair("sq2", 2U), std::pair("sq4", 4U)})
      for (const auto& [quantizer, weight_bits] : {std::pair("fp", 32U), std::pair("lab", 1U)}) {
        const Settings s = settings_with(joined(mlp(), {{"workers.exchange", topology}, {"workers.count", std::to_string(workers)}, {"gradients.quantizer", gradients},
                                                        {"weights.quantizer", quantizer}, {"run.epochs", "0"}, {"run.iterations", std::to_string(iterations)}}));
        const std::optional<Record> record = on_root(s, world, *data);
        if (!record) continue;
        SCOPED_TRACE(fmt::format("{} {} {}", topology, gradients, quantizer));
        const Layout layout = make_model(s)->layout();
        const Partition partition = std::string(topology) == "sharded"  ? Partition::sliced(layout, world.ranks())
                                    : std::string(topology) == "server" ? Partition::on_root(layout.dimension(), world.ranks())
                                                                        : Partition::everywhere(layout.dimension(), world.ranks());
        const TrafficCase c{topology, workers, gradient_bits, weight_bits};
        for (int p = 0; p < world.ranks(); ++p)
          EXPECT_EQ(index(*record, "traffic/bytes_sent").at(static_cast<std::size_t>(p)),
                    static_cast<std::int64_t>(iterations * (bytes_of_round(c, layout, partition, p) + bytes_of_reports(c, layout, world.ranks(), p, Report::items))))
              << "rank " << p;
        std::size_t up = 0, down = 0;
        for (const Tensor& t : layout.tensors()) {
          up += gradient_bits == 32 ? 32 * t.size : gradient_bits * t.size + 32;
          down += weight_bits == 32 || !t.is_weight ? 32 * t.size : weight_bits * t.size + 32;
        }
        EXPECT_EQ(curve(*record, "curves/bits_up").back(), static_cast<double>(iterations * up));
        EXPECT_EQ(curve(*record, "curves/bits_down").back(), static_cast<double>(iterations * down));
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
