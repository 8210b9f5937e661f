#include "results/show.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "config/experiment.h"
#include "config/grid.h"
#include "results/sample.h"
#include "results/slow_down.h"
#include "results/table.h"

namespace qsweep {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// The lines that contain all words.
std::vector<std::string> lines_with(const std::string& text, std::initializer_list<std::string> words) {
  std::vector<std::string> found;
  for (const std::string& line : lines_of(text))
    if (mentions(line, words)) found.push_back(line);
  return found;
}

testing::AssertionResult fits(const std::string& text, std::size_t width) {
  for (const std::string& line : lines_of(text)) {
    if (width_of(line) > width) return testing::AssertionFailure() << width_of(line) << " > " << width << ": " << line;
    if (!line.empty() && line.back() == ' ') return testing::AssertionFailure() << "blank at the end: '" << line << "'";
  }
  return testing::AssertionSuccess();
}

Dataset scalar(const std::string& path, double value, const std::string& unit = "1") {
  return {path, unit, path, {}, std::vector<double>{value}};
}
Dataset curve(const std::string& path, std::vector<double> values) { return {path, "loss", path, {values.size()}, values}; }

Record run_of(const std::string& id, std::int64_t dimension, const std::string& weights, const std::string& gradients, int seed,
              double loss) {
  Record run{id, {}, {}, {}};
  run.attributes = {{"experiment.name", std::string("toy")},
                    {"model.dimension", std::to_string(dimension)},
                    {"weights.quantizer", weights},
                    {"gradients.quantizer", gradients},
                    {"gradients.scale", std::string(gradients == "fp" ? "-" : "shared")},
                    {"run.seed", std::to_string(seed)},
                    {"optimizer.kind", std::string("rmsprop")},
                    {"status", std::string("complete")},
                    {"iterations", std::int64_t{1000}}};
  run.datasets = {scalar("final/average_loss", loss, "loss"), scalar("final/loss", loss / 2, "loss")};
  return run;
}

Results toy(std::vector<Record> runs) {
  return {"toy",
          "not an experiment",
          {"model.dimension", "weights.quantizer", "gradients.quantizer", "gradients.scale", "run.seed"},
          std::move(runs)};
}

void diverge(Record& run, std::int64_t iteration) {
  run.attributes["status"] = std::string("diverged");
  run.attributes["diverged_iteration"] = iteration;
}

/// The names in the order of their rows.
std::vector<std::string> names_of(const std::string& text) {
  std::vector<std::string> names;
  for (const std::string& line : lines_with(text, {"W("})) {
    const auto begin = line.find("W(");
    const auto end = line.find(' ', begin);
    names.push_back(line.substr(begin, end == std::string::npos ? end : end - begin));
  }
  return names;
}

class Show : public Folder {
 protected:
  std::string shown(const Results& results, int width = 200) {
    write_results(folder / "toy.h5", results);
    const std::string text = show(folder / "toy.h5", {width});
    EXPECT_TRUE(width == 0 || fits(text, static_cast<std::size_t>(width))) << text;
    return text;
  }
};

// ---- Numbers

TEST(SampleText, MeanAndDeviationOfTheSample) {
  const Sample sample = sample_of(std::vector<double>{1, 2, 3, 6});
  EXPECT_DOUBLE_EQ(sample.mean, 3);
  EXPECT_DOUBLE_EQ(sample.spread, std::sqrt(14.0 / 3));
  EXPECT_EQ(sample_of(std::vector<double>{0.1, 0.1, 0.1}).spread, 0);  // although 0.1 + 0.1 + 0.1 is not 3 · 0.1
  EXPECT_EQ(sample_of(std::vector<double>{0.1, 0.1, 0.1}).mean, 0.1);
  EXPECT_EQ(sample_of({}).count, 0U);
}

TEST(SampleText, SpreadDecidesTheDigits) {
  const auto text = [](double mean, double spread) {
    const SampleText both = text_of({3, mean, spread});
    return both.mean + " ± " + both.spread;
  };
  EXPECT_EQ(text(0.123456, 0.0123), "0.123 ± 0.012");
  EXPECT_EQ(text(0.123456, 0.00996), "0.123 ± 0.010");
  EXPECT_EQ(text(12.3456, 1.26), "12.3 ± 1.3");
  EXPECT_EQ(text(1234.6, 56.4), "1235 ± 56");
  EXPECT_EQ(text(-0.5, 0.25), "-0.50 ± 0.25");
  EXPECT_EQ(text(0.5, 0), "0.5000 ± 0");
  EXPECT_EQ(text(1.2345e-7, 5.6e-9), "1.235e-07 ± 5.6e-09");
  EXPECT_EQ(text(0.001, 3e8), "1e-03 ± 3.0e+08");
  EXPECT_EQ(text(0.3, 1e-12), "0.300000000 ± 1.0e-12");
  EXPECT_EQ(text_of({1, 97.5, 0}).mean, "97.50");
  EXPECT_EQ(text_of({1, 97.5, 0}).spread, "");
}

TEST(SampleText, SignificantDigits) {
  EXPECT_EQ(significant(0.0123456, 3), "0.0123");
  EXPECT_EQ(significant(0.09999, 3), "0.100");
  EXPECT_EQ(significant(123456, 3), "123456");
  EXPECT_EQ(significant(1234567, 3), "1.23e+06");
  EXPECT_EQ(significant(0.0000123, 3), "1.23e-05");
  EXPECT_EQ(significant(0, 3), "0");
  EXPECT_EQ(significant(std::nan(""), 3), "nan");
}

TEST(SampleText, DecimalPointsStandBelowEachOther) {
  std::vector<std::string> texts = {"1.25", "100", "", "-0.5", "12.125"};
  align_decimals(texts);
  EXPECT_EQ(texts, (std::vector<std::string>{"  1.25 ", "100    ", "       ", " -0.5  ", " 12.125"}));
}

// ---- Layout

TEST(Layout, WrapsWithoutLosingText) {
  const std::string text = "W(LAQ3)-G(SQ2) größe aVeryLongWordWithoutAnyBlank end";
  for (std::size_t width = 1; width < 60; ++width) {
    std::string joined, bare = text;
    for (const std::string& line : wrap(text, width, true)) {
      EXPECT_LE(width_of(line), width);
      joined += line;
    }
    std::erase(joined, ' '), std::erase(bare, ' ');
    EXPECT_EQ(joined, bare) << width;
  }
  EXPECT_EQ(wrap("W(LAQ3)-G(SQ2)", 9, true), (std::vector<std::string>{"W(LAQ3)-", "G(SQ2)"}));
  EXPECT_EQ(wrap("a b", 2), (std::vector<std::string>{"a", "b"}));
}

TEST(Layout, LeavesOutTheLeastImportantColumns) {
  const Table table{
      {{"run", {"aaaa"}, true, 0}, {"first", {"11111"}, false, 2}, {"last", {"22222222"}, false, 4}, {"c", {"3"}, false, 5}}};
  std::vector<std::string> left_out;
  EXPECT_EQ(lines_of(layout(table, 80, left_out)).back(), "aaaa  11111  22222222  3");
  EXPECT_TRUE(left_out.empty());
  EXPECT_EQ(lines_of(layout(table, 15, left_out)).back(), "aaaa  11111  3");  // what is small still fits
  EXPECT_EQ(left_out, std::vector<std::string>{"last"});
}

TEST(Layout, NoWidthIsExceeded) {
  const Table table{{{"first axis", {"a-very-long-value-of-words", "b"}, true, 0},
                     {"second axis", {"another_long_value_here", "größer"}, true, 1},
                     {"value", {"0.123 ± 0.045", "1"}, false, 0},
                     {"another", {"1", ""}, false, 3}},
                    {{1, "diverged at t = 12345"}}};
  for (std::size_t width = 2; width <= 100; ++width) {
    std::vector<std::string> left_out;
    EXPECT_TRUE(fits(layout(table, width, left_out), width));
  }
  std::vector<std::string> left_out;
  EXPECT_EQ(lines_of(layout(table, 100, left_out)).size(), 4U);
}

// ---- Runs

TEST_F(Show, MeansOverSeedsWithBestMark) {
  const std::string text = shown(toy({run_of("a1", 64, "laq3", "sq2", 1, 0.20), run_of("a2", 64, "laq3", "sq2", 2, 0.22),
                                      run_of("b1", 64, "fp", "fp", 1, 0.10), run_of("b2", 64, "fp", "fp", 2, 0.11)}));
  // (0.20 + 0.22)/2, 0.02/√2 = 0.014; half of it for the loss
  EXPECT_EQ(lines_with(text, {"W(LAQ3)-G(SQ2)", "0.210  ± 0.014 ", "0.1050 ± 0.0071", " 2 ", " 1000 "}).size(), 1U) << text;
  EXPECT_EQ(lines_with(text, {"W(FP)-G(FP)", "0.1050 ± 0.0071 *"}).size(), 1U) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '*'), 3) << text;  // two columns and the legend
  EXPECT_TRUE(mentions(text, {"toy: 4 runs; 2 points", "average loss", "after 1000 iterations", "over 2 seeds"})) << text;
  EXPECT_FALSE(mentions(text, {"scale"})) << "follows from the quantizer\n" << text;
  EXPECT_FALSE(mentions(text, {"accuracy"})) << text;
  EXPECT_FALSE(mentions(text, {"egret"})) << text;
}

