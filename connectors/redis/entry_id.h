#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace slipstream::redis {

/// The id of a stream's entry.
struct EntryId {
  std::uint64_t milliseconds = 0;
  std::uint64_t sequence = 0;
  friend auto operator<=>(const EntryId&, const EntryId&) = default;

  /// "1700000000000-0"; also "1700000000000", as Redis takes it.
  static std::optional<EntryId> parse(std::string_view text);
  static EntryId of_offset(std::int64_t offset);
  std::string text() const;
  /// Rises with the id. Empty for ids that no clock makes: beyond the year 2248, or with more than 2^20
  /// entries in a millisecond.
  std::optional<std::int64_t> offset() const;
};

}  // namespace slipstream::redis
