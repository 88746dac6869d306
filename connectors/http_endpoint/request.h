#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "slipstream/http_endpoint.h"

namespace slipstream::http::endpoint {

/// What of a request counts here.
struct Request {
  std::string method;
  std::string path;
  std::vector<std::string> hosts;    ///< Host headers; a good request has one
  std::vector<std::string> origins;  ///< Origin headers; at most one
  std::vector<std::string> tokens;   ///< of the query and of Authorization
  std::string last_event_id = {};
};

enum class Resource { none, page, events };

/// How a request is answered, before it is looked at how many there are.
struct Verdict {
  unsigned status = 200;
  std::string sentence = {};  ///< what is wrong with it
  Resource resource = Resource::none;
  std::string shared_with = {};  ///< an origin beside our own whose pages may read the answer
};

/// `token` is what clients must show.
Verdict judge(const Request& request, const EndpointOptions& options, std::string_view token);

}  // namespace slipstream::http::endpoint