TEST_F(Show, OrderOfTheGrid) {
  std::vector<Record> runs;
  int id = 0;
  for (const char* gradients : {"sq8", "sq2", "fp"})
    for (const char* weights : {"sq", "laq3", "lat", "fp", "laq2", "lab", "log2"})
      for (const int dimension : {1024, 64, 256})
        runs.push_back(run_of("r" + std::to_string(id), dimension, weights, gradients, 1, id)), ++id;
  const std::string text = shown(toy(runs));
  std::vector<std::string> expected;
  for (int d = 0; d < 3; ++d)
    for (const char* weights : {"FP", "LAB", "LAT", "LAQ2", "LAQ3", "LOG2", "SQ"})
      for (const char* gradients : {"FP", "SQ2", "SQ8"}) expected.push_back(fmt::format("W({})-G({})", weights, gradients));
  EXPECT_EQ(names_of(text), expected);
  const auto lines = lines_with(text, {"W("});
  ASSERT_EQ(lines.size(), 63U);
  EXPECT_TRUE(mentions(lines[0], {"  64  "}) && mentions(lines[21], {" 256  "}) && mentions(lines[42], {"1024  "})) << text;
}

TEST_F(Show, HighestAccuracyIsBest) {
  Record a = run_of("a", 64, "fp", "fp", 1, 0.1), b = run_of("b", 64, "lab", "fp", 1, 0.2);
  a.datasets.push_back(scalar("final/test_accuracy", 91.5, "%"));
  b.datasets.push_back(scalar("final/test_accuracy", 92.25, "%"));
  b.datasets.push_back(scalar("final/best_test_accuracy", 93, "%"));
  const std::string text = shown(toy({a, b}));
  EXPECT_EQ(lines_with(text, {"W(LAB)", "92.25 *", "93.00"}).size(), 1U) << text;
  EXPECT_EQ(lines_with(text, {"W(FP)", "91.50"}).size(), 1U) << text;
  EXPECT_TRUE(mentions(text, {"accuracy", "[%]", "best"})) << text;
}

