#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exchange/exchange.h"
#include "optimize/optimizer.h"
#include "quantize/quantized_weights.h"
#include "train/archive.h"
#include "train/compression_report.h"
#include "train/feed.h"
#include "train/make_model.h"
#include "train/method.h"
#include "train/metrics.h"
#include "train/runtime.h"
#include "train/saving.h"
#include "train/network_report.h"
#include "train/worker.h"

/// One run of distributed training on a team of ranks: the governing line, iteration after iteration. With the methods that compress
/// it is their L steps: at each one's end the C and M steps follow, which every rank does with all of w.
/// Source: Hou, Zhang, Kwok 2019, section 3.2.
namespace qsweep {

class Trainer {
 public:
  /// initial: replaces the drawn weights; `origin` names it in messages. ConfigError if names or shapes do not fit the model.
  Trainer(const Settings& settings, const Team& team, DataStore& data, const std::optional<InitialWeights>& initial, const std::string& origin);

  /// Trains to the end. Returns on the team's root everything there is to store, elsewhere an empty record. Collective.
  /// Interrupted on every rank if `saving` asked to stop before the end, and the state was saved.
  Record run(const std::function<void(const Progress&)>& watch = {}, const Saving& saving = {});

 private:
  void load(const InitialWeights& initial, const std::string& origin, std::span<float> whole);
  void gather_from_workers(std::span<const double> mine, std::size_t each, std::span<double> all) const;
  void share_reports();
  bool finite() const;
  void count_loss(std::uint64_t t);
  bool is_last(std::uint64_t t) const;
  void record(std::uint64_t t);
  void evaluate(std::uint64_t t, bool last);
  bool evaluation_due(std::optional<std::uint64_t> every, std::uint64_t t, bool last) const;
  std::span<const float> average_gradient(std::uint64_t t, bool recorded);
  void step(std::uint64_t t, std::span<const float> gradient);
  std::span<const float> full_precision_weights() const;
  std::span<const float> whole(std::span<const float> mine, std::vector<float>& room) const;
  bool copies_weights() const;
  bool owns_all() const { return exchange_->partition().is_whole(team_.rank()); }
  std::vector<float> quantized_average() const;
  std::vector<double> norm_ratios();
  void record_histogram(std::uint64_t t);
  std::vector<float> mean_state() const;
  std::vector<float> evaluated_state() const;
  Record finish(std::uint64_t t, bool diverged);
  Score score(std::span<const float> weights, std::span<const float> state, const ImageSetView& images);
  bool ends_l_step(std::uint64_t t) const { return compression_ && settings_.compression.iterations != 0 && t % settings_.compression.iterations == 0; }
  void begin_binary_connect(bool given, std::vector<float>& w);
  void gather_weights();
  void begin_compression();
  void begin_l_step(std::uint64_t t);
  void aim_l_step(std::uint64_t k);
  void compression_state(Archive& archive);
  bool compress(std::uint64_t t);
  void adopt_best();
  void measure_compression(double mu, Lagrangian lagrangian);
  std::vector<float> statistics_of(std::span<const float> weights);
  void describe_compression(Record& record);
  void describe(Record& record, const char* status, std::uint64_t t) const;
  void describe_state(Record& record, std::span<const float> state) const;
  void describe_problem(Record& record) const;
  void describe_execution(const Runtime& runtime, std::uint64_t t, Record& record) const;
  Runtime execution() const;
  std::optional<Profile> one_iteration(std::uint64_t t) const;
  void state(Archive& archive);
  void resume(const Saving& saving);
  void save(const Saving& saving);

  Settings settings_;
  const Team& team_;
  DataStore& data_;
  Stopwatch watch_;
  WorkerBlock block_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Feed> feed_;
  std::uint64_t iterations_, samples_;  ///< T (0: not known), training samples (0: endless)
  std::unique_ptr<Exchange> exchange_;
  Layout owned_;                        ///< the part of each tensor whose state this rank keeps
  Optimizer optimizer_;
  QuantizedWeights quantized_;
  Workers workers_;
  Metrics metrics_;
  std::vector<double> reports_;         ///< [N, report_size]
  std::vector<float> scales_;           ///< [N, tensors]
  std::vector<float> mean_gradient_, copy_of_weights_;
  std::vector<double> quantized_norms_; ///< ‖Q_g‖² [my workers, tensors]
  struct Compressing {
    Compression method;
    CompressionReport report;
    std::vector<float> w;              ///< the weights, on every rank [d]
    std::vector<float> state;          ///< running statistics that fit Δ(Θ)
    double train_loss = 0;             ///< L(w)
    double before_l = 0;               ///< L_A at the start of this L step
    std::optional<Compression::Kept> best = std::nullopt;  ///< if it is to be stored in the end
    std::vector<float> best_w = {}, best_state = {};
    Stopwatch::Clock::time_point since = {};
  };
  std::optional<Compressing> compression_;  ///< with the methods that compress
  std::uint64_t done_ = 0, resumed_ = 0;  ///< iterations: made, and of them before this process went on
  std::uint64_t interruptions_ = 0;
  Wish wish_ = Wish::go_on;             ///< the strongest of all ranks, in this iteration
  Runtime before_;                      ///< what was taken before the last interruption, by rank
  Stopwatch first_iteration_;           ///< of this process, as it stood after it: with what is made once
  std::vector<float> initial_;          ///< w_1, linear model only: stored under problem/
};

/// The methods that train by mini-batches: one Trainer from its start to its end.
Record train_distributed(const Task& task);

/// T that the settings promise at most: the lower of run.iterations and run.epochs; 0 if only patience ends the run.
std::uint64_t iteration_limit(const Settings& settings);

}  // namespace qsweep
