#include "results/diff.h"

#include <cmath>

#include "results/sample.h"

namespace qsweep {
namespace {

class DiffTest : public Folder {
 protected:
  std::filesystem::path a = folder / "a.h5", b = folder / "b.h5";

  Comparison compare(const Results& left, const Results& right) const {
    write_results(a, left);
    write_results(b, right);
    return diff(a, b);
  }
};

template <class T>
std::vector<T>& values(Results& results, const std::string& path) {
  return std::get<std::vector<T>>(const_cast<Dataset*>(results.runs[1].find(path))->values);
}

TEST_F(DiffTest, equal_files_whatever_else_they_hold) {
  Results other = sample_results({"y", "x"});
  other.experiment = "other";
  for (Record& run : other.runs) {
    run.attributes["status"] = std::string("diverged");
    run.groups["provenance"]["ranks"] = std::int64_t{7};
    run.datasets.push_back({"runtime/total", "s", "time", {}, std::vector<double>{3}});
    for (Dataset& dataset : run.datasets) dataset.unit += "x";
  }
  const Comparison result = compare(sample_results({"x", "y"}), other);
  EXPECT_TRUE(result.equal());
  EXPECT_EQ(result.runs, 2U);
  EXPECT_EQ(result.datasets, 2 * sample_run("x").datasets.size());
}

TEST_F(DiffTest, one_bit_of_one_weight) {
  Results other = sample_results({"x", "y"});
  float& weight = values<float>(other, "final/weights/fc1/weight")[4];
  weight = std::nextafter(weight, 1.0F);
  const Comparison result = compare(sample_results({"x", "y"}), other);
  ASSERT_TRUE(result.first);
  EXPECT_FALSE(result.equal());
  EXPECT_EQ(result.first->run, "y");
  EXPECT_EQ(result.first->dataset, "final/weights/fc1/weight");
  EXPECT_EQ(result.first->index, (std::vector<std::size_t>{1, 1}));
  EXPECT_NE(result.first->a, result.first->b);
  EXPECT_TRUE(mentions(result.first->text(), {"run y", "final/weights/fc1/weight[1, 1]", "1e-30", "against"}));
}

TEST_F(DiffTest, every_kind_of_element) {
  const Results original = sample_results({"x", "y"});
  Results other = original;
  values<double>(other, "curves/loss")[2] = 0;
  EXPECT_TRUE(mentions(compare(original, other).first.value().text(), {"curves/loss[2]: 1e-300 against 0"}));
  other = original;
  values<double>(other, "final/loss")[0] = 2;
  EXPECT_TRUE(mentions(compare(original, other).first.value().text(), {"final/loss: 1e-300 against 2"}));
  other = original;
  ++values<std::int64_t>(other, "curves/iteration")[1];
  EXPECT_TRUE(mentions(compare(original, other).first.value().text(), {"curves/iteration[1]: 2 against 3"}));
  other = original;
  values<std::uint8_t>(other, "final/quantized_weights/fc1/weight/codes")[1] ^= 1;
  EXPECT_EQ(compare(original, other).first.value().index, std::vector<std::size_t>{1});
  other = original;
  values<std::string>(other, "curves/names")[0] = "groesse";
  EXPECT_TRUE(mentions(compare(original, other).first.value().text(), {"größe against groesse"}));
}

TEST_F(DiffTest, bits_not_values) {
  Results left = sample_results({"x", "y"}), right = left;
  values<double>(left, "curves/loss")[0] = values<double>(right, "curves/loss")[0] = std::nan("1");
  EXPECT_TRUE(compare(left, right).equal());
  values<double>(right, "curves/loss")[0] = std::nan("2");
  EXPECT_TRUE(
      mentions(compare(left, right).first.value().text(), {"nan (bits 0x7ff8000000000001) against nan (bits 0x7ff8000000000002)"}));
  values<double>(left, "curves/loss")[0] = 0.0;
  values<double>(right, "curves/loss")[0] = -0.0;
  EXPECT_TRUE(mentions(compare(left, right).first.value().text(), {"0 against -0"}));
}

TEST_F(DiffTest, shapes_types_and_absent_ones) {
  const Results original = sample_results({"x", "y"});
  Results other = original;
  const_cast<Dataset*>(other.runs[1].find("final/weights/fc1/weight"))->shape = {3, 2};
  EXPECT_TRUE(mentions(compare(original, other).first.value().text(), {"float32 [2, 3] against float32 [3, 2]"}));
  other = original;
  const_cast<Dataset*>(other.runs[1].find("final/loss"))->values = std::vector<float>{0};
  EXPECT_TRUE(mentions(compare(original, other).first.value().text(), {"final/loss: float64 [] against float32 []"}));
  other = original;
  other.runs[1].datasets.push_back({"curves/extra", "1", "extra", {}, std::vector<double>{3}});
  EXPECT_TRUE(mentions(compare(original, other).first.value().text(), {"curves/extra: absent against present"}));
  EXPECT_TRUE(mentions(compare(other, original).first.value().text(), {"curves/extra: present against absent"}));
}

TEST_F(DiffTest, runs_in_only_one) {
  const Comparison result = compare(sample_results({"x", "y"}), sample_results({"y", "z"}));
  EXPECT_FALSE(result.first);
  EXPECT_FALSE(result.equal());
  EXPECT_EQ(result.only_a, std::vector<std::string>{"x"});
  EXPECT_EQ(result.only_b, std::vector<std::string>{"z"});
}

}  // namespace
}  // namespace qsweep
