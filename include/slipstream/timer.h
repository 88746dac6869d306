#pragma once
#include <cstdint>
#include <memory>
#include <optional>

#include "slipstream/connector.h"

namespace slipstream {

struct TimerOptions {
  /// The timer finishes after this tick; empty: it never does.
  std::optional<std::int64_t> count = {};
};

/// Ticks as decimal microseconds since 1970; see timer().
std::shared_ptr<RawSource> raw_timer(Duration every, TimerOptions options = {});

}  // namespace slipstream
