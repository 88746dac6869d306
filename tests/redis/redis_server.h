#pragma once
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/redis/connection.h"

/// A real redis-server on a Unix socket of its own, without files; it ends with the test.
namespace slipstream::redis {

class RedisServer {
 public:
  explicit RedisServer(std::vector<std::string> options = {}) : options_(std::move(options)) {
    std::string folder = std::filesystem::temp_directory_path() / "slipstream_redis_XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    folder_ = folder;
    start();
  }
  ~RedisServer() {
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  RedisServer(const RedisServer&) = delete;

  void start() {
    std::vector<std::string> arguments = {
        "redis-server", "--port", "0",     "--unixsocket", socket(),    "--save",        "",
        "--appendonly", "no",     "--dir", folder_,        "--logfile", folder_ + "/log"};
    arguments.insert(arguments.end(), options_.begin(), options_.end());
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    ask({"PING"});  // until it answers, if only that it wants a password
  }
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
      std::fprintf(stderr, "redis-server isn't installed\n");
    pid_ = -1;
  }
  /// It takes what is sent and doesn't answer, until it goes on.
  void pause() {
    ::kill(pid_, SIGSTOP);
    int status = 0;
    ::waitpid(pid_, &status, WUNTRACED);
  }
  void go_on() { ::kill(pid_, SIGCONT); }
  std::string socket() const { return folder_ + "/socket"; }
  Server at() const { return {.address = socket()}; }

  /// What the server answers, as text: lists in brackets.
  std::string ask(const std::vector<std::string_view>& command, Server server = {}) {
    server.address = socket();
    Connection connection("test", server, [](LogLevel, std::string_view, std::string_view) {});
    if (absl::Status s = connection.connect(); !s.ok()) return std::string(s.message());
    const auto reply = connection.ask(command, std::chrono::minutes(1));
    return reply.ok() ? text(**reply) : std::string(reply.status().message());
  }

 private:
  static std::string text(const redisReply& reply) {
    if (reply.type == REDIS_REPLY_INTEGER) return std::to_string(reply.integer);
    if (reply.type == REDIS_REPLY_NIL) return "nil";
    if (reply.type != REDIS_REPLY_ARRAY) return std::string(text_of(reply));
    std::string all = "[";
    for (std::size_t i = 0; i < reply.elements; ++i) all += (i > 0 ? " " : "") + text(*reply.element[i]);
    return all + "]";
  }

  std::string folder_;
  std::vector<std::string> options_;
  pid_t pid_ = -1;
};

}  // namespace slipstream::redis
