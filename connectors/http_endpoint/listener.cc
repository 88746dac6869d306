#include "connectors/http_endpoint/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "slipstream/detail/units.h"

namespace slipstream::http::endpoint {
namespace {

constexpr int kBacklog = 128;

struct Address {
  sockaddr_storage bytes = {};
  socklen_t size = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&bytes); }
  sockaddr_in& v4() { return reinterpret_cast<sockaddr_in&>(bytes); }
  sockaddr_in6& v6() { return reinterpret_cast<sockaddr_in6&>(bytes); }
  bool is_v4() const { return bytes.ss_family == AF_INET; }
};

std::optional<Address> parse(const std::string& text, int port) {
  Address address;
  if (::inet_pton(AF_INET, text.c_str(), &address.v4().sin_addr) == 1) {
    address.v4().sin_family = AF_INET;
    address.v4().sin_port = htons(static_cast<std::uint16_t>(port));
    address.size = sizeof(sockaddr_in);
    return address;
  }
  address = {};
  if (::inet_pton(AF_INET6, text.c_str(), &address.v6().sin6_addr) == 1) {
    address.v6().sin6_family = AF_INET6;
    address.v6().sin6_port = htons(static_cast<std::uint16_t>(port));
    address.size = sizeof(sockaddr_in6);
    return address;
  }
  return std::nullopt;
}

absl::Status refusal(const std::string& address, int port, int error) {
  const std::string at = "http endpoint: port " + std::to_string(port) + " of " + address;
  switch (error) {
    case EADDRINUSE:
      return absl::FailedPreconditionError(at +
                                           " is in use by another program; choose another 'port', or 0 for a "
                                           "free one");
    case EACCES:
      return absl::FailedPreconditionError(
          at + " needs privileges this program lacks; choose a 'port' from 1024 on, or 0 for a free one");
    case EADDRNOTAVAIL:
      return absl::FailedPreconditionError("http endpoint: this machine has no address " + address +
                                           "; the option 'address' must name one of its own");
    default:
      return absl::FailedPreconditionError(at + " can't be listened at: " + std::strerror(error));
  }
}

}  // namespace

bool is_ip_address(const std::string& text) { return parse(text, 0).has_value(); }

bool is_loopback(const std::string& text) {
  auto address = parse(text, 0);
  if (!address) return false;
  if (address->is_v4()) return (ntohl(address->v4().sin_addr.s_addr) >> 24) == 127;
  return IN6_IS_ADDR_LOOPBACK(&address->v6().sin6_addr);
}

absl::StatusOr<Listener> Listener::open(const std::string& text, int port) {
  if (port < 0 || port > 65535) {
    return absl::InvalidArgumentError("http endpoint: the option 'port' must be from 0 to 65535, got " +
                                      std::to_string(port));
  }
  auto address = parse(text, port);
  if (!address) {
    return absl::InvalidArgumentError(
        "http endpoint: the option 'address' must be an IP address such as 127.0.0.1 or ::1, got '" +
        detail::one_line(text) + "'");
  }
  const int fd = ::socket(address->bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return refusal(text, port, errno);
  Listener listener(fd);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);  // also when a run before has just ended
  if (!address->is_v4()) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  if (::bind(fd, address->get(), address->size) != 0 || ::listen(fd, kBacklog) != 0 ||
      ::getsockname(fd, address->get(), &address->size) != 0) {
    return refusal(text, port, errno);
  }
  const int number = ntohs(address->is_v4() ? address->v4().sin_port : address->v6().sin6_port);
  listener.authority_ = (address->is_v4() ? text : "[" + text + "]") + ":" + std::to_string(number);
  return listener;
}

Listener::~Listener() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace slipstream::http::endpoint
