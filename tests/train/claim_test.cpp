// The right to do a run, against other processes: fcntl locks do not hold within one.
#include "train/claim.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "base/errors.h"

namespace qsweep {
namespace {

namespace fs = std::filesystem;

class ClaimTest : public testing::Test {
 protected:
  fs::path folder, lock;

  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "qsweep_claim_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder = name;
    lock = folder / "0123456789abcdef.lock";
  }
  void TearDown() override { fs::remove_all(folder); }
};

/// A child process that runs `work` and leaves with its answer.
class Child {
 public:
  explicit Child(const std::function<int()>& work) {
    id_ = fork();
    if (id_ == 0) {
      int answer = 99;
      try {
        answer = work();
      } catch (...) {  // the parent sees 99
      }
      _exit(answer);
    }
  }
  int answer() {
    int status = 0;
    waitpid(id_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  void kill() { ::kill(id_, SIGKILL); }

 private:
  pid_t id_;
};

/// Whether another process gets the claim now.
bool free_for_others(const fs::path& lock) {
  return Child([&] { return Claim(lock).held() ? 1 : 0; }).answer() == 1;
}

/// A child that holds the claim until it is told to end (or killed).
class Holder {
 public:
  explicit Holder(const fs::path& lock) {
    if (pipe(ready_) != 0 || pipe(end_) != 0) throw std::runtime_error("pipe");
    child_.emplace([this, lock] {
      close(end_[1]);  // or the child would keep its own line open
      Claim claim(lock);
      char byte = claim.held() ? 'y' : 'n';
      if (write(ready_[1], &byte, 1) != 1) return 2;
      return read(end_[0], &byte, 1) >= 0 ? 0 : 3;
    });
    char byte = 0;
    held = read(ready_[0], &byte, 1) == 1 && byte == 'y';
  }
  ~Holder() {
    for (const int descriptor : {ready_[0], ready_[1], end_[0]}) close(descriptor);
    if (end_[1] >= 0) close(end_[1]);
  }
  int end() {
    close(end_[1]);
    end_[1] = -1;
    return child_->answer();
  }
  int kill() {
    child_->kill();
    return child_->answer();
  }
  bool held = false;

 private:
  int ready_[2], end_[2];
  std::optional<Child> child_;
};

TEST_F(ClaimTest, one_process_has_it_at_a_time) {
  {
    const Claim claim(lock);
    EXPECT_TRUE(claim.held());
    EXPECT_TRUE(fs::exists(lock));
    EXPECT_FALSE(free_for_others(lock));
    EXPECT_TRUE(fs::exists(lock)) << "who did not get it must not remove it";
  }
  EXPECT_FALSE(fs::exists(lock)) << "nothing is left behind";
  EXPECT_TRUE(free_for_others(lock));
}

TEST_F(ClaimTest, a_claim_of_another_process_is_respected_until_it_ends) {
  Holder other(lock);
  ASSERT_TRUE(other.held);
  EXPECT_FALSE(Claim(lock).held());
  EXPECT_TRUE(fs::exists(lock));
  EXPECT_EQ(other.end(), 0);
  EXPECT_TRUE(Claim(lock).held());
}

TEST_F(ClaimTest, death_gives_it_back) {
  Holder other(lock);
  ASSERT_TRUE(other.held);
  EXPECT_EQ(other.kill(), -SIGKILL);
  EXPECT_TRUE(fs::exists(lock)) << "the killed process left its file";
  EXPECT_TRUE(Claim(lock).held()) << "and nobody minds";
  EXPECT_FALSE(fs::exists(lock));
}

TEST_F(ClaimTest, claims_of_different_runs_do_not_meet) {
  const Claim one(lock), two(folder / "fedcba9876543210.lock");
  EXPECT_TRUE(one.held() && two.held());
}

TEST_F(ClaimTest, never_two_at_once_while_files_come_and_go) {
  // The race: B opens the file, A removes it and lets go, B locks a file that has no name any more, C makes a new one. Four
  // processes claim and release as fast as they can; inside, an exclusive marker must never be met.
  const fs::path marker = folder / "inside";
  const auto contend = [&] {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (int wins = 0; wins < 300;) {
      if (std::chrono::steady_clock::now() > end) return 4;
      const Claim claim(lock);
      if (!claim.held()) continue;
      ++wins;
      if (mkdir(marker.c_str(), 0700) != 0) return 2;  // somebody else is inside
      if (wins % 8 == 0) sched_yield();                // let them try
      if (rmdir(marker.c_str()) != 0) return 3;
    }
    return 0;
  };
  std::vector<Child> children;
  for (int i = 0; i < 4; ++i) children.emplace_back(contend);
  for (Child& child : children) EXPECT_EQ(child.answer(), 0);
}

TEST_F(ClaimTest, a_folder_that_is_not_there) {
  try {
    const Claim claim(folder / "absent" / "x.lock");
    FAIL() << "nothing was thrown";
  } catch (const DataError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find((folder / "absent" / "x.lock").string()), std::string::npos) << text;
    EXPECT_NE(text.find("--out"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace qsweep
