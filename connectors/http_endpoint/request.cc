#include "connectors/http_endpoint/request.h"

#include <algorithm>

#include "connectors/http_endpoint/guard.h"

namespace slipstream::http::endpoint {
namespace {

bool has_token(const Request& request, std::string_view token) {
  return std::any_of(request.tokens.begin(), request.tokens.end(),
                     [&](const std::string& one) { return is_same_token(one, token); });
}

}  // namespace

Verdict judge(const Request& request, const EndpointOptions& options, std::string_view token) {
  if (request.method != "GET" && request.method != "HEAD")
    return {405, "only GET and HEAD are answered here"};
  if (request.hosts.size() != 1 || request.origins.size() > 1) {
    return {400, "a request has one Host and at most one Origin"};
  }
  const std::string& host = request.hosts[0];
  if (!is_own_host(host_name(host), options.allow_remote, options.hosts)) {
    return {403, "this Host is not served here; ask for an address of the endpoint, or name it in 'hosts'"};
  }
  Verdict verdict;
  if (!request.origins.empty() && !is_own_origin(request.origins[0], host)) {
    if (!is_allowed_origin(request.origins[0], options.origins)) {
      return {403, "pages of this Origin may not read the events; name it in 'origins'"};
    }
    verdict.shared_with = request.origins[0];
  }
  if (options.require_token && !has_token(request, token)) {
    return {401, "the token is missing or wrong; the program logs the address with its token"};
  }
  if (request.path == "/events") {
    verdict.resource = Resource::events;
  } else if (request.path == "/" && !options.page.empty()) {
    verdict.resource = Resource::page;
  } else {
    return {404, "there is nothing here; the events are at /events"};
  }
  return verdict;
}

}  // namespace slipstream::http::endpoint