TEST_F(Show, NothingIsBestAmongEquals) {
  Record a = run_of("a", 64, "fp", "fp", 1, 0.1), b = run_of("b", 64, "lab", "fp", 1, 0.1);
  for (Record* run : {&a, &b}) run->datasets.push_back(scalar("final/test_accuracy", 90, "%"));
  for (Record* run : {&a, &b}) run->datasets.push_back(scalar("final/best_test_accuracy", 90, "%"));
  const std::string text = shown(toy({a, b}));
  EXPECT_EQ(std::count(text.begin(), text.end(), '*'), 0) << text;
  EXPECT_FALSE(mentions(text, {"[loss]"})) << "the heading says it\n" << text;
  EXPECT_TRUE(mentions(text, {"accuracy"}) && lines_with(text, {"best"}).empty()) << "the same column twice\n" << text;
}

TEST_F(Show, CompressedNetworks) {
  Record a = run_of("a", 64, "fp", "fp", 1, 0.1), b = run_of("b", 64, "lab", "fp", 1, 0.2);
  for (Record* run : {&a, &b}) run->attributes["iterations"] = std::int64_t{0};
  a.datasets = {scalar("final/compression/train_loss", 8.5, "loss"), scalar("final/compression/test_accuracy", 97.5, "%")};
  b.datasets = {scalar("final/compression/train_loss", 16, "loss"), scalar("final/compression/test_accuracy", 98.5, "%")};
  const std::string text = shown(toy({a, b}));
  EXPECT_EQ(lines_with(text, {"W(FP)-G(FP)", "8.500 *", "97.50"}).size(), 1U) << text;
  EXPECT_EQ(lines_with(text, {"W(LAB)-G(FP)", "16.00", "98.50 *"}).size(), 1U) << text;
  EXPECT_TRUE(mentions(text, {"quantized", "training", "values at the end of the run"})) << text;
}

