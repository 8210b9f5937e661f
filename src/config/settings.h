#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// The settings of one run, as plain typed values. Filled from a point of the grid (config/keys.h), where each key is documented.
namespace qsweep {

/// Key name -> canonical text, "-" where the key has no meaning.
using Point = std::map<std::string, std::string>;

inline constexpr const char* meaningless = "-";

struct Settings {
  Point point;         ///< the effective text of every key
  std::string method;  ///< experiment.method
  bool compresses() const { return method == "learning_compression" || method == "direct_compression" || method == "iterated_direct_compression"; }

  struct Data {
    std::string set, dir;  ///< dir empty: $QSWEEP_DATA, else ./data
    std::size_t limit = 0;
    bool shuffle = true;
    std::string crop, augment, normalize;
    std::vector<double> mean, std;
    double noise = 0;  ///< deviation, of superresolution's inputs
    bool synthetic_linear() const { return set == "synthetic_linear"; }
    bool none() const { return set == meaningless; }  ///< the two-layer model draws its own
  } data;
  struct Model {
    std::string kind, activation, initial;  ///< initial empty: drawn
    std::size_t dimension = 0;
    std::optional<double> l2;  ///< none: as the model's protocol
    std::string batch_norm = "none", convolution = "auto", loss = "cross_entropy";
    double dropout = 0;
    bool sum_norm = false;  ///< one more batch norm after each block's sum
  } model;
  struct Weights {
    std::string quantizer, alpha_rule;
    bool quantized() const { return quantizer != "fp"; }
  } weights;
  struct Gradients {
    std::string quantizer, scale;
    std::optional<double> clip;  ///< c, in σ
    bool quantized() const { return quantizer != "fp"; }
    bool shared_scale() const { return scale != "worker"; }
    int bits() const { return quantized() ? std::stoi(quantizer.substr(2)) : 32; }
  } gradients;
  struct Activations {
    int bits = 0;  ///< 0: not quantized
    std::string ste;  ///< straight-through estimator
    std::string type;
    double alpha = 0;  ///< 0: asked for as published, but nothing is
    bool quantized() const { return bits != 0; }
  } activations;
  struct Workers {
    std::size_t count = 1;  ///< N
    std::size_t batch = 0;  ///< B, per worker
    std::string exchange;
  } workers;
  struct Optimizer {
    std::string kind, schedule, second_moment;
    double learning_rate = 0, decay = 0, momentum = 0, beta1 = 0, beta2 = 0, epsilon = 0, weight_decay = 0;
    std::vector<double> milestones;  ///< epochs
    std::vector<double> decays;      ///< a factor for each milestone; empty: `decay` at all of them
    std::optional<double> projection;
    std::optional<double> average;   ///< decay of the average of weights; none: not kept
    bool has_second_moment() const { return kind == "rmsprop" || kind == "adam"; }
  } optimizer;
  struct Run {
    std::uint64_t iterations = 0, patience = 0, seed = 0;  ///< 0 = no such limit
    double epochs = 0;
    std::uint64_t record_every = 0;                                   ///< 0 = auto
    std::optional<std::uint64_t> evaluate_every, evaluate_train_every;  ///< none: at the end only; 0: each epoch's end
    std::vector<double> histograms;                                   ///< iterations
    double checkpoint_every = 0;                                      ///< seconds, 0 = only when asked to stop
  } run;
  struct Compression {
    std::string codebook, layers, penalty, keep;
    std::size_t size = 0;          ///< K of k-means
    std::vector<double> values;    ///< entries of fixed and scaled codebooks, ascending
    int smallest_power = 0;        ///< C
    double mu0 = 0, mu_factor = 1, rate_factor = 1, tolerance = 0;
    std::uint64_t steps = 0, iterations = 0;  ///< L steps, and iterations in each
    std::string rounding, bound, update_factor;  ///< of binary_connect
  } compression;
  struct Network {
    std::vector<double> bandwidth, latency;  ///< Gbit/s and µs, one for each network; empty: none is modelled
    std::size_t nodes = 0;                   ///< 0: as many as the workers fill
    std::size_t ranks_per_node = 1;
    double node_bandwidth = 0, node_latency = 0;  ///< Gbit/s and µs, within a node
    std::string exchange;                         ///< own, widening
    std::vector<std::string> gradients, full_precision;  ///< gradients empty: the run's own
    std::optional<double> compute_time;                  ///< s; none: measured
  } network;
  struct Theory {
    bool measure = false, hindsight = false;
  } theory;
  struct Problem {  ///< of the two-layer model (method coarse_gradient)
    std::size_t rows = 0, samples = 0, starts = 0;  ///< m; N, 0 = population; S
    std::string target, shared, start;
    std::vector<double> target_values;              ///< of v*, where they are given
    std::optional<double> target_norm;
    double w_norm = 0, v_offset = 0, angle_offset = 0;
    std::vector<double> line;                       ///< step sizes
    bool at_critical_point() const { return start == "global" || start == "spurious" || start == "saddle"; }
    bool from_file() const { return !start.empty() && start != meaningless && start != "random" && start != "theorem2" && !at_critical_point(); }
  } problem;
};

}  // namespace qsweep
