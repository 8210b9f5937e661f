// What other programs see: h5py, and the examples of results/FORMAT.md.
#include <iostream>

#include "results/sample.h"

namespace qsweep {
namespace {

class PythonTest : public Folder {
 protected:
  int shell(const std::string& command) const {
    return std::system((command + " >" + (folder / "log").string() + " 2>&1").c_str());
  }
  std::string log() const { return bytes_of(folder / "log"); }
  std::filesystem::path file = folder / "a.h5";

  void SetUp() override {
    if (shell("/usr/bin/python3 -c 'import h5py, numpy'") != 0) {
      std::cerr << "\n*** python3-h5py is missing: results are NOT checked from outside. Install it: apt-get install python3-h5py "
                   "***\n\n";
      GTEST_SKIP() << "SKIPPED: python3-h5py is missing";
    }
    write_results(file, sample_results({"zz", "aa"}));
  }
  /// The first block of FORMAT.md in a language.
  static std::string example(const std::string& language) {
    const std::string page = bytes_of(QSWEEP_SOURCE_DIR "/results/FORMAT.md"), fence = "```" + language + "\n";
    const std::size_t begin = page.find(fence);
    return begin == std::string::npos
               ? ""
               : page.substr(begin + fence.size(), page.find("```", begin + fence.size()) - begin - fence.size());
  }
};

TEST_F(PythonTest, h5py_reads_what_was_written) {
  EXPECT_EQ(shell("/usr/bin/python3 " QSWEEP_SOURCE_DIR "/tests/results/read_back.py " + file.string()), 0) << log();
}

TEST_F(PythonTest, the_example_of_the_format_page) {
  write_bytes(folder / "example.py", example("python"));
  ASSERT_EQ(shell("/usr/bin/python3 " + (folder / "example.py").string() + " " + file.string()), 0) << log();
  EXPECT_TRUE(mentions(log(), {"zz complete 6 training loss f(ŵ) [loss] 1e-300", "fc1 [2 3] -0.25 0 0.25 0.25"}));
}

TEST_F(PythonTest, the_shell_example_of_the_format_page) {
  if (shell("h5dump --version && h5ls --version") != 0) GTEST_SKIP() << "SKIPPED: hdf5-tools are missing";
  std::string commands = example("sh");
  ASSERT_FALSE(commands.empty());
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"FILE.h5", file.string()}, {"/ID/", "/aa/"}})
    for (std::size_t at; (at = commands.find(from)) != std::string::npos;) commands.replace(at, from.size(), to);
  write_bytes(folder / "example.sh", "set -e\n" + commands);
  EXPECT_EQ(shell("sh " + (folder / "example.sh").string()), 0) << log();
  EXPECT_TRUE(mentions(log(), {"/runs/aa/curves/loss", "\"smoke\"", "1e-300"}));
}

TEST_F(PythonTest, a_file_made_by_hand_gives_initial_weights) {
  write_bytes(folder / "make.py", R"(import sys, h5py, numpy as np
with h5py.File(sys.argv[1], "w") as f:
    f.attrs["format"] = "qsweep-results"
    f["runs/mine/final/weights/fc1/weight"] = np.arange(6.0).reshape(2, 3)
    f["runs/mine/final/weights/fc1/bias"] = np.arange(2, dtype="f4")
    f.create_dataset("runs/mine/final/weights/fc2/weight", data=np.zeros((100, 100), "f4"), compression="gzip")
)");
  ASSERT_EQ(shell("/usr/bin/python3 " + (folder / "make.py").string() + " " + (folder / "hand.h5").string()), 0) << log();
  const auto weights = read_weights(folder / "hand.h5", "mine");
  ASSERT_EQ(weights.size(), 3U);
  EXPECT_EQ(weights.at("fc1/weight").shape, (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(weights.at("fc1/weight").values, (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(weights.at("fc2/weight").values, std::vector<float>(10'000));
  EXPECT_TRUE(mentions(data_error([&] { read_results(folder / "hand.h5"); }), {"hand.h5", "format_version"}));
}

}  // namespace
}  // namespace qsweep
