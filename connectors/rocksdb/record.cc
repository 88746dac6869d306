#include "connectors/rocksdb/record.h"

#include <cstring>

namespace slipstream::rocks {
namespace {

constexpr unsigned char kExpires = 1;
constexpr unsigned char kEntity = 2;

}  // namespace

RecordHead::RecordHead(bool is_entity, std::optional<EventTime> expires) {
  bytes_[0] = static_cast<char>((expires ? kExpires : 0) | (is_entity ? kEntity : 0));
  if (!expires) return;
  const std::int64_t microseconds = expires->time_since_epoch().count();
  std::memcpy(bytes_ + 1, &microseconds, sizeof(microseconds));
  size_ += sizeof(microseconds);
}

std::optional<Record> read_record(std::string_view stored) {
  if (stored.empty()) return std::nullopt;
  const auto flags = static_cast<unsigned char>(stored.front());
  if ((flags & ~(kExpires | kEntity)) != 0) return std::nullopt;
  stored.remove_prefix(1);
  Record record;
  record.is_entity = (flags & kEntity) != 0;
  if ((flags & kExpires) != 0) {
    std::int64_t microseconds = 0;
    if (stored.size() < sizeof(microseconds)) return std::nullopt;
    std::memcpy(&microseconds, stored.data(), sizeof(microseconds));
    stored.remove_prefix(sizeof(microseconds));
    record.expires = EventTime(Duration(microseconds));
  }
  record.bytes = stored;
  return record;
}

}  // namespace slipstream::rocks
