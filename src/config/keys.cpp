#include "config/keys.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "config/text.h"
#include "model/networks.h"
#include "quantize/activation.h"
#include "quantize/codebook.h"

namespace qsweep {
namespace {

using Canonical = std::function<std::string(const std::string&)>;

/// What a key accepts: the words of a message and the check itself.
struct Domain {
  std::string allowed;
  Canonical canonical;
};

Domain one_of(std::vector<std::string> values) {
  const std::string allowed = fmt::format("{}", fmt::join(values, ", "));
  return {allowed, [values = std::move(values)](const std::string& text) {
            if (std::find(values.begin(), values.end(), text) == values.end()) throw std::invalid_argument(text);
            return text;
          }};
}

Domain boolean() { return one_of({"true", "false"}); }

Domain integer(std::uint64_t least, std::uint64_t most) {
  return {fmt::format("an integer from {} to {}", least, most), [=](const std::string& text) {
            const double value = parse_real(text);
            if (value != std::floor(value) || value < static_cast<double>(least) || value > static_cast<double>(most)) throw std::invalid_argument(text);
            return fmt::format("{}", static_cast<std::uint64_t>(value));
          }};
}

Domain real(double least, bool open, double most = 1e30) {
  const std::string allowed = most < 1e30 ? fmt::format("a number {} {} and below {}", open ? ">" : "≥", least, most)
                                          : fmt::format("a number {} {}", open ? ">" : "≥", least);
  return {allowed, [=](const std::string& text) {
            const double value = parse_real(text);
            if (!(value >= least) || (open && value == least) || !(value < most)) throw std::invalid_argument(text);
            return format_real(value);
          }};
}

Domain real_list(std::string what) {
  return {std::move(what), [](const std::string& text) {
            std::vector<std::string> items;
            for (const std::string& item : split_words(text)) {
              if (!(parse_real(item) >= 0)) throw std::invalid_argument(text);
              items.push_back(format_real(parse_real(item)));
            }
            if (items.empty()) throw std::invalid_argument(text);
            return fmt::format("{}", fmt::join(items, " "));
          }};
}

Domain integer_list(std::string what) {
  return {std::move(what), [whole = integer(1, 4'000'000'000)](const std::string& text) {
            std::vector<std::string> items;
            for (const std::string& item : split_words(text)) {
              items.push_back(whole.canonical(item));
              if (items.size() > 1 && parse_real(items.back()) <= parse_real(items[items.size() - 2])) throw std::invalid_argument(text);
            }
            if (items.empty()) throw std::invalid_argument(text);
            return fmt::format("{}", fmt::join(items, " "));
          }};
}

/// A share of the run, "2/5"; 0 if the text is none.
double share(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == std::string::npos) return 0;
  const double part = parse_real(text.substr(0, slash)), whole = parse_real(text.substr(slash + 1));
  if (!(part > 0) || !(part < whole) || part != std::floor(part) || whole != std::floor(whole)) throw std::invalid_argument(text);
  return part / whole;
}

/// Epochs, or all of them shares of the run.
Domain milestone_list() {
  return {"increasing epochs, or shares of run.epochs such as 2/5, separated by spaces", [](const std::string& text) {
            std::vector<std::string> items;
            std::size_t shares = 0;
            for (const std::string& item : split_words(text)) {
              if (share(item) == 0 && !(parse_real(item) >= 0)) throw std::invalid_argument(text);
              const auto slash = item.find('/');
              shares += slash != std::string::npos ? 1 : 0;
              items.push_back(slash == std::string::npos ? format_real(parse_real(item)) : format_real(parse_real(item.substr(0, slash))) + "/" + format_real(parse_real(item.substr(slash + 1))));
            }
            if (items.empty() || (shares != 0 && shares != items.size())) throw std::invalid_argument(text);
            return fmt::format("{}", fmt::join(items, " "));
          }};
}

/// Ascending numbers of any sign.
Domain entries() {
  return {"2 to 256 increasing numbers, separated by spaces", [](const std::string& text) {
            std::vector<std::string> items;
            double before = -HUGE_VAL;
            for (const std::string& item : split_words(text)) {
              const double value = parse_real(item);
              if (!(static_cast<float>(value) > static_cast<float>(before)) || !std::isfinite(value)) throw std::invalid_argument(text);
              before = value;
              items.push_back(format_real(value));
            }
            if (items.size() < 2 || items.size() > 256) throw std::invalid_argument(text);
            return fmt::format("{}", fmt::join(items, " "));
          }};
}

/// Words separated by spaces, each of which the domain allows.
Domain list_of(const std::string& what, Domain domain) {
  return {fmt::format("{}, separated by spaces", what), [=](const std::string& text) {
            std::vector<std::string> items;
            for (const std::string& item : split_words(text)) items.push_back(domain.canonical(item));
            if (items.empty()) throw std::invalid_argument(text);
            return fmt::format("{}", fmt::join(items, " "));
          }};
}

/// Milestones in epochs.
std::vector<double> milestone_epochs(const std::string& text, double epochs) {
  std::vector<double> values;
  for (const std::string& item : split_words(text)) {
    const auto slash = item.find('/');
    if (slash == std::string::npos) values.push_back(parse_real(item));
    else values.push_back(parse_real(item.substr(0, slash)) * epochs / parse_real(item.substr(slash + 1)));  // 2·200/5 is 80, without a rounding
  }
  return values;
}

/// Numbers above 0.
Domain factor_list(std::string what) {
  return {std::move(what), [](const std::string& text) {
            std::vector<std::string> items;
            for (const std::string& item : split_words(text)) {
              if (!(parse_real(item) > 0)) throw std::invalid_argument(text);
              items.push_back(format_real(parse_real(item)));
            }
            if (items.empty()) throw std::invalid_argument(text);
            return fmt::format("{}", fmt::join(items, " "));
          }};
}

/// One of `words`, or what the domain allows.
Domain words_or(std::vector<std::string> words, Domain domain) {
  const std::string allowed = fmt::format("{} or {}", fmt::join(words, ", "), domain.allowed);
  return {allowed, [=](const std::string& text) { return std::ranges::find(words, text) != words.end() ? text : domain.canonical(text); }};
}
Domain word_or(std::string word, Domain domain) { return words_or({std::move(word)}, std::move(domain)); }

Domain any_text() {
  return {"any text", [](const std::string& text) {
            if (text.empty()) throw std::invalid_argument("empty");
            return text;
          }};
}

std::vector<std::string> numbered(std::vector<std::string> names, const std::string& stem) {
  for (int bits = 2; bits <= 8; ++bits) names.push_back(stem + std::to_string(bits));
  return names;
}

std::vector<std::string> weight_quantizers() { return numbered(numbered({"fp", "lab", "lat"}, "laq"), "log"); }

bool is(const Point& p, const char* key, std::initializer_list<const char*> values) {
  return std::any_of(values.begin(), values.end(), [&](const char* v) { return p.at(key) == v; });
}

/// m numbers of any sign separated by spaces, or one of the words.
Domain words_or_reals(std::vector<std::string> words, const std::string& numbers) {
  return {fmt::format("{}, or {}", fmt::join(words, ", "), numbers), [words = std::move(words)](const std::string& text) {
            if (std::ranges::find(words, text) != words.end()) return text;
            std::vector<std::string> items;
            for (const double value : parse_reals(text)) items.push_back(format_real(value));
            if (items.empty()) throw std::invalid_argument(text);
            return fmt::format("{}", fmt::join(items, " "));
          }};
}

/// FIRST:STEP:LAST, with 0 ≤ FIRST ≤ LAST and at most 10,000 values.
Domain steps_or_none() {
  return {"none, or FIRST:STEP:LAST with 0 ≤ FIRST ≤ LAST, STEP > 0 and at most 10,000 values", [](const std::string& text) {
            if (text == "none") return text;
            std::vector<double> x;
            for (const std::string& part : split(text, ':')) x.push_back(parse_real(part));
            if (x.size() != 3 || !(x[0] >= 0) || !(x[1] > 0) || !(x[2] >= x[0]) || (x[2] - x[0]) / x[1] > 9'999.5) throw std::invalid_argument(text);
            if (!(x[2] + x[1] / 2 > x[2]) || !std::isfinite(x[2] + x[1])) throw std::invalid_argument(text);  // a step that is lost beside LAST never gets there
            return fmt::format("{}:{}:{}", format_real(x[0]), format_real(x[1]), format_real(x[2]));
          }};
}

bool two_layer(const Point& p) { return is(p, "experiment.method", {"coarse_gradient"}); }

/// Of the keys of all methods those that mean something to coarse_gradient; its own apply to nothing else.
bool means_something_to_two_layer(const std::string& key) {
  static const std::vector<std::string> shared = {"experiment.name",     "experiment.method",  "model.dimension",   "gradients.quantizer",     "gradients.clip", "gradients.scale",
                                                  "workers.count",       "workers.exchange",   "activations.ste",   "optimizer.learning_rate", "run.iterations", "run.seed",
                                                  "run.record_every"};
  return key == "data.samples" || key == "model.rows" || key.starts_with("problem.") || std::ranges::find(shared, key) != shared.end();
}

bool regression(const Point& p) { return is(p, "model.kind", {"superresolution"}); }

/// Of the keys of all methods those that mean something where L steps are exact: nothing is trained by mini-batches.
bool means_something_to_regression(const std::string& key) {
  static const std::vector<std::string> shared = {"experiment.name", "experiment.method", "data.set", "data.dir", "data.limit", "data.noise", "model.kind", "run.seed"};
  return key.starts_with("compression.") || std::ranges::find(shared, key) != shared.end();
}

/// Direct compression trains nothing.
bool means_something_to_training(const std::string& key) { return key.starts_with("gradients.") || key.starts_with("optimizer.") || key == "workers.batch" || key == "workers.total_batch" || key == "run.record_every" || key == "run.histograms"; }

bool images(const Point& p) { return !is(p, "data.set", {"synthetic_linear"}); }
/// The network of a point; none for the linear model.
const NetworkInfo* network_of(const Point& p) { return find_network(p.at("model.kind")); }

/// The networks of which something holds: "model.kind = a, b or c".
template <class Holds>
std::string kinds_where(Holds holds, std::vector<std::string> names = {}) {
  for (const NetworkInfo& info : networks())
    if (holds(info)) names.push_back(info.name);
  const std::string last = names.back();
  names.pop_back();
  return names.empty() ? "model.kind = " + last : fmt::format("model.kind = {} or {}", fmt::join(names, ", "), last);
}

std::vector<std::string> model_kinds() {
  std::vector<std::string> names = {"linear", "superresolution"};
  for (const NetworkInfo& info : networks()) names.push_back(info.name);
  return names;
}

bool second_moment(const Point& p) { return is(p, "optimizer.kind", {"rmsprop", "adam"}); }

std::string default_projection(const Point& p) {
  if (is(p, "model.kind", {"linear"})) return "0.5";
  return is(p, "weights.quantizer", {"fp"}) ? "none" : "1";
}

std::string default_alpha(const Point& p) {
  const std::string& bits = p.at("activations.bits");
  return bits == "none" || bits == meaningless || has_published_alpha(std::stoi(bits)) ? "published" : "nearest";
}

auto always(std::string value) {
  return [value = std::move(value)](const Point&) { return value; };
}

/// α_rule matters where levels lie between 0 and 1: three bits and more.
bool has_inner_levels(const Point& p) {
  const std::string& q = p.at("weights.quantizer");
  return (q.starts_with("laq") || q.starts_with("log")) && q.back() >= '3';
}

std::vector<Key> make_keys() {
  std::vector<Key> all;
  const auto add = [&](std::string name, std::string meaning, Domain domain, std::function<std::string(const Point&)> default_value,
                       std::function<bool(const Point&)> applies = {}, std::string needs = {}) {
    all.push_back({std::move(name), std::move(meaning), std::move(domain.allowed), std::move(domain.canonical), std::move(default_value),
                   std::move(applies), std::move(needs), true});
  };
  const std::string image_sets = "data.set = mnist, fashion_mnist, cifar10, synthetic_images or synthetic_imagenet";
  add("experiment.name", "names the folder of results and the figure", {"a file name without '/' and not beginning with '.'", any_text().canonical}, always("experiment"));
  add("experiment.method", "what is trained", one_of({"distributed", "learning_compression", "direct_compression", "iterated_direct_compression", "binary_connect", "coarse_gradient"}), always("distributed"));
  const auto method = [](std::initializer_list<const char*> names) {
    return [list = std::vector<std::string>(names.begin(), names.end())](const Point& p) { return std::ranges::find(list, p.at("experiment.method")) != list.end(); };
  };

  add("data.set", "training data", one_of({"synthetic_linear", "synthetic_images", "synthetic_imagenet", "mnist", "fashion_mnist", "cifar10"}), always("synthetic_linear"));
  add("data.dir", "folder of the data files; auto: $QSWEEP_DATA, else ./data", any_text(), always("auto"),
      [](const Point& p) { return is(p, "data.set", {"mnist", "fashion_mnist", "cifar10"}); }, "data.set = mnist, fashion_mnist or cifar10");
  add("data.limit", "first n training samples, 0 = all", integer(0, 1'000'000'000), always("0"), images, image_sets);
  add("data.noise", "deviation of the noise on inputs, pixels in [0, 1]", real(0, false), always("0.05"), regression, "model.kind = superresolution");
  add("data.shuffle", "a permutation each epoch, or file order", boolean(), always("true"), images, image_sets);
  add("data.augment", "random changes of training images", one_of({"none", "crop24_flip_colour", "pad4_crop_flip"}), always("none"), images, image_sets);
  add("data.crop", "24: centre crop where not augmenting", one_of({"none", "24"}),
      [](const Point& p) { return std::string(is(p, "data.augment", {"crop24_flip_colour"}) ? "24" : "none"); }, images, image_sets);
  add("data.normalize", "none = pixels/255", one_of({"none", "mean", "standard", "image"}), always("none"), images, image_sets);
  const std::string coarse = "experiment.method = coarse_gradient";
  add("data.samples", "samples of each start, drawn once, or the whole population", word_or("population", integer(1, 1'000'000'000)), always("population"), two_layer, coarse);
  const auto standard = [](const Point& p) { return is(p, "data.normalize", {"standard"}); };
  add("data.mean", "per channel, of pixels/255", word_or("exact", real_list("numbers, one per channel")), always("exact"), standard, "data.normalize = standard");
  add("data.std", "per channel, of pixels/255", word_or("exact", real_list("numbers, one per channel")), always("exact"), standard, "data.normalize = standard");

  const auto network = [](const Point& p) { return network_of(p) != nullptr; };
  const auto network_where = [](auto holds) { return [holds](const Point& p) { const NetworkInfo* info = network_of(p); return info != nullptr && holds(*info); }; };
  const auto has_width = [](const NetworkInfo& info) { return info.dimension.has_value(); };
  const auto has_batch_norm = [](const NetworkInfo& info) { return !info.batch_norm.empty(); };
  const auto has_dropout = [](const NetworkInfo& info) { return info.dropout >= 0; };
  const auto convolves = [](const NetworkInfo& info) { return info.convolves; };
  add("model.kind", "network", one_of(model_kinds()), always("linear"));
  add("model.dimension", "d: weights of the linear model, hidden units of the mlp, channels of cifarnet; n, columns of the two-layer model's input", integer(1, 100'000'000),
      [](const Point& p) { return two_layer(p) ? std::string("5") : network_of(p) == nullptr ? std::string("256") : std::to_string(network_of(p)->dimension.value_or(0)); },
      [=](const Point& p) { return !network(p) || has_width(*network_of(p)); }, kinds_where(has_width, {"linear"}));
  add("model.initial", "initial weights: none (drawn), FILE.h5 or FILE.h5:RUN_ID", any_text(), always("none"));
  add("model.activation", "between the layers", one_of({"relu", "tanh"}), [=](const Point& p) { return network(p) ? network_of(p)->activation : std::string("relu"); }, network,
      "a network: " + kinds_where([](const NetworkInfo&) { return true; }));
  add("model.batch_norm", "before each activation: none, without parameters, or with scale and shift", one_of({"none", "plain", "affine"}),
      [=](const Point& p) { return network(p) && has_batch_norm(*network_of(p)) ? network_of(p)->batch_norm.front() : std::string("none"); }, network_where(has_batch_norm), kinds_where(has_batch_norm));
  add("model.dropout", "share of the last hidden layer's units that each step leaves out", real(0, false, 1),
      [=](const Point& p) { return format_real(network(p) && has_dropout(*network_of(p)) && is(p, "model.batch_norm", {"none"}) ? network_of(p)->dropout : 0); }, network_where(has_dropout), kinds_where(has_dropout));
  add("model.convolution", "algorithm of 3×3 convolutions; auto: what measures faster, winograd: everywhere", one_of({"auto", "direct", "winograd"}), always("auto"),
      network_where(convolves), kinds_where(convolves));
  const auto sums = [](const Point& p) { return is(p, "model.kind", {"resnet20"}); };
  add("model.sum_norm", "one more batch norm, before the activation that follows each block's sum", one_of({"none", "plain"}), always("none"), sums, "model.kind = resnet20");
  add("model.loss", "of the networks' outputs", one_of({"cross_entropy", "squared_hinge"}), always("cross_entropy"), network,
      "a network: " + kinds_where([](const NetworkInfo&) { return true; }));
  add("model.l2", "λ of the penalty λ/2·‖W‖² in the loss; protocol: what the model's protocol has", word_or("protocol", real(0, false)), always("protocol"));
  add("model.rows", "m: rows of the input, second-layer weights of the two-layer model", integer(1, 100'000), always("5"), two_layer, coarse);

  add("weights.quantizer", "Q_w", one_of(weight_quantizers()), always("fp"));
  add("weights.alpha_rule", "how the scale α is refitted", one_of({"exact", "released"}), always("exact"), has_inner_levels, "weights.quantizer = laq3 … laq8 or log3 … log8");


  const auto quantized_gradients = [](const Point& p) { return !is(p, "gradients.quantizer", {"fp"}); };
  add("gradients.quantizer", "Q_g", one_of(numbered({"fp"}, "sq")), always("fp"));
  add("gradients.clip", "c: clip at c standard deviations before quantizing", word_or("none", real(0, true)), always("none"), quantized_gradients, "gradients.quantizer = sq2 … sq8");
  add("gradients.scale", "shared: largest of the workers' scales; worker: each its own", one_of({"shared", "worker"}), always("shared"), quantized_gradients, "gradients.quantizer = sq2 … sq8");

  const std::string any_network = "a network: " + kinds_where([](const NetworkInfo&) { return true; });
  const auto quantized_activations = [](const Point& p) { return !is(p, "activations.bits", {"none", meaningless}); };
  add("activations.bits", "b: every activation takes 2^b values, 0 to (2^b − 1)·α, in the place of the ReLU", word_or("none", integer(1, 8)), always("none"), network, any_network);
  const auto estimates = [=](const Point& p) { return two_layer(p) || quantized_activations(p); };
  add("activations.ste", "straight-through estimator: what the backward pass takes for the activation's derivative", one_of({"identity", "relu", "clipped_relu"}), always("clipped_relu"), estimates,
      "activations.bits = 1 … 8, or " + coarse);
  add("activations.alpha", "α, fixed: a number, as published (1, 2 and 4 bits), or of least error for normal inputs: rounded to the nearest level, by ceil, or to the nearest above 0; lloyd: ceil's fixed point",
      words_or(alpha_rules(), real(0, true)), default_alpha, quantized_activations, "activations.bits = 1 … 8");
  add("activations.type", "ceil: positive inputs give at least α; nearest: rounded", one_of({"ceil", "nearest"}), always("ceil"), quantized_activations, "activations.bits = 1 … 8");

  add("workers.count", "N", integer(1, 65536), always("1"));
  add("workers.total_batch", "mini-batch of all workers together", word_or("none", integer(1, 100'000'000)), always("none"));
  add("workers.batch", "B, mini-batch of each worker", integer(1, 10'000'000), always("64"),
      [](const Point& p) { return is(p, "workers.total_batch", {"none"}); }, "workers.total_batch = none");
  add("workers.exchange", "how the mean gradient is formed", one_of({"allreduce", "server", "sharded"}), always("allreduce"));

  const auto kind = [](std::initializer_list<const char*> kinds) {
    return [names = std::vector<std::string>(kinds.begin(), kinds.end())](const Point& p) {
      return std::find(names.begin(), names.end(), p.at("optimizer.kind")) != names.end();
    };
  };
  const auto steps = [](const Point& p) { return is(p, "optimizer.schedule", {"step"}); };
  add("optimizer.kind", "update rule", one_of({"sgd", "momentum", "nesterov", "rmsprop", "adam"}), always("sgd"));
  add("optimizer.learning_rate", "η", real(0, true), always("0.01"));
  add("optimizer.schedule", "η, η/√t, steps, or each epoch", one_of({"constant", "inverse_sqrt", "step", "exponential"}), always("constant"));
  add("optimizer.milestones", "epochs at which η is multiplied by optimizer.decay, or shares of run.epochs (2/5), separated by spaces", milestone_list(), always("200 400 600"), steps, "optimizer.schedule = step");
  add("optimizer.decay", "factor on η at each milestone, or at each epoch's end (exponential); or as many as there are milestones, separated by spaces", factor_list("a number > 0, or one for each milestone, separated by spaces"), [=](const Point& p) { return std::string(steps(p) ? "0.1" : "0.99"); },
      [](const Point& p) { return is(p, "optimizer.schedule", {"step", "exponential"}); }, "optimizer.schedule = step or exponential");
  add("optimizer.momentum", "m", real(0, false, 1), always("0.9"), kind({"momentum", "nesterov"}), "optimizer.kind = momentum or nesterov");
  add("optimizer.beta1", "decay of the first moment", real(0, false, 1), always("0.9"), kind({"adam"}), "optimizer.kind = adam");
  add("optimizer.beta2", "decay β of the second moment v", real(0, false, 1),
      [](const Point& p) { return std::string(is(p, "optimizer.kind", {"adam"}) ? "0.999" : "0.9"); }, second_moment, "optimizer.kind = rmsprop or adam");
  add("optimizer.epsilon", "ε in √v + ε", real(0, false), always("1e-08"), second_moment, "optimizer.kind = rmsprop or adam");
  add("optimizer.weight_decay", "λ: adds λ·w to the mean gradient", real(0, false), always("0"));
  add("optimizer.second_moment", "average, or the maximum that the theorems need", one_of({"average", "max"}), always("average"), second_moment, "optimizer.kind = rmsprop or adam");
  add("optimizer.projection", "r: weights are clipped to [−r, r] after each step", word_or("none", real(0, true)), default_projection);
  add("optimizer.average", "decay of an average of the weights that is evaluated beside them; in iteration t at most (1+t)/(10+t)", word_or("none", real(0, true, 1)), always("none"), images, image_sets);

  const auto compresses = method({"learning_compression", "direct_compression", "iterated_direct_compression"});
  const auto in_steps = method({"learning_compression", "iterated_direct_compression"});
  const auto learns = method({"learning_compression"}), binary_connect = method({"binary_connect"});
  const std::string compressing = "experiment.method = learning_compression, direct_compression or iterated_direct_compression";
  const std::string stepping = "experiment.method = learning_compression or iterated_direct_compression", learning = "experiment.method = learning_compression";
  const auto codebook = [](std::initializer_list<const char*> kinds) {
    return [list = std::vector<std::string>(kinds.begin(), kinds.end())](const Point& p) { return std::ranges::find(list, p.at("compression.codebook")) != list.end(); };
  };
  const auto penalized = [=](const Point& p) { return learns(p) && !is(p, "compression.penalty", {"none"}); };
  const std::string penalizing = learning + " with compression.penalty = augmented_lagrangian or quadratic";
  const auto by_sgd = [=](const Point& p) { return in_steps(p) && !regression(p); };
  add("compression.codebook", "entries of the codebooks: adapted, or given", one_of(CodebookQuantizer::kinds()), always("kmeans"), compresses, compressing);
  add("compression.size", "K, entries of each codebook", integer(1, 256), always("2"), codebook({"kmeans", "kmeans_exact"}), "compression.codebook = kmeans or kmeans_exact");
  add("compression.values", "c_1 < … < c_K", entries(), always("-1 1"), codebook({"fixed", "scaled"}), "compression.codebook = fixed or scaled");
  add("compression.smallest_power", "C: entries 0, ±1, …, ±2^−C", integer(0, 60), always("0"), codebook({"powers_of_two"}), "compression.codebook = powers_of_two");
  add("compression.layers", "each layer its codebook, one together, or names: fc1+fc2 fc3", any_text(), always("each"), compresses, compressing);
  add("compression.steps", "number of μ: L and C steps", integer(1, 100'000), always("30"), in_steps, stepping);
  add("compression.iterations", "iterations in each L step", integer(1, 1'000'000'000), always("2000"), by_sgd, stepping);
  add("compression.rate_factor", "factor on η after each L step", real(0, true), always("0.99"), by_sgd, stepping);
  add("compression.penalty", "augmented_lagrangian, quadratic (λ = 0), or none: plain training", one_of({"augmented_lagrangian", "quadratic", "none"}), always("augmented_lagrangian"), learns, learning);
  add("compression.mu0", "μ_0, loss/weight²", real(0, true), always("9.76e-05"), penalized, penalizing);
  add("compression.mu_factor", "a in μ = μ_0·a^k", real(1, false), always("1.1"), penalized, penalizing);
  add("compression.tolerance", "stop when ‖w − Δ(Θ)‖/‖Δ(Θ)‖ is at most this, 0 = never", real(0, false), always("0"), penalized, penalizing);
  add("compression.keep", "which network is stored: of the last C step, or of the lowest training loss", one_of({"last", "best"}), always("last"), in_steps, stepping);
  add("compression.rounding", "of weights to ±H", one_of({"deterministic", "stochastic"}), always("deterministic"), binary_connect, "experiment.method = binary_connect");
  add("compression.bound", "H, or glorot: √(1.5/(fan_in + fan_out)) of each layer", word_or("glorot", real(0, true)), always("glorot"), binary_connect, "experiment.method = binary_connect");
  add("compression.update_factor", "factor on the weights' updates, or glorot: √((fan_in + fan_out)/1.5)", word_or("glorot", real(0, true)), always("1"), binary_connect, "experiment.method = binary_connect");

  const auto endless = [=](const Point& p) { return !compresses(p); };
  const std::string compressing_ends = " (those that compress end by compression.steps)", ending = "experiment.method = distributed or binary_connect" + compressing_ends;
  add("run.iterations", "T, 0 = no such limit", integer(0, 4'000'000'000), always("0"), endless, "experiment.method = distributed, binary_connect or coarse_gradient" + compressing_ends);
  add("run.epochs", "E, 0 = no such limit", real(0, false), always("0"), [=](const Point& p) { return images(p) && endless(p); }, image_sets + "; " + ending);
  add("run.patience", "stop when average_loss has not fallen for so many iterations, 0 = no such limit", integer(0, 4'000'000'000), always("0"), endless, ending);
  add("run.seed", "key of all draws", integer(0, 9'007'199'254'740'992), always("1"));
  add("run.record_every", "iterations between points of a curve; auto: at most 2,000 points", word_or("auto", integer(1, 4'000'000'000)), always("auto"));
  add("run.histograms", "iterations whose gradients are counted into a histogram for each layer, separated by spaces", word_or("none", integer_list("increasing iterations, separated by spaces")), always("none"), network,
      "a network: " + kinds_where([](const NetworkInfo&) { return true; }));
  add("run.evaluate_every", "iterations between evaluations on the test set, 0 = each epoch's end, end = once; never", word_or("never", word_or("end", integer(0, 4'000'000'000))), always("end"), images, image_sets);
  add("run.evaluate_train_every", "the same on the training set; never", word_or("never", word_or("end", integer(0, 4'000'000'000))), always("end"), images, image_sets);
  add("run.checkpoint_every", "seconds between checkpoints, 0 = only when asked to stop", real(0, false), always("300"));

  const auto linear = [](const Point& p) { return is(p, "model.kind", {"linear"}); };
  add("theory.measure", "measure the constants of the theorems, the regret and its bounds", boolean(), always("false"), linear, "model.kind = linear");
  add("theory.comparator", "u in the regret: w*, or the best fixed w in the box in hindsight", one_of({"w_star", "hindsight"}), always("w_star"),
      [](const Point& p) { return is(p, "theory.measure", {"true"}); }, "theory.measure = true");

  const auto chosen_point = [](const Point& p) { return is(p, "problem.start", {"global", "spurious", "saddle"}); };
  const auto drawn_start = [=](const Point& p) { return is(p, "problem.start", {"random", "theorem2"}) || chosen_point(p); };
  const std::string needs_point = "problem.start = global, spurious or saddle", needs_drawn = "problem.start = random, theorem2, global, spurious or saddle";
  add("problem.starts", "S, starting points of one run", integer(1, 10'000'000), always("1"), two_layer, coarse);
  add("problem.start", "v⁰ and w⁰: random, random where Theorem 2 holds, at a critical point, or of a results file (FILE.h5 or FILE.h5:RUN_ID; its v_star, w_star, v_0, w_0)",
      {"random, theorem2, global, spurious, saddle, or a file", any_text().canonical}, always("random"), two_layer, coarse);
  add("problem.target", "v*: gaussian; spurious: gaussian, such that a spurious minimum exists; or its values", words_or_reals({"gaussian", "spurious"}, "m numbers separated by spaces"),
      always("gaussian"), drawn_start, needs_drawn);
  add("problem.target_norm", "‖v*‖, none: as it comes", word_or("none", real(0, true)), always("none"), drawn_start, needs_drawn);
  add("problem.shared", "what all starts have in common: nothing, v* and w*, or also v⁰ and w⁰ (then they differ by their samples)", one_of({"none", "target", "start"}), always("none"), drawn_start, needs_drawn);
  add("problem.w_norm", "‖w⁰‖", real(0, true), always("5"), drawn_start, needs_drawn);
  add("problem.v_offset", "length of a random vector added to the critical point's v", real(0, false), always("0"), chosen_point, needs_point);
  add("problem.angle_offset", "angle in rad by which w⁰ is turned from the critical point's, in a random plane", real(0, false, 3.1415926535897936), always("0"), chosen_point, needs_point);
  add("problem.line", "step sizes η at which the loss after the first step is measured: FIRST:STEP:LAST", steps_or_none(), always("none"), two_layer, coarse);

  const auto networked = [](const Point& p) { return !is(p, "network.bandwidth", {"none"}); };
  const std::string needs_network = "network.bandwidth other than none";
  add("network.bandwidth", "of the networks on which iterations are modelled, in Gbit/s; one after the other, in one run", word_or("none", list_of("numbers > 0", real(0, true))), always("none"));
  add("network.latency", "between nodes, in µs: one for all networks, or one for each", list_of("numbers ≥ 0", real(0, false)), always("50"), networked, needs_network);
  add("network.nodes", "of the modelled cluster; own: as many as the workers fill", word_or("own", integer(1, 1'000'000)), always("own"), networked, needs_network);
  add("network.ranks_per_node", "ranks, of one worker each, that share a node's link", integer(1, 4096), always("1"), networked, needs_network);
  add("network.node_bandwidth", "within a node, in Gbit/s", real(0, true), always("96"), networked, needs_network);
  add("network.node_latency", "within a node, in µs", real(0, false), always("5"), networked, needs_network);
  add("network.compute_time", "forward and backward of one worker in one iteration, in s: measured, as this run took, or given: of another device", word_or("measured", real(0, true)), always("measured"), networked, needs_network);
  add("network.exchange", "own: workers.exchange; widening: as in Figure 8 of Hou, Zhang, Kwok 2019", one_of({"own", "widening"}), always("own"), networked, needs_network);
  add("network.gradients", "gradient quantizers that are modelled", word_or("own", list_of("fp, sq2 … sq8", one_of(numbered({"fp"}, "sq")))), always("own"), networked, needs_network);
  add("network.full_precision", "layers that the model leaves in full precision", word_or("none", list_of("names of layers", any_text())), always("none"), networked, needs_network);

  for (Key& key : all) {
    if (means_something_to_two_layer(key.name)) continue;
    key.applies = [applies = key.applies](const Point& p) { return !two_layer(p) && (!applies || applies(p)); };
    if (key.needs.empty()) key.needs = "experiment.method other than coarse_gradient";
  }
  for (Key& key : all) {
    if (!key.name.starts_with("gradients.") && !key.name.starts_with("workers.")) continue;
    key.applies = [applies = key.applies](const Point& p) { return !(two_layer(p) && is(p, "data.samples", {"population"})) && (!applies || applies(p)); };
    if (key.needs.empty()) key.needs = "data.samples other than population if experiment.method = coarse_gradient, always with the others";
  }
  for (Key& key : all) {
    if (means_something_to_regression(key.name)) continue;
    key.applies = [applies = key.applies](const Point& p) { return !regression(p) && (!applies || applies(p)); };
    if (key.needs.empty()) key.needs = "model.kind other than superresolution";
  }
  for (Key& key : all) {
    if (!means_something_to_training(key.name)) continue;
    key.applies = [applies = key.applies](const Point& p) { return !is(p, "experiment.method", {"direct_compression"}) && (!applies || applies(p)); };
    if (key.needs.empty()) key.needs = "an experiment.method that trains";
  }
  for (Key& key : all) key.decides_result = key.name != "experiment.name" && key.name != "data.dir" && key.name != "run.checkpoint_every";
  return all;
}

bool differs_from_default(const Key& key, const Point& effective) {
  const std::string& value = effective.at(key.name);
  return value != meaningless && value != key.default_value(effective);
}

}  // namespace

const std::vector<Key>& keys() {
  static const std::vector<Key> table = make_keys();
  return table;
}

const Key* find_key(const std::string& name) {
  const auto found = std::find_if(keys().begin(), keys().end(), [&](const Key& k) { return k.name == name; });
  return found == keys().end() ? nullptr : &*found;
}

bool decides_result(const std::string& name) {
  const Key* key = find_key(name);
  return key == nullptr || key->decides_result;
}

Point effective_point(const Point& given) {
  Point effective;
  const auto kind = given.find("model.kind");
  effective["model.kind"] = kind != given.end() ? kind->second : "linear";  // it decides about keys that stand before it
  for (const Key& key : keys()) {
    const auto value = given.find(key.name);
    if (key.applies && !key.applies(effective))
      effective[key.name] = meaningless;
    else
      effective[key.name] = value != given.end() ? value->second : key.default_value(effective);
  }
  return effective;
}

std::string identity_text(const Point& effective) {
  std::string text;
  for (const auto& [name, value] : effective) {  // sorted by name
    const Key* key = find_key(name);
    if (key != nullptr && key->decides_result && differs_from_default(*key, effective)) text += fmt::format("{} = {}\n", name, value);
  }
  return text;
}

std::string short_hash(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) throw std::runtime_error("EVP_Digest(sha256) failed");
  std::string hex;
  for (unsigned i = 0; i < 8; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

namespace {

Settings::Problem problem_of(const Point& p) {
  Settings::Problem problem;
  if (!two_layer(p)) return problem;
  const auto number = [&](const char* key) { return p.at(key) == meaningless || p.at(key) == "none" ? 0.0 : parse_real(p.at(key)); };
  const auto count = [&](const char* key) { return static_cast<std::size_t>(number(key)); };
  problem.rows = count("model.rows");
  problem.samples = is(p, "data.samples", {"population"}) ? 0 : count("data.samples");
  problem.starts = count("problem.starts");
  problem.target = p.at("problem.target");
  problem.shared = p.at("problem.shared");
  problem.start = p.at("problem.start");
  if (!is(p, "problem.target", {"gaussian", "spurious", meaningless})) problem.target_values = parse_reals(problem.target);
  if (number("problem.target_norm") > 0) problem.target_norm = number("problem.target_norm");
  problem.w_norm = number("problem.w_norm");
  problem.v_offset = number("problem.v_offset");
  problem.angle_offset = number("problem.angle_offset");
  if (is(p, "problem.line", {"none"})) return problem;
  const std::vector<std::string> line = split(p.at("problem.line"), ':');
  const double first = parse_real(line[0]), step = parse_real(line[1]), last = parse_real(line[2]);
  for (std::size_t i = 0; first + static_cast<double>(i) * step <= last + step / 2; ++i) problem.line.push_back(first + static_cast<double>(i) * step);
  return problem;
}

}  // namespace

Settings settings_of(Point effective) {
  const Point& p = effective;
  const auto has = [&](const char* key) { return p.at(key) != meaningless && p.at(key) != "none" && p.at(key) != "auto"; };
  const auto number = [&](const char* key) { return p.at(key) == meaningless ? 0.0 : parse_real(p.at(key)); };
  const auto count = [&](const char* key) { return has(key) ? static_cast<std::uint64_t>(number(key)) : 0; };
  const auto optional_real = [&](const char* key) { return has(key) ? std::optional(number(key)) : std::nullopt; };
  const auto list = [&](const char* key) { return p.at(key) == meaningless || p.at(key) == "exact" ? std::vector<double>{} : parse_reals(p.at(key)); };
  const auto every = [&](const char* key) -> std::optional<std::uint64_t> {
    if (p.at(key) == meaningless || p.at(key) == "end") return std::nullopt;
    return p.at(key) == "never" ? UINT64_MAX : static_cast<std::uint64_t>(number(key));
  };
  Settings s;
  s.method = p.at("experiment.method");
  s.data = {p.at("data.set"), has("data.dir") ? p.at("data.dir") : "", count("data.limit"), p.at("data.shuffle") != "false",
            p.at("data.crop"), p.at("data.augment"), p.at("data.normalize"), list("data.mean"), list("data.std")};
  s.data.noise = number("data.noise");
  s.model = {p.at("model.kind"), p.at("model.activation"), has("model.initial") ? p.at("model.initial") : "", count("model.dimension"), {}};
  if (p.at("model.l2") != "protocol") s.model.l2 = number("model.l2");
  s.model.sum_norm = p.at("model.sum_norm") == "plain";
  if (p.at("model.batch_norm") != meaningless) s.model.batch_norm = p.at("model.batch_norm");
  if (p.at("model.convolution") != meaningless) s.model.convolution = p.at("model.convolution");
  s.model.dropout = number("model.dropout");
  if (p.at("model.loss") != meaningless) s.model.loss = p.at("model.loss");
  s.weights = {p.at("weights.quantizer"), p.at("weights.alpha_rule")};
  s.gradients = {p.at("gradients.quantizer"), p.at("gradients.scale"), optional_real("gradients.clip")};
  if (has("activations.bits") && p.at("activations.alpha") != meaningless) {
    const std::string& alpha = p.at("activations.alpha");
    const auto bits = static_cast<int>(number("activations.bits"));
    const bool named = std::ranges::find(alpha_rules(), alpha) != alpha_rules().end();
    s.activations = {bits, p.at("activations.ste"), p.at("activations.type"), !named ? parse_real(alpha) : alpha == "published" && !has_published_alpha(bits) ? 0 : alpha_of(alpha, bits)};
  }
  s.workers = {count("workers.count"), count("workers.batch"), p.at("workers.exchange")};
  s.workers.count = std::max<std::size_t>(1, s.workers.count);  // without a meaning there is one
  if (s.workers.batch == 0) s.workers.batch = count("workers.total_batch") / s.workers.count;
  s.activations.ste = p.at("activations.ste");
  s.optimizer = {p.at("optimizer.kind"), p.at("optimizer.schedule"), p.at("optimizer.second_moment"), number("optimizer.learning_rate"),
                 0.1, number("optimizer.momentum"), number("optimizer.beta1"), number("optimizer.beta2"),
                 number("optimizer.epsilon"), number("optimizer.weight_decay"), {}, {}, optional_real("optimizer.projection"), optional_real("optimizer.average")};
  if (p.at("optimizer.milestones") != meaningless) s.optimizer.milestones = milestone_epochs(p.at("optimizer.milestones"), number("run.epochs"));
  const std::vector<double> decays = list("optimizer.decay");
  if (decays.size() == 1) s.optimizer.decay = decays.front();
  else s.optimizer.decays = decays;
  s.run.iterations = count("run.iterations");
  s.run.patience = count("run.patience");
  s.run.seed = count("run.seed");
  s.run.epochs = number("run.epochs");
  s.run.record_every = count("run.record_every");
  if (has("run.histograms")) s.run.histograms = list("run.histograms");
  s.run.evaluate_every = every("run.evaluate_every");
  s.run.evaluate_train_every = every("run.evaluate_train_every");
  s.run.checkpoint_every = number("run.checkpoint_every");
  const auto text = [&](const char* key) { return p.at(key) == meaningless ? std::string() : p.at(key); };
  if (s.method == "direct_compression" || s.model.kind == "superresolution") {  // what has no meaning is nothing
    s.weights.quantizer = s.gradients.quantizer = "fp";
    s.optimizer.kind = "sgd";
    s.optimizer.schedule = "constant";
    s.workers.batch = std::max<std::size_t>(s.workers.batch, 1);
  }
  s.compression = {text("compression.codebook"), text("compression.layers"), text("compression.penalty"), text("compression.keep"), count("compression.size"),
                   list("compression.values"), static_cast<int>(number("compression.smallest_power")), number("compression.mu0"), number("compression.mu_factor"),
                   number("compression.rate_factor"), number("compression.tolerance"), count("compression.steps"), count("compression.iterations"),
                   text("compression.rounding"), text("compression.bound"), text("compression.update_factor")};
  if (s.compresses()) s.run.iterations = s.compression.steps * s.compression.iterations;  // none for direct compression
  const auto words = [&](const char* key) { return has(key) && p.at(key) != "own" ? split_words(p.at(key)) : std::vector<std::string>{}; };
  if (has("network.bandwidth"))
    s.network = {list("network.bandwidth"), list("network.latency"), p.at("network.nodes") == "own" ? 0 : count("network.nodes"), count("network.ranks_per_node"),
                 number("network.node_bandwidth"), number("network.node_latency"), p.at("network.exchange"), words("network.gradients"), words("network.full_precision"),
                 p.at("network.compute_time") == "measured" ? std::nullopt : optional_real("network.compute_time")};
  s.theory = {p.at("theory.measure") == "true", p.at("theory.comparator") == "hindsight"};
  s.problem = problem_of(p);
  s.point = std::move(effective);
  return s;
}

std::optional<Conflict> find_conflict(const Settings& s) {
  const auto& p = s.point;
  if (two_layer(p)) return find_two_layer_conflict(s);
  const bool grey = s.data.set == "mnist" || s.data.set == "fashion_mnist";
  if (s.model.kind == "superresolution") {
    if (!grey) return Conflict{"data.set", "model.kind = superresolution allows: mnist, fashion_mnist"};
    if (s.data.limit != 0 && s.data.limit <= 196) return Conflict{"data.limit", "model.kind = superresolution allows: 0 (all), or more samples than its 196 inputs"};
    if (!s.compresses()) return Conflict{"experiment.method", "model.kind = superresolution allows: learning_compression, direct_compression, iterated_direct_compression"};
    return std::nullopt;
  }
  const NetworkInfo* network = find_network(s.model.kind);
  if (s.data.synthetic_linear() && network != nullptr) return Conflict{"model.kind", "data.set = synthetic_linear allows: linear (networks take images: data.set = mnist, fashion_mnist, cifar10, synthetic_images)"};
  const bool large = s.data.set == "synthetic_imagenet";
  const auto takes = [&](const NetworkInfo& info) { return (info.channels == 0 || info.channels == (grey ? 1U : 3U)) && (info.side == 224) == large; };
  if (!s.data.synthetic_linear() && (network == nullptr || !takes(*network))) {
    std::vector<std::string> allowed;
    for (const NetworkInfo& info : networks())
      if (takes(info)) allowed.push_back(info.name);
    return Conflict{"model.kind", fmt::format("data.set = {} allows: {}", s.data.set, fmt::join(allowed, ", "))};
  }
  if (large && (s.data.augment != "none" || s.data.crop != "none")) return Conflict{s.data.augment != "none" ? "data.augment" : "data.crop", "data.set = synthetic_imagenet allows: none"};
  if (network != nullptr && network->side == 24 && s.data.crop != "24") return Conflict{"data.crop", fmt::format("model.kind = {} allows: 24 (its images are 24×24)", s.model.kind)};
  if (network != nullptr && network->side == 32 && s.data.crop != "none") return Conflict{"data.crop", fmt::format("model.kind = {} allows: none (its images are 32×32)", s.model.kind)};
  if (network != nullptr && !network->batch_norm.empty() && std::ranges::find(network->batch_norm, s.model.batch_norm) == network->batch_norm.end())
    return Conflict{"model.batch_norm", fmt::format("model.kind = {} allows: {}", s.model.kind, fmt::join(network->batch_norm, ", "))};
  if (s.activations.quantized() && s.model.activation != "relu")
    return Conflict{"model.activation", fmt::format("activations.bits = {} allows: relu (quantized activations take its place)", s.activations.bits)};
  if (s.activations.quantized() && s.activations.alpha == 0)
    return Conflict{"activations.alpha", fmt::format("activations.bits = {} allows: a number, nearest, ceil, positive, lloyd (published are those of 1, 2 and 4 bits)", s.activations.bits)};
  if (grey && s.data.augment != "none") return Conflict{"data.augment", fmt::format("data.set = {} allows: none (the augmentations are for 32×32 colour images)", s.data.set)};
  if (grey && s.data.crop != "none") return Conflict{"data.crop", fmt::format("data.set = {} allows: none (its images are 28×28)", s.data.set)};
  if (s.data.augment == "crop24_flip_colour" && s.data.crop != "24") return Conflict{"data.crop", "data.augment = crop24_flip_colour allows: 24"};
  if (s.data.augment == "pad4_crop_flip" && s.data.crop != "none") return Conflict{"data.crop", "data.augment = pad4_crop_flip allows: none"};
  if (s.data.mean.empty() != s.data.std.empty()) return Conflict{s.data.mean.empty() ? "data.std" : "data.mean", "give data.mean and data.std together, or neither (exact)"};
  const std::size_t channels = grey ? 1 : 3;
  if (!s.data.mean.empty() && (s.data.mean.size() != channels || s.data.std.size() != channels))
    return Conflict{"data.mean", fmt::format("data.set = {} has {} channel{}: as many numbers in data.mean and data.std", s.data.set, channels, channels == 1 ? "" : "s")};
  if (std::any_of(s.data.std.begin(), s.data.std.end(), [](double x) { return !(x > 0); })) return Conflict{"data.std", "numbers > 0"};
  if (s.gradients.quantized() && !s.gradients.shared_scale() && s.workers.exchange == "allreduce")
    return Conflict{"gradients.scale", "workers.exchange = allreduce adds codes and allows: shared (scales of their own need workers.exchange = server or sharded)"};
  if (p.at("workers.total_batch") != "none" && p.at("workers.total_batch") != meaningless && parse_real(p.at("workers.total_batch")) != static_cast<double>(s.workers.count * s.workers.batch))
    return Conflict{"workers.total_batch", fmt::format("must be a multiple of workers.count = {}", s.workers.count)};
  if (!s.optimizer.decays.empty() && s.optimizer.decays.size() != s.optimizer.milestones.size())
    return Conflict{"optimizer.decay", fmt::format("optimizer.milestones = {} allows: one factor, or {} of them", p.at("optimizer.milestones"), s.optimizer.milestones.size())};
  if (p.at("optimizer.milestones").find('/') != std::string::npos && s.run.epochs == 0)
    return Conflict{"optimizer.milestones", "shares of run.epochs need run.epochs > 0; without it: epochs"};
  if (std::ranges::adjacent_find(s.optimizer.milestones, std::ranges::greater_equal()) != s.optimizer.milestones.end()) return Conflict{"optimizer.milestones", "allowed: increasing epochs, separated by spaces"};
  if ((s.optimizer.schedule == "step" || s.optimizer.schedule == "exponential") && s.data.synthetic_linear())
    return Conflict{"optimizer.schedule", "data.set = synthetic_linear has no epochs and allows: constant, inverse_sqrt"};
  if (s.method != "distributed" && s.weights.quantized())
    return Conflict{"weights.quantizer", fmt::format("experiment.method = {} allows: fp (the codebook quantizes the weights)", s.method)};
  if (s.method != "distributed" && s.data.synthetic_linear())
    return Conflict{"experiment.method", "data.set = synthetic_linear allows: distributed"};
  if (s.method != "distributed" && s.optimizer.average) return Conflict{"optimizer.average", fmt::format("experiment.method = {} allows: none", s.method)};
  if (s.compresses() && s.optimizer.schedule != "constant" && s.optimizer.schedule != "inverse_sqrt")
    return Conflict{"optimizer.schedule", fmt::format("experiment.method = {} allows: constant, inverse_sqrt (begun anew in each L step)", s.method)};
  if (s.compresses() && s.model.initial.empty())
    return Conflict{"model.initial", fmt::format("experiment.method = {} starts from a trained network: name its file, or train it in [reference]", s.method)};
  if (s.compression.rounding == "stochastic" && s.workers.exchange != "allreduce")
    return Conflict{"workers.exchange", "compression.rounding = stochastic allows: allreduce"};
  if (!s.compresses() && s.run.iterations == 0 && s.run.epochs == 0 && s.run.patience == 0)
    return Conflict{"run.iterations", p.at("run.epochs") == meaningless
                                          ? fmt::format("run.iterations or run.patience must be above 0, or the run never ends (run.epochs needs {})", find_key("run.epochs")->needs)
                                          : "one of run.iterations, run.epochs, run.patience must be above 0, or the run never ends"};
  if (s.theory.measure && s.optimizer.kind != "rmsprop" && s.optimizer.kind != "sgd")
    return Conflict{"theory.measure", fmt::format("optimizer.kind = {} allows: false (the theorems are about rmsprop; sgd is its P = 1)", s.optimizer.kind)};
  if (s.theory.measure && !s.optimizer.projection) return Conflict{"theory.measure", "optimizer.projection = none allows: false (the theorems need a bounded set S)"};
  if (s.theory.measure && (s.optimizer.weight_decay != 0 || s.model.l2.value_or(0) != 0))
    return Conflict{"theory.measure", "a penalty (model.l2, optimizer.weight_decay) allows: false (f_t is the square loss alone)"};
  if (s.theory.hindsight && s.model.dimension > 1024) return Conflict{"theory.comparator", fmt::format("model.dimension = {} allows: w_star (hindsight up to 1024)", s.model.dimension)};
  if (!s.network.bandwidth.empty() && s.network.latency.size() != 1 && s.network.latency.size() != s.network.bandwidth.size())
    return Conflict{"network.latency", fmt::format("{} networks allow: one number, or {}", s.network.bandwidth.size(), s.network.bandwidth.size())};
  return std::nullopt;
}

}  // namespace qsweep
