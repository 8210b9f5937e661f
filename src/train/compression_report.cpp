#include "train/compression_report.h"

#include <algorithm>
#include <cmath>

namespace qsweep {
namespace {

void describe(Recorder& curves) {
  curves.describe("mu", "loss/weight^2", "penalty parameter of the L step before");
  curves.describe("train_loss", "loss", "training loss of the quantized network");
  curves.describe("train_accuracy", "%", "training accuracy of the quantized network");
  curves.describe("test_loss", "loss", "test loss of the quantized network");
  curves.describe("test_accuracy", "%", "test accuracy of the quantized network");
  curves.describe("full_precision_train_loss", "loss", "training loss at the full-precision weights");
  curves.describe("full_precision_train_accuracy", "%", "training accuracy at the full-precision weights");
  curves.describe("full_precision_test_loss", "loss", "test loss at the full-precision weights");
  curves.describe("full_precision_test_accuracy", "%", "test accuracy at the full-precision weights");
  curves.describe("distance", "weight", "distance of weights and quantized weights");
  curves.describe("gap", "1", "distance of weights and quantized weights, relative");
  curves.describe("lagrangian_before_l", "loss", "augmented Lagrangian before the L step");
  curves.describe("lagrangian_after_l", "loss", "augmented Lagrangian after the L step");
  curves.describe("lagrangian_after_c", "loss", "augmented Lagrangian after the C step");
  curves.describe("passes", "1", "passes of k-means");
  curves.describe("codebook", "weight", "entries of the codebook");
  curves.describe("density", "1", "weights in each of the equal parts of the range");
}

std::vector<std::string> names_of(const Compression& c) {
  std::vector<std::string> names;
  for (const CompressionGroup& group : c.groups()) names.push_back(group.name);
  return names;
}

}  // namespace

CompressionReport::CompressionReport(const Compression& compression, bool classifies, std::span<const float> reference) : classifies_(classifies), curves_(1, 1) {
  describe(curves_);
  for (std::size_t g = 0; g < compression.groups().size(); ++g) limits_.push_back(1.5 * compression.largest(g, reference));
}

void CompressionReport::add(const Compression& c, std::span<const float> w, const CompressionScores& s, double mu, const Lagrangian& lagrangian) {
  curves_.begin(train_loss_.size());
  train_loss_.push_back(s.quantized_train.loss);
  if (s.quantized_train.loss < train_loss_[best_]) best_ = train_loss_.size() - 1;
  const double distance = c.distance(w), norm = c.norm();
  gap_ = norm > 0 ? distance / norm : distance > 0 ? INFINITY : 0;
  curves_.add("mu", mu);
  const std::pair<const char*, const Score*> networks[] = {{"", &s.quantized_train}, {"", &s.quantized_test}, {"full_precision_", &s.train}, {"full_precision_", &s.test}};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::string name = std::string(networks[i].first) + (i % 2 == 0 ? "train_" : "test_");
    curves_.add(name + "loss", networks[i].second->loss);
    if (classifies_) curves_.add(name + "accuracy", networks[i].second->accuracy);
  }
  curves_.add("distance", distance);
  curves_.add("gap", gap_);
  curves_.add("lagrangian_before_l", lagrangian.before_l);
  curves_.add("lagrangian_after_l", lagrangian.after_l);
  curves_.add("lagrangian_after_c", lagrangian.after_c);
  std::vector<double> passes, entries, density;
  for (std::size_t g = 0; g < c.groups().size(); ++g) {
    passes.push_back(static_cast<double>(c.passes(g)));
    for (const float value : c.codebook(g).values()) entries.push_back(value);
    const std::vector<double> counts = c.histogram(g, w, bins, limits_[g]);
    density.insert(density.end(), counts.begin(), counts.end());
  }
  curves_.add("passes", passes);
  curves_.add("codebook", entries);
  curves_.add("density", density);
}

void CompressionReport::add_times(double l_step, double c_step) {
  l_seconds_.push_back(l_step);
  c_seconds_.push_back(c_step);
}

void CompressionReport::state(Archive& archive) {
  curves_.state(archive, "compression/curves");
  archive.shared("compression/train_loss", train_loss_);
  archive.shared("compression/l_step", l_seconds_);
  archive.shared("compression/c_step", c_seconds_);
  std::uint64_t best = best_;
  archive.shared("compression/best_mu_step", best);
  best_ = best;
  archive.shared("compression/gap", gap_);
  const std::size_t steps = train_loss_.size();
  if (archive.restores() && (curves_.iterations().size() != steps || l_seconds_.size() != steps || c_seconds_.size() != steps || best_ >= steps)) archive.refuse("compression", "has another number of steps than its curves");
}

/// Datasets of one value a codebook get the axis [codebooks], those of K or `bins` values each the axes [codebooks, …].
void CompressionReport::write(const Compression& c, Record& record) const {
  const std::size_t groups = c.groups().size(), steps = train_loss_.size(), first = record.datasets.size();
  curves_.write_index("curves/compression/mu_step", record);
  record.datasets.back().long_name = "μ step";
  curves_.write("curves/compression", curves_.curves(), record);
  const std::vector<std::string> names = names_of(c);
  std::vector<Dataset> finals;
  for (std::size_t i = first; i < record.datasets.size(); ++i) {
    Dataset& d = record.datasets[i];
    const std::string name = d.path.substr(d.path.rfind('/') + 1);
    const bool of_groups = name == "passes" || name == "codebook" || name == "density";
    if (of_groups) d.attributes["codebooks"] = names;
    if (name == "passes") d.shape = {steps, groups};
    if (name == "codebook") d.shape = {steps, groups, c.quantizer().size()};
    if (name == "density") d.shape = {steps, groups, bins}, d.attributes["bins"] = static_cast<std::int64_t>(bins);
    if (of_groups || name == "mu_step") continue;
    const auto& values = std::get<std::vector<double>>(d.values);
    finals.push_back({"final/compression/" + name, d.unit, "final " + d.long_name, {}, std::vector<double>{values.back()}});
    if (name.starts_with("train") || name.starts_with("test")) finals.push_back({"final/compression/best_" + name, d.unit, d.long_name + ", of the μ step of lowest training loss", {}, std::vector<double>{values[best_]}});
  }
  const auto scalar = [&](const char* name, const char* unit, const char* label, double value) { finals.push_back({std::string("final/compression/") + name, unit, label, {}, std::vector<double>{value}}); };
  scalar("best_mu_step", "1", "μ step of lowest training loss", static_cast<double>(best_));
  scalar("compression_ratio", "1", "compression ratio", c.stored_size().ratio());
  finals.push_back({"curves/compression/density_limit", "weight", "density covers ± this", {groups}, limits_, {{"codebooks", names}}});
  finals.push_back({"runtime/l_step", "s", "time of each L step, with what the iterations record", {l_seconds_.size()}, l_seconds_});
  finals.push_back({"runtime/c_step", "s", "time of each C step", {c_seconds_.size()}, c_seconds_});
  record.datasets.insert(record.datasets.end(), finals.begin(), finals.end());
}

}  // namespace qsweep
