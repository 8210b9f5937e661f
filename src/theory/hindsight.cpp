#include "theory/hindsight.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "theory/dense.h"

namespace qsweep {
namespace {

class BoxLeastSquares {
 public:
  BoxLeastSquares(std::span<const double> A, std::span<const double> b, double r)
      : A_(A.data()), b_(b), r_(r), d_(b.size()), w_(d_), q_(d_) {
    for (std::size_t i = 0; i < d_; ++i) unit_ = std::max({unit_, std::abs(b[i]), r * A_[i * d_ + i]});
    refresh();
  }

  const std::vector<double>& w() const { return w_; }
  double value(double c) const {
    double sum = c;
    for (std::size_t i = 0; i < d_; ++i) sum += w_[i] * (q_[i] - b_[i]);  // wᵀ(Aw − b) − bᵀw
    return sum;
  }

  void refresh() {
    dense::symmetric_product(A_, w_.data(), q_.data(), d_);
    for (std::size_t i = 0; i < d_; ++i) q_[i] -= b_[i];
  }

  double kkt_residual() const {
    double worst = 0;
    for (std::size_t i = 0; i < d_; ++i) {
      const bool can_fall = w_[i] > -r_, can_rise = w_[i] < r_;
      if ((q_[i] > 0 && can_fall) || (q_[i] < 0 && can_rise)) worst = std::max(worst, std::abs(q_[i]));
    }
    return unit_ > 0 ? worst / unit_ : 0;
  }

  /// The exact minimum along each coordinate in turn.
  void sweep() {
    for (std::size_t i = 0; i < d_; ++i) {
      const double curvature = A_[i * d_ + i];
      if (!(curvature > 0)) continue;  // then the whole row and b_i are 0
      const double moved = std::clamp(w_[i] - q_[i] / curvature, -r_, r_), step = moved - w_[i];
      if (step == 0) continue;
      w_[i] = moved;
      dense::add_scaled(step, A_ + i * d_, q_.data(), d_);
    }
  }

  /// Conjugate gradients for the minimum over the coordinates inside the box, then the longest projected step towards it that
  /// lowers F.
  void solve_inside(double tolerance) {
    const std::vector<double> p = direction(tolerance);
    std::vector<double> step(d_), product(d_);
    for (double length = 1; length > 1e-3; length /= 2) {
      for (std::size_t i = 0; i < d_; ++i) step[i] = std::clamp(w_[i] + length * p[i], -r_, r_) - w_[i];
      if (take(step, product)) return;
    }
    double length = 1;  // up to the first side of the box F surely falls
    for (std::size_t i = 0; i < d_; ++i)
      if (p[i] != 0) length = std::min(length, (p[i] > 0 ? r_ - w_[i] : -r_ - w_[i]) / p[i]);
    for (std::size_t i = 0; i < d_; ++i) step[i] = std::clamp(w_[i] + length * p[i], -r_, r_) - w_[i];
    take(step, product);
  }

 private:
  /// w ← w + step if that lowers F: by stepᵀq + ½ stepᵀA·step.
  bool take(const std::vector<double>& step, std::vector<double>& product) {
    dense::symmetric_product(A_, step.data(), product.data(), d_);
    const double change = dense::dot(step.data(), q_.data(), d_) + dense::dot(step.data(), product.data(), d_) / 2;
    if (!(change <= 0)) return false;
    for (std::size_t i = 0; i < d_; ++i) w_[i] = std::clamp(w_[i] + step[i], -r_, r_), q_[i] += product[i];
    return true;
  }

  std::vector<double> direction(double tolerance) const {
    std::vector<double> p(d_), residual(d_), s(d_), product(d_);
    std::size_t inside = 0;
    for (std::size_t i = 0; i < d_; ++i)
      if (std::abs(w_[i]) < r_) residual[i] = -q_[i], ++inside;
    s = residual;
    double square = dense::dot(residual.data(), residual.data(), d_);
    for (std::size_t step = 0; step < 2 * inside + 20 && std::sqrt(square) > 0.1 * tolerance * unit_; ++step) {
      dense::symmetric_product(A_, s.data(), product.data(), d_);
      const double curvature = dense::dot(s.data(), product.data(), d_);
      if (!(curvature > 0)) break;  // a direction that F does not see
      const double length = square / curvature;
      for (std::size_t i = 0; i < d_; ++i) {
        p[i] += length * s[i];
        if (std::abs(w_[i]) < r_) residual[i] -= length * product[i];
      }
      const double next = dense::dot(residual.data(), residual.data(), d_), ratio = next / square;
      square = next;
      for (std::size_t i = 0; i < d_; ++i) s[i] = residual[i] + ratio * s[i];
    }
    return p;
  }

  const double* A_;
  std::span<const double> b_;
  double r_;
  std::size_t d_;
  std::vector<double> w_, q_;  ///< w and Aw − b
  double unit_ = 0;            ///< of the KKT residual
};

}  // namespace

Hindsight best_in_hindsight(std::span<const double> A, std::span<const double> b, double c, double r, double tolerance) {
  assert(A.size() == b.size() * b.size() && r > 0);
  BoxLeastSquares problem(A, b, r);
  int rounds = 0;
  for (; rounds < 500 && problem.kkt_residual() > tolerance; ++rounds) {
    problem.sweep();
    problem.sweep();
    problem.solve_inside(tolerance);
    problem.refresh();
  }
  return {problem.w(), problem.value(c), problem.kkt_residual(), rounds};
}

}  // namespace qsweep
