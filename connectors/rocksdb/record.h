#pragma once
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "slipstream/time.h"

/// How a value lies in RocksDB: a byte of flags, when it expires (if it does: eight bytes, little-endian,
/// microseconds since 1970), then the codec's bytes or the columns. RocksDB 7.8 has columns of its own but
/// can't put them into files for ingestion, and has no way to give up a single entry at its time.
namespace slipstream::rocks {

// Of the byte of flags.
constexpr unsigned char kExpires = 1;
constexpr unsigned char kEntity = 2;

struct Record {
  bool is_entity = false;
  std::optional<EventTime> expires;
  std::string_view bytes;

  bool is_expired(EventTime now) const { return expires && *expires <= now; }
};

/// What stands in front of the bytes; short enough for the stack.
class RecordHead {
 public:
  RecordHead(bool is_entity, std::optional<EventTime> expires);
  std::string_view bytes() const { return {bytes_, size_}; }

 private:
  char bytes_[9];
  std::size_t size_ = 1;
};

/// Empty: it isn't written as this version writes records.
inline std::optional<Record> read_record(std::string_view stored) {
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