TEST_F(Show, DivergedRunsAreCountedApart) {
  std::vector<Record> runs = {run_of("a", 64, "fp", "fp", 1, 0.1), run_of("b", 64, "fp", "fp", 2, 1e9),
                              run_of("c", 64, "lab", "fp", 1, 0.3), run_of("d", 64, "lab", "sq2", 1, 0),
                              run_of("e", 64, "lab", "sq2", 2, 0)};
  diverge(runs[1], 17);
  diverge(runs[3], 120);
  diverge(runs[4], 340);
  const std::string text = shown(toy(runs));
  EXPECT_TRUE(mentions(text, {"5 runs, 3 diverged; 3 points"})) << text;
  EXPECT_EQ(lines_with(text, {"W(FP)-G(FP)", "0.1000 *"}).size(), 1U) << text;
  EXPECT_EQ(lines_with(text, {"W(FP)-G(FP)", " 1  diverged at t = 17"}).size(), 1U) << text;
  EXPECT_EQ(lines_with(text, {"W(LAB)-G(SQ2)", " 2  diverged at t = 120–340"}).size(), 1U) << text;
  EXPECT_EQ(lines_with(text, {"W("}).size(), 4U) << text;
  EXPECT_FALSE(mentions(text, {"e+"})) << text;
}

TEST_F(Show, RunsOfAnotherVersionAreNotTakenForSeeds) {
  Record a = run_of("a", 64, "fp", "fp", 1, 0.1), b = run_of("b", 64, "fp", "fp", 2, 0.2);
  a.attributes["optimizer.learning_rate"] = std::string("0.1");
  b.attributes["optimizer.learning_rate"] = std::string("0.02");
  const std::string text = shown(toy({a, b}));
  EXPECT_TRUE(mentions(text, {"2 points", "learning", "rate"})) << text;
  const auto rows = lines_with(text, {"1000"});
  ASSERT_GE(rows.size(), 2U);
  EXPECT_TRUE(mentions(rows[0], {"0.02", "0.2000"}) && mentions(rows[1], {"0.1 ", "0.1000 *"})) << text;  // by value
}

TEST_F(Show, IterationsReachedMayDiffer) {
  Record a = run_of("a", 64, "fp", "fp", 1, 0.1), b = run_of("b", 64, "fp", "fp", 2, 0.2);
  b.attributes["iterations"] = std::int64_t{800};
  EXPECT_TRUE(mentions(shown(toy({a, b})), {"800–1000"}));
  b.attributes.erase("iterations");  // then its curve knows
  b.datasets.push_back({"curves/iteration", "iteration", "t", {2}, std::vector<std::int64_t>{1, 777}});
  EXPECT_TRUE(mentions(shown(toy({a, b})), {"777–1000"}));
  for (const double none : {std::nan(""), -1.0, 1e300}) {  // a forged curve knows nothing
    b.datasets.back() = {"curves/iteration", "iteration", "t", {2}, std::vector<double>{1, none}};
    const std::string text = shown(toy({a, b}));
    EXPECT_TRUE(mentions(text, {"1000"})) << text;
    EXPECT_FALSE(mentions(text, {"–1000"})) << text;
  }
}

