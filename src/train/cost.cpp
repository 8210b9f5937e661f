#include "train/cost.h"

#include <algorithm>

#include "exchange/network.h"
#include "model/networks.h"
#include "train/compression.h"
#include "train/network_cost.h"
#include "train/trainer.h"

namespace qsweep {
namespace {

/// How often the network is evaluated on a set of images.
double evaluations(const std::optional<std::uint64_t>& every, double iterations, double per_epoch) {
  if (every == UINT64_MAX) return 0;
  if (!every) return 1;
  return *every == 0 ? iterations / per_epoch : iterations / static_cast<double>(*every) + 1;
}

/// Share of the first dense layer's products that is left where it passes over a background (model/sparse_product.h), as measured.
double share_of_first_layer(const Settings& s) {
  if (!black_is_uniform(preprocess_options(s)) || s.workers.batch < Dense::least_sparse_batch) return 1;
  return s.data.set == "mnist" ? 0.4 : s.data.set == "fashion_mnist" ? 0.8 : 1;
}

/// Seconds of one core for what follows the reference and each L step: a C step, batch norm's statistics, four evaluations.
double compression_seconds(const Settings& s, double parameters, double samples, double test, double forward) {
  const double times = s.method == "direct_compression" ? 1 : static_cast<double>(s.compression.steps) + 1;
  return times * (parameters * 20e-9 + forward * (2 * (samples + test) + std::min(samples, 8192.0)));
}

}  // namespace

Cost distributed_cost(const Settings& s, std::size_t workers_per_rank, const Speed& speed) {
  Cost cost;
  const std::unique_ptr<Model> model = make_model(s);
  const std::size_t d = model->layout().dimension();
  if (s.compresses()) compression_groups(s.compression.layers, model->layout());
  modelled_traffic("floats", model->layout(), 32, 32, s.network.full_precision);
  const std::size_t inputs = s.data.synthetic_linear() ? s.model.dimension : input_geometry(s).size();
  const auto batch = static_cast<double>(s.workers.batch), workers = static_cast<double>(s.workers.count);
  cost.parameters = d;
  cost.iterations = iteration_limit(s);
  // Forward and backward each read every weight once per sample; the gradient of the inputs is never asked for.
  const NetworkInfo* network = find_network(s.model.kind);
  const bool convolves = network != nullptr && network->convolves;
  cost.flops_per_iteration = 4 * static_cast<double>(d) * batch * workers;
  if (network != nullptr && !convolves) {
    const auto first = static_cast<double>(model->layout().tensors().front().size);
    cost.flops_per_iteration -= 4 * first * (1 - share_of_first_layer(s)) * batch * workers;
  }
  double draws = s.data.synthetic_linear() ? static_cast<double>(d) * batch * workers : 0;
  if (s.theory.measure) {
    cost.flops_per_iteration += static_cast<double>(d) * batch * batch * workers;                    // Gram matrix
    if (s.theory.hindsight) draws *= 3, cost.flops_per_iteration += static_cast<double>(d * d) * batch * workers;
  }
  const std::size_t fields = 6;  // w, first and second moment, ŵ, mean gradient, and a message
  cost.bytes_per_rank = 4 * d * (fields + workers_per_rank) + 4 * s.workers.batch * (inputs + 4 * s.model.dimension) + (std::size_t{60} << 20);  // 60 MiB: the program and MPI
  double computing = cost.flops_per_iteration / speed.flops, forward = 2 * static_cast<double>(d) / speed.flops;
  if (convolves) {
    const NetworkWork work = work_of(network_plan_of(s), convolution_kind(s));
    computing = work.training * batch * workers;
    forward = work.forward;
    cost.bytes_per_rank += static_cast<std::size_t>(4 * work.activations * batch);
  }
  const bool quantizes = s.weights.quantized() || s.gradients.quantized();  // else the optimizer alone passes over the parameters
  const double per_iteration = computing + (workers + 2) * static_cast<double>(d) / (quantizes ? speed.elements : speed.updates) + draws / speed.draws + 4e-6 * workers;
  const auto iterations = static_cast<double>(cost.iterations == 0 ? 100 * s.run.patience : cost.iterations);
  cost.core_seconds = per_iteration * iterations + 0.05;
  if (network == nullptr) return cost;
  const auto samples = static_cast<double>(training_samples(s)), test = static_cast<double>(describe(image_set(s.data.set)).test), per_epoch = samples / (batch * workers);
  cost.core_seconds += forward * (test * evaluations(s.run.evaluate_every, iterations, per_epoch) + samples * evaluations(s.run.evaluate_train_every, iterations, per_epoch));
  if (s.compresses()) cost.core_seconds += compression_seconds(s, static_cast<double>(d), samples, test, forward);
  return cost;
}

}  // namespace qsweep
