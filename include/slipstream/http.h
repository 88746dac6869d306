#pragma once
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "slipstream/connector.h"
#include "slipstream/fields.h"
#include "slipstream/source.h"

/// Streams of events over HTTP: server-sent events, text/event-stream as the WHATWG's HTML standard describes
/// it.
namespace slipstream::http {

/// What a server sent. Bytes that aren't UTF-8 have become U+FFFD, as the standard says.
struct Event {
  std::string id;                 ///< the last id the server gave, with this event or before it; may be empty
  std::string event = "message";  ///< its type
  std::string data;               ///< several data lines are joined by "\n"
  std::optional<std::chrono::milliseconds> retry;  ///< how long to wait before reconnecting, if it said so
  friend bool operator==(const Event&, const Event&) = default;
};
SLIPSTREAM_FIELDS(Event, id, event, data, retry)

struct EventOptions {
  /// Sent with each request, such as {{"Authorization", "Bearer …"}}. They never appear in messages.
  Headers headers = {};
  /// Where to go on, as Last-Event-ID: the id of the last event that was dealt with.
  std::string last_event_id = {};
  /// False: the server's end of the answer is the end of the source, and a connection that is lost in the
  /// middle an error.
  bool reconnect = true;
  /// Waited before reconnecting, until the server says another time. While no event comes it doubles from
  /// attempt to attempt, up to `max_retry`. At least 10 ms are waited.
  Duration retry = std::chrono::seconds(3);
  Duration max_retry = std::chrono::seconds(30);
  /// An attempt fails without an answer for so long, from looking up the name to the answer's head.
  Duration response_timeout = std::chrono::seconds(10);
  /// A connection on which nothing comes for so long, not even a comment, counts as lost. Empty: for ever;
  /// the system looks after dead connections every minute.
  std::optional<Duration> idle_timeout = {};
  /// The run ends when no attempt has succeeded for so long: from the start, and later.
  Duration start_timeout = std::chrono::seconds(30);
  Duration outage_timeout = std::chrono::minutes(10);
  /// A longer line or event ends the run: what a source may hold in memory beside its buffer.
  std::size_t max_event_bytes = std::size_t{4} << 20;
  /// The authorities to trust, in PEM; empty: the system's.
  std::string ca_file = {};
};

/// The events of an http:// or https:// URL, in one partition; offsets count from 0 in each run. Reconnects
/// with the last event's id when the connection is lost or the server ends it, and after the answers 408, 429
/// and 5xx; ends when the server answers 204. Any other answer is an error at once, also a redirection: write
/// the address it leads to. A user name and password in the URL are sent, but they and what is behind its "?"
/// never appear in messages. Nothing is read from the server while the program doesn't keep up.
Source<Event> events(std::string url, EventOptions options = {});

/// The events' data, decoded. Headers carry "id", "event" and, where it was given, "retry" (in milliseconds).
///
///     app.source(http::events("https://stream.example.org/changes", json<Change>()))
template <class T>
Source<T> events(std::string url, Codec<T> codec, EventOptions options = {});

/// The same as bytes.
std::shared_ptr<RawSource> raw_events(std::string url, EventOptions options = {});

// Implementation.

template <class T>
Source<T> events(std::string url, Codec<T> codec, EventOptions options) {
  return decoded<T>(raw_events(std::move(url), std::move(options)), std::move(codec));
}

}  // namespace slipstream::http
