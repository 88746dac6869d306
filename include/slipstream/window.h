#pragma once
#include <cstdint>
#include <string>

#include "slipstream/fields.h"
#include "slipstream/time.h"

namespace slipstream {

/// What an operator on a keyed stream emits: the key and what it made for it.
template <class Key, class Value>
struct Keyed {
  Key key;
  Value value;
  friend bool operator==(const Keyed&, const Keyed&) = default;
};
SLIPSTREAM_TEMPLATE_FIELDS((class Key, class Value), (Keyed<Key, Value>), key, value)

/// [start, end).
struct TimeRange {
  EventTime start, end;
  friend auto operator<=>(const TimeRange&, const TimeRange&) = default;
};
SLIPSTREAM_FIELDS(TimeRange, start, end)

/// A window's result for one key.
template <class Key, class Value>
struct Windowed {
  Key key;
  TimeRange window;
  Value value;
  friend bool operator==(const Windowed&, const Windowed&) = default;
};
SLIPSTREAM_TEMPLATE_FIELDS((class Key, class Value), (Windowed<Key, Value>), key, window, value)

/// Windows [n × size + offset, (n + 1) × size + offset), aligned to 1970-01-01T00:00Z.
struct Tumbling {
  Duration size;
  Duration offset;
};
/// size > 0; 0 <= offset < size. A wrong size is refused when the graph is built.
constexpr Tumbling tumbling(Duration size, Duration offset = Duration{0}) { return {size, offset}; }

/// Windows [n × hop + offset, n × hop + offset + size): each record is in size ÷ hop of them, rounded up or
/// down.
struct Hopping {
  Duration size;
  Duration hop;
  Duration offset;
};
/// 0 < hop <= size; 0 <= offset < hop.
constexpr Hopping hopping(Duration size, Duration hop, Duration offset = Duration{0}) {
  return {size, hop, offset};
}

/// For each instant t with a record, the window [t - size, t] that ends there, both ends included: SQL's
/// RANGE BETWEEN size PRECEDING AND CURRENT ROW. Of Kafka Streams' sliding windows those that end at a
/// record.
struct Sliding {
  Duration size;
};
/// size > 0.
constexpr Sliding sliding(Duration size) { return {size}; }

/// Records of a key less than `gap` apart belong together. The window is [first, last + gap).
struct Session {
  Duration gap;
};
/// gap > 0.
constexpr Session session(Duration gap) { return {gap}; }

namespace detail {
/// The start of the window that holds `time`.
constexpr EventTime window_start(EventTime time, const Tumbling& w) {
  const Duration since = time.time_since_epoch() - w.offset;
  Duration into = since % w.size;
  if (into < Duration{0}) into += w.size;
  return time - into;
}
/// The window that holds `time`. The last ones end with the times there are.
constexpr TimeRange window_of(EventTime time, const Tumbling& w) {
  const EventTime start = window_start(time, w);
  return {start, saturating_plus(start, w.size)};
}
/// The starts of the first and the last window that hold `time`.
constexpr EventTime last_window(EventTime time, const Hopping& w) {
  return window_start(time, {w.hop, w.offset});
}
constexpr EventTime first_window(EventTime time, const Hopping& w) {
  const EventTime last = last_window(time, w);
  return last - (w.size - Duration{1} - (time - last)) / w.hop * w.hop;
}
}  // namespace detail

}  // namespace slipstream
