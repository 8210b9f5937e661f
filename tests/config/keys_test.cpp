// The table of keys: canonical values, defaults, run ids, typed settings.
#include <fmt/ranges.h>

#include <set>

#include "config/helpers.h"
#include "config/text.h"

namespace qsweep {
namespace {

using test::grid_of;
using test::ids;

std::string canonical(const std::string& key, const std::string& value) { return find_key(key)->canonical(value); }

/// A point with these keys given.
Point point(std::initializer_list<std::pair<const std::string, std::string>> given) { return effective_point(Point(given)); }

TEST(Keys, one_value_has_one_text) {
  for (const char* text : {"0.03", "3e-2", "+.03", "0.030", "30e-3", "3.0E-02"})
    EXPECT_EQ(canonical("optimizer.learning_rate", text), "0.03") << text;
  for (const char* text : {"1000", "1e3", "+1000", "1000.0"}) EXPECT_EQ(canonical("run.iterations", text), "1000") << text;
  EXPECT_EQ(canonical("optimizer.weight_decay", "-0"), "0");
  EXPECT_EQ(canonical("optimizer.epsilon", "0.00000001"), "1e-08");
  EXPECT_EQ(canonical("run.seed", "9007199254740992"), "9007199254740992");
  EXPECT_EQ(canonical("optimizer.milestones", " 80   1.4e2 "), "80 140");
  EXPECT_EQ(canonical("optimizer.milestones", " 2/5  7/10 "), "2/5 7/10");
  EXPECT_EQ(canonical("optimizer.decay", " 1e3  .1 "), "1000 0.1");
  EXPECT_EQ(canonical("activations.alpha", "0.50"), "0.5");
  EXPECT_EQ(canonical("gradients.clip", "3.0"), "3");
  EXPECT_EQ(canonical("gradients.clip", "none"), "none");
}

TEST(Keys, numbers_survive_the_round_trip) {
  for (const double value : {0.1, 1.0 / 3, 2.3e-308, 1.7976931348623157e308, 123456789.125, 1e-8})
    EXPECT_EQ(parse_real(format_real(value)), value) << format_real(value);
}

TEST(Keys, what_is_no_value_is_refused) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> wrong = {
      {"run.iterations", {"", "-1", "1.5", "ten", "4000000001", "nan", "inf", "0x10", "1 2", "1e400"}},
      {"run.seed", {"9007199254740994", "-1"}},  // 2⁵³ is the last that a double tells from its neighbours
      {"workers.count", {"0", "65537"}},
      {"workers.batch", {"0", "64x"}},
      {"optimizer.learning_rate", {"0", "-0.1", "nan", "inf", "1e31"}},
      {"optimizer.momentum", {"1", "-0.1", "1.0000001"}},
      {"optimizer.beta2", {"1"}},
      {"optimizer.projection", {"0", "-1", "None"}},
      {"optimizer.milestones", {"", "a b", "80; 140", "-1 2", "80 2/5", "5/2", "0/5", "1.5/2", "2/5/7"}},
      {"optimizer.decay", {"0", "-1", "0.1 0", ""}},
      {"activations.bits", {"0", "9", "fp"}},
      {"activations.ste", {"clipped", "ReLU"}},
      {"activations.alpha", {"0", "best", "-1"}},
      {"gradients.clip", {"0", "-3", "yes"}},
      {"gradients.quantizer", {"sq1", "sq9", "FP", "sq"}},
      {"weights.quantizer", {"laq1", "laq9", "log1", "lab2", "fp32"}},
      {"data.shuffle", {"1", "yes", "True"}},
      {"run.record_every", {"0", "never"}},
      {"run.evaluate_every", {"sometimes", "-1"}},
      {"experiment.method", {"coarse"}},
      {"model.initial", {""}}};
  for (const auto& [key, values] : wrong)
    for (const std::string& value : values) EXPECT_THROW(canonical(key, value), std::invalid_argument) << key << " = " << value;
}

/// Points that between them give every key a meaning.
std::vector<Point> all_kinds_of_points() {
  return {point({}),
          point({{"theory.measure", "true"},
                 {"optimizer.kind", "rmsprop"},
                 {"weights.quantizer", "laq3"},
                 {"gradients.quantizer", "sq2"}}),
          point({{"data.set", "mnist"}, {"model.kind", "mlp"}, {"optimizer.kind", "adam"}, {"optimizer.schedule", "step"}}),
          point({{"data.set", "cifar10"},
                 {"model.kind", "mlp"},
                 {"optimizer.kind", "momentum"},
                 {"data.normalize", "standard"},
                 {"data.augment", "crop24_flip_colour"}}),
          point({{"data.set", "synthetic_images"},
                 {"model.kind", "mlp"},
                 {"optimizer.kind", "nesterov"},
                 {"workers.total_batch", "128"}}),
          point({{"data.set", "mnist"}, {"model.kind", "lenet5"}}),
          point({{"data.set", "mnist"}, {"model.kind", "lenet300"}, {"experiment.method", "learning_compression"}}),
          point({{"data.set", "mnist"}, {"model.kind", "lenet300"}, {"experiment.method", "learning_compression"}, {"compression.codebook", "fixed"}}),
          point({{"data.set", "mnist"}, {"model.kind", "lenet300"}, {"experiment.method", "iterated_direct_compression"}, {"compression.codebook", "powers_of_two"}}),
          point({{"data.set", "mnist"}, {"model.kind", "lenet5"}, {"experiment.method", "binary_connect"}}),
          point({{"data.set", "mnist"}, {"model.kind", "superresolution"}, {"experiment.method", "learning_compression"}}),
          point({{"experiment.method", "coarse_gradient"}, {"data.samples", "24"}, {"problem.start", "spurious"}, {"problem.target", "spurious"}}),
          point({{"data.set", "cifar10"}, {"model.kind", "resnet20"}, {"activations.bits", "2"}}),
          point({{"network.bandwidth", "1 10"}})};
}

TEST(Keys, every_default_is_a_value_and_canonical) {
  for (const Key& key : keys()) {
    std::size_t meant = 0;
    for (const Point& p : all_kinds_of_points()) {
      if (p.at(key.name) == meaningless) continue;
      ++meant;
      EXPECT_EQ(key.canonical(key.default_value(p)), key.default_value(p)) << key.name;
    }
    EXPECT_GT(meant, 0U) << key.name << " means nothing at any of these points";
    EXPECT_FALSE(key.meaning.empty() || key.allowed.empty()) << key.name;
    EXPECT_EQ(static_cast<bool>(key.applies), !key.needs.empty()) << key.name << ": a condition and its words belong together";
    EXPECT_EQ(find_key(key.name), &key) << key.name << " appears twice";
  }
}

TEST(Keys, the_text_of_a_point_is_one_line_for_each_key_that_differs) {
  const Point p = point({{"run.iterations", "10"},
                         {"experiment.name", "x"},
                         {"optimizer.kind", "adam"},
                         {"workers.count", "4"},
                         {"optimizer.beta2", "0.999"}});
  EXPECT_EQ(identity_text(p), "optimizer.kind = adam\nrun.iterations = 10\nworkers.count = 4\n");
}

TEST(Keys, run_ids_are_known_for_ever) {  // printf 'run.iterations = 10\n' | sha256sum
  EXPECT_EQ(short_hash(""), "e3b0c44298fc1c14");
  EXPECT_EQ(short_hash("abc"), "ba7816bf8f01cfea");
  EXPECT_EQ(ids(grid_of("run.iterations = 10\n")), std::vector<std::string>{"84f77a92f59007a5"});
  EXPECT_EQ(ids(grid_of("[optimizer]\nkind = adam\n[run]\niterations = 1e1\n[workers]\ncount = 4\n")),
            std::vector<std::string>{"3bac3ec68e4726d1"});
}

TEST(Keys, the_id_ignores_names_places_and_explicit_defaults) {
  const std::string plain = "[data]\nset = mnist\n[model]\nkind = mlp\n[run]\nepochs = 2\n";
  const auto id = ids(grid_of(plain));
  std::string all = plain;  // every default, said aloud
  const Point p = point({{"data.set", "mnist"}, {"model.kind", "mlp"}, {"run.epochs", "2"}});
  for (const auto& [key, value] : p)
    if (value != meaningless && key != "data.set" && key != "model.kind" && key != "run.epochs")
      all = key + " = " + value + "\n" + all;
  EXPECT_EQ(ids(grid_of(all)), id);
  EXPECT_EQ(ids(grid_of(plain, {"experiment.name=other", "data.dir=/elsewhere"})), id);
  EXPECT_NE(ids(grid_of(plain, {"run.seed=2"})), id);
  EXPECT_NE(ids(grid_of(plain, {"optimizer.projection=1"})), id);
}

TEST(Keys, the_id_holds_the_content_of_an_initial_file) {
  const Experiment a = parse_experiment("run.iterations = 5\nmodel.initial = a.h5\n", "x"),
                   b = parse_experiment("run.iterations = 5\nmodel.initial = b.h5:1234\n", "x");
  int calls = 0;
  const auto id = [&](const Experiment& e, const std::string& content) {
    return ids(Grid(e, [&](const std::string&) { return ++calls, content; })).at(0);
  };
  EXPECT_EQ(id(a, "same"), id(b, "same"));
  EXPECT_NE(id(a, "same"), id(a, "other"));
  EXPECT_NE(id(a, "same"), ids(grid_of("run.iterations = 5\n")).at(0));
  calls = 0;
  const Grid many(parse_experiment("run.iterations = 5\nmodel.initial = a.h5\nrun.seed = 1, 2, 3, 4\n", "x"),
                  [&](const std::string&) { return ++calls, std::string("c"); });
  EXPECT_EQ(many.runs().size(), 4U);
  EXPECT_EQ(calls, 1) << "a file that all runs start from is read once";
}

TEST(Keys, defaults_depend_on_earlier_keys) {
  EXPECT_EQ(point({}).at("optimizer.projection"), "0.5");
  EXPECT_EQ(point({{"model.kind", "mlp"}}).at("optimizer.projection"), "none");
  EXPECT_EQ(point({{"model.kind", "mlp"}, {"weights.quantizer", "lab"}}).at("optimizer.projection"), "1");
  EXPECT_EQ(point({{"optimizer.kind", "adam"}}).at("optimizer.beta2"), "0.999");
  EXPECT_EQ(point({{"optimizer.kind", "rmsprop"}}).at("optimizer.beta2"), "0.9");
  EXPECT_EQ(point({{"data.set", "cifar10"}, {"data.augment", "crop24_flip_colour"}}).at("data.crop"), "24");
}

TEST(Keys, a_key_means_something_only_where_its_condition_holds) {
  EXPECT_EQ(point({{"gradients.clip", "3"}}).at("gradients.clip"), meaningless);
  EXPECT_EQ(point({{"gradients.clip", "3"}, {"gradients.quantizer", "sq2"}}).at("gradients.clip"), "3");
  for (const auto& [quantizer, meant] : {std::pair("fp", false),
                                         {"lab", false},
                                         {"lat", false},
                                         {"laq2", false},
                                         {"laq3", true},
                                         {"laq8", true},
                                         {"log2", false},
                                         {"log3", true}})
    EXPECT_EQ(point({{"weights.quantizer", quantizer}}).at("weights.alpha_rule") != meaningless, meant) << quantizer;
  EXPECT_EQ(point({{"theory.measure", "true"}, {"data.set", "mnist"}, {"model.kind", "mlp"}}).at("theory.comparator"), meaningless);
}

TEST(Keys, settings_hold_what_the_keys_say) {
  const Settings s = settings_of(point({{"data.set", "cifar10"},
                                        {"data.dir", "/d"},
                                        {"data.limit", "500"},
                                        {"data.shuffle", "false"},
                                        {"data.normalize", "standard"},
                                        {"data.mean", "0.1 0.2 0.3"},
                                        {"data.std", "1 2 3"},
                                        {"data.augment", "pad4_crop_flip"},
                                        {"model.kind", "mlp"},
                                        {"model.dimension", "77"},
                                        {"model.initial", "f.h5"},
                                        {"model.activation", "tanh"},
                                        {"model.l2", "0.5"},
                                        {"weights.quantizer", "laq3"},
                                        {"weights.alpha_rule", "released"},
                                        {"gradients.quantizer", "sq4"},
                                        {"gradients.clip", "2.5"},
                                        {"gradients.scale", "worker"},
                                        {"workers.count", "3"},
                                        {"workers.batch", "7"},
                                        {"workers.exchange", "server"}}));
  EXPECT_EQ(s.data.set + s.data.dir + s.data.augment + s.data.crop + s.data.normalize, "cifar10/dpad4_crop_flipnonestandard");
  EXPECT_EQ(s.data.limit, 500U);
  EXPECT_FALSE(s.data.shuffle || s.data.synthetic_linear());
  EXPECT_EQ(s.data.mean, (std::vector{0.1, 0.2, 0.3}));
  EXPECT_EQ(s.data.std, (std::vector{1.0, 2.0, 3.0}));
  EXPECT_EQ(s.model.kind + s.model.activation + s.model.initial, "mlptanhf.h5");
  EXPECT_EQ(s.model.dimension, 77U);
  EXPECT_EQ(s.model.l2, 0.5);
  EXPECT_EQ(s.weights.quantizer + s.weights.alpha_rule, "laq3released");
  EXPECT_TRUE(s.weights.quantized() && s.gradients.quantized() && !s.gradients.shared_scale());
  EXPECT_EQ(s.gradients.bits(), 4);
  EXPECT_EQ(s.gradients.clip, 2.5);
  EXPECT_EQ(s.workers.count * 10 + s.workers.batch, 37U);
  EXPECT_EQ(s.workers.exchange, "server");
  EXPECT_EQ(s.optimizer.projection, 1.0);
}

TEST(Keys, settings_of_activations) {
  const auto of = [](const char* bits, const char* alpha) {
    return settings_of(point({{"data.set", "mnist"}, {"model.kind", "lenet5"}, {"activations.bits", bits}, {"activations.alpha", alpha}})).activations;
  };
  EXPECT_EQ(of("2", "published").alpha, 0.6511);
  EXPECT_NEAR(of("4", "ceil").alpha, 0.1666, 1e-4);
  EXPECT_EQ(of("3", "0.25").alpha, 0.25);
  const Point defaults = point({{"data.set", "mnist"}, {"model.kind", "lenet5"}, {"activations.bits", "3"}});
  EXPECT_EQ(defaults.at("activations.alpha") + defaults.at("activations.type") + defaults.at("activations.ste"), "nearestceilclipped_relu") << "nothing is published for 3 bits";
  EXPECT_EQ(point({{"data.set", "mnist"}, {"model.kind", "lenet5"}, {"activations.bits", "4"}}).at("activations.alpha"), "published");
  const auto conflict = [](const Point& p) { const auto found = find_conflict(settings_of(p)); return found ? found->key : std::string(); };
  EXPECT_EQ(conflict(point({{"data.set", "mnist"}, {"model.kind", "lenet5"}, {"run.epochs", "1"}, {"activations.bits", "3"}, {"activations.alpha", "published"}})), "activations.alpha");
  EXPECT_EQ(conflict(point({{"data.set", "mnist"}, {"model.kind", "lenet300"}, {"run.epochs", "1"}, {"activations.bits", "2"}})), "model.activation") << "lenet300's default is tanh";
  EXPECT_EQ(conflict(point({{"data.set", "mnist"}, {"model.kind", "lenet300"}, {"run.epochs", "1"}, {"activations.bits", "2"}, {"model.activation", "relu"}})), "");
}

TEST(Keys, milestones_may_be_shares_of_the_run_and_have_factors_of_their_own) {
  const auto settings = [](const char* milestones, const char* decay, const char* epochs) {
    return settings_of(point({{"data.set", "mnist"}, {"model.kind", "mlp"}, {"optimizer.schedule", "step"}, {"optimizer.milestones", milestones}, {"optimizer.decay", decay},
                              {"run.epochs", epochs}, {"run.iterations", "5"}}));
  };
  EXPECT_EQ(settings("2/5 7/10", "0.1", "200").optimizer.milestones, (std::vector{80.0, 140.0}));
  EXPECT_EQ(settings("2/5 7/10", "0.1", "5").optimizer.milestones, (std::vector{2.0, 3.5}));
  EXPECT_EQ(settings("1/11 6/11 9/11", "1000 0.1 0.1", "220").optimizer.milestones, (std::vector{20.0, 120.0, 180.0}));
  EXPECT_EQ(settings("1/11 6/11 9/11", "1000 0.1 0.1", "220").optimizer.decays, (std::vector{1000.0, 0.1, 0.1}));
  EXPECT_TRUE(settings("1/11 6/11 9/11", "0.1", "220").optimizer.decays.empty());
  const auto conflict = [&](const Settings& s) { const auto found = find_conflict(s); return found ? found->key : std::string(); };
  EXPECT_EQ(conflict(settings("2/5 7/10", "0.1", "5")), "");
  EXPECT_EQ(conflict(settings("2/5 7/10", "0.1", "0")), "optimizer.milestones");
  EXPECT_EQ(conflict(settings("7/10 2/5", "0.1", "5")), "optimizer.milestones");
  EXPECT_EQ(conflict(settings("2/5 7/10", "0.1 0.2 0.3", "5")), "optimizer.decay");
}

TEST(Keys, settings_of_optimizers_and_of_the_run) {
  const Settings s = settings_of(point({{"data.set", "mnist"},
                                        {"model.kind", "mlp"},
                                        {"optimizer.kind", "adam"},
                                        {"optimizer.learning_rate", "0.2"},
                                        {"optimizer.schedule", "step"},
                                        {"optimizer.milestones", "1 2.5"},
                                        {"optimizer.decay", "0.3"},
                                        {"optimizer.beta1", "0.4"},
                                        {"optimizer.beta2", "0.5"},
                                        {"optimizer.epsilon", "0.6"},
                                        {"optimizer.weight_decay", "0.7"},
                                        {"optimizer.second_moment", "max"},
                                        {"optimizer.projection", "8"},
                                        {"run.iterations", "11"},
                                        {"run.epochs", "1.5"},
                                        {"run.patience", "13"},
                                        {"run.seed", "14"},
                                        {"run.record_every", "15"},
                                        {"run.evaluate_every", "0"},
                                        {"run.evaluate_train_every", "never"},
                                        {"workers.total_batch", "60"},
                                        {"workers.count", "4"}}));
  EXPECT_EQ(s.optimizer.kind + s.optimizer.schedule + s.optimizer.second_moment, "adamstepmax");
  EXPECT_EQ((std::vector{s.optimizer.learning_rate, s.optimizer.decay, s.optimizer.beta1, s.optimizer.beta2, s.optimizer.epsilon,
                         s.optimizer.weight_decay, *s.optimizer.projection}),
            (std::vector{0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 8.0}));
  EXPECT_EQ(s.optimizer.milestones, (std::vector{1.0, 2.5}));
  EXPECT_TRUE(s.optimizer.has_second_moment());
  EXPECT_EQ((std::vector<std::uint64_t>{s.run.iterations, s.run.patience, s.run.seed, s.run.record_every}),
            (std::vector<std::uint64_t>{11, 13, 14, 15}));
  EXPECT_EQ(s.run.epochs, 1.5);
  EXPECT_EQ(s.run.evaluate_every, 0U);
  EXPECT_EQ(s.run.evaluate_train_every, UINT64_MAX);
  EXPECT_EQ(s.workers.batch, 15U);
  EXPECT_FALSE(s.model.l2) << "protocol";
  const Settings plain = settings_of(point({{"optimizer.kind", "momentum"},
                                            {"optimizer.momentum", "0.25"},
                                            {"optimizer.projection", "none"},
                                            {"theory.comparator", "hindsight"}}));
  EXPECT_EQ(plain.optimizer.momentum, 0.25);
  EXPECT_FALSE(plain.optimizer.projection || plain.optimizer.has_second_moment() || plain.theory.measure || plain.theory.hindsight);
  EXPECT_EQ(plain.workers.batch, 64U);
  EXPECT_EQ(plain.run.record_every, 0U);
  const Settings theory = settings_of(point({{"theory.measure", "true"}, {"theory.comparator", "hindsight"}}));
  EXPECT_TRUE(theory.theory.measure && theory.theory.hindsight && theory.data.synthetic_linear());
}

TEST(Keys, networks_take_the_images_they_are_made_for) {
  const auto blamed = [](const Point& given) {
    Point all = given;
    all["run.iterations"] = "1";
    const auto conflict = find_conflict(settings_of(effective_point(all)));
    return conflict ? conflict->key + ": " + conflict->reason : "";
  };
  EXPECT_EQ(blamed({{"data.set", "mnist"}, {"model.kind", "cifarnet"}}), "model.kind: data.set = mnist allows: mlp, lenet300, lenet5");
  EXPECT_EQ(blamed({{"data.set", "cifar10"}, {"model.kind", "lenet5"}}), "model.kind: data.set = cifar10 allows: mlp, cifarnet, vgg11, resnet20, binaryconnect_vgg");
  EXPECT_EQ(blamed({{"data.set", "synthetic_imagenet"}, {"model.kind", "vgg11"}}), "model.kind: data.set = synthetic_imagenet allows: alexnet");
  EXPECT_EQ(blamed({{"data.set", "cifar10"}, {"model.kind", "cifarnet"}}), "data.crop: model.kind = cifarnet allows: 24 (its images are 24×24)");
  EXPECT_EQ(blamed({{"data.set", "cifar10"}, {"model.kind", "vgg11"}, {"data.crop", "24"}}), "data.crop: model.kind = vgg11 allows: none (its images are 32×32)");
  EXPECT_EQ(blamed({{"data.set", "cifar10"}, {"model.kind", "resnet20"}, {"model.batch_norm", "none"}}), "model.batch_norm: model.kind = resnet20 allows: plain, affine");
  for (const char* kind : {"vgg11", "resnet20", "binaryconnect_vgg", "mlp"}) EXPECT_EQ(blamed({{"data.set", "cifar10"}, {"model.kind", kind}}), "") << kind;
  EXPECT_EQ(blamed({{"data.set", "cifar10"}, {"model.kind", "cifarnet"}, {"data.augment", "crop24_flip_colour"}}), "");
  for (const char* kind : {"lenet300", "lenet5"}) EXPECT_EQ(blamed({{"data.set", "fashion_mnist"}, {"model.kind", kind}}), "") << kind;
}

TEST(Keys, defaults_of_the_networks) {
  const auto value = [](const char* kind, const char* key, const char* batch_norm = nullptr) {
    Point given = {{"data.set", "mnist"}, {"model.kind", kind}};
    if (batch_norm != nullptr) given["model.batch_norm"] = batch_norm;
    return effective_point(given).at(key);
  };
  EXPECT_EQ(value("mlp", "model.dimension"), "256");
  EXPECT_EQ(value("cifarnet", "model.dimension"), "64");
  EXPECT_EQ(value("lenet5", "model.dimension"), meaningless);
  EXPECT_EQ(value("lenet300", "model.activation"), "tanh");
  EXPECT_EQ(value("lenet5", "model.dropout"), "0.5");
  EXPECT_EQ(value("lenet5", "model.dropout", "plain"), "0") << "the network with batch norm is published without";
  EXPECT_EQ(value("vgg11", "model.dropout"), meaningless);
  EXPECT_EQ(value("vgg11", "model.batch_norm"), "plain");
  EXPECT_EQ(value("binaryconnect_vgg", "model.batch_norm"), "affine");
  EXPECT_EQ(value("mlp", "model.convolution"), meaningless);
}

/// No key is read and ignored: another value of any key makes other settings, or it stands only in the point for the results.
TEST(Keys, every_key_reaches_the_settings) {
  const std::vector<std::pair<std::string, std::string>> others = {{"data.set", "mnist"},
                                                                   {"data.dir", "x"},
                                                                   {"data.limit", "9"},
                                                                   {"data.noise", "9"},
                                                                   {"data.shuffle", "false"},
                                                                   {"data.augment", "pad4_crop_flip"},
                                                                   {"data.crop", "24"},
                                                                   {"data.normalize", "image"},
                                                                   {"data.mean", "9"},
                                                                   {"data.std", "9"},
                                                                   {"model.kind", "linear"},
                                                                   {"model.dimension", "9"},
                                                                   {"model.initial", "x"},
                                                                   {"network.bandwidth", "25"},
                                                                   {"network.latency", "3"},
                                                                   {"network.nodes", "7"},
                                                                   {"network.ranks_per_node", "3"},
                                                                   {"network.node_bandwidth", "3"},
                                                                   {"network.node_latency", "3"},
                                                                   {"network.compute_time", "0.5"},
                                                                   {"network.exchange", "widening"},
                                                                   {"network.gradients", "fp sq3"},
                                                                   {"network.full_precision", "fc1"},
                                                                   {"model.activation", "tanh"},
                                                                   {"model.l2", "9"},
                                                                   {"model.batch_norm", "affine"},
                                                                   {"model.dropout", "0.25"},
                                                                   {"model.convolution", "direct"},
                                                                   {"model.sum_norm", "plain"},
                                                                   {"activations.bits", "4"},
                                                                   {"activations.ste", "relu"},
                                                                   {"activations.alpha", "9"},
                                                                   {"activations.type", "nearest"},
                                                                   {"weights.quantizer", "laq4"},
                                                                   {"weights.alpha_rule", "released"},
                                                                   {"gradients.quantizer", "sq5"},
                                                                   {"gradients.clip", "9"},
                                                                   {"gradients.scale", "worker"},
                                                                   {"workers.count", "9"},
                                                                   {"workers.batch", "9"},
                                                                   {"workers.total_batch", "99"},
                                                                   {"workers.exchange", "server"},
                                                                   {"optimizer.kind", "momentum"},
                                                                   {"optimizer.learning_rate", "9"},
                                                                   {"optimizer.schedule", "constant"},
                                                                   {"optimizer.milestones", "9"},
                                                                   {"optimizer.decay", "9"},
                                                                   {"optimizer.momentum", "0.5"},
                                                                   {"optimizer.beta1", "0.5"},
                                                                   {"optimizer.beta2", "0.5"},
                                                                   {"optimizer.epsilon", "9"},
                                                                   {"optimizer.weight_decay", "9"},
                                                                   {"optimizer.second_moment", "max"},
                                                                   {"optimizer.projection", "9"},
                                                                   {"optimizer.average", "0.9"},
                                                                   {"run.histograms", "3 9"},
                                                                   {"model.loss", "squared_hinge"},
                                                                   {"compression.codebook", "ternary"},
                                                                   {"compression.size", "9"},
                                                                   {"compression.values", "1 9"},
                                                                   {"compression.smallest_power", "9"},
                                                                   {"compression.layers", "together"},
                                                                   {"compression.steps", "9"},
                                                                   {"compression.iterations", "9"},
                                                                   {"compression.rate_factor", "9"},
                                                                   {"compression.penalty", "quadratic"},
                                                                   {"compression.mu0", "9"},
                                                                   {"compression.mu_factor", "9"},
                                                                   {"compression.tolerance", "9"},
                                                                   {"compression.keep", "best"},
                                                                   {"compression.rounding", "stochastic"},
                                                                   {"compression.bound", "9"},
                                                                   {"compression.update_factor", "9"},
                                                                   {"run.iterations", "9"},
                                                                   {"run.epochs", "9"},
                                                                   {"run.patience", "9"},
                                                                   {"run.seed", "9"},
                                                                   {"run.record_every", "9"},
                                                                   {"run.checkpoint_every", "9"},
                                                                   {"run.evaluate_every", "9"},
                                                                   {"run.evaluate_train_every", "9"},
                                                                   {"theory.measure", "true"},
                                                                   {"theory.comparator", "hindsight"},
                                                                   {"data.samples", "48"},
                                                                   {"model.rows", "9"},
                                                                   {"activations.ste", "identity"},
                                                                   {"problem.starts", "9"},
                                                                   {"problem.start", "saddle"},
                                                                   {"problem.target", "1 -2"},
                                                                   {"problem.target_norm", "9"},
                                                                   {"problem.shared", "target"},
                                                                   {"problem.w_norm", "9"},
                                                                   {"problem.v_offset", "9"},
                                                                   {"problem.angle_offset", "2"},
                                                                   {"problem.line", "0:1:9"}};
  const auto fingerprint = [](const Settings& s) {
    std::ostringstream out;
    const auto list = [&](const std::vector<double>& values) {
      for (const double v : values) out << v << ' ';
      out << ';';
    };
    out << s.data.set << ';' << s.data.dir << ';' << s.data.limit << ';' << s.data.shuffle << ';' << s.data.crop << ';' << s.data.noise << ';'
        << s.data.augment << ';' << s.data.normalize << ';';
    list(s.data.mean), list(s.data.std), list(s.optimizer.milestones), list(s.compression.values), list(s.run.histograms);
    const auto& c = s.compression;
    out << s.model.loss << ';' << c.codebook << ';' << c.size << ';' << c.smallest_power << ';' << c.layers << ';' << c.steps << ';' << c.iterations << ';' << c.rate_factor << ';' << c.penalty << ';'
        << c.mu0 << ';' << c.mu_factor << ';' << c.tolerance << ';' << c.keep << ';' << c.rounding << ';' << c.bound << ';' << c.update_factor << ';';
    out << s.model.sum_norm << s.activations.bits << s.activations.ste << s.activations.type << s.activations.alpha << ';';
    out << s.model.kind << ';' << s.model.activation << ';' << s.model.initial << ';' << s.model.dimension << ';'
        << s.model.l2.value_or(-1) << ';' << s.model.batch_norm << ';' << s.model.dropout << ';' << s.model.convolution << ';' << s.weights.quantizer << ';' << s.weights.alpha_rule << ';' << s.gradients.quantizer
        << ';' << s.gradients.scale << ';' << s.gradients.clip.value_or(-1) << ';' << s.workers.count << ';' << s.workers.batch
        << ';' << s.workers.exchange << ';' << s.optimizer.kind << ';' << s.optimizer.schedule << ';' << s.optimizer.second_moment
        << ';' << s.optimizer.learning_rate << ';' << s.optimizer.decay << ';' << s.optimizer.momentum << ';' << s.optimizer.beta1
        << ';' << s.optimizer.beta2 << ';' << s.optimizer.epsilon << ';' << s.optimizer.weight_decay << ';'
        << s.optimizer.projection.value_or(-1) << ';' << s.optimizer.average.value_or(-1) << ';' << s.run.iterations << ';' << s.run.patience << ';' << s.run.seed << ';'
        << s.run.epochs << ';' << s.run.record_every << ';' << s.run.checkpoint_every << ';' << s.run.evaluate_every.value_or(77) << ';'
        << s.run.evaluate_train_every.value_or(77) << ';' << s.theory.measure << ';' << s.theory.hindsight << ';';
    list(s.problem.target_values), list(s.problem.line), list(s.network.bandwidth), list(s.network.latency);
    out << s.network.nodes << ';' << s.network.ranks_per_node << ';' << s.network.node_bandwidth << ';' << s.network.node_latency << ';' << s.network.compute_time.value_or(-1) << ';' << s.network.exchange << ';'
        << fmt::format("{} {}", fmt::join(s.network.gradients, " "), fmt::join(s.network.full_precision, " ")) << ';';
    out << s.activations.ste << ';' << s.problem.rows << ';' << s.problem.samples << ';' << s.problem.starts << ';' << s.problem.target << ';' << s.problem.shared << ';' << s.problem.start << ';'
        << s.problem.target_norm.value_or(-1) << ';' << s.problem.w_norm << ';' << s.problem.v_offset << ';' << s.problem.angle_offset;
    return out.str();
  };
  std::set<std::string> told;
  for (const auto& [key, value] : others)
    for (const Point& p : all_kinds_of_points()) {
      if (p.at(key) == meaningless || told.contains(key)) continue;
      Point other = p;  // the one key alone, not what follows from it
      other[key] = find_key(key)->canonical(value);
      if (fingerprint(settings_of(other)) != fingerprint(settings_of(p))) told.insert(key);
    }
  for (const Key& key : keys())
    EXPECT_TRUE(told.contains(key.name) || key.name.starts_with("experiment.")) << key.name << " does not reach the settings";
}

TEST(Keys, text_for_people_fits_the_terminal) {
  for (const int columns : {80, 132}) {
    std::istringstream in(keys_text("", columns));
    std::size_t lines = 0;
    for (std::string line; std::getline(in, line); ++lines) {
      const auto characters = std::ranges::count_if(line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
      EXPECT_LE(characters, columns) << line;
    }
    EXPECT_GT(lines, 2 * keys().size());
  }
  EXPECT_NE(keys_text("theory", 80).find("theory.comparator = "), std::string::npos);
  EXPECT_EQ(keys_text("theory", 80).find("model.kind = linear\n    network"), std::string::npos);
  EXPECT_THROW(keys_text("optimiser", 80), ConfigError);
}

}  // namespace
}  // namespace qsweep
