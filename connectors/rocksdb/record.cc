#include "connectors/rocksdb/record.h"

#include <cstring>

namespace slipstream::rocks {

RecordHead::RecordHead(bool is_entity, std::optional<EventTime> expires) {
  bytes_[0] = static_cast<char>((expires ? kExpires : 0) | (is_entity ? kEntity : 0));
  if (!expires) return;
  const std::int64_t microseconds = expires->time_since_epoch().count();
  std::memcpy(bytes_ + 1, &microseconds, sizeof(microseconds));
  size_ += sizeof(microseconds);
}

}  // namespace slipstream::rocks
