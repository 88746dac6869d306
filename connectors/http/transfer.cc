#include "connectors/http/transfer.h"

#include <algorithm>

namespace slipstream::http {

absl::Status start_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code == CURLE_OK) return absl::OkStatus();
  return absl::InternalError(std::string("libcurl can't start: ") + curl_easy_strerror(code));
}

Transfer::Transfer(CURLM* multi, const Request& request, Receiver& receiver)
    : multi_(multi), receiver_(receiver), easy_(curl_easy_init()) {
  set_up(request);
  curl_multi_add_handle(multi_, easy_.get());
}

Transfer::~Transfer() { curl_multi_remove_handle(multi_, easy_.get()); }

void Transfer::set_up(const Request& request) {
  CURL* const easy = easy_.get();
  for (const Header& header : request.headers) {
    // To curl "Name:" means that there shall be no such header, and "Name;" one without a value.
    const std::string line = header.name + (header.value.empty() ? ";" : ": " + header.value);
    if (curl_slist* longer = curl_slist_append(headers_.get(), line.c_str())) {
      (void)headers_.release();
      headers_.reset(longer);
    }
  }
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "slipstream/" SLIPSTREAM_VERSION);
  if (!request.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, request.ca_file.c_str());
  // With HTTP/2 a transfer that is paused would still be read ahead, by megabytes.
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(request.connect_timeout).count();
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, std::max(1L, static_cast<long>(timeout)));
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);  // what a proxy says is no answer
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // or the end would wait for the look-up of a name
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why_);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
}

std::optional<Transfer::End> Transfer::step() {
  int running = 0;
  if (const CURLMcode code = curl_multi_perform(multi_, &running); code != CURLM_OK) {
    return End{CURLE_FAILED_INIT, curl_multi_strerror(code)};
  }
  int left = 0;
  const CURLMsg* message = curl_multi_info_read(multi_, &left);
  if (message == nullptr) return std::nullopt;
  const CURLcode code = message->data.result;
  return End{code, why_[0] != '\0' ? why_ : curl_easy_strerror(code)};
}

void Transfer::resume() { curl_easy_pause(easy_.get(), CURLPAUSE_CONT); }

std::string Transfer::location() const {
  curl_header* header = nullptr;
  const CURLHcode code = curl_easy_header(easy_.get(), "Location", 0, CURLH_HEADER, -1, &header);
  return code == CURLHE_OK ? header->value : "";
}

std::size_t Transfer::take_head(char* bytes, std::size_t, std::size_t n, void* self) {
  Transfer& transfer = *static_cast<Transfer*>(self);
  const std::string_view line(bytes, n);
  long status = 0;
  curl_easy_getinfo(transfer.easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  // A head that says 1xx is followed by another one; behind the body may come more lines like these.
  if ((line != "\r\n" && line != "\n") || status < 200 || transfer.has_head_) return n;
  transfer.has_head_ = true;
  const char* type = nullptr;
  curl_easy_getinfo(transfer.easy_.get(), CURLINFO_CONTENT_TYPE, &type);
  return transfer.receiver_.on_head(status, type != nullptr ? type : "") ? n : 0;
}

std::size_t Transfer::take_bytes(char* bytes, std::size_t, std::size_t n, void* self) {
  switch (static_cast<Transfer*>(self)->receiver_.on_bytes({bytes, n})) {
    case Receiver::Take::taken:
      return n;
    case Receiver::Take::full:
      return CURL_WRITEFUNC_PAUSE;
    case Receiver::Take::no_more:
      break;
  }
  return n == 0 ? 1 : 0;
}

}  // namespace slipstream::http
