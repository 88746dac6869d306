#pragma once
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "connectors/redis/connection.h"

/// Answers as no healthy redis-server does: on a Unix socket, one connection after the other.
namespace slipstream::redis {

class FakeServer {
 public:
  /// What is answered to a command, given its name; nothing: the connection is closed.
  using Answer = std::function<std::optional<std::string>(const std::string& command)>;

  explicit FakeServer(Answer answer)
      : answer_(std::move(answer)), stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    std::string folder = std::filesystem::temp_directory_path() / "slipstream_redis_XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    folder_ = folder;
    listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    socket().copy(at.sun_path, sizeof at.sun_path - 1);
    if (stop_ < 0 || ::bind(listening_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
        ::listen(listening_, 16) != 0) {
      std::abort();
    }
    thread_ = std::thread([this] { run(); });
  }
  ~FakeServer() {
    const std::uint64_t one = 1;
    (void)!::write(stop_, &one, sizeof one);
    thread_.join();
    ::close(listening_);
    ::close(stop_);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  FakeServer(const FakeServer&) = delete;

  std::string socket() const { return folder_ + "/socket"; }
  int connections() const { return connections_; }

 private:
  bool wait_for(int fd) const {
    pollfd fds[2] = {{stop_, POLLIN, 0}, {fd, POLLIN, 0}};
    ::poll(fds, 2, -1);
    return fds[0].revents == 0;
  }

  void run() {
    while (wait_for(listening_)) {
      const int fd = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      ++connections_;
      serve(fd);
      ::close(fd);
    }
  }

  void serve(int fd) {
    const std::unique_ptr<redisReader, void (*)(redisReader*)> reader(redisReaderCreate(), redisReaderFree);
    char bytes[4096];
    while (wait_for(fd)) {
      const ssize_t n = ::read(fd, bytes, sizeof bytes);
      if (n <= 0) return;
      redisReaderFeed(reader.get(), bytes, static_cast<std::size_t>(n));
      for (;;) {
        // A command is written like a reply that is a list.
        void* command = nullptr;
        if (redisReaderGetReply(reader.get(), &command) != REDIS_OK) return;
        if (command == nullptr) break;
        const Reply owned(static_cast<redisReply*>(command));
        const auto answer = answer_(std::string(text_of(*owned->element[0])));
        if (!answer || ::send(fd, answer->data(), answer->size(), MSG_NOSIGNAL) < 0) return;
      }
    }
  }

  const Answer answer_;
  const int stop_;
  int listening_ = -1;
  std::string folder_;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

}  // namespace slipstream::redis
