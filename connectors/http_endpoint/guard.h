#pragma once
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

/// Who may come in.
namespace slipstream::http::endpoint {

/// `bytes` random ones from the system, in hexadecimal.
absl::StatusOr<std::string> random_text(std::size_t bytes);

/// Takes as long for a token that is nearly right as for one that isn't; only the length shows.
bool is_same_token(std::string_view found, std::string_view wanted);

/// At least 16 characters that can stand in a URL as they are.
bool is_good_token(std::string_view token);

/// What follows "Bearer" in an Authorization header; empty: it is another scheme.
std::string_view bearer_token(std::string_view authorization);

/// The name or address in a Host header, without port and brackets, in small letters; empty: it is none.
std::string host_name(std::string_view host);

/// Whether the name is one that no stranger can make point here: localhost, an IP address (on other than
/// loopback addresses only with `allow_remote`) or one of `names`.
bool is_own_host(const std::string& name, bool allow_remote, std::span<const std::string> names);

/// Whether a page of `origin` may read what was asked for at `host`: the endpoint's own, or one of `allowed`.
bool is_own_origin(std::string_view origin, std::string_view host);
bool is_allowed_origin(std::string_view origin, std::span<const std::string> allowed);

/// "https://board.example.org" or the like: a scheme, a host, perhaps a port.
bool is_origin(std::string_view origin);

}  // namespace slipstream::http::endpoint
