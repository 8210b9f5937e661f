// Checkpoints of a trainer: everything that decides the rest of its run, saved and restored.
#include <algorithm>

#include "base/errors.h"
#include "train/trainer.h"

namespace qsweep {
namespace {

std::size_t size_of(const Record& record, const std::string& path) {
  const Dataset* found = record.find(path);
  return found == nullptr ? 0 : std::visit([](const auto& values) { return values.size(); }, found->values);
}

/// Each curve has a value, or a row, at each of its points.
void require_whole_curves(const Record& checkpoint, const std::string& origin) {
  for (const std::string curves : {"checkpoint/curves/", "checkpoint/evaluations/"}) {
    const std::size_t points = size_of(checkpoint, curves + "iteration");
    for (const Dataset& d : checkpoint.datasets) {
      if (!d.path.starts_with(curves) || d.path == curves + "interval" || d.path == curves + "names") continue;
      const std::size_t size = size_of(checkpoint, d.path);
      const bool may_be_absent = curves.ends_with("evaluations/");  // of the training set, for instance
      if (points == 0 ? size != 0 : size % points != 0 || (size == 0 && !may_be_absent))
        throw DataError(origin + ": " + d.path + " has another number of points than " + curves + "iteration: delete the checkpoints of this run, and it begins anew");
    }
  }
}

}  // namespace

/// A field that is missing here shows in tests/train/resume_mpi.cpp, which interrupts runs with every value of every key.
void Trainer::state(Archive& archive) {
  archive.shared("iterations_done", done_);
  archive.shared("interruptions", interruptions_);
  for (Field& field : optimizer_.state()) {
    if (field.name == "weights") archive.weights(model_->layout(), exchange_->partition(), field.values);
    else archive.elements("optimizer/" + field.name, model_->layout(), exchange_->partition(), field.values);
  }
  std::vector<float> scales(quantized_.scales().begin(), quantized_.scales().end());
  std::uint64_t rounds = quantized_.rounds();
  archive.shared("scales", scales);
  archive.shared("rounds", rounds);
  quantized_.restore(scales, rounds);
  workers_.state(archive);
  metrics_.state(archive);
  if (compression_) compression_state(archive);
}

void Trainer::resume(const Saving& saving) {
  Archive archive = Archive::restoring(team_, *saving.resume);
  const std::size_t tensors = quantized_.scales().size();
  state(archive);
  Runtime taken;  // by the ranks of before, whose number may be another
  archive.shared("execution", taken.rows);
  archive.finish(saving.origin);
  team_.on_root([&] { require_whole_curves(*saving.resume, saving.origin); });
  if (quantized_.scales().size() != tensors || (iterations_ != 0 && done_ > iterations_))  // shared: every rank finds the same
    throw DataError(saving.origin + ": its scales or its iteration are not of this run: delete the checkpoints of this run, and it begins anew");
  ++interruptions_;
  before_ = dealt_out(taken, static_cast<std::size_t>(team_.ranks()));
  if (owns_all()) quantized_.apply(optimizer_.weights());
  exchange_->share(quantized_, copies_weights() ? std::span<float>(copy_of_weights_) : std::span<float>(), optimizer_.weights());
}

/// Hands over what the run's own file holds so far, and the state. Collective.
void Trainer::save(const Saving& saving) {
  const Timed timed(watch_, Phase::output);
  Record record;
  Archive archive = Archive::saving(team_, record);
  state(archive);
  Runtime taken = execution();
  archive.shared("execution", taken.rows);
  archive.finish();
  const std::vector<float> mean = compression_ ? compression_->state : mean_state();
  if (team_.is_root()) {
    describe(record, "running", done_);
    metrics_.write(record, std::nullopt);
    if (settings_.theory.hindsight)  // not before the end is the best fixed w known
      std::erase_if(record.datasets, [](const Dataset& d) { return d.path.ends_with("/average_regret") && !d.path.starts_with(Archive::group); });
    describe_state(record, mean);
    if (compression_) compression_->report.write(compression_->method, record);
    describe_problem(record);
    describe_execution(taken, done_, record);
  }
  saving.save(std::move(record));
}

}  // namespace qsweep
