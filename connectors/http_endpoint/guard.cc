#include "connectors/http_endpoint/guard.h"

#include <arpa/inet.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "connectors/http_endpoint/listener.h"

namespace slipstream::http::endpoint {
namespace {

constexpr std::string_view kAlphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool consists_of(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return kAlphanumeric.find(c) != kAlphanumeric.npos || more.find(c) != more.npos;
  });
}

std::string in_small_letters(std::string_view text) {
  std::string small(text);
  for (char& c : small) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return small;
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == text.npos;
}

}  // namespace

absl::StatusOr<std::string> random_text(std::size_t bytes) {
  std::vector<unsigned char> random(bytes);
  for (std::size_t have = 0; have < bytes;) {
    const ssize_t n = ::getrandom(random.data() + have, bytes - have, 0);
    if (n < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "http endpoint: no random bytes");
    if (n > 0) have += static_cast<std::size_t>(n);
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : random) {
    text += kDigits[byte / 16];
    text += kDigits[byte % 16];
  }
  return text;
}

bool is_same_token(std::string_view found, std::string_view wanted) {
  if (wanted.empty()) return false;
  unsigned difference = found.size() == wanted.size() ? 0 : 1;
  for (std::size_t i = 0; i < found.size(); ++i) {
    difference |=
        static_cast<unsigned char>(found[i]) ^ static_cast<unsigned char>(wanted[i % wanted.size()]);
  }
  return difference == 0;
}

bool is_good_token(std::string_view token) { return token.size() >= 16 && consists_of(token, "-._~"); }

std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (in_small_letters(authorization.substr(0, kScheme.size())) != kScheme) return {};
  authorization.remove_prefix(kScheme.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  return authorization;
}

std::string host_name(std::string_view host) {
  std::string_view name = host;
  std::string_view rest;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == host.npos) return {};
    name = host.substr(1, end - 1);
    rest = host.substr(end + 1);
    if (!consists_of(name, ":.")) return {};
  } else {
    const std::size_t colon = std::min(host.find(':'), host.size());
    name = host.substr(0, colon);
    rest = host.substr(colon);
    if (!consists_of(name, "-._")) return {};
  }
  if (!rest.empty() && (rest[0] != ':' || !is_port(rest.substr(1)))) return {};
  return in_small_letters(name);
}

bool is_own_host(const std::string& name, bool allow_remote, std::span<const std::string> names) {
  if (name.empty()) return false;
  if (name == "localhost" || is_loopback(name)) return true;
  if (allow_remote && is_ip_address(name)) return true;
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& own) { return in_small_letters(own) == name; });
}

bool is_own_origin(std::string_view origin, std::string_view host) {
  const std::string small = in_small_letters(origin);
  const std::string own = in_small_letters(host);
  return small == "http://" + own || small == "https://" + own;  // a proxy may have taken TLS off
}

bool is_allowed_origin(std::string_view origin, std::span<const std::string> allowed) {
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& one) {
    return in_small_letters(one) == in_small_letters(origin);
  });
}

bool is_origin(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return !host_name(origin.substr(scheme.size())).empty();
  }
  return false;
}

}  // namespace slipstream::http::endpoint
