#pragma once
#include <chrono>
#include <cstdint>

/// Event time and the one definition of a watermark that every operator uses.
///
/// A watermark W of an input says: every record of that input with event time < W has been seen. Hence
///  - a record with time t is on time when t >= W, late when t < W;
///  - a window [start, end) is complete when W >= end;
///  - the left row of an as-of join at time t may be joined when the right side's W > t, because a right
///    record at exactly t may still come while W == t;
///  - the end of an input is W = kMaxTime.
/// A source whose records are out of order by at most d has W = (largest time seen) - d.
namespace slipstream {

/// Differences of event times. Microseconds: fine enough for sensors, wide enough for 290,000 years.
using Duration = std::chrono::microseconds;
/// When something happened, in UTC.
using EventTime = std::chrono::sys_time<Duration>;

inline constexpr EventTime kMinTime = EventTime::min();
inline constexpr EventTime kMaxTime = EventTime::max();

constexpr bool is_late(EventTime time, EventTime watermark) { return time < watermark; }
constexpr bool is_window_complete(EventTime end, EventTime watermark) { return watermark >= end; }
constexpr bool is_as_of_resolved(EventTime left, EventTime right_watermark) { return right_watermark > left; }

/// time - delta and time + delta, held inside [kMinTime, kMaxTime]. delta >= 0.
constexpr EventTime saturating_minus(EventTime time, Duration delta) {
  return time.time_since_epoch() < kMinTime.time_since_epoch() + delta ? kMinTime : time - delta;
}
constexpr EventTime saturating_plus(EventTime time, Duration delta) {
  return time.time_since_epoch() > kMaxTime.time_since_epoch() - delta ? kMaxTime : time + delta;
}
/// time + delta, which may be negative, held inside [kMinTime, kMaxTime].
constexpr EventTime saturating_shift(EventTime time, Duration delta) {
  if (delta >= Duration{0}) return saturating_plus(time, delta);
  return delta == Duration::min() ? kMinTime : saturating_minus(time, -delta);
}
/// The watermark of a source whose records are out of order by at most `max_out_of_orderness`.
constexpr EventTime bounded_watermark(EventTime largest_seen, Duration max_out_of_orderness) {
  return saturating_minus(largest_seen, max_out_of_orderness);
}

}  // namespace slipstream
