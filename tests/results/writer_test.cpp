// Writing fails in every way that a file system knows; an older file must survive, and no half of a new one remain.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <iostream>

#include "results/collect.h"
#include "results/sample.h"

namespace qsweep {
namespace {

using WriterTest = Folder;

Results large_results(std::size_t bytes) {
  Results results = sample_results({"x"});
  results.runs[0].datasets.push_back(weights_dataset("fc2/weight", {bytes / 4}, std::vector<float>(bytes / 4, 1.5F)));
  return results;
}

/// Runs a test in a process of its own, which may limit itself; 0 if it passed.
template <class Call>
int in_child(Call call) {
  const pid_t child = fork();
  if (child == 0) {
    call();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

TEST_F(WriterTest, folder_that_cannot_be_written) {
  write_bytes(folder / "plain", "text");
  const Results results = sample_results({"x"});
  EXPECT_TRUE(mentions(data_error([&] { write_results(folder / "plain/a.h5", results); }),
                       {"plain/a.h5", "cannot be written", "name another"}));
  EXPECT_TRUE(mentions(data_error([&] { write_results(folder / "absent/a.h5", results); }),
                       {"absent/a.h5", "cannot be written", "make the folder"}));
  std::filesystem::create_directories(folder / "full.h5/something");
  EXPECT_TRUE(mentions(data_error([&] { write_results(folder / "full.h5", results); }), {"full.h5", "cannot be written"}));
  EXPECT_EQ(files(), 2U);
}

TEST_F(WriterTest, read_only_folder) {
  std::filesystem::create_directory(folder / "fixed");
  const std::string fixed = (folder / "fixed").string();
  if (geteuid() == 0) {
    if (mount(fixed.c_str(), fixed.c_str(), "none", MS_BIND, "") != 0) GTEST_SKIP() << "SKIPPED: this root may not mount";
    ASSERT_EQ(mount("none", fixed.c_str(), "none", MS_BIND | MS_REMOUNT | MS_RDONLY, ""), 0);
  } else {
    std::filesystem::permissions(fixed, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  }
  const std::string message = data_error([&] { write_results(folder / "fixed/a.h5", sample_results({"x"})); });
  if (geteuid() == 0) umount(fixed.c_str());
  std::filesystem::permissions(fixed, std::filesystem::perms::owner_all);
  EXPECT_TRUE(mentions(message, {"fixed/a.h5", "cannot be written", "may write"}));
}

TEST_F(WriterTest, disk_full) {
  const std::string disk = (folder / "disk").string();
  std::filesystem::create_directory(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m") != 0)
    GTEST_SKIP() << "SKIPPED: no tiny disk can be mounted; file_size_limit remains";
  const std::filesystem::path file = folder / "disk/a.h5";
  write_results(file, sample_results({"x"}));
  const std::string before = bytes_of(file);
  for (int attempt = 0; attempt < 3; ++attempt) {  // nothing may stay allocated either
    EXPECT_TRUE(
        mentions(data_error([&] { write_results(file, large_results(2'000'000)); }), {"a.h5", "No space left", "free space"}));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(disk), std::filesystem::directory_iterator{}), 1);
    EXPECT_TRUE(bytes_of(file) == before);
  }
  write_results(file, large_results(500'000));  // there is room again
  EXPECT_EQ(read_weights(file).size(), 2U);
  std::filesystem::create_directory(folder / "smoke");
  for (const std::string id : {"a", "b", "c"}) {
    Results one = large_results(300'000);
    one.runs[0].id = id;
    write_results(folder / "smoke" / (id + ".h5"), one);
  }
  const std::string kept = bytes_of(file);
  EXPECT_TRUE(mentions(data_error([&] { collect(folder / "smoke", {}, file); }), {"a.h5", "No space left"}));
  EXPECT_TRUE(bytes_of(file) == kept);
  EXPECT_EQ(umount(disk.c_str()), 0);
}

// The file-size limit stops writing at any chosen byte, in the middle of data, or of what HDF5 writes while it closes.
TEST_F(WriterTest, file_size_limit) {
  const std::filesystem::path file = folder / "a.h5";
  write_results(file, sample_results({"x"}));
  const std::string before = bytes_of(file);
  write_results(folder / "b.h5", large_results(40'000));
  const std::size_t whole = std::filesystem::file_size(folder / "b.h5");
  for (std::size_t limit = 0; limit < whole; limit += 1 + whole / 40) {
    const int status = in_child([&] {
      signal(SIGXFSZ, SIG_IGN);
      const rlimit limits{limit, limit};
      setrlimit(RLIMIT_FSIZE, &limits);
      for (int attempt = 0; attempt < 2; ++attempt)
        if (!mentions(data_error([&] { write_results(file, large_results(40'000)); }), {"a.h5", "File too large", "limit"}))
          _exit(3);
    });
    EXPECT_EQ(status, 0) << "limit " << limit;
  }
  EXPECT_EQ(files(), 2U);
  EXPECT_TRUE(bytes_of(file) == before);
}

TEST_F(WriterTest, an_abandoned_file_leaves_no_trace) {
  write_results(folder / "a.h5", sample_results({"x"}));
  const std::string before = bytes_of(folder / "a.h5");
  {
    Writer writer(folder / "a.h5");
    writer.attributes("/", {{"format", std::string("half")}});
    EXPECT_EQ(files(), 2U);
  }
  EXPECT_EQ(files(), 1U);
  EXPECT_TRUE(bytes_of(folder / "a.h5") == before);
}

}  // namespace
}  // namespace qsweep
