#include "connectors/http/request.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "connectors/http/transfer.h"
#include "slipstream/detail/units.h"

namespace slipstream::http {
namespace {

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

struct Body {
  std::string& bytes;
  const std::size_t max;
  bool is_too_long = false;
};

std::size_t take_bytes(char* bytes, std::size_t, std::size_t n, void* to) {
  Body& body = *static_cast<Body*>(to);
  body.is_too_long = n > body.max - body.bytes.size();
  if (body.is_too_long) return 0;
  body.bytes.append(bytes, n);
  return n;
}

List list_of(const Headers& headers) {
  List list;
  for (const Header& header : headers) {
    if (curl_slist* longer = curl_slist_append(list.get(), (header.name + ": " + header.value).c_str())) {
      (void)list.release();
      list.reset(longer);
    }
  }
  return list;
}

absl::Status failed(CURLcode code, const char* why) {
  const std::string cause = why[0] != '\0' ? why : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return absl::DeadlineExceededError("no answer in time");
    case CURLE_PEER_FAILED_VERIFICATION:
      return absl::UnauthenticatedError(cause + "; the option 'ca_file' names authorities to trust, in PEM");
    case CURLE_SSL_CACERT_BADFILE:
      return absl::InvalidArgumentError("the option 'ca_file' names no file of certificates in PEM: " +
                                        cause);
    default:
      return absl::UnavailableError(cause);
  }
}

}  // namespace

absl::StatusOr<Answer> perform(const Request& request) {
  if (absl::Status s = start_curl(); !s.ok()) return s;
  const std::unique_ptr<CURL, EasyDeleter> handle(curl_easy_init());
  CURL* const easy = handle.get();
  if (easy == nullptr) return absl::ResourceExhaustedError("libcurl has no memory");
  const List headers = list_of(request.headers);
  Answer answer;
  Body body{answer.body, request.max_bytes};
  char why[CURL_ERROR_SIZE] = {};
  const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(request.timeout).count();
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "slipstream/" SLIPSTREAM_VERSION);
  if (!request.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, request.ca_file.c_str());
  if (!request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, std::max(1L, static_cast<long>(timeout)));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // or the end would wait for the look-up of a name
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(easy);
  if (body.is_too_long)
    return absl::ResourceExhaustedError("the answer is longer than " +
                                        detail::format_bytes(request.max_bytes));
  if (code != CURLE_OK) return failed(code, why);
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

}  // namespace slipstream::http
