#pragma once
#include <cstdint>

#include "slipstream/codec.h"
#include "slipstream/detail/type_info.h"

namespace slipstream {

enum class JsonStyle : std::uint8_t {
  compact,  ///< no blanks, text as it is
  /// As Python's json.dumps(value, default=str) writes it, byte for byte: blanks behind commas and colons,
  /// \uXXXX for what isn't ASCII, 1e+16 and 2.0, NaN and Infinity, empty optionals of structs as null, times
  /// as an aware datetime's text (2013-01-01 10:15:00.250000+00:00, rounded down to microseconds; years 1 to
  /// 9999), durations as a timedelta's (1:30:00). All of it is read, too, beside what compact reads.
  python,
};
struct JsonOptions {
  JsonStyle style = JsonStyle::compact;
};

namespace detail {
ErasedCodec json_codec(const TypeInfo& type, JsonOptions options);
}

/// JSON (RFC 8259) of any type made of
///
///   bool, integers, float, double   a number that doesn't fit (300 into uint8_t, 1.5 into int) is refused;
///                                   2.0 and 2e0 are the integer 2. NaN and infinity can't be written
///   std::string                     valid UTF-8
///   enums with SLIPSTREAM_ENUM      by name
///   EventTime, other sys_time       written as 2013-01-01T10:15:00.25Z; read as ISO 8601 text (date, or date and
///                                   time with optional fraction and offset; UTC where it has none) or as an
///                                   integer of milliseconds since 1970-01-01. Digits finer than the type's
///                                   are rounded down
///   std::chrono durations           a number in the duration's own unit
///   std::optional                   null or absent when empty; an empty one is left out of its object
///   std::vector and its like
///   std::map and its like           an object; the keys may be text, numbers, bools or enums, each in quotes
///   structs with SLIPSTREAM_FIELDS  objects; unknown members are ignored (but must be JSON), a missing one that
///                                   is not optional is an error, so is one that comes twice
///
/// nested up to 64 deep. Decoding errors are InvalidArgument and say where, what was expected and what was
/// found: `items[2].price: expected an integer from 0 to 255, found 300`.
template <class T>
Codec<T> json(JsonOptions options = {}) {
  return detail::typed_codec<T>(detail::json_codec(detail::kTypeInfo<T>, options));
}

}  // namespace slipstream
