#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

/// A small HTTP server on a free port of the loopback interface; a script says what it answers.
namespace slipstream::http {

inline constexpr std::string_view kStream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

/// One connection, after its request has been read.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() { ::close(fd_); }
  Peer(const Peer&) = delete;

  /// False: the other side is gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// Until the other side closes.
  void wait_until_closed() {
    char byte;
    while (::recv(fd_, &byte, 1, 0) > 0) {
    }
  }
  /// The client sees the connection break, not end.
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  /// The head, and the body if it says how long that is.
  std::string read_request() {
    std::string request;
    char byte;
    while (request.find("\r\n\r\n") == request.npos && ::recv(fd_, &byte, 1, 0) == 1) request += byte;
    constexpr std::string_view kLength = "Content-Length: ";
    const std::size_t length = request.find(kLength);
    if (length == request.npos) return request;
    for (long left = std::atol(request.c_str() + length + kLength.size()); left > 0; --left) {
      if (::recv(fd_, &byte, 1, 0) == 1) request += byte;
    }
    return request;
  }
  void shut_down() { ::shutdown(fd_, SHUT_RDWR); }

 private:
  const int fd_;
};

/// A free port of the loopback interface. Nobody listens at it by itself.
class Port {
 public:
  Port() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    number_ = ntohs(address.sin_port);
  }
  ~Port() { ::close(fd_); }
  Port(const Port&) = delete;

  int fd() const { return fd_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(number_); }

 private:
  const int fd_;
  int number_ = 0;
};

class Server {
 public:
  /// Called with the number of the request, from 0, in a thread for each connection; the connection ends with
  /// it.
  using Script = std::function<void(std::size_t number, Peer& peer)>;

  explicit Server(Script script) : script_(std::move(script)) {
    ::setenv("no_proxy", "127.0.0.1", 1);
    if (::listen(port_.fd(), 16) != 0) std::abort();
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~Server() {
    ::shutdown(port_.fd(), SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const auto& peer : peers_) peer->shut_down();
    }
    for (std::thread& thread : threads_) thread.join();
  }
  Server(const Server&) = delete;

  std::string address() const { return port_.address(); }
  std::string url(std::string_view path = "/stream") const {
    return "http://" + address() + std::string(path);
  }
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  /// False: they didn't come within a minute.
  bool wait_for_requests(std::size_t count) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1), [&] { return requests_.size() >= count; });
  }

 private:
  void accept_all() {
    for (int fd; (fd = ::accept4(port_.fd(), nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      auto peer = std::make_shared<Peer>(fd);
      {
        const std::lock_guard lock(mutex_);
        peers_.push_back(peer);
      }
      threads_.emplace_back([this, peer = std::move(peer)]() mutable {
        serve(*peer);
        const std::lock_guard lock(mutex_);
        std::erase(peers_, peer);
        peer.reset();
      });
    }
  }
  void serve(Peer& peer) {
    std::string request = peer.read_request();
    std::size_t number;
    {
      const std::lock_guard lock(mutex_);
      number = requests_.size();
      requests_.push_back(std::move(request));
    }
    changed_.notify_all();
    script_(number, peer);
  }

  const Script script_;
  const Port port_;
  std::thread acceptor_;
  std::vector<std::thread> threads_;  // of the acceptor, until it has ended
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::shared_ptr<Peer>> peers_;
  std::vector<std::string> requests_;
};

}  // namespace slipstream::http
