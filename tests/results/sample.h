#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "base/errors.h"
#include "results/file.h"
#include "results/weights.h"

namespace qsweep {

/// A folder of the test's own, removed at its end.
class Folder : public testing::Test {
 protected:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "qsweep_results_XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    folder = name;
  }
  ~Folder() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator{}));
  }
  std::filesystem::path folder;
};

inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_bytes(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

/// What DataError says; fails the test if there is none.
template <class Call>
std::string data_error(Call call) {
  try {
    call();
  } catch (const DataError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no DataError";
  return "";
}

/// Holds if the text contains all words.
inline testing::AssertionResult mentions(const std::string& text, std::initializer_list<std::string> words) {
  for (const std::string& word : words)
    if (text.find(word) == std::string::npos) return testing::AssertionFailure() << "'" << word << "' is not in: " << text;
  return testing::AssertionSuccess();
}

/// A run with every type of value.
inline Record sample_run(const std::string& id, double shift = 0) {
  const double infinity = std::numeric_limits<double>::infinity();
  QuantizedTensor quantized{{2, 3}, 2, {0, 1, 2, 2, 1, 0}, {-1, 0, 1}, 0.25F};
  Record run{id, {}, {}, {}};
  run.attributes = {{"model.dimension", std::int64_t{6}},
                    {"optimizer.learning_rate", 0.1},
                    {"weights.quantizer", std::string("lat")},
                    {"optimizer.milestones", std::vector<std::int64_t>{80, 140}},
                    {"none", std::vector<std::int64_t>{}},
                    {"status", std::string("complete")},
                    {"empty", std::string()}};
  for (int i = 0; i < 60; ++i) run.attributes["key" + std::to_string(i)] = std::string("value");  // as many as a real run
  run.datasets = {{"curves/iteration", "iteration", "iteration", {3}, std::vector<std::int64_t>{1, 2, std::int64_t{1} << 60}},
                  {"curves/loss", "loss", "training loss f(ŵ)", {3}, std::vector<double>{1.5 + shift, infinity, 1e-300}},
                  {"curves/nothing", "loss", "a curve without points", {0}, std::vector<double>{}},
                  {"curves/names", "1", "words", {2}, std::vector<std::string>{"größe", ""}},
                  {"final/loss", "loss", "last training loss", {}, std::vector<double>{1e-300}},
                  weights_dataset("fc1/weight", {2, 3}, std::vector<float>{1, -2, 3.14159265F, 4, 1e-30F, -0.0F})};
  for (Dataset& dataset : quantized_weights_datasets("fc1/weight", quantized)) run.datasets.push_back(dataset);
  run.groups = {
      {"provenance", {{"commit", std::string("abc")}, {"ranks", std::int64_t{2}}, {"environment", std::vector<std::string>{}}}}};
  return run;
}

inline Results sample_results(const std::vector<std::string>& ids, const std::string& experiment = "smoke") {
  Results results{experiment, "[model]\ndimension = 6\n", {"model.dimension", "run.seed"}, {}};
  for (const std::string& id : ids) results.runs.push_back(sample_run(id));
  return results;
}

}  // namespace qsweep
