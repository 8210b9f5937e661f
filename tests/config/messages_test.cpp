// What a user reads when an experiment is wrong: file, line, key, value, and what is allowed.
#include "config/helpers.h"

namespace qsweep {
namespace {

using test::refusal;
using Strings = std::vector<std::string>;

struct Wrong {
  std::string text;
  Strings sets;
  Strings told;  ///< parts of the message
};

void expect_told(const std::vector<Wrong>& cases) {
  for (const Wrong& wrong : cases) {
    const std::string message = refusal(wrong.text, wrong.sets);
    test::expect_contains(message, wrong.told);
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

const std::string base = "[run]\niterations = 5\n";

TEST(Messages, unknown_keys) {
  expect_told(
      {{base + "[model]\ndimention = 8\n",
        {},
        {"test.ini:4: ", "unknown key model.dimention", "(value 8)", "nearest: model.dimension",
         "keys of [model]: kind, dimension, initial"}},
       {base + "[modle]\ndimension = 8\n", {}, {"test.ini:4: ", "modle.dimension", "nearest: model.dimension"}},
       {base, {"model.dimensions=8"}, {"--set: ", "model.dimensions", "nearest: model.dimension"}},
       {base + "[sweep.a]\nmodel.dim = 8\n", {}, {"test.ini:4: ", "model.dim", "(value 8)"}},
       {base, {"quantizer=sq2"}, {"--set: ", "nearest: weights.quantizer, gradients.quantizer"}},
       {base, {"learning_rat=1"}, {"--set: ", "nearest: optimizer.learning_rate"}},
       {"[run]\nepochs = 1\n", {}, {"run.iterations or run.patience must be above 0", "run.epochs needs data.set = mnist"}},
       {base + "[reference]\nweight.quantizer = fp\n", {}, {"test.ini:4: ", "weight.quantizer", "nearest: weights.quantizer"}},
       {base + "[sweep]\nzip = run.seed model.dimensoin\n", {}, {"test.ini:4: ", "model.dimensoin", "nearest: model.dimension"}},
       {base + "[sweep]\nmodel.dimension = 8\n", {}, {"test.ini:4: ", "model"}}});
}

TEST(Messages, values) {
  expect_told({{"[run]\n\n# comment\niterations = many # why not\n",
                {},
                {"test.ini:4: ", "run.iterations = many", "allowed: an integer from 0 to 4000000000"}},
               {base + "seed = 1, , 3\n", {}, {"test.ini:3: ", "run.seed = (nothing)", "allowed: an integer"}},
               {base + "seed =\n", {}, {"test.ini:3: ", "run.seed = (nothing)"}},
               {base + "[weights]\nquantizer = laq3, laq99\n",
                {},
                {"test.ini:4: ", "weights.quantizer = laq99", "allowed: fp, lab, lat, laq2,", "log8"}},
               {base + "[optimizer]\nbeta2 = 1\nkind = adam\n", {}, {"test.ini:4: ", "optimizer.beta2 = 1", "≥ 0 and below 1"}},
               {base + "[optimizer]\nprojection = -2\n", {}, {"optimizer.projection = -2", "allowed: none or a number > 0"}},
               {base, {"optimizer.learning_rate=fast"}, {"--set: ", "optimizer.learning_rate = fast", "allowed: a number > 0"}},
               {base, {"run.seed"}, {"--set run.seed", "allowed: section.key=value"}},
               {base + "[data]\nshuffle = yes\n", {}, {"data.shuffle = yes", "allowed: true, false"}}});
}

TEST(Messages, syntax_and_repetition) {
  expect_told({{base + "seed 4\n", {}, {"test.ini:3: ", "'seed 4'", "allowed: key = value, [section], # comment"}},
               {base + "[model\ndimension = 3\n", {}, {"test.ini:3: ", "'[model'", "allowed: [section]"}},
               {base + "[]\n", {}, {"test.ini:3: "}},
               {base + "seed = 1\niterations = 6\n",
                {},
                {"test.ini:4: ", "run.iterations = 6", "given before, at test.ini:2", "separated by commas"}},
               {base + "[sweep.a]\nrun.seed = 1\n[sweep.b]\nrun.seed = 2\n[sweep.a]\nrun.seed = 3\n",
                {},
                {"test.ini:8: ", "given before, at test.ini:4"}},
               {base + "[experiment]\nname = a, b\n", {}, {"test.ini:4: ", "experiment.name", "one value"}},
               {base + "[sweep.a]\nexperiment.name = a\n", {}, {"test.ini:4: ", "experiment.name", "outside of [sweep"}},
               {base + "[reference]\nexperiment.name = a\n", {}, {"test.ini:4: ", "experiment.name", "[reference]"}},
               {base + "[experiment]\nname = a/b\n", {}, {"test.ini:4: ", "experiment.name = a/b", "without '/'"}},
               {base + "[experiment]\nname = .hidden\n", {}, {"experiment.name = .hidden", "not beginning with '.'"}},
               {base + "[reference]\nrun.seed = 1, 2\n", {}, {"test.ini:4: ", "reference.run.seed", "one value"}},
               {base + "[sweep.]\nrun.seed = 1\n", {}, {"test.ini:3: "}}});
}

TEST(Messages, zips) {
  const std::string axes = "[model]\ndimension = 8, 16, 32\n[workers]\ncount = 1, 2\n";
  expect_told(
      {{base + axes + "[sweep]\nzip = model.dimension workers.count\n",
        {},
        {"test.ini:8: ", "zip = model.dimension workers.count", "model.dimension has 3", "workers.count has 2",
         "allowed: the same number"}},
       {base + axes + "[sweep.a]\nzip = model.dimension run.seed\nrun.seed = 1, 2\n", {}, {"test.ini:8: ", "run.seed has 2"}},
       {base + axes + "[sweep]\nzip = model.dimension run.seed\n", {}, {"test.ini:8: ", "model.dimension has 3", "run.seed has 0"}},
       {base + axes + "[sweep]\nzip = run.seed optimizer.kind\n",
        {},
        {"test.ini:8: ", "zip = run.seed optimizer.kind", "none of these keys is given"}},
       {base + axes + "[sweep]\nzip = model.dimension\n", {}, {"test.ini:8: ", "two or more keys"}},
       {base + "seed = 1, 2, 3\n" + axes + "[sweep]\nzip = model.dimension run.seed\n[sweep.a]\nzip = run.seed workers.count\n",
        {},
        {"test.ini:11: ", "run.seed is zipped before, at test.ini:9"}},
       {base + axes + "[sweep]\nzip = model.dimension model.dimension\n", {}, {"test.ini:8: ", "zipped before"}},
       {base + "[reference]\nzip = run.seed model.dimension\n", {}, {"test.ini:4: ", "zip = ", "[reference] has one value"}}});
}

TEST(Messages, sweeps_that_do_not_exist) {
  expect_told({{base + "[sweep.linear]\nrun.seed = 1\n",
                {"sweep.linaer.run.seed=2"},
                {"--set: ", "sweep.linaer.run.seed = 2", "test.ini has no [sweep.linaer]", "allowed: sweep.linear"}},
               {base, {"sweep.a.run.seed=2"}, {"--set: ", "allowed: no sweep"}}});
}

TEST(Messages, keys_without_meaning_anywhere) {
  expect_told(
      {{base + "[gradients]\nclip = 2, 3\n",
        {},
        {"test.ini:4: ", "gradients.clip = 2, 3", "no meaning", "needs gradients.quantizer = sq2 … sq8"}},
       {base + "[sweep.a]\noptimizer.beta1 = 0.5\n", {}, {"test.ini:4: ", "optimizer.beta1 = 0.5", "needs optimizer.kind = adam"}},
       {base + "[sweep.a]\nrun.seed = 2\n[sweep.b]\nmodel.activation = tanh\n",
        {},
        {"test.ini:6: ", "model.activation = tanh", "needs a network"}},
       {base + "[weights]\nquantizer = lab\n[reference]\nweights.quantizer = fp\noptimizer.momentum = 0.5\n",
        {},
        {"test.ini:7: ", "optimizer.momentum = 0.5", "needs optimizer.kind = momentum"}},
       {base + "[weights]\nalpha_rule = released\nquantizer = laq2, lab\n",
        {},
        {"test.ini:4: ", "weights.alpha_rule = released", "needs weights.quantizer = laq3"}}});
}

TEST(Messages, impossible_combinations) {
  const std::string mlp = "[data]\nset = mnist\n[model]\nkind = mlp\n";
  expect_told(
      {{base + "[data]\nset = mnist\n", {}, {"model.kind = linear", "data.set = mnist allows: mlp", "test.ini (default)"}},
       {base + "[model]\nkind = mlp\n", {}, {"test.ini:4: ", "model.kind = mlp", "data.set = synthetic_linear allows: linear"}},
       {base + mlp + "[data]\naugment = pad4_crop_flip\n",
        {},
        {"test.ini:8: ", "data.augment = pad4_crop_flip", "data.set = mnist allows: none"}},
       {base + mlp + "[data]\ncrop = 24\n", {}, {"test.ini:8: ", "data.crop = 24", "allows: none"}},
       {base + mlp + "[data]\nnormalize = standard\nmean = 0.1\n", {}, {"test.ini:9: ", "data.mean = 0.1", "together"}},
       {base + mlp + "[data]\nnormalize = standard\nmean = 0.1 0.2\nstd = 1 1\n", {}, {"data.mean = 0.1 0.2", "1 channel:"}},
       {base + mlp + "[data]\nnormalize = standard\nmean = 0.1\nstd = 0\n", {}, {"data.std = 0", "numbers > 0"}},
       {base + "[data]\nset = cifar10\naugment = crop24_flip_colour\ncrop = none\n[model]\nkind = mlp\n",
        {},
        {"test.ini:6: ", "data.crop = none", "allows: 24"}},
       {base + "[data]\nset = cifar10\naugment = pad4_crop_flip\ncrop = 24\n[model]\nkind = mlp\n",
        {},
        {"test.ini:6: ", "data.crop = 24", "allows: none"}},
       {base + "[gradients]\nquantizer = fp, sq2\nscale = worker\n",
        {},
        {"test.ini:5: ", "gradients.scale = worker", "workers.exchange = allreduce", "workers.exchange = server",
         "where gradients.quantizer = sq2"}},
       {base + "[workers]\ntotal_batch = 64\ncount = 2, 3\n",
        {},
        {"test.ini:4: ", "workers.total_batch = 64", "multiple of workers.count = 3", "(where workers.count = 3)"}},
       {base + "[workers]\ntotal_batch = 2\ncount = 3\n", {}, {"workers.total_batch = 2", "multiple"}},
       {base + mlp + "[optimizer]\nschedule = step\nmilestones = 80 40\n",
        {},
        {"test.ini:9: ", "optimizer.milestones = 80 40", "increasing"}},
       {base + mlp + "[optimizer]\nschedule = step\nmilestones = 80 80\n", {}, {"optimizer.milestones = 80 80", "increasing"}},
       {base + "[optimizer]\nschedule = step\n", {}, {"test.ini:4: ", "optimizer.schedule = step", "no epochs"}},
       {"[run]\nseed = 1\n", {}, {"run.iterations = 0", "run.patience must be above 0"}},
       {base + "[theory]\nmeasure = true\n[optimizer]\nkind = adam\n",
        {},
        {"test.ini:4: ", "theory.measure = true", "optimizer.kind = adam allows: false"}},
       {base + "[theory]\nmeasure = true\n[optimizer]\nprojection = none\n", {}, {"theory.measure = true", "bounded set"}},
       {base + "[theory]\nmeasure = true\n[model]\nl2 = 0.1\n", {}, {"theory.measure = true", "penalty"}},
       {base + "[theory]\nmeasure = true\ncomparator = hindsight\n[model]\ndimension = 1025\n",
        {},
        {"test.ini:5: ", "theory.comparator = hindsight", "model.dimension = 1025 allows: w_star"}}});
}

TEST(Messages, impossible_two_layer_problems) {
  const std::string toy = base + "[experiment]\nmethod = coarse_gradient\n";
  expect_told(
      {{"[experiment]\nmethod = coarse_gradient\n", {}, {"run.iterations = 0", "allowed: 1 and more"}},
       {toy + "[optimizer]\nkind = adam\n", {}, {"test.ini:6: ", "optimizer.kind = adam", "has no meaning", "it needs experiment.method other than coarse_gradient"}},
       {base + "[problem]\nstarts = 3\n", {}, {"test.ini:4: ", "problem.starts = 3", "it needs experiment.method = coarse_gradient"}},
       {toy + "[workers]\ncount = 2\n", {}, {"test.ini:6: ", "workers.count = 2", "it needs data.samples"}},
       {toy + "[data]\nsamples = 10\n[workers]\ncount = 3\n", {}, {"test.ini:6: ", "data.samples = 10", "a multiple of workers.count = 3"}},
       {toy + "[problem]\nstart = saddel\n", {}, {"test.ini:6: ", "problem.start = saddel", "allowed: random, theorem2, global, spurious, saddle, or a file"}},
       {toy + "[problem]\nstart = saddle\n", {}, {"test.ini:6: ", "problem.start = saddle", "allowed with problem.target = spurious"}},
       {toy + "[problem]\nstart = spurious\ntarget = 1 1 1 1 1\n", {}, {"test.ini:6: ", "problem.start = spurious", "exists only where"}},
       {toy + "[problem]\ntarget = 1 2\n", {}, {"test.ini:6: ", "problem.target = 1 2", "has 2 numbers; allowed: model.rows = 5"}},
       {toy + "[problem]\ntarget = 0 0 0 0 0\n", {}, {"problem.target = 0 0 0 0 0", "not 0 everywhere"}},
       {toy + "[problem]\nline = 0:0.2\n", {}, {"test.ini:6: ", "problem.line = 0:0.2", "FIRST:STEP:LAST"}},
       {toy + "[problem]\nw_norm = 0\n", {}, {"test.ini:6: ", "problem.w_norm = 0"}},
       {toy + "[problem]\nangle_offset = 1\n", {}, {"problem.angle_offset = 1", "it needs problem.start = global, spurious or saddle"}},
       {toy + "[problem]\nstart = global\nangle_offset = 1\n[model]\ndimension = 1\n", {}, {"model.dimension = 1", "allowed: 2 and more"}}});
}

TEST(Messages, the_blame_falls_on_the_section_that_decided) {
  const std::string text = base +
                           "[theory]\nmeasure = true\n[sweep.good]\noptimizer.kind = sgd\n[sweep.bad]\noptimizer.kind = "
                           "rmsprop\noptimizer.projection = none\ntheory.measure = true\n";
  test::expect_contains(refusal(text), {"test.ini:10: theory.measure = true"});
  const std::string reference =
      base + "[weights]\nquantizer = lab\n[gradients]\nquantizer = sq2\n[reference]\ngradients.scale = worker\n";
  test::expect_contains(refusal(reference), {"test.ini:8: gradients.scale = worker"});
}

TEST(Messages, files_that_are_no_text) {
  const std::string zero(1, '\0');
  expect_told({{base + "se" + zero + "ed = 1\n", {}, {"test.ini:3: byte 0x00 in column 3", "allowed: text in UTF-8"}},
               {base + "[experiment]\nname = gr\xf6\xdf" "er\n", {}, {"test.ini:4: byte 0xf6 in column 10", "UTF-8"}},
               {"\xff\xfe[" + zero + "r" + zero + "\n", {}, {"test.ini:1: byte 0xff in column 1", "UTF-8"}},  // UTF-16
               {"[run]\riterations = 5\rseed = 1\r", {}, {"test.ini:1: byte 0x0d in column 6"}},
               {base, {"run.seed=1\n2"}, {"--set: byte 0x0a in column 11"}},
               {base, {"experiment.name=a#b"}, {"--set experiment.name=a#b", "without #"}}});
}

TEST(Messages, long_lines_are_cut_in_messages) {
  for (const std::string& text : {base + "seed = " + std::string(100'000, '9') + "x\n", base + std::string(100'000, 'k') + " = 1\n", base + "[" + std::string(100'000, 's') + "\n",
                                  base + std::string(100'000, 'w') + "\n", base + "[sweep]\nzip = " + std::string(100'000, 'z') + "\n"}) {
    const std::string told = refusal(text);
    test::expect_contains(told, {"test.ini:", "…"});
    EXPECT_LT(told.size(), 1000U) << told;
  }
}

TEST(Messages, grids_without_end) {
  const std::string ten = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10\n";
  const std::string text = base + "seed = " + ten + "[model]\ndimension = " + ten + "[workers]\nbatch = " + ten + "count = " + ten;
  EXPECT_EQ(test::grid_of(text).axes().size(), 4U);
  test::expect_contains(refusal(text + "[optimizer]\nlearning_rate = " + ten), {"test.ini: run.seed has 10 values, model.dimension has 10 values", "at most 65535 points"});
  std::string many = "1";
  for (int seed = 2; seed <= 65'536; ++seed) many += "," + std::to_string(seed);
  test::expect_contains(refusal(base + "seed = " + many + "\n"), {"run.seed has 65536 values", "at most 65535 points"});
}

TEST(Messages, steps_that_are_lost_beside_their_end) {
  const std::string toy = base + "[experiment]\nmethod = coarse_gradient\n[problem]\nline = ";
  for (const std::string line : {"1e30:1:1e30", "1e20:1e-3:1e20", "0:1e308:1.7e308"}) test::expect_contains(refusal(toy + line + "\n"), {"problem.line = " + line, "FIRST:STEP:LAST"});
  EXPECT_EQ(test::grid_of(toy + "0:1:9999\n").settings(test::grid_of(toy + "0:1:9999\n").runs()[0]).problem.line.size(), 10'000U);
}

TEST(Messages, good_files_with_odd_looks_are_understood) {
  EXPECT_EQ(test::grid_of("\xef\xbb\xbf[run]\r\niterations = 5\r\n# \xe9, of another code page\r\n[experiment]\r\nname = größe\r\n").name(), "größe");
  EXPECT_EQ(test::grid_of("run.iterations = 5\r\n\t [model] # why\r\n  dimension=8 ,16\t# two\r\n\r\n[run]\nseed=1").runs().size(),
            2U);
}

}  // namespace
}  // namespace qsweep
