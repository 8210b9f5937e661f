#include "results/provenance.h"

#include "results/sample.h"

namespace qsweep {
namespace {

std::string text(const Attributes& attributes, const std::string& name) { return std::get<std::string>(attributes.at(name)); }

TEST(Provenance, nothing_is_empty) {
  Circumstances now;
  now.command_line = {"qsweep", "run", "my experiment.ini", "--set", "a=it's"};
  now.ranks = 3;
  now.blas_kernel = "SkylakeX";
  now.versions = {{"mpi", "Open MPI 4.1.4"}, {"openblas", "0.3.21"}};
  now.start = std::chrono::system_clock::from_time_t(1'700'000'000);
  const Attributes attributes = provenance(now);
  for (const auto& [name, value] : attributes) {
    EXPECT_FALSE(std::holds_alternative<std::string>(value) && std::get<std::string>(value).empty()) << name;
  }
  for (const std::string name : {"version", "commit", "compiler", "compiler_flags", "build_type", "hdf5_version", "cpu", "host"}) {
    EXPECT_EQ(attributes.count(name), 1U) << name;
  }
  EXPECT_EQ(text(attributes, "command_line"), R"(qsweep run 'my experiment.ini' --set 'a=it'\''s')");
  EXPECT_EQ(text(attributes, "start_utc"), "2023-11-14T22:13:20Z");
  EXPECT_EQ(text(attributes, "mpi_version"), "Open MPI 4.1.4");
  EXPECT_EQ(text(attributes, "blas_kernel"), "SkylakeX");
  EXPECT_EQ(std::get<std::int64_t>(attributes.at("ranks")), 3);
  EXPECT_TRUE(mentions(text(attributes, "compiler_flags"), {"-ffp-contract=off"}));
  EXPECT_EQ(hdf5_version().find("1."), 0U);
}

TEST(Provenance, what_the_caller_does_not_know_is_unknown) {
  const Attributes attributes = provenance({{}, 1, "", {{"mpi", ""}}});
  EXPECT_EQ(text(attributes, "blas_kernel"), "unknown");
  EXPECT_EQ(text(attributes, "mpi_version"), "unknown");
  EXPECT_EQ(text(attributes, "command_line"), "unknown");
}

TEST(Provenance, environment_that_matters) {
  setenv("QSWEEP_SIMD", "avx2", 1);
  unsetenv("OPENBLAS_CORETYPE");
  unsetenv("OPENBLAS_L2_SIZE");
  const Attributes attributes = provenance({});
  unsetenv("QSWEEP_SIMD");
  EXPECT_EQ(std::get<std::vector<std::string>>(attributes.at("environment")), std::vector<std::string>{"QSWEEP_SIMD=avx2"});
}

/// cmake/commit.cmake on a small repository.
class CommitTest : public Folder {
 protected:
  void shell(const std::string& command) const {
    const std::string quiet =
        "cd " + (folder / "project").string() + " && { " + command + "; } >" + (folder / "log").string() + " 2>&1";
    ASSERT_EQ(std::system(quiet.c_str()), 0) << command << "\n" << bytes_of(folder / "log");
  }
  std::string commit() const {
    shell("cmake -DSOURCE=" + (folder / "project").string() + " -DHEADER=" + header.string() +
          " -DVERSION=1 -DCOMPILER=c '-DFLAGS= -a;-b ' -DTYPE=Release -P " QSWEEP_SOURCE_DIR "/cmake/commit.cmake");
    const std::string written = bytes_of(header), mark = "build_commit = R\"text(";
    const std::size_t begin = written.find(mark) + mark.size();
    return written.substr(begin, written.find(")text", begin) - begin);
  }
  std::filesystem::path header = folder / "commit.h";
};

TEST_F(CommitTest, clean_dirty_and_without_git) {
  std::filesystem::create_directories(folder / "project/src");
  write_bytes(folder / "project/src/a.cpp", "int a;\n");
  EXPECT_EQ(commit(), "unknown");
  EXPECT_TRUE(mentions(bytes_of(header), {"R\"text(-a -b)text\""}));
  shell("git init -q && git add -A && git -c user.name=n -c user.email=e commit -q -m one");
  const std::string clean = commit();
  EXPECT_EQ(clean.size(), 40U);
  const auto time = std::filesystem::last_write_time(header);
  EXPECT_EQ(commit(), clean);
  EXPECT_EQ(std::filesystem::last_write_time(header), time);  // nothing is compiled again
  write_bytes(folder / "project/notes.txt", "does not make the program");
  EXPECT_EQ(commit(), clean);
  write_bytes(folder / "project/src/b.cpp", "int b;\n");  // sources are globbed: a new one counts
  EXPECT_EQ(commit(), clean + "-dirty");
  std::filesystem::remove(folder / "project/src/b.cpp");
  write_bytes(folder / "project/src/a.cpp", "int changed;\n");
  EXPECT_EQ(commit(), clean + "-dirty");
}

TEST_F(CommitTest, an_archive_inside_another_repository_is_unknown) {
  std::filesystem::create_directories(folder / "project/src");
  write_bytes(folder / "project/src/a.cpp", "int a;\n");
  shell("cd .. && git init -q && git add project && git -c user.name=n -c user.email=e commit -q -m one");
  EXPECT_EQ(commit(), "unknown");
}

}  // namespace
}  // namespace qsweep
