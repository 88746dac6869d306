#pragma once
#include <curl/curl.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "slipstream/http.h"

namespace slipstream::http {

struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
using Multi = std::unique_ptr<CURLM, MultiDeleter>;

/// libcurl, ready for use in this process.
absl::Status start_curl();

/// One request whose answer comes in pieces. Of one thread.
class Transfer {
 public:
  class Receiver {
   public:
    virtual ~Receiver() = default;
    /// The answer's head is here. False: the rest isn't wanted.
    virtual bool on_head(long status, std::string_view content_type) = 0;
    enum class Take {
      taken,
      full,  ///< comes again after Transfer::resume()
      no_more,
    };
    virtual Take on_bytes(std::string_view bytes) = 0;
  };
  struct Request {
    std::string url;
    Headers headers;
    std::string ca_file;
    Duration connect_timeout{0};
  };
  struct End {
    CURLcode code = CURLE_OK;
    std::string cause;  ///< of a code that isn't CURLE_OK
  };

  /// Starts it; `multi` and `receiver` are borrowed.
  Transfer(CURLM* multi, const Request& request, Receiver& receiver);
  ~Transfer();
  Transfer(const Transfer&) = delete;

  /// Does what can be done without waiting. Not empty: it is over.
  std::optional<End> step();
  void resume();
  /// Where a redirection leads to; for messages.
  std::string location() const;

 private:
  void set_up(const Request& request);
  static std::size_t take_head(char* bytes, std::size_t, std::size_t n, void* self);
  static std::size_t take_bytes(char* bytes, std::size_t, std::size_t n, void* self);

  struct EasyDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  CURLM* const multi_;
  Receiver& receiver_;
  std::unique_ptr<curl_slist, ListDeleter> headers_;
  std::unique_ptr<CURL, EasyDeleter> easy_;
  bool has_head_ = false;
  char why_[CURL_ERROR_SIZE] = {};
};

}  // namespace slipstream::http
