#pragma once
#include <string>

#include "absl/status/statusor.h"

namespace slipstream::http {

/// The URL as messages show it: without user and password, and with "…" for what is behind "?".
/// InvalidArgument for what isn't an http or https URL; the message begins with `who` and shows nothing of it
/// that may be secret.
absl::StatusOr<std::string> shown_url(const std::string& who, const std::string& url);

}  // namespace slipstream::http
