#include "connectors/http/url.h"

#include <curl/curl.h>

#include <memory>

namespace slipstream::http {
namespace {

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

}  // namespace

absl::StatusOr<std::string> shown_url(const std::string& who, const std::string& url) {
  const std::unique_ptr<CURLU, UrlDeleter> parsed(curl_url());
  const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0);
  if (code != CURLUE_OK) {
    return absl::InvalidArgumentError(who + ": the URL can't be read: " + curl_url_strerror(code) +
                                      "; write one like https://example.org/stream");
  }
  const std::string scheme = part_of(parsed.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return absl::InvalidArgumentError(who + ": the URL begins with " + scheme +
                                      "://; write http:// or https://");
  }
  const bool has_query = !part_of(parsed.get(), CURLUPART_QUERY).empty();
  for (const CURLUPart part :
       {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    curl_url_set(parsed.get(), part, nullptr, 0);
  }
  return part_of(parsed.get(), CURLUPART_URL) + (has_query ? "?…" : "");
}

}  // namespace slipstream::http