TEST_F(Show, ManyStartsInOneRunAreASample) {
  Record a = run_of("a", 64, "fp", "fp", 1, 0);
  a.datasets = {{"final/loss", "1", "loss", {4}, std::vector<double>{1, 2, 3, 6}}};
  const std::string text = shown(toy({a}));
  EXPECT_TRUE(mentions(text, {"3.0 ± 2.2", "over starts"})) << text;  // √(14/3) = 2.16
}

TEST_F(Show, RunsFromDifferentReferencesAreNoSeedsOfOne) {
  Record relu = run_of("r1", 64, "fp", "fp", 1, 0.5), clipped = run_of("r2", 64, "fp", "fp", 1, 0.4), a = run_of("a", 128, "fp", "fp", 1, 0.3), b = run_of("b", 128, "fp", "fp", 1, 0.2);
  relu.attributes["activations.ste"] = std::string("relu");
  clipped.attributes["activations.ste"] = std::string("clipped_relu");
  a.attributes["model.initial"] = std::string("reference r1");
  b.attributes["model.initial"] = std::string("reference r2");
  const std::string text = shown(toy({relu, clipped, a, b}));
  EXPECT_TRUE(mentions(text, {"4 points", "from ste"})) << text;
  EXPECT_EQ(lines_with(text, {"128", "clipped_relu", "0.2"}).size(), 1U) << text;
  EXPECT_EQ(lines_with(text, {"128", "relu", "0.3"}).size(), 1U) << text;
}

TEST_F(Show, NoWidthIsExceeded) {
  std::vector<Record> runs;
  int id = 0;
  for (const char* weights : {"fp", "laq3", "log4"})
    for (const char* gradients : {"fp", "sq2"})
      for (int seed = 1; seed <= 2; ++seed) {
        ++id;
        Record run = run_of("r" + std::to_string(id), 100 + id % 3, weights, gradients, seed, 0.1 + 0.001 * id);
        run.attributes["data.set"] = std::string(id % 2 ? "synthetic_images" : "größer\x1b[31m");
        run.attributes["model.initial"] =
            std::string("/a/long/path/to/a_file_of_weights.h5:0123456789abcdef") + (id % 3 ? "" : "x");
        for (const char* name : {"average_full_precision_loss", "full_precision_loss", "train_loss", "test_accuracy",
                                 "best_test_accuracy", "average_regret"})
          run.datasets.push_back(scalar(std::string("final/") + name, 12.345 + id));
        for (const char* name : {"u1", "u2", "u3", "printed"})
          run.datasets.push_back(curve(std::string("bound/") + name, {9e9, 123.4 * id}));
        if (id % 5 == 0) diverge(run, 1000000);
        runs.push_back(run);
      }
  Results results = toy(runs);
  results.axes.insert(results.axes.end(), {"data.set", "model.initial"});
  for (const int width : {20, 40, 60, 80, 100, 120, 200}) {
    const std::string text = shown(results, width);  // checks the width
    if (width < 40) continue;
    EXPECT_TRUE(mentions(text, {"diverged at t = 1000000"})) << text;
    EXPECT_TRUE(width > 120 || mentions(text, {"left out", "COLUMNS="})) << text;
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << "control characters of a file reach the terminal";
  }
  const std::string all = shown(results, 0);
  EXPECT_TRUE(mentions(all, {"training-set", "printed"}));
  EXPECT_FALSE(mentions(all, {"left out"}));
}

// ---- Theory

TEST(SlowDown, IterationsToALevel) {
  const std::vector<double> t = {1, 11, 21, 31};
  EXPECT_DOUBLE_EQ(iterations_to(3, t, std::vector<double>{8, 4, 2, 1}).value(), 16);
  EXPECT_DOUBLE_EQ(iterations_to(1, t, std::vector<double>{8, 4, 2, 1}).value(), 31);
  EXPECT_DOUBLE_EQ(iterations_to(3, t, std::vector<double>{2, 4, 2, 1}).value(), 16) << "an early dip is not the end of it";
  EXPECT_FALSE(iterations_to(0.5, t, std::vector<double>{8, 4, 2, 1})) << "never reached";
  EXPECT_FALSE(iterations_to(9, t, std::vector<double>{8, 4, 2, 1})) << "always below";
  EXPECT_FALSE(iterations_to(3, t, std::vector<double>{8, 4, std::nan(""), 1}));
  EXPECT_FALSE(iterations_to(3, t, std::vector<double>{8, 4, 2}));
  EXPECT_FALSE(iterations_to(3, {}, {}));
}

