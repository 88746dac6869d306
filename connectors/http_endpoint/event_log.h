#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "slipstream/detail/mutex.h"
#include "slipstream/http_endpoint.h"

/// What makes an endpoint: in a namespace of its own, so that its names are nobody else's in
/// slipstream::http.
namespace slipstream::http::endpoint {

using Text = std::shared_ptr<const std::string>;

/// Where one client is in the log.
struct Cursor {
  std::uint64_t seen = 0;   ///< the newest event it was given
  std::uint64_t until = 0;  ///< of events up to here it gets only the latest of each key
  bool is_behind = false;   ///< because it was slow, not because it is new
};

/// The events that clients may still get. Nothing is kept for a client but its cursor, so a slow one costs
/// nothing. Thread-safe.
///
/// Events are numbered from 1. The newest are in `recent_`, without gaps; the latest of each key, new or old,
/// are in `latest_`. A client reads `recent_`. One that is new, or has fallen behind its oldest event, first
/// goes through `latest_`: in the order of the numbers, so that what is written meanwhile moves out of what
/// it has passed into what it has yet to pass, and every number it was given is a place to go on at.
class EventLog {
 public:
  /// `epoch` tells this log's ids from those of another run.
  EventLog(const EndpointOptions& options, std::string epoch);

  /// An event; without a key only in `recent_`. No data: the key is deleted.
  void append(std::string_view type, std::optional<std::string_view> key,
              std::optional<std::string_view> data);

  /// For a client that has had the event `last_id`, or none (empty). What it must be told first is appended
  /// to `hello`. True: it goes on behind that event.
  bool begin(std::string_view last_id, Cursor& cursor, std::string& hello) const;
  /// What the client gets next; null: nothing now. It may be a "gap".
  Text next(Cursor& cursor);
  bool has_more(const Cursor& cursor) const;
  /// Whether events were lost to it because it was slow.
  bool has_lost(const Cursor& cursor) const;
  /// The client doesn't come for what it has missed.
  void give_up(const Cursor& cursor);
  /// No client has a cursor before this one: what was deleted before it needn't be told any more.
  void forget_deleted(std::uint64_t least_seen);

  std::uint64_t newest() const;
  /// Fills in what the log knows.
  void add_stats(EndpointStats& stats) const;
  std::size_t bytes() const;

 private:
  struct Recent {
    Text text;
    bool has_key;
  };
  struct Latest {
    Text text;
    std::string key;
    bool is_deletion;
  };
  using LatestMap = std::map<std::uint64_t, Latest>;

  void keep_latest(std::string key, const Text& text, bool is_deletion) SLIPSTREAM_REQUIRES(mutex_);
  void forget_latest(LatestMap::iterator it) SLIPSTREAM_REQUIRES(mutex_);
  void trim_recent() SLIPSTREAM_REQUIRES(mutex_);
  Text next_latest(Cursor& cursor) SLIPSTREAM_REQUIRES(mutex_);
  Text fall_behind(Cursor& cursor) SLIPSTREAM_REQUIRES(mutex_);
  void pass_over(const Cursor& cursor, std::uint64_t events) SLIPSTREAM_REQUIRES(mutex_);
  std::uint64_t oldest_recent() const SLIPSTREAM_REQUIRES(mutex_) { return newest_ + 1 - recent_.size(); }

  const std::string epoch_;
  const SlowClient slow_client_;
  const std::size_t max_recent_bytes_;
  const std::size_t max_latest_bytes_;

  mutable detail::Mutex mutex_;
  std::uint64_t newest_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
  std::deque<Recent> recent_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::size_t recent_bytes_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
  LatestMap latest_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::uint64_t> number_of_ SLIPSTREAM_GUARDED_BY(mutex_);  // by key
  std::size_t latest_bytes_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
  /// Deletions in latest_, and some that were there.
  std::deque<std::uint64_t> deletions_ SLIPSTREAM_GUARDED_BY(mutex_);
  /// The newest event that isn't to be had any more and that no later one replaces.
  std::uint64_t lost_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
  bool has_evicted_ SLIPSTREAM_GUARDED_BY(mutex_) = false;  // keys
  std::uint64_t sent_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
  std::uint64_t skipped_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipstream::http::endpoint
