#pragma once
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace slipstream::testing {

/// Everything that comes out of a file descriptor, collected by a thread.
class Output {
 public:
  explicit Output(int fd) : thread_([this, fd] { collect(fd); }) {}
  ~Output() { thread_.join(); }

  /// All of it, when it has ended.
  std::string all() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return has_ended_; });
    return text_;
  }
  /// Waits until `text` has come; false when the output ended without it.
  bool wait_for(std::string_view text) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return has_ended_ || text_.find(text) != std::string::npos; });
    return text_.find(text) != std::string::npos;
  }
  std::string so_far() {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  std::string first_line() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return has_ended_ || text_.find('\n') != std::string::npos; });
    return text_.substr(0, text_.find('\n'));
  }

 private:
  void collect(int fd) {
    std::array<char, 4096> chunk;
    for (ssize_t size = 0; (size = read(fd, chunk.data(), chunk.size())) > 0;) {
      const std::lock_guard lock(mutex_);
      text_.append(chunk.data(), static_cast<std::size_t>(size));
      changed_.notify_all();
    }
    close(fd);
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  bool has_ended_ = false;
  std::thread thread_;
};

/// A running program. The destructor kills it.
class Process {
 public:
  /// `environment`: "NAME=value", beside the test's own.
  explicit Process(std::vector<std::string> words, std::vector<std::string> environment = {})
      : Process(spawn(std::move(words), std::move(environment))) {}
  ~Process() {
    close_input();
    if (!has_ended_) {
      kill(child_.pid, SIGKILL);
      wait();
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// What the program doesn't read because it has ended is lost.
  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t size = ::write(child_.input, text.data(), text.size());
      if (size <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  void close_input() {
    if (child_.input >= 0) close(child_.input);
    child_.input = -1;
  }
  void signal(int number) { kill(child_.pid, number); }
  /// Its exit code; 1000 and more: ended by a signal.
  int wait() {
    int status = 0;
    waitpid(child_.pid, &status, 0);
    has_ended_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  Output& out() { return out_; }
  Output& err() { return err_; }

 private:
  struct Child {
    pid_t pid = 0;
    int input = -1;
    int out = -1;
    int err = -1;
  };
  explicit Process(Child child) : child_(child), out_(child.out), err_(child.err) {}

  static std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> out;
    for (std::string& word : words) out.push_back(word.data());
    out.push_back(nullptr);
    return out;
  }

  static Child spawn(std::vector<std::string> words, std::vector<std::string> environment) {
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    int pipes[3][2];  // standard input, output, error
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (int fd = 0; fd < 3; ++fd) {
      if (pipe2(pipes[fd], O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
      posix_spawn_file_actions_adddup2(&actions, pipes[fd][fd == 0 ? 0 : 1], fd);
    }
    ::signal(SIGPIPE, SIG_IGN);  // here, but not in the program
    sigset_t defaults;
    sigemptyset(&defaults);
    for (const int number : {SIGPIPE, SIGINT, SIGTERM}) sigaddset(&defaults, number);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    pid_t pid = 0;
    const int error = posix_spawn(&pid, words[0].c_str(), &actions, &attributes, pointers(words).data(),
                                  pointers(environment).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("can't start " + words[0]);
    close(pipes[0][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    return {pid, pipes[0][1], pipes[1][0], pipes[2][0]};
  }

  Child child_;
  bool has_ended_ = false;
  Output out_;
  Output err_;
};

struct Ended {
  int code = 0;
  std::string out;
  std::string err;
};

/// The tool that this build made.
inline std::vector<std::string> tool(std::vector<std::string> words) {
  words.insert(words.begin(), SLIPSTREAM_BUILD_DIR "/slipstream");
  return words;
}

inline Ended run_tool(std::vector<std::string> words, std::string_view input = "",
                      std::vector<std::string> environment = {}) {
  Process process(tool(std::move(words)), std::move(environment));
  process.write(input);
  process.close_input();
  const int code = process.wait();
  return {code, process.out().all(), process.err().all()};
}

}  // namespace slipstream::testing
