#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "slipstream/detail/type_info.h"

/// What the codecs have in common: numbers, names and times in memory and as text, and the words of their
/// errors.
namespace slipstream::codecs {

using detail::Kind;
using detail::TypeInfo;

/// Reads text as the scalar `type` (not a string) and writes it to `out`. Integers may be written as 2.0 or
/// 2e0. A time may be ISO text or an integer of milliseconds. False when the text is no such value or doesn't
/// fit.
bool parse_scalar(std::string_view text, const TypeInfo& type, void* out);
/// Only ISO text; `type` is a time.
bool parse_time_text(std::string_view text, const TypeInfo& type, void* out);
bool parse_enumerator(std::string_view name, const TypeInfo& type, void* out);

/// Appends the scalar (not a string) as parse_scalar reads it, without quotes. False when it can't be
/// written: NaN, infinity, an enum value without a name.
bool append_scalar(const TypeInfo& type, const void* value, std::string& out);

/// Stores the low `size` bytes if the value fits an integer of that size.
inline bool put_signed(std::int64_t value, std::size_t size, void* out) {
  const unsigned unused = 64 - 8 * static_cast<unsigned>(size);
  if (unused != 0 && (value << unused) >> unused != value) return false;
  std::memcpy(out, &value, size);
  return true;
}
inline bool put_unsigned(std::uint64_t value, std::size_t size, void* out) {
  const unsigned unused = 64 - 8 * static_cast<unsigned>(size);
  if (unused != 0 && (value << unused) >> unused != value) return false;
  std::memcpy(out, &value, size);
  return true;
}

using Wide = __int128;

/// A signed integer; an unsigned one as it is.
std::int64_t load_signed(const TypeInfo& type, const void* value);
std::uint64_t load_unsigned(const TypeInfo& type, const void* value);
double load_double(const TypeInfo& type, const void* value);
/// A time in nanoseconds since 1970-01-01.
Wide load_time(const TypeInfo& type, const void* value);
/// Stores the time, rounded down, if the type holds it.
bool put_time(Wide nanoseconds, const TypeInfo& type, void* out);

/// "an integer from 0 to 255", "one of red, green", "an array", …
std::string expected(const TypeInfo& type);
/// "; did you mean 'green'?" when `type` is an enum with a name like that, else "".
std::string did_you_mean_enumerator(std::string_view name, const TypeInfo& type);
/// The place of a map's element in an error's path: ["key"].
std::string key_part(const TypeInfo& type, const void* key);
/// The text in quotes, cut to 40 bytes, control bytes and broken UTF-8 as \x1f.
std::string in_quotes(std::string_view text);
/// The same without the quotes.
std::string shortened(std::string_view text);
/// What append_scalar refused: "NaN can't be written", "the value 7 has no name".
std::string unwritable(const TypeInfo& type, const void* value);

/// The offset of the first byte that isn't UTF-8; npos when all is.
std::size_t find_invalid_utf8(std::string_view text);

}  // namespace slipstream::codecs
