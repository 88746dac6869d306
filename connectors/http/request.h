#pragma once
#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "slipstream/record.h"
#include "slipstream/time.h"

namespace slipstream::http {

struct Request {
  std::string url;
  Headers headers = {};
  std::string body = {};  ///< sent with POST; empty: GET
  std::string ca_file = {};
  Duration timeout{0};
  std::size_t max_bytes = std::size_t{4} << 20;  ///< of the answer
};
struct Answer {
  long status = 0;
  std::string body;
};

/// Sends it and waits for the whole answer. Redirections aren't followed. Of errors there is no message but
/// the cause: DeadlineExceeded, ResourceExhausted for a long answer, Unauthenticated and InvalidArgument for
/// certificates, else Unavailable: trying again may help.
absl::StatusOr<Answer> perform(const Request& request);

}  // namespace slipstream::http
