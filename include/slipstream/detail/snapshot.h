#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "slipstream/detail/source_operator.h"

namespace slipstream::detail {

/// A run's whole state at a cut: a pure function of the input before it. Keyed entries are kept by shard, so
/// another parallelism can take them over; watermarks by source partition, never by lane.
struct Snapshot {
  struct NodeState {
    std::string schema;                                 ///< layout of the entries
    std::multimap<std::uint32_t, std::string> entries;  ///< by slot
  };
  std::string hash;  ///< which hash made the shards
  std::uint32_t shards = 0;
  std::map<std::string, NodeState> nodes;                      ///< by node name
  std::map<std::string, std::vector<PartitionClock>> sources;  ///< by source name
};

}  // namespace slipstream::detail
