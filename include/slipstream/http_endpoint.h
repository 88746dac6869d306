#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "slipstream/connector.h"
#include "slipstream/sink.h"

/// An HTTP server for browsers and others that watch a program: its sinks become server-sent events.
namespace slipstream::http {

/// What becomes of a client that reads so slowly that events it has yet to get leave memory. In no case does
/// anybody wait for it.
enum class SlowClient {
  latest,      ///< of each key it gets the latest event; others are passed over, and it is told
  skip,        ///< it goes on with the oldest event that is there, and is told how many it missed
  disconnect,  ///< its connection ends; a browser comes back by itself
};

struct EndpointOptions {
  /// Where to listen: an IP address. One that isn't a loopback address needs `allow_remote`.
  std::string address = "127.0.0.1";
  int port = 0;  ///< 0: a free one
  /// Answered to GET /: HTML with its scripts and styles inside; nothing can be loaded from elsewhere. Empty:
  /// no page.
  std::string page = {};

  /// What clients must show, as ?token=… or "Authorization: Bearer …": at least 16 letters, digits and -._~.
  /// Empty: a random one for each run, which is logged as part of the address.
  std::string token = {};
  /// False: no token is asked for. Whoever reaches the port reads everything.
  bool require_token = true;
  /// There is no TLS: what leaves the machine can be read on its way. Meant for a port behind a proxy.
  bool allow_remote = false;
  /// Names in Host beside localhost and IP addresses. Others are refused: a stranger's page could otherwise
  /// make its own name point here (DNS rebinding).
  std::vector<std::string> hosts = {};
  /// Whose pages may read the events beside the endpoint's own, such as "https://board.example.org".
  std::vector<std::string> origins = {};

  SlowClient slow_client = SlowClient::latest;
  /// The newest events are kept within so many bytes, together for all clients: what a slow client may be
  /// behind, and how far back a client that returns is brought up to date.
  std::size_t recent_bytes = std::size_t{1} << 20;
  /// The latest event of each key is kept within so many bytes: what a new client gets first. The keys that
  /// weren't written for longest give way. 0: none are kept.
  std::size_t latest_bytes = std::size_t{4} << 20;

  std::size_t max_clients = 64;  ///< more are answered 503
  std::size_t max_clients_per_address = 32;
  /// A connection without a complete request for so long is closed, as is one that doesn't take its answer.
  Duration request_timeout = std::chrono::seconds(30);
  /// A client that takes nothing for so long, although there is something, is disconnected.
  Duration write_timeout = std::chrono::seconds(30);
  /// Silence for so long is broken by a comment, so that nobody on the way takes the connection for dead.
  Duration keep_alive = std::chrono::seconds(15);
  /// What browsers are told to wait before they connect again. At least 1 ms.
  Duration retry = std::chrono::seconds(2);
  /// How long the end of a good run waits for clients to take what is there for them.
  Duration linger = std::chrono::seconds(1);
};

/// What an endpoint has done so far.
struct EndpointStats {
  std::size_t clients = 0;         ///< connected now, to the events
  std::uint64_t accepted = 0;      ///< requests for the events that were accepted
  std::uint64_t resumed = 0;       ///< of these, how many went on behind the last event they had
  std::uint64_t refused = 0;       ///< requests that were answered with an error
  std::uint64_t events = 0;        ///< written by the program
  std::uint64_t sent = 0;          ///< events handed to clients, summed over them
  std::uint64_t skipped = 0;       ///< events that slow clients didn't get, summed over them
  std::uint64_t disconnected = 0;  ///< clients that were cut off because they were slow
};

/// A server of one stream of events, which several sinks may write to; each has a name, the events' type:
///
///     http::Endpoint endpoint({.port = 8080, .page = page});
///     counts.sink(endpoint.events<Count>("counts", json<Count>(),
///                                        [](const Count& c, std::string& key) { key = c.key; }));
///
///     new EventSource("events" + location.search).addEventListener("counts", e => show(JSON.parse(e.data)));
///
/// Serves /events and the page while a run has sinks of it. A small value that may be copied; from any
/// thread. Its sinks belong to one App.
///
/// A client that names the last event it had, as browsers do, goes on behind it if that is still in memory.
/// Another one gets an event "snapshot", whose data are {"complete":true} or, if keys had to give way, false;
/// it is to forget what it knows, then it gets the latest event of each key, and then what comes. What a slow
/// or returning client missed for good is told by an event "gap", {"missed":N}: at most N events; N may be
/// null. A record that deletes its key is sent as an event "NAME deleted" with the key as data.
class Endpoint {
 public:
  explicit Endpoint(EndpointOptions options = {});

  /// The sink's records as events of the type `name`: not empty, no line breaks, not one of "open", "error",
  /// "snapshot", "gap"; "message" is what browsers hand to onmessage. Without `key` records have none, and
  /// new clients get only what comes. Line breaks in the data are all alike to clients. Never full, and
  /// doesn't wait for clients: a record counts as delivered when it is there for them.
  template <class T>
  Sink<T> events(std::string name, Codec<T> codec,
                 std::function<void(const std::type_identity_t<T>&, std::string& key)> key = {}) const {
    return encoded<T>(raw_events(std::move(name)), std::move(codec), std::move(key));
  }
  /// The same for bytes.
  std::shared_ptr<RawSink> raw_events(std::string name) const;

  /// "http://127.0.0.1:41753/?token=…", with the token, while a run serves it; empty otherwise.
  std::string url(std::string_view path = "/") const;
  /// Since it began to serve last.
  EndpointStats stats() const;

  class Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace slipstream::http
