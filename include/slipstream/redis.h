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
#include "slipstream/source.h"

/// Redis: streams as sources, keys and streams as sinks. Connections are plain TCP or a Unix socket, without
/// TLS: for servers on this machine or in a network you trust. The name of a host is looked up on the
/// connector's own thread, which nothing can interrupt: close() waits until the resolver has answered. Write
/// an IP address where that takes too long.
namespace slipstream::redis {

/// Where a server is and how to get in.
struct Server {
  std::string address =
      "127.0.0.1:6379";       ///< "host:port", or the path of a Unix socket, which begins with "/"
  std::string user = {};      ///< empty: Redis' own "default"
  std::string password = {};  ///< empty: none is asked for. Never appears in messages
  int database = 0;
  /// A server that can't be reached is tried for so long: when the run starts, and later, when it goes away
  /// or refuses every command for now.
  Duration connect_timeout = std::chrono::seconds(30);
  Duration outage_timeout = std::chrono::minutes(10);
};

/// An entry of a stream.
struct Entry {
  std::string id;  ///< "1700000000000-0"
  std::vector<std::pair<std::string, std::string>> fields;
  /// The first field of this name; null when there is none.
  const std::string* field(std::string_view name) const;
  friend bool operator==(const Entry&, const Entry&) = default;
};

/// Where in a stream a source begins.
class Start {
 public:
  static Start beginning() { return Start("0-0"); }
  /// Behind what is there when the run starts.
  static Start end() { return Start("$"); }
  /// Behind the entry with this id, whether it is there or not.
  static Start after(std::string id) { return Start(std::move(id)); }
  const std::string& id() const { return id_; }

 private:
  explicit Start(std::string id) : id_(std::move(id)) {}
  std::string id_;
};

struct StreamOptions {
  Server server = {};
  Start start = Start::beginning();
  /// Ends the source at what is the stream's end when the run starts.
  bool until_end = false;
};

/// The entries of a stream, in one partition, those that are there and those that will come (XREAD). A stream
/// that isn't there is empty. Offsets are made of the ids (milliseconds * 2^20 + sequence) and so are the
/// same in each run; the timestamp is the id's milliseconds. Reads on behind the last entry when the
/// connection is lost. No consumer groups: where to go on in the next run is the program's to keep, as
/// Start::after(id).
Source<Entry> stream_source(std::string stream, StreamOptions options = {});

/// One field of each entry, decoded; entries without it are treated as tombstones. The record's headers are
/// all fields of the entry.
template <class T>
Source<T> stream_source(std::string stream, std::string field, Codec<T> codec, StreamOptions options = {});

/// The same as bytes, with the entry's id as key. With an empty `field` values are empty.
std::shared_ptr<RawSource> raw_stream_source(std::string stream, std::string field,
                                             StreamOptions options = {});

struct SinkOptions {
  Server server = {};
  /// Keys vanish so long after they were written (at least 1 ms). Zero: never.
  Duration expire{0};
};

/// SET key value for each record; a tombstone of a raw sink is DEL. Commands are sent without waiting for
/// each reply, within the sink's part of the memory budget; each reply is checked, and an error ends the run
/// with the key and the cause. After a lost connection what wasn't answered is sent again, in order.
template <class T>
Sink<T> sink(Codec<T> codec, std::function<void(const std::type_identity_t<T>&, std::string& key)> key,
             SinkOptions options = {});
std::shared_ptr<RawSink> raw_sink(SinkOptions options = {});

struct StreamSinkOptions {
  Server server = {};
  std::string field = "value";
  /// The stream is cut to about so many entries. Zero: never.
  std::int64_t max_length = 0;
};

/// XADD for each record: an entry with the value as `field`; a record's headers are further fields. As above;
/// but an entry that was sent again after a lost connection may be in the stream twice.
template <class T>
Sink<T> stream_sink(std::string stream, Codec<T> codec, StreamSinkOptions options = {});
std::shared_ptr<RawSink> raw_stream_sink(std::string stream, StreamSinkOptions options = {});

// Implementation.

template <class T>
Source<T> stream_source(std::string stream, std::string field, Codec<T> codec, StreamOptions options) {
  return decoded<T>(raw_stream_source(std::move(stream), std::move(field), std::move(options)),
                    std::move(codec));
}
template <class T>
Sink<T> sink(Codec<T> codec, std::function<void(const std::type_identity_t<T>&, std::string& key)> key,
             SinkOptions options) {
  return encoded<T>(raw_sink(std::move(options)), std::move(codec), std::move(key));
}
template <class T>
Sink<T> stream_sink(std::string stream, Codec<T> codec, StreamSinkOptions options) {
  return encoded<T>(raw_stream_sink(std::move(stream), std::move(options)), std::move(codec));
}

}  // namespace slipstream::redis
