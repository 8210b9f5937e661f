#pragma once
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "theory/bounds.h"
#include "theory/hindsight.h"
#include "theory/regret.h"
#include "theory/spectrum.h"

/// A small double-precision simulator of the whole algorithm, and the bounds recomputed from its stored history: the plain,
/// slow twin of RegretMeter. Nothing here is shared with the program but the closed forms of L and of the comparator.
namespace qsweep::regret_test {

using Vector = std::vector<double>;

struct History {
  std::vector<Vector> w, w_hat, g, v;  ///< v empty: no second moment
  Vector loss, comparator, eta, lipschitz, alpha, clip_error;
};

struct Scenario {
  std::size_t d = 6, batch = 3, T = 200, workers = 1;
  double r = 0.5, eta = 0.03, beta = 0.9, epsilon = 1e-8;
  bool max_form = true, adaptive = true, round_to_float = false;
  std::string weights = "lab";
  int k = 0;  ///< gradient levels; 0: full precision
  std::optional<double> clip = {};
  std::uint32_t seed = 1, rounding_seed = 1;

  RegretSettings settings() const {
    return {.dimension = d,
            .radius = r,
            .eta = eta,
            .beta = beta,
            .epsilon = epsilon,
            .step = adaptive ? RegretSettings::Step::rmsprop : RegretSettings::Step::gradient,
            .inverse_sqrt = true,
            .second_moment_max = max_form,
            .delta_w = weight_resolution(weights),
            .delta_g = k == 0 ? 0 : 1.0 / k,
            .clip = clip};
  }
};

/// One round of one worker: f(w) = ‖Xw − y‖²/(2B).
struct Round {
  std::size_t d, B;
  Vector X, y;

