#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "slipstream/time.h"

namespace slipstream {

/// The dependencies that are down, by name, and how far the dependent was ahead of each when it was last
/// looked at; empty when all is well.
using Downtime = std::map<std::string, Duration, std::less<>>;

/// What a heartbeat found.
struct Heartbeat {
  bool is_late = false;  ///< the dependency is still down after this beat
  std::optional<EventTime> dependent_marker;
  EventTime dependency_marker = kMinTime;  ///< the newest so far
};

}  // namespace slipstream
