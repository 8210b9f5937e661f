// Algorithm 1 on the whole population: every start is a norm, an angle and v (theory/two_layer_descent.h), and nothing travels.
#include <cmath>

#include "train/ensemble.h"

namespace qsweep {
namespace {

class PopulationEnsemble final : public Ensemble {
 public:
  PopulationEnsemble(const Settings& s, const Team& team, const Starts& starts, Stopwatch& watch)
      : Ensemble(workers_of(team.rank(), team.ranks(), starts.count), starts), estimator_(estimator(s.activations.ste)), eta_(s.optimizer.learning_rate), watch_(watch) {
    for (std::size_t i = 0; i < block_.count; ++i) {
      const Frame frame = frame_of(starts.start_w(index(i)), starts.target_w(index(i)));
      norm_.push_back(frame.norm);
      theta_.push_back(frame.theta);
      tallies_[i].least_norm = frame.norm;
      v_.insert(v_.end(), starts.start_v(index(i)).begin(), starts.start_v(index(i)).end());
      loss_.push_back(population_loss(v(i), starts.target_v(index(i)), frame.theta));
    }
  }

  std::vector<Observation> observe() const override {
    std::vector<Observation> all(block_.count);
    for (std::size_t i = 0; i < block_.count; ++i) {
      const Overlap o = overlap(v(i), starts_.target_v(index(i)));
      const Split split = expected_coarse_gradient(estimator_, o, theta_[i], norm_[i]);
      all[i] = {loss_[i], loss_[i], theta_[i], norm_[i], distance(v(i), starts_.target_v(index(i))), gradient_product(split, o.target, norm_[i]), 0};
    }
    return all;
  }

  void advance(std::uint64_t first, std::uint64_t steps) override {
    const Timed timed(watch_, Phase::compute);
    for (std::size_t i = 0; i < block_.count; ++i) {
      Descending point{std::span(v_).subspan(i * starts_.rows, starts_.rows), norm_[i], theta_[i]};
      loss_[i] = descend(estimator_, eta_, starts_.target_v(index(i)), point, loss_[i], first, steps, tallies_[i]);
      norm_[i] = point.norm;
      theta_[i] = point.theta;
    }
  }

  double loss(std::size_t i) const override { return loss_[i]; }

  std::vector<double> losses_after(double eta) override {
    std::vector<double> losses;
    for (std::size_t i = 0; i < block_.count; ++i) {
      std::vector<double> moved(v(i).begin(), v(i).end());
      Descending point{moved, norm_[i], theta_[i]};
      StepTally ignored;
      losses.push_back(descend(estimator_, eta, starts_.target_v(index(i)), point, loss_[i], 1, 1, ignored));
    }
    return losses;
  }

  std::vector<double> v() const override { return v_; }
  std::vector<double> theta() const override { return theta_; }

  /// w in the plane of w⁰ and w*: on w*'s other side than w⁰ only if θ says so.
  std::vector<double> w() const override {
    std::vector<double> all;
    for (std::size_t i = 0; i < block_.count; ++i) {
      const Vector w_star = starts_.target_w(index(i)), w_0 = starts_.start_w(index(i));
      const std::vector<double> aside = frame_of(w_star, frame_of(w_0, w_star).direction).turn;  // of w⁰ what is orthogonal to w*; 0 if nothing is
      for (std::size_t j = 0; j < w_star.size(); ++j) all.push_back(norm_[i] * (std::cos(theta_[i]) * w_star[j] + std::sin(theta_[i]) * aside[j]));
    }
    return all;
  }

 protected:
  void point_state(Archive& archive) override {
    archive.of_workers("v", v_, starts_.rows, starts_.count);
    archive.of_workers("w_norm", norm_, 1, starts_.count);
    archive.of_workers("theta", theta_, 1, starts_.count);
    archive.of_workers("loss", loss_, 1, starts_.count);
  }

 private:
  std::size_t index(std::size_t i) const { return block_.first + i; }
  Vector v(std::size_t i) const { return Vector(v_).subspan(i * starts_.rows, starts_.rows); }

  Estimator estimator_;
  double eta_;
  Stopwatch& watch_;
  std::vector<double> v_, norm_, theta_, loss_;  ///< of the block
};

}  // namespace

std::unique_ptr<Ensemble> population_ensemble(const Settings& settings, const Team& team, const Starts& starts, Stopwatch& watch) {
  return std::make_unique<PopulationEnsemble>(settings, team, starts, watch);
}

}  // namespace qsweep