  Round(const Scenario& s, std::size_t t, std::size_t n) : d(s.d), B(s.batch), X(B * d), y(B) {
    const Stream truth(s.seed, Draw::TrueWeights);
    const auto worker = static_cast<std::uint32_t>(n), iteration = static_cast<std::uint32_t>(t);
    const Stream data(s.seed, Draw::Data, worker, iteration), noise(s.seed, Draw::Noise, worker, iteration);
    for (std::size_t i = 0; i < X.size(); ++i) X[i] = data.uniform(i) - 0.5;
    for (std::size_t b = 0; b < B; ++b) {
      y[b] = 0.2 * noise.normal(b);
      for (std::size_t i = 0; i < d; ++i) y[b] += X[b * d + i] * (1.2 * truth.uniform(i) - 0.6);
    }
  }
  Vector residual(const Vector& w) const {
    Vector e(B);
    for (std::size_t b = 0; b < B; ++b) {
      e[b] = -y[b];
      for (std::size_t i = 0; i < d; ++i) e[b] += X[b * d + i] * w[i];
    }
    return e;
  }
  double loss(const Vector& w) const {
    double sum = 0;
    for (const double e : residual(w)) sum += e * e;
    return sum / (2 * static_cast<double>(B));
  }
  Vector gradient(const Vector& w) const {
    const Vector e = residual(w);
    Vector g(d);
    for (std::size_t b = 0; b < B; ++b)
      for (std::size_t i = 0; i < d; ++i) g[i] += e[b] * X[b * d + i] / static_cast<double>(B);
    return g;
  }
  void add_to(Vector& A, Vector& b, double& c) const {
    for (std::size_t s = 0; s < B; ++s) {
      for (std::size_t i = 0; i < d; ++i)
        for (std::size_t j = 0; j < d; ++j) A[i * d + j] += X[s * d + i] * X[s * d + j];
      for (std::size_t i = 0; i < d; ++i) b[i] += y[s] * X[s * d + i];
      c += y[s] * y[s];
    }
  }
};

inline double weighted_scale(const Vector& w, const Vector& b, const Vector& curvature) {
  double up = 0, down = 0;
  for (std::size_t i = 0; i < w.size(); ++i) up += curvature[i] * b[i] * w[i], down += curvature[i] * b[i] * b[i];
  return down > 0 ? up / down : 0;
}

/// LAB (closed form) or LAQ by ten alternations, last step the nearest levels for the scale returned.
inline double quantize_weights(const std::string& name, const Vector& w, const Vector& curvature, Vector& w_hat) {
  w_hat = w;
  if (name == "fp") return 0;
  Vector b(w.size());
  if (name == "lab") {
    for (std::size_t i = 0; i < w.size(); ++i) b[i] = w[i] < 0 ? -1 : 1;
    const double alpha = weighted_scale(w, b, curvature);
    for (std::size_t i = 0; i < w.size(); ++i) w_hat[i] = alpha * b[i];
    return alpha;
  }
  const int k = (1 << (name.back() - '1')) - 1;
  double alpha = 0;
  for (const double x : w) alpha = std::max(alpha, std::abs(x));
  for (int pass = 0; pass < 10; ++pass) {
    for (std::size_t i = 0; i < w.size(); ++i) b[i] = alpha > 0 ? std::round(std::clamp(w[i] / alpha, -1.0, 1.0) * k) / k : 0;
    const double next = weighted_scale(w, b, curvature);
    if (pass < 9 && next > 0) alpha = next;
  }
  for (std::size_t i = 0; i < w.size(); ++i) w_hat[i] = alpha * b[i];
  return alpha;
}

/// Clip at cσ, then SQm with scale ‖·‖_∞; returns the clipping error.
inline double quantize_gradient(const Scenario& s, Vector& g, std::size_t t, std::size_t n) {
  double error = 0;
  if (s.clip) {
    double mean = 0, square = 0;
    for (const double x : g) mean += x / static_cast<double>(s.d), square += x * x / static_cast<double>(s.d);
    const double limit = *s.clip * std::sqrt(std::max(0.0, square - mean * mean));
    for (double& x : g) {
      const double clipped = std::clamp(x, -limit, limit);
      error += (clipped - x) * (clipped - x);
      x = clipped;
    }
  }
  if (s.k > 0) {
    const Stream rng(s.rounding_seed, Draw::GradientRounding, static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(t));
    double scale = 0;
    for (const double x : g) scale = std::max(scale, std::abs(x));
    for (std::size_t i = 0; i < g.size(); ++i) {
      const double x = scale > 0 ? std::abs(g[i]) / scale * s.k : 0, below = std::floor(x);
      g[i] = std::copysign(scale * (below + (rng.uniform(i) < x - below ? 1 : 0)) / s.k, g[i]);
    }
  }
  return std::sqrt(error);
}

inline void round_to_float(bool really, Vector& x) {
  if (!really) return;
  for (double& entry : x) entry = static_cast<float>(entry);
}

/// The best w of the box for all rounds of the run.
inline Vector comparator(const Scenario& s) {
  Vector A(s.d * s.d), b(s.d);
  double c = 0;
  for (std::size_t t = 1; t <= s.T; ++t)
    for (std::size_t n = 0; n < s.workers; ++n) Round(s, t, n).add_to(A, b, c);
  return best_in_hindsight(A, b, c, s.r).w;
}

inline History simulate(const Scenario& s, const Vector& u) {
  History h;
  const Stream start(s.seed, Draw::InitialWeights);
  Vector w(s.d), w_hat, v(s.d), curvature(s.d, 1);
  for (std::size_t i = 0; i < s.d; ++i) w[i] = s.r * (2 * start.uniform(i) - 1);
  round_to_float(s.round_to_float, w);
  const auto N = static_cast<double>(s.workers);
  for (std::size_t t = 1; t <= s.T; ++t) {
    double alpha = quantize_weights(s.weights, w, curvature, w_hat);
    round_to_float(s.round_to_float, w_hat);
    Vector g(s.d), A(s.d * s.d), unused(s.d);
    double loss = 0, best = 0, clip_error = 0, c = 0;
    for (std::size_t n = 0; n < s.workers; ++n) {
      const Round round(s, t, n);
      Vector mine = round.gradient(w_hat);
      clip_error += quantize_gradient(s, mine, t, n) / N;
      for (std::size_t i = 0; i < s.d; ++i) g[i] += mine[i] / N;
      loss += round.loss(w) / N, best += round.loss(u) / N;
      round.add_to(A, unused, c);
    }
    for (double& x : A) x /= N * static_cast<double>(s.batch);
    round_to_float(s.round_to_float, g);
    for (std::size_t i = 0; i < s.d; ++i) {
      const double next = s.beta * v[i] + (1 - s.beta) * g[i] * g[i];
      v[i] = s.max_form ? std::max(v[i], next) : next;
    }
    round_to_float(s.round_to_float, v);
    const double eta = s.eta / std::sqrt(static_cast<double>(t));
    h.w.push_back(w), h.w_hat.push_back(w_hat), h.g.push_back(g);
    if (s.adaptive) h.v.push_back(v);
    h.loss.push_back(loss), h.comparator.push_back(best), h.eta.push_back(eta), h.alpha.push_back(alpha);
    h.clip_error.push_back(clip_error), h.lipschitz.push_back(largest_eigenvalue(A, s.d, 1e-12).upper);
    for (std::size_t i = 0; i < s.d; ++i) {
      const double P = s.adaptive ? std::sqrt(v[i]) + s.epsilon : 1;
      w[i] = std::clamp(w[i] - eta * g[i] / P, -s.r, s.r);
      curvature[i] = s.adaptive ? std::sqrt(v[i]) + 1e-8 : 1;
    }
    round_to_float(s.round_to_float, w);
  }
  return h;
}

/// Sums, not averages, after the first T rounds: written from the formulas, one by one.
struct Bounds {
  double R = 0, U1 = 0, U2 = 0, U3 = 0, printed = 0, E = 0, G = 0, B = 0;
};
inline Bounds recompute(const History& h, const RegretSettings& s, std::size_t T) {
  const auto d = static_cast<double>(s.dimension), rounds = static_cast<double>(T);
  const double D = 2 * s.radius * std::sqrt(d), D_inf = 2 * s.radius;
  const auto P = [&](std::size_t t, std::size_t i) { return h.v.empty() ? 1 : std::sqrt(h.v[t][i]) + s.epsilon; };
  Bounds out;
  double L = 0, alpha = 0, distance = 0, clip = 0, squares = 0;
  for (std::size_t t = 0; t < T; ++t) {
    out.R += h.loss[t] - h.comparator[t];
    L = std::max(L, h.lipschitz[t]), alpha = std::max(alpha, h.alpha[t]), clip += h.clip_error[t];
    double error = 0;
    for (std::size_t i = 0; i < s.dimension; ++i) {
      const double now = P(t, i) / h.eta[t], before = t == 0 ? 0 : P(t - 1, i) / h.eta[t - 1];
      out.U1 += D_inf * D_inf / 2 * std::max(0.0, now - before);
      if (h.g[t][i] != 0) out.U1 += h.eta[t] / 2 * h.g[t][i] * h.g[t][i] / P(t, i);
      error += (h.w[t][i] - h.w_hat[t][i]) * (h.w[t][i] - h.w_hat[t][i]);
      squares += h.g[t][i] * h.g[t][i];
      out.G = std::max(out.G, std::abs(h.g[t][i]));
    }
    distance += std::sqrt(error);
  }
  out.E = L * D * distance, out.B = std::sqrt(squares);
  out.U1 += out.E + D * clip;
  const double first = D_inf * D_inf * std::sqrt(rounds) / (2 * s.eta) * (d * out.G + d * s.epsilon);
  const double second = s.eta * std::sqrt(1 + std::log(rounds)) * std::sqrt(d) / (2 * std::sqrt(1 - s.beta)) * out.B;
  const auto floor = [&](double delta_w) {
    return delta_w == 0 ? 0 : L * D * rounds * std::sqrt(D * D + d * alpha * alpha * delta_w * delta_w / 4);
  };
  out.U2 = first + second + out.E + D * clip;
  out.U3 = first + second + floor(s.delta_w.repaired) + D * clip;
  const double K = D_inf * D_inf * out.G / (2 * s.eta) + s.eta * out.G * out.G / std::sqrt(1 - s.beta);
  double slow = (1 + std::sqrt(2 * d - 1)) / 2 * s.delta_g + 1;
  if (s.clip && s.delta_g > 0) slow = std::sqrt(2 / std::acos(-1.0)) * *s.clip * s.delta_g + 1;
  out.printed = K * std::sqrt(slow) * d * std::sqrt(rounds) + floor(s.delta_w.printed) + D * clip;
  return out;
}

}  // namespace qsweep::regret_test
