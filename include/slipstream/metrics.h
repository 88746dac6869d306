#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slipstream/time.h"

namespace slipstream {

/// What one node has done so far, summed over its lanes. At quiescence, for every node:
/// in = forwarded + absorbed + filtered + late + skipped + dead_lettered + held.
struct NodeMetrics {
  std::string name;
  std::string kind;
  std::vector<std::string> from;  ///< the nodes whose records it gets
  std::string stage;  ///< the node at the head of its lanes; itself, unless it is chained behind that
  int lanes = 0;
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  std::uint64_t forwarded = 0;
  std::uint64_t absorbed = 0;
  std::uint64_t filtered = 0;
  std::uint64_t late = 0;
  std::uint64_t skipped = 0;
  std::uint64_t dead_lettered = 0;
  std::uint64_t held = 0;       ///< waiting in state now
  std::uint64_t held_peak = 0;  ///< summed over lanes
  std::uint64_t out_of_order = 0;
  std::uint64_t state_bytes = 0;
  std::chrono::nanoseconds busy{0};
  std::chrono::nanoseconds busiest{0};  ///< the same in the lane where it was most
  /// Of the node's stage; zero for nodes in the middle of a chain, which share their stage's lanes.
  std::chrono::nanoseconds waiting{0};  ///< lanes had nothing to do
  std::chrono::nanoseconds blocked{0};  ///< lanes had work, but what they sent before was not taken yet
  std::string blocked_by;          ///< now: the node with the fullest queue among those it sends to; of a
                                   ///< sink, its connector
  std::string mostly_blocked_by;   ///< the node that was so for most of that time
  std::uint64_t queue_bytes = 0;   ///< in its inboxes
  EventTime watermark = kMinTime;  ///< of what it emits; kMaxTime when it has ended
};

struct PartitionMetrics {
  std::string source;
  int partition = 0;
  std::uint64_t records = 0;
  std::int64_t next_offset = 0;
  std::optional<std::int64_t> lag;  ///< offsets still to be read, where the source knows
  std::uint64_t dropped = 0;        ///< given up before they were read, where the source may: WhenSlow::drop
  EventTime watermark = kMinTime;
  EventTime largest_time = kMinTime;
  std::string state;               ///< "active", "waiting", "caught up", "finished", "stopped"
  std::vector<std::string> gates;  ///< why it isn't read: "weather" waits for a source of that name,
                                   ///< "memory" for state to shrink, "held" for handlers that were paused
                                   ///< with much of it; others are reasons given to pause()
};

/// A picture of a run at one time. Counts of different nodes are read one after the other, so they fit
/// together exactly only when nothing runs.
struct Metrics {
  std::vector<NodeMetrics> nodes;
  std::vector<PartitionMetrics> partitions;
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t in_flight_peak = 0;
  std::uint64_t memory_budget = 0;

  /// The node of that name, or null.
  const NodeMetrics* node(const std::string& name) const {
    for (const NodeMetrics& n : nodes) {
      if (n.name == name) return &n;
    }
    return nullptr;
  }
};

/// Where the time of a run went, as a table with a line for each node, and which node the others wait for:
/// what
/// --profile prints. `elapsed` since the run's start.
///
/// A stage's lane is busy, waits for input, or is blocked by what it sent before and nobody has taken. From a
/// stage that isn't mostly busy one gets to the one to blame through the stage that blocks it or, where it
/// waits, the busiest of those that feed it. The rest of 100 % it was done, or ready without a thread.
std::string profile_text(const Metrics& metrics, std::chrono::nanoseconds elapsed);

}  // namespace slipstream
