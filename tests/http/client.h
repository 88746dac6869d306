#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "connectors/http/event_parser.h"

namespace slipstream::http {

/// A plain HTTP/1.1 client on a socket, which reads only when it is told to.
class Client {
 public:
  struct Options {
    int receive_bytes = 0;  ///< the socket's buffer; 0: the system's choice
  };
  /// `url` is http://127.0.0.1:PORT/…
  explicit Client(const std::string& url) : Client(url, Options()) {}
  Client(const std::string& url, Options options)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), parser_(std::size_t{16} << 20) {
    const std::string rest = url.substr(std::string_view("http://").size());
    authority_ = rest.substr(0, rest.find('/'));
    target_ = rest.substr(authority_.size());
    const timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (options.receive_bytes > 0)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &options.receive_bytes, sizeof options.receive_bytes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    const std::size_t colon = authority_.find(':');
    ::inet_pton(AF_INET, authority_.substr(0, colon).c_str(), &address.sin_addr);
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(authority_.substr(colon + 1))));
    is_connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;

  bool is_connected() const { return is_connected_; }
  const std::string& authority() const { return authority_; }
  const std::string& target() const { return target_; }
  bool send(std::string_view bytes) {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  /// Asks for the URL with a Host and these headers, each ended by "\r\n".
  void ask(const std::string& headers = "", const std::string& method = "GET") {
    send(method + " " + target_ + " HTTP/1.1\r\nHost: " + authority_ + "\r\n" + headers + "\r\n");
  }
  /// The answer's first line and headers.
  std::string head() {
    while (received_.find("\r\n\r\n") == received_.npos && receive()) {
    }
    const std::size_t end = std::min(received_.find("\r\n\r\n"), received_.size());
    std::string head = received_.substr(0, end);
    received_.erase(0, std::min(end + 4, received_.size()));
    return head;
  }
  int status() {
    const std::string first = head();
    return first.size() < 12 ? 0 : std::atoi(first.c_str() + 9);
  }
  /// All that is left to come.
  std::string rest() {
    while (receive()) {
    }
    return std::exchange(received_, {});
  }
  /// What comes up to and with `text`, of an answer that isn't chunked; less when the connection ends first.
  std::string up_to(const std::string& text) {
    std::size_t at;
    while ((at = received_.find(text)) == received_.npos && receive()) {
    }
    std::string found = received_.substr(0, at == received_.npos ? at : at + text.size());
    received_.erase(0, found.size());
    return found;
  }
  /// The next event of a chunked answer whose head has been read; empty: the connection has ended, or nothing
  /// comes for 20 s.
  std::optional<Event> event() {
    while (events_.empty() && take_chunk()) {
    }
    if (events_.empty()) return std::nullopt;
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  /// The events up to one with these data.
  std::vector<std::string> data_up_to(const std::string& last) {
    std::vector<std::string> all;
    while (auto e = event()) {
      all.push_back(e->data);
      if (e->data == last) break;
    }
    return all;
  }
  const EventParser& parser() const { return parser_; }
  /// Whether the answer has ended as it should.
  bool has_ended() const { return has_ended_; }

 private:
  bool receive() {
    char bytes[16384];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    if (n > 0) received_.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }
  bool take_chunk() {
    while (received_.find("\r\n") == received_.npos) {
      if (!receive()) return false;
    }
    const std::size_t size = std::stoul(received_, nullptr, 16);
    const std::size_t begin = received_.find("\r\n") + 2;
    while (received_.size() < begin + size + 2) {
      if (!receive()) return false;
    }
    has_ended_ = size == 0;
    if (has_ended_) return false;
    EXPECT_EQ(parser_.feed(std::string_view(received_).substr(begin, size),
                           [&](Event e) { events_.push_back(std::move(e)); }),
              absl::OkStatus());
    received_.erase(0, begin + size + 2);
    return true;
  }

  const int fd_;
  std::string authority_;
  std::string target_;
  bool is_connected_ = false;
  std::string received_;
  EventParser parser_;
  std::deque<Event> events_;
  bool has_ended_ = false;
};

}  // namespace slipstream::http
