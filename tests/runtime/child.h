#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>

#include "waiting.h"

/// Tests that need a process of their own, for its signals or its memory. The test's body runs in both:
///
///   TEST(Thing, DiesWell) {
///     if (Child::is_one()) std::_Exit(main_of_the_child());
///     Child child;
///     …
///   }
namespace slipstream::test {

class Child {
 public:
  static bool is_one() { return std::getenv("SLIPSTREAM_TEST_CHILD") != nullptr; }
  /// What the parent handed over.
  static std::string argument() { return std::getenv("SLIPSTREAM_TEST_CHILD"); }

  /// This test again, in a new process whose standard output and error come here.
  explicit Child(const std::string& argument = "") {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    const std::string filter = std::string("--gtest_filter=") + test.test_suite_name() + "." + test.name();
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      dup2(ends[1], STDERR_FILENO);
      setenv("SLIPSTREAM_TEST_CHILD", argument.c_str(), 1);
      // Or the test might be in another shard.
      unsetenv("GTEST_TOTAL_SHARDS");
      unsetenv("GTEST_SHARD_INDEX");
      // A child may end in the middle, when nobody can have joined its threads.
      const char* options = std::getenv("TSAN_OPTIONS");
      setenv("TSAN_OPTIONS", (std::string(options ? options : "") + ":report_thread_leaks=0").c_str(), 1);
      execl("/proc/self/exe", "test", filter.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    output_fd_ = ends[0];
  }
  Child(const Child&) = delete;
  ~Child() {
    if (!status_) {
      kill(pid_, SIGKILL);
      wait();
    }
    close(output_fd_);
  }

  void signal(int number) const { kill(pid_, number); }
  /// Until the child has printed the text. False when it ends or kPatience passes before.
  bool prints(const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (output_.find(text) == std::string::npos) {
      pollfd entry{output_fd_, POLLIN, 0};
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0 || poll(&entry, 1, static_cast<int>(left.count())) <= 0 || !read_some())
        return false;
    }
    return true;
  }
  /// Waits for its end. The exit code; -1 when a signal ended it.
  int exit_code() {
    while (read_some()) {
    }
    wait();
    return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : -1;
  }
  /// After exit_code(): the most memory it ever had resident.
  std::size_t peak_bytes() const { return static_cast<std::size_t>(usage_.ru_maxrss) * 1024; }
  const std::string& output() const { return output_; }

 private:
  bool read_some() {
    char buffer[4096];
    const auto n = read(output_fd_, buffer, sizeof(buffer));
    if (n > 0) output_.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }
  void wait() {
    int status = 0;
    wait4(pid_, &status, 0, &usage_);
    status_ = status;
  }

  pid_t pid_ = -1;
  int output_fd_ = -1;
  std::string output_;
  std::optional<int> status_;
  rusage usage_{};
};

}  // namespace slipstream::test
