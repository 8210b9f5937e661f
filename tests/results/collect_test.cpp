#include "results/collect.h"

#include "results/diff.h"
#include "results/sample.h"

namespace qsweep {
namespace {

using Ids = std::vector<std::string>;

class CollectTest : public Folder {
 protected:
  CollectTest() { std::filesystem::create_directory(runs); }
  void write(const std::string& file, const Results& results) const { write_results(runs / file, results); }
  Ids ids() const {
    Ids found;
    for (const Record& run : read_run_attributes(output).runs) found.push_back(run.id);
    return found;
  }
  std::filesystem::path runs = folder / "smoke", output = folder / "smoke.h5";
};

TEST_F(CollectTest, all_runs_by_id) {
  for (const std::string id : {"c", "a", "b"}) write(id + ".h5", sample_results({id}));
  const CollectReport report = collect(runs, {}, output);
  EXPECT_EQ(report.collected, (Ids{"a", "b", "c"}));
  EXPECT_TRUE(report.missing.empty() && report.stale.empty() && report.foreign.empty());
  EXPECT_FALSE(report.settings_differ);
  EXPECT_EQ(ids(), (Ids{"a", "b", "c"}));
  write_results(folder / "direct.h5", sample_results({"a", "b", "c"}));
  EXPECT_TRUE(diff(output, folder / "direct.h5").equal());
  const Results together = read_results(output);
  EXPECT_EQ(together.experiment, "smoke");
  EXPECT_EQ(together.settings, sample_results({}).settings);
  EXPECT_EQ(together.axes, sample_results({}).axes);
  EXPECT_TRUE(together.runs[2].attributes == sample_run("c").attributes && together.runs[2].groups == sample_run("c").groups);
}

TEST_F(CollectTest, grid_order_missing_and_stale) {
  for (const std::string id : {"a", "b", "c"}) write(id + ".h5", sample_results({id}));
  const CollectReport report = collect(runs, Ids{"c", "x", "a", "c"}, output);
  EXPECT_EQ(report.collected, (Ids{"c", "a"}));
  EXPECT_EQ(report.missing, Ids{"x"});
  EXPECT_EQ(report.stale, Ids{"b"});
  EXPECT_TRUE(report.foreign.empty());
  EXPECT_EQ(ids(), (Ids{"c", "a"}));
}

TEST_F(CollectTest, foreign_files_are_named_and_left_out) {
  write("a.h5", sample_results({"a"}));
  write("b.h5", sample_results({"b"}, "other"));
  write("c.h5", sample_results({"d"}));
  write("e.h5", sample_results({"e", "f"}));
  Results unfinished = sample_results({"g"});
  unfinished.runs[0].attributes["status"] = std::string("running");
  write("g.h5", unfinished);
  unfinished.runs[0].id = "h";
  unfinished.runs[0].attributes.erase("status");
  write("h.h5", unfinished);
  write_bytes(runs / "i.h5", "text");
  write_bytes(runs / "j.h5", bytes_of(runs / "a.h5").substr(0, 3000));
  write("k.checkpoint-7.h5", sample_results({"k"}));
  write_bytes(runs / "a.lock", "");
  write_bytes(runs / "l.h5.tmp-host-1", "half");
  const CollectReport report = collect(runs, Ids{"a", "b"}, output);
  EXPECT_EQ(report.collected, Ids{"a"});
  EXPECT_EQ(report.missing, Ids{"b"});
  ASSERT_EQ(report.foreign.size(), 7U);
  const Ids reasons{"experiment other",    "holds run d",        "2 runs", "not finished (running)", "no status",
                    "not an HDF5 file", "not a complete HDF5"};
  for (std::size_t i = 0; i < reasons.size(); ++i)
    EXPECT_TRUE(mentions(report.foreign[i].reason, {reasons[i]})) << report.foreign[i].file;
  EXPECT_TRUE(mentions(report.foreign[0].file, {"smoke/b.h5"}));
  EXPECT_EQ(ids(), Ids{"a"});
}

TEST_F(CollectTest, header_of_the_newest_and_joined_axes) {
  Results newer = sample_results({"a"});
  newer.settings = "newer";
  newer.axes = {"workers.count"};
  write("b.h5", sample_results({"b"}));
  write("a.h5", newer);
  std::filesystem::last_write_time(runs / "b.h5", std::filesystem::last_write_time(runs / "a.h5") - std::chrono::seconds(10));
  EXPECT_TRUE(collect(runs / "", {}, output).settings_differ);  // a slash at the end is the same folder
  EXPECT_EQ(read_results(output).settings, "newer");
  EXPECT_EQ(read_results(output).axes, (Ids{"workers.count", "model.dimension", "run.seed"}));
}

TEST_F(CollectTest, diverged_runs_and_the_output_among_them) {
  Results diverged = sample_results({"a"});
  diverged.runs[0].attributes["status"] = std::string("diverged");
  write("a.h5", diverged);
  for (int again = 0; again < 2; ++again) {
    const CollectReport report = collect(runs, {}, runs / "smoke.h5");
    EXPECT_EQ(report.collected, Ids{"a"});
    EXPECT_TRUE(report.foreign.empty());
  }
}

TEST_F(CollectTest, without_weights_the_rest_is_there) {
  write("a.h5", sample_results({"a"}));
  collect(runs, {}, output);
  const Results whole = read_results(output);
  collect(runs, {}, output, {.weights = false});
  const Results small = read_results(output);
  std::size_t weights = 0;
  for (const Dataset& d : whole.runs[0].datasets) {
    const bool is_weight = d.path.starts_with("final/weights/") || d.path.starts_with("final/quantized_weights/");
    EXPECT_EQ(small.runs[0].find(d.path) == nullptr, is_weight) << d.path;
    weights += is_weight;
  }
  EXPECT_GT(weights, 0U);
  EXPECT_EQ(small.runs[0].attributes, whole.runs[0].attributes);
}

TEST_F(CollectTest, of_long_curves_so_many_points) {
  Results results = sample_results({"a"});
  std::vector<std::int64_t> t(10);
  std::vector<double> two(20);
  for (std::size_t i = 0; i < 10; ++i) t[i] = static_cast<std::int64_t>(i), two[2 * i] = static_cast<double>(i), two[2 * i + 1] = -1;
  results.runs[0].datasets.push_back({"curves/long", "iteration", "t", {10}, t});
  results.runs[0].datasets.push_back({"bound/pairs", "loss", "of two", {10, 2}, two});
  results.runs[0].datasets.push_back({"final/long", "loss", "no curve", {10}, t});
  write("a.h5", results);
  collect(runs, {}, output, {.points = 4});
  const Record run = read_results(output).runs[0];
  const Dataset &kept = *run.find("curves/long"), &pairs = *run.find("bound/pairs");
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(kept.values), (std::vector<std::int64_t>{0, 1, 4, 9}));
  EXPECT_EQ(std::get<std::int64_t>(kept.attributes.at("recorded_points")), 10);
  EXPECT_EQ(pairs.shape, (std::vector<std::size_t>{4, 2}));
  EXPECT_EQ(std::get<std::vector<double>>(pairs.values), (std::vector<double>{0, -1, 1, -1, 4, -1, 9, -1}));
  EXPECT_EQ(run.find("final/long")->shape[0], 10U);
  for (const Dataset& d : results.runs[0].datasets)  // short ones are as they were
    if (d.shape.empty() || d.shape[0] <= 4) {
      EXPECT_EQ(run.find(d.path)->values, d.values) << d.path;
    }
}

TEST_F(CollectTest, nothing_to_collect) {
  EXPECT_TRUE(mentions(data_error([&] { collect(runs, {}, output); }), {"smoke", "no finished run"}));
  EXPECT_TRUE(mentions(data_error([&] { collect(folder / "absent", {}, output); }), {"absent", "folder"}));
  write_bytes(runs / "i.h5", "text");
  EXPECT_TRUE(mentions(data_error([&] { collect(runs, {}, output); }), {"no finished run", "i.h5"}));
  EXPECT_FALSE(std::filesystem::exists(output));
}

}  // namespace
}  // namespace qsweep
