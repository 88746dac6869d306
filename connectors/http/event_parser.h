#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "slipstream/http.h"

namespace slipstream::http {

/// Reads text/event-stream, cut into pieces anywhere.
/// After https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
class EventParser {
 public:
  using Take = std::function<void(Event)>;

  explicit EventParser(std::size_t max_event_bytes, std::string last_event_id = {})
      : max_(max_event_bytes), id_(last_event_id), last_event_id_(std::move(last_event_id)) {}

  /// Calls `take` for each event that is complete. After an error (a line or event is too long) it is of no
  /// use.
  absl::Status feed(std::string_view bytes, const Take& take);
  /// Another answer begins; what is incomplete is dropped.
  void restart();

  /// Of the events so far; what a new request asks for.
  const std::string& last_event_id() const { return last_event_id_; }
  /// What the server said last. At most a day.
  std::optional<std::chrono::milliseconds> retry() const { return retry_; }

 private:
  absl::Status take_line(const Take& take);
  absl::Status take_field(std::string_view name, std::string_view value);
  void dispatch(const Take& take);

  const std::size_t max_;
  std::string line_;  // what is there of it
  bool after_cr_ = false;
  bool at_start_ = true;
  std::string data_;
  std::string type_;
  std::string id_;  // the last one, also of an event that isn't complete yet
  std::optional<std::chrono::milliseconds> event_retry_;
  std::string last_event_id_;
  std::optional<std::chrono::milliseconds> retry_;
};

/// Appends `bytes`; each longest piece that begins like a UTF-8 character but isn't one becomes U+FFFD.
/// After https://encoding.spec.whatwg.org/#utf-8-decoder
void append_utf8(std::string_view bytes, std::string& out);

}  // namespace slipstream::http
