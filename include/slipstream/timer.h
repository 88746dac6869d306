#pragma once
#include <cstdint>
#include <memory>
#include <optional>

#include "slipstream/connector.h"
#include "slipstream/source.h"
#include "slipstream/time.h"

namespace slipstream {

struct TimerOptions {
  /// The timer finishes with this tick; empty: it never does.
  std::optional<std::int64_t> count = {};
};

/// Ticks every `every` (> 0) by the runtime's clock: the n-th, with offset n and the tick's time as value and
/// timestamp, n intervals after the start. A source that is read late hands over only the newest tick that is
/// due, so offsets may have gaps.
Source<EventTime> timer(Duration every, TimerOptions options = {});

/// The same with the time in decimal microseconds since 1970-01-01.
std::shared_ptr<RawSource> raw_timer(Duration every, TimerOptions options = {});

}  // namespace slipstream
