#pragma once
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "slipstream/time.h"

namespace slipstream {

/// Where a record comes from. Unique in a run, the same in every run over the same input, and what breaks
/// every tie: of two records with equal event times, the one with the larger id is the newer.
struct RecordId {
  std::uint32_t source = 0;     ///< the App's number of the source, or of the operator that made the record
  std::uint32_t partition = 0;  ///< the source's partition; 0 where a source has only one
  std::int64_t offset = 0;      ///< position inside the partition; a file's line number, a range's index
  std::uint32_t n = 0;          ///< 0-based number among the records that one input record became
  friend auto operator<=>(const RecordId&, const RecordId&) = default;
};

/// "source 2 partition 7 offset 1234", with " output 3" when n > 0.
std::string to_string(const RecordId& id);

struct Header {
  std::string name;
  std::string value;
  friend bool operator==(const Header&, const Header&) = default;
};
using Headers = std::vector<Header>;
/// Shared because records are copied where streams branch; null means no headers.
using HeadersPtr = std::shared_ptr<const Headers>;

/// What a user function may ask about the record it is given, beside its value: take a second parameter
/// `const RecordInfo&`.
struct RecordInfo {
  EventTime time = kMinTime;  ///< event time; kMinTime where the source has none
  RecordId id;
  const Headers* headers = nullptr;  ///< null when there are none; valid during the call
};

}  // namespace slipstream