/// R(t)/t = scale/√t at t = 1, 11, … up to `last`, and bounds.
Record theory_run(const std::string& id, const std::string& gradients, int seed, double scale, std::int64_t last) {
  Record run = run_of(id, 64, "laq3", gradients, seed, 0.1);
  std::vector<std::int64_t> t;
  std::vector<double> regret, u1;
  for (std::int64_t i = 1; i <= last; i += 10) {
    t.push_back(i);
    regret.push_back(scale / std::sqrt(static_cast<double>(i)));
    u1.push_back(10 * regret.back());
  }
  run.datasets.push_back({"curves/iteration", "iteration", "t", {t.size()}, t});
  run.datasets.push_back(curve("curves/average_regret", regret));
  run.datasets.push_back(scalar("final/average_regret", regret.back(), "loss"));
  run.datasets.push_back(curve("bound/u1", u1));
  run.datasets.push_back(curve("bound/u2", {100, 42.5}));
  run.datasets.push_back(curve("bound/u3", {100, 43.5}));
  run.datasets.push_back(curve("bound/printed", {100, 12.125}));
  run.datasets.push_back(scalar("bound/u1_holds", 1));
  run.datasets.push_back(scalar("bound/slow_down", gradients == "fp" ? 1 : 3));
  run.datasets.push_back(scalar("bound/slow_down_printed", gradients == "fp" ? 1 : 4));
  return run;
}

TEST_F(Show, RegretAgainstItsBounds) {
  const std::string text = shown(toy({theory_run("f", "fp", 1, 2, 10001), theory_run("q", "sq2", 1, 4, 10001)}));
  const auto rows = lines_with(text, {"W(LAQ3)", "42.5", "43.5", "12.1"});
  ASSERT_EQ(rows.size(), 2U) << text;
  // 2/√10001 = 0.0199990, ten times that, 10
  EXPECT_TRUE(mentions(rows[0], {"G(FP)", "0.02000 ", "0.200 ", "10.0"})) << text;
  EXPECT_TRUE(mentions(rows[1], {"G(SQ2)", "0.04000 ", "0.400 ", "10.0"})) << text;
  EXPECT_FALSE(mentions(text, {"!"})) << text;
}

TEST_F(Show, SlowDownMeasuredAgainstPredicted) {
  // Regret s/√t: the level of the pair is 1.25·4/√10001, which s = 2 reaches at t = 10001/6.25 · (2/4)²·… = 10001·(2/4)²/1.25² =
  // 1600.2 and s = 4 at 10001/1.25² = 6400.6: ratio 4 but for the interpolation, off by less than (10/1600)².
  const std::string text =
      shown(toy({theory_run("f1", "fp", 1, 2, 10001), theory_run("q1", "sq2", 1, 4, 10001), theory_run("f2", "fp", 2, 3, 10001),
                 theory_run("q2", "sq2", 2, 3, 10001), theory_run("q3", "sq2", 3, 4, 10001)}));
  // Seed 2 has ratio 1, seed 3 no partner: mean 2.5, deviation 3/√2 = 2.1; iterations (1600.2 + 6400.6)/2 and 6400.6.
  EXPECT_EQ(lines_with(text, {"G(SQ2)", " 4000 ", " 6401 ", "2.5 ± 2.1", " 9.00", " 16.0"}).size(), 1U) << text;
  EXPECT_TRUE(mentions(text, {"1 run with quantized gradients without such a partner"})) << text;
}

TEST_F(Show, SlowDownIsNotPredictedWithoutARate) {
  Record full = theory_run("f", "fp", 1, 2, 1001), quantized = theory_run("q", "sq2", 1, 4, 1001);
  std::erase_if(quantized.datasets,
                [](const Dataset& d) { return d.path == "bound/u2" || d.path == "bound/u3" || d.path == "bound/printed"; });
  const std::string text = shown(toy({full, quantized}));
  // The level 1.25 · 4/√1001 is reached at 1001/1.25² = 640.6 and at a quarter of that.
  EXPECT_EQ(lines_with(text, {"G(SQ2)", " 160 ", " 641 "}).size(), 1U) << text;
  EXPECT_FALSE(mentions(text, {"9.00"}) || mentions(text, {"predicted,"})) << text;
  EXPECT_TRUE(mentions(shown(toy({quantized})), {"no run has a partner"}));
}

