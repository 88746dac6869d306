#pragma once
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace slipstream::http::endpoint {

bool is_ip_address(const std::string& text);
bool is_loopback(const std::string& address);

/// A socket that connections come to.
class Listener {
 public:
  /// InvalidArgument for what isn't an IP address or a port; FailedPrecondition when it can't be had, with
  /// the reason.
  static absl::StatusOr<Listener> open(const std::string& address, int port);
  Listener(Listener&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), authority_(std::move(other.authority_)) {}
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  int fd() const { return fd_; }
  /// "127.0.0.1:41753", "[::1]:80".
  const std::string& authority() const { return authority_; }
  /// Whoever takes the socket over closes it.
  int release() { return std::exchange(fd_, -1); }

 private:
  explicit Listener(int fd) : fd_(fd) {}
  int fd_;
  std::string authority_;
};

}  // namespace slipstream::http::endpoint
