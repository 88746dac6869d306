#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "slipstream/time.h"

namespace slipstream::detail {

/// "5ms", "1.5s", "1h30m", "0": numbers with us, ms, s, m (or min), h or d. Empty when it is none, or is
/// negative, or is not a whole number of microseconds that fits.
std::optional<Duration> parse_duration(std::string_view text);
/// In the shortest exact form: "5ms", "90s", "2h".
std::string format_duration(Duration duration);

/// "64MiB", "10kB", "4096": numbers with B, kB, MB, GB, KiB, MiB or GiB. Empty when it is none, or is
/// negative, or is not a whole number of bytes that fits.
std::optional<std::size_t> parse_bytes(std::string_view text);
/// In the shortest exact form: "64MiB", "10kB", "1001B".
std::string format_bytes(std::size_t bytes);

/// Printable on one line of a terminal: control bytes are escaped, what is longer than `limit` is cut.
std::string one_line(std::string_view text, std::size_t limit = 64);

}  // namespace slipstream::detail