TEST_F(Show, ABrokenPromiseIsMarked) {
  Record run = theory_run("f", "fp", 1, 2, 1001);
  for (Dataset& d : run.datasets)
    if (d.path == "bound/u1") std::get<std::vector<double>>(d.values).back() = 1e-3;
  EXPECT_TRUE(mentions(shown(toy({run})), {" !", "exceeds U1"}));
  run.datasets.erase(
      std::find_if(run.datasets.begin(), run.datasets.end(), [](const Dataset& d) { return d.path == "bound/u1_holds"; }));
  run.datasets.push_back(scalar("bound/u1_holds", 0));
  const std::string text = shown(toy({run}));
  EXPECT_FALSE(mentions(text, {"exceeds"}) || mentions(text, {"second_moment"})) << text;
  run.datasets.push_back(scalar("bound/u2_u3_hold", 0));
  EXPECT_TRUE(mentions(shown(toy({run})), {"U1 ≤ U2 ≤ U3 is not promised", "second_moment = max"}));
  EXPECT_TRUE(mentions(text, {"regret ≤ U1 is not promised"})) << text;
}

// ---- Folders

constexpr const char* experiment_text =
    "[experiment]\nname = toy\n[model]\ndimension = 64, 256\n[weights]\nquantizer = fp, laq3\n[run]\niterations = 1000\nseed = 1, "
    "2\n";

/// The runs of the grid as the trainer would name and describe them.
std::vector<Results> grid_runs() {
  const Grid grid(parse_experiment(experiment_text, "toy.ini"), [](const std::string&) { return std::string(); });
  std::vector<Results> runs;
  for (const RunPlan& plan : grid.runs()) {
    Record run{plan.id, {}, {}, {}};
    for (const auto& [key, value] : grid.settings(plan).point) run.attributes[key] = value;
    run.attributes["status"] = std::string("complete");
    run.attributes["iterations"] = std::int64_t{1000};
    run.datasets = {scalar("final/average_loss", 0.5)};
    runs.push_back({grid.name(), grid.effective_text(), grid.axes(), {run}});
  }
  return runs;
}

void write_run(const fs::path& folder, const Results& results) { write_results(folder / (results.runs[0].id + ".h5"), results); }

