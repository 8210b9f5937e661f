#include "results/file.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "results/sample.h"

namespace qsweep {
namespace {

using FileTest = Folder;

void expect_equal(const Dataset& a, const Dataset& b) {
  EXPECT_EQ(a.path, b.path);
  EXPECT_EQ(a.unit, b.unit);
  EXPECT_EQ(a.long_name, b.long_name);
  EXPECT_EQ(a.shape, b.shape);
  EXPECT_TRUE(a.values == b.values) << a.path;
  EXPECT_TRUE(a.attributes == b.attributes) << a.path;
}

TEST_F(FileTest, everything_written_is_read_back) {
  // Not in alphabetical order: a file keeps the order of its runs.
  Results written = sample_results({"00ff", "zz", "aa"});
  written.settings = std::string(200'000, 's');  // more than fits into one HDF5 object header
  write_results(folder / "a.h5", written);
  const Results read = read_results(folder / "a.h5");
  EXPECT_EQ(files(), 1U);
  EXPECT_EQ(read.experiment, written.experiment);
  EXPECT_EQ(read.settings, written.settings);
  EXPECT_EQ(read.axes, written.axes);
  ASSERT_EQ(read.runs.size(), written.runs.size());
  for (std::size_t i = 0; i < read.runs.size(); ++i) {
    EXPECT_EQ(read.runs[i].id, written.runs[i].id);
    EXPECT_TRUE(read.runs[i].attributes == written.runs[i].attributes);
    EXPECT_TRUE(read.runs[i].groups == written.runs[i].groups);
    ASSERT_EQ(read.runs[i].datasets.size(), written.runs[i].datasets.size());
    for (const Dataset& dataset : written.runs[i].datasets) {
      ASSERT_NE(read.runs[i].find(dataset.path), nullptr) << dataset.path;
      expect_equal(*read.runs[i].find(dataset.path), dataset);
    }
    EXPECT_TRUE(std::is_sorted(read.runs[i].datasets.begin(), read.runs[i].datasets.end(),
                               [](const Dataset& a, const Dataset& b) { return a.path < b.path; }));
  }
}

TEST_F(FileTest, not_a_number_keeps_its_bits) {
  Results results = sample_results({"x"});
  const double odd = std::bit_cast<double>(std::uint64_t{0x7ff8'0000'dead'beef});
  results.runs[0].datasets = {{"curves/loss", "loss", "loss", {1}, std::vector<double>{odd}}};
  write_results(folder / "a.h5", results);
  const Results read = read_results(folder / "a.h5");
  EXPECT_EQ(std::bit_cast<std::uint64_t>(std::get<std::vector<double>>(read.runs[0].datasets[0].values)[0]),
            0x7ff8'0000'dead'beefU);
}

TEST_F(FileTest, equal_results_give_equal_bytes) {
  write_results(folder / "a.h5", sample_results({"x"}));
  write_results(folder / "b.h5", sample_results({"x"}));
  EXPECT_TRUE(bytes_of(folder / "a.h5") == bytes_of(folder / "b.h5"));
}

TEST_F(FileTest, sizes) {
  for (const std::size_t size : {1U, 2U, 7U, 64U, 1003U, 100'000U}) {
    Results results = sample_results({"x"});
    std::vector<float> values(size);
    for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>(i) / 7;
    results.runs[0].datasets = {weights_dataset("fc1/weight", {1, size}, values)};
    write_results(folder / "a.h5", results);
    EXPECT_TRUE(read_weights(folder / "a.h5").at("fc1/weight").values == values) << size;
  }
}

TEST_F(FileTest, attributes_alone_and_named_datasets) {
  write_results(folder / "a.h5", sample_results({"x", "y"}));
  const Results bare = read_run_attributes(folder / "a.h5");
  ASSERT_EQ(bare.runs.size(), 2U);
  EXPECT_TRUE(bare.runs[1].datasets.empty());
  EXPECT_TRUE(bare.runs[1].attributes == sample_run("y").attributes);
  EXPECT_TRUE(bare.runs[1].groups == sample_run("y").groups);
  const Results some = read_run_attributes(folder / "a.h5", {"final/loss", "final/absent"});
  ASSERT_EQ(some.runs[0].datasets.size(), 1U);
  EXPECT_EQ(some.runs[0].datasets[0].path, "final/loss");
}

TEST_F(FileTest, weights_by_run) {
  write_results(folder / "one.h5", sample_results({"x"}));
  const auto weights = read_weights(folder / "one.h5");
  ASSERT_EQ(weights.size(), 1U);
  EXPECT_EQ(weights.at("fc1/weight").shape, (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(weights.at("fc1/weight").values[2], 3.14159265F);
  EXPECT_TRUE(std::signbit(weights.at("fc1/weight").values[5]));
  write_results(folder / "two.h5", sample_results({"x", "y"}));
  EXPECT_EQ(read_weights(folder / "two.h5", "y").size(), 1U);
  EXPECT_TRUE(mentions(data_error([&] { read_weights(folder / "two.h5"); }), {"two.h5", "2 runs", "x, y"}));
  EXPECT_TRUE(mentions(data_error([&] { read_weights(folder / "two.h5", "z"); }), {"two.h5", "no run z", "x, y"}));
  write_results(folder / "none.h5", sample_results({}));
  EXPECT_TRUE(mentions(data_error([&] { read_weights(folder / "none.h5"); }), {"none.h5", "no run"}));
}

TEST_F(FileTest, names_and_shapes_of_the_caller_are_checked) {
  for (const std::string path : {"", "/loss", "curves//loss", "curves/../loss", "curves/."}) {
    Results results = sample_results({"x"});
    results.runs[0].datasets = {{path, "1", "name", {}, std::vector<double>{1}}};
    EXPECT_THROW(write_results(folder / "a.h5", results), std::invalid_argument) << path;
  }
  Results results = sample_results({"x"});
  results.runs[0].datasets = {{"curves/loss", "1", "name", {3}, std::vector<double>{1}}};
  EXPECT_THROW(write_results(folder / "a.h5", results), std::invalid_argument);
  for (const std::string id : {"", "a/b", "..", "."})
    EXPECT_THROW(write_results(folder / "a.h5", sample_results({id})), std::invalid_argument) << id;
  results = sample_results({"x"});
  results.experiment = std::string("a\0b", 3);
  EXPECT_TRUE(mentions(data_error([&] { write_results(folder / "a.h5", results); }), {"zero byte"}));
  results = sample_results({"x", "x"});
  EXPECT_THROW(write_results(folder / "a.h5", results), DataError);
  EXPECT_EQ(files(), 0U);
}

}  // namespace
}  // namespace qsweep
