#include "slipstream/detail/partition_clock.h"

#include <algorithm>

namespace slipstream::detail {

std::size_t observe(PartitionClock& clock, std::span<const EventTime> times, Duration max_out_of_orderness,
                    std::vector<EventTime>& stamps) {
  std::size_t out_of_order = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const EventTime time = times[i];
    if (is_late(time, clock.watermark)) {
      if (stamps.empty()) stamps.resize(times.size(), kMinTime);
      stamps[i] = clock.watermark;
    }
    if (time < clock.largest) {
      ++out_of_order;
      continue;
    }
    clock.largest = time;
    clock.watermark = std::max(clock.watermark, bounded_watermark(time, max_out_of_orderness));
  }
  return out_of_order;
}

}  // namespace slipstream::detail
