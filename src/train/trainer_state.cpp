// Checkpoints of a trainer: everything that decides the rest of its run, saved and restored.
#include <algorithm>

#include "base/errors.h"
#include "train/trainer.h"

namespace qsweep {

/// A field that is missing here shows in tests/train/resume_mpi.cpp, which interrupts runs with every value of every key.
void Trainer::state(Archive& archive) {
  archive.shared("iterations_done", done_);
  if (iterations_ != 0 && done_ > iterations_) archive.refuse("iterations_done", "is beyond the end of the run");
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
  state(archive);
  Runtime taken;  // by the ranks of before, whose number may be another
  taken.state(archive);
  archive.finish(saving.origin);
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
  taken.state(archive);
  archive.finish();
  const std::vector<float> mean = evaluated_state();
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