TEST_F(Show, FolderWhileTheSweepRuns) {
  const std::vector<Results> runs = grid_runs();
  ASSERT_EQ(runs.size(), 8U);
  for (int i = 0; i < 3; ++i) write_run(folder, runs[static_cast<std::size_t>(i)]);
  write_bytes(folder / (runs[4].runs[0].id + ".lock"), "");  // nobody holds it
  const fs::path lock = folder / (runs[5].runs[0].id + ".lock");
  int ready[2], done[2];
  ASSERT_EQ(pipe(ready) + pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {  // another process at work on run 5
    const int descriptor = open(lock.c_str(), O_RDWR | O_CREAT, 0666);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    char byte = fcntl(descriptor, F_SETLK, &whole) == 0 ? 'y' : 'n';
    const bool told = write(ready[1], &byte, 1) == 1 && read(done[0], &byte, 1) == 1;
    _exit(told ? 0 : 1);
  }
  char byte = 'n';
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const std::string text = show(folder, {80});
  ASSERT_EQ(write(done[1], &byte, 1), 1);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(fits(text, 80));
  EXPECT_TRUE(mentions(text, {"toy: 3 of 8 runs finished, 1 in progress", "in progress: " + runs[5].runs[0].id,
                              "stopped before the end", runs[4].runs[0].id, "dimension", "W(FP)-G(FP)"}))
      << text;
  EXPECT_FALSE(mentions(text, {"projection"})) << "follows from the weights' quantizer\n" << text;
  EXPECT_FALSE(mentions(text, {"alpha"})) << text;
  for (const int end : {ready[0], ready[1], done[0], done[1]}) close(end);
}

TEST_F(Show, FolderWithFilesThatDoNotBelong) {
  const std::vector<Results> runs = grid_runs();
  for (const Results& run : runs) write_run(folder, run);
  Results other = runs[0];
  other.runs[0].id = "fedcba9876543210";
  other.runs[0].attributes["optimizer.learning_rate"] = std::string("0.5");
  write_run(folder, other);
  write_bytes(folder / "damaged.h5", "not HDF5");
  write_bytes(folder / "0123456789abcdef.checkpoint-12.h5", "not to be looked at");
  Results renamed = runs[1];
  renamed.experiment = "stranger";
  renamed.runs[0].id = "0000000000000000";
  write_run(folder, renamed);
  fs::last_write_time(folder / "0000000000000000.h5", fs::last_write_time(folder / "fedcba9876543210.h5") - std::chrono::hours(1));
  const std::string text = show(folder, {100});
  EXPECT_TRUE(mentions(text, {"8 of 8 runs finished", "5 points", "1 run of another version", "left out damaged.h5",
                              "left out 0000000000000000.h5: is of experiment stranger"}))
      << text;
  EXPECT_FALSE(mentions(text, {"checkpoint"})) << text;
  EXPECT_TRUE(fits(text, 100));
}

TEST_F(Show, SweepsThatDifferInManyKeysGetOneColumn) {
  const std::string text =
      "[experiment]\nname = toy\n[weights]\nquantizer = fp, laq3\n[sweep.a]\nmodel.dimension = 64\noptimizer.learning_rate = 0.5\n"
      "run.iterations = 1000\n[sweep.b]\nmodel.dimension = 256\noptimizer.learning_rate = 0.25\nrun.iterations = 1000\n";
  const Grid grid(parse_experiment(text, "toy.ini"), [](const std::string&) { return std::string(); });
  Results results{grid.name(), grid.effective_text(), grid.axes(), {}};
  for (const RunPlan& plan : grid.runs()) {
    Record run{plan.id, {}, {scalar("final/average_loss", 0.5)}, {}};
    for (const auto& [key, value] : grid.settings(plan).point) run.attributes[key] = value;
    results.runs.push_back(run);
  }
  const std::string table = shown(results);
  EXPECT_TRUE(mentions(table, {"4 points", "dimension", "run"})) << table;
  EXPECT_FALSE(mentions(table, {"rate"})) << table;
}

TEST_F(Show, NothingFinishedYet) {
  write_bytes(folder / "0123456789abcdef.lock", "");
  EXPECT_TRUE(mentions(data_error([&] { show(folder); }), {folder.string(), "holds no finished run"}));
}

TEST_F(Show, ErrorsNameTheFileAndWhatToDo) {
  EXPECT_TRUE(mentions(data_error([&] { show(folder / "missing.h5"); }), {"missing.h5", "no such file or folder", "DIR/NAME"}));
  EXPECT_TRUE(mentions(data_error([&] { show(""); }), {"no such file or folder"}));
  EXPECT_TRUE(mentions(data_error([&] { show(folder); }), {folder.string(), "no finished run", "run the experiment"}));
  write_bytes(folder / "text.h5", "hello");
  EXPECT_TRUE(mentions(data_error([&] { show(folder / "text.h5"); }), {"text.h5", "not an HDF5 file"}));
  EXPECT_TRUE(mentions(data_error([&] { show(folder); }), {"left out text.h5", "not an HDF5 file"}));
  Writer(folder / "other.h5").finish();
  EXPECT_TRUE(mentions(data_error([&] { show(folder / "other.h5"); }), {"other.h5", "another program"}));
  write_results(folder / "none.h5", toy({}));
  EXPECT_TRUE(mentions(data_error([&] { show(folder / "none.h5"); }), {"none.h5", "holds no run"}));
}

TEST_F(Show, RunsWithoutValuesStillCount) {
  Record run = run_of("a", 64, "fp", "fp", 1, 0);
  run.datasets.clear();
  run.attributes.erase("weights.quantizer");
  EXPECT_TRUE(mentions(shown(toy({run}), 40), {"1 run;", "1000", "no final values", "plot.py"}));
}

}  // namespace
}  // namespace qsweep
