#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "slipstream/time.h"

namespace slipstream::detail {

/// What is known about event time in one source partition. Kept by the lane that reads it.
struct PartitionClock {
  EventTime largest = kMinTime;    ///< of the event times seen
  EventTime watermark = kMinTime;  ///< largest - max_out_of_orderness, or further where the source says so
  std::int64_t next_offset = 0;
};

/// Moves the clock over the event times of records read one after the other. `stamps` gets, for each record,
/// the watermark it came behind, when any of them is late; else it stays empty. Returns how many were older
/// than the newest before them.
std::size_t observe(PartitionClock& clock, std::span<const EventTime> times, Duration max_out_of_orderness,
                    std::vector<EventTime>& stamps);

}  // namespace slipstream::detail
