#include "train/network_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "exchange/network.h"

namespace qsweep {
namespace {

std::vector<ModelledNetwork> networks_of(const Settings::Network& n) {
  std::vector<ModelledNetwork> all;
  for (std::size_t i = 0; i < n.bandwidth.size(); ++i)
    all.push_back({1e9 * n.bandwidth[i], 1e-6 * n.latency[n.latency.size() == 1 ? 0 : i], 1e9 * n.node_bandwidth, 1e-6 * n.node_latency});
  return all;
}

/// 1, 2, 4, … ranks up to the whole cluster, and as many as the run has workers. A node is filled before the next one is used.
std::vector<ModelledCluster> clusters_of(const Settings& s) {
  const std::size_t each = s.network.ranks_per_node, most = s.network.nodes == 0 ? s.workers.count : s.network.nodes * each;
  std::set<std::size_t> ranks = {most};
  for (std::size_t P = 1; P < most; P *= 2) ranks.insert(P);
  if (s.workers.count <= most) ranks.insert(s.workers.count);
  std::vector<ModelledCluster> all;
  for (const std::size_t P : ranks) all.push_back({(P + each - 1) / each, std::min(P, each)});
  return all;
}

/// What the model takes for granted, for whoever reads the numbers.
std::string assumptions(const Settings& s) {
  std::string text = fmt::format("one worker of {} samples on each rank; {} ranks on a node, which share its link; no overlap of computing and communicating", s.workers.batch, s.network.ranks_per_node);
  text += s.network.exchange == "widening" ? "; sums widen by 1 bit a step, log2 P steps, then one broadcast of weights; quantizing takes no time"
                                           : fmt::format("; exchange = {}, quantizing and update as measured", s.workers.exchange);
  if (!s.network.full_precision.empty()) text += fmt::format("; {} in full precision", fmt::join(s.network.full_precision, ", "));
  return text;
}

}  // namespace

void check_network(const Settings& s, const Layout& layout) {
  if (!s.network.bandwidth.empty()) modelled_traffic(s.workers.exchange, layout, bits_of_gradients(s.gradients.quantizer), bits_of_weights(s.weights.quantizer), s.network.full_precision);
}

void describe_network(const Settings& s, const Layout& layout, const Profile& profile, Record& record) {
  if (s.network.bandwidth.empty()) return;
  const std::vector<ModelledNetwork> networks = networks_of(s.network);
  const std::vector<ModelledCluster> clusters = clusters_of(s);
  std::vector<std::string> gradients = s.network.gradients;
  if (gradients.empty()) gradients = {s.gradients.quantizer};
  const bool widening = s.network.exchange == "widening";
  const double compute = s.network.compute_time.value_or(profile.compute);
  const double work = compute + (widening ? 0 : profile.quantize + profile.update);
  std::vector<double> communication, iteration, speed_up, bits, bandwidth, latency, ranks;
  for (const ModelledNetwork& n : networks) {
    bandwidth.push_back(n.bandwidth / 1e9), latency.push_back(n.latency);
    for (const std::string& g : gradients) {
      const ModelledTraffic traffic = modelled_traffic(widening ? "widening" : s.workers.exchange, layout, bits_of_gradients(g), bits_of_weights(s.weights.quantizer), s.network.full_precision);
      for (const ModelledCluster& c : clusters) {
        communication.push_back(communication_time(traffic, n, c));
        iteration.push_back(work + communication.back());
        speed_up.push_back(static_cast<double>(c.ranks()) * compute / iteration.back());
      }
    }
  }
  for (const std::string& g : gradients) bits.push_back(static_cast<double>(bits_of_gradients(g)));
  for (const ModelledCluster& c : clusters) ranks.push_back(static_cast<double>(c.ranks()));
  const std::vector<std::size_t> all = {networks.size(), gradients.size(), clusters.size()};
  const auto add = [&](const char* name, const char* unit, const char* label, std::vector<std::size_t> shape, std::vector<double> values, Attributes more = {}) {
    record.datasets.push_back({std::string("network/") + name, unit, label, std::move(shape), std::move(values), std::move(more)});
  };
  add("bandwidth", "Gbit/s", "bandwidth of each node's link", {networks.size()}, bandwidth);
  add("latency", "s", "latency between nodes", {networks.size()}, latency);
  add("gradient_bits", "1", "bits of a gradient code, 32: full precision", {gradients.size()}, bits);
  add("ranks", "1", "ranks P", {clusters.size()}, ranks);
  add("compute_time", "s", "forward and backward of one worker, one iteration", {}, {compute});
  add("communication_time", "s", "modelled communication of one iteration", all, communication);
  add("iteration_time", "s", "modelled time of one iteration", all, iteration, {{"assumptions", assumptions(s)}});
  add("speed_up", "1", "modelled speed-up over one worker, P·T_compute/T_iteration", all, speed_up);

  // Time to any loss: for the run as it is, its own gradients on as many ranks as it has workers.
  const auto own_gradients = std::ranges::find(gradients, s.gradients.quantizer);
  const auto own_ranks = std::ranges::find(ranks, static_cast<double>(s.workers.count));
  const Dataset* points = record.find("curves/iteration");
  if (own_gradients == gradients.end() || own_ranks == ranks.end() || points == nullptr) return;
  const auto& t = std::get<std::vector<std::int64_t>>(points->values);
  const auto row = static_cast<std::size_t>(own_gradients - gradients.begin()), column = static_cast<std::size_t>(own_ranks - ranks.begin());
  std::vector<double> elapsed;
  for (std::size_t n = 0; n < networks.size(); ++n)
    for (const std::int64_t i : t) elapsed.push_back(static_cast<double>(i) * iteration[(n * gradients.size() + row) * clusters.size() + column]);
  add("elapsed_time", "s", "modelled time until each point of the curves", {networks.size(), t.size()}, elapsed);
}

}  // namespace qsweep
