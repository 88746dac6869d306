#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Times as ISO 8601 text, UTC, proleptic Gregorian calendar.
namespace slipstream::codecs {

struct Instant {
  std::int64_t seconds = 0;      ///< since 1970-01-01T00:00:00Z, rounded down
  std::int32_t nanoseconds = 0;  ///< 0 to 999,999,999
  friend bool operator==(const Instant&, const Instant&) = default;
};

/// Reads YYYY-MM-DD, or that and `T` or a space, HH:MM, optionally :SS, .fraction and Z, ±HH, ±HHMM or
/// ±HH:MM. A year with a sign may have up to 12 digits. Digits of the fraction beyond nanoseconds are
/// dropped. Empty when the text is no such time.
std::optional<Instant> parse_time(std::string_view text);

/// Appends YYYY-MM-DDTHH:MM:SSZ with 3, 6 or 9 digits of fraction when it isn't zero. Years outside 0 to 9999
/// are written with a sign and at least 6 digits.
void append_time(const Instant& time, std::string& out);

}  // namespace slipstream::codecs
