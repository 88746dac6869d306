#pragma once
#include "slipstream/codec.h"
#include "slipstream/detail/type_info.h"

namespace slipstream {

namespace detail {
ErasedCodec json_codec(const TypeInfo& type);
}

/// JSON (RFC 8259) of any type made of
///
///   bool, integers, float, double   a number that doesn't fit (300 into uint8_t, 1.5 into int) is refused;
///                                   2.0 and 2e0 are the integer 2. NaN and infinity can't be written
///   std::string                     valid UTF-8
///   enums with SLIPSTREAM_ENUM      by name
///   EventTime, other sys_time       written as 2013-01-01T10:15:00.25Z; read as ISO 8601 text (date, or date
///   and
///                                   time with optional fraction and offset; UTC where it has none) or as an
///                                   integer of milliseconds since 1970-01-01. Digits finer than the type's
///                                   are rounded down
///   std::chrono durations           a number in the duration's own unit
///   std::optional                   null or absent when empty; an empty one is left out of its object
///   std::vector, std::map<std::string, V> and their like
///   structs with SLIPSTREAM_FIELDS  objects; unknown members are ignored (but must be JSON), a missing one
///   that
///                                   is not optional is an error, so is one that comes twice
///
/// nested up to 64 deep. Decoding errors are InvalidArgument and say where, what was expected and what was
/// found: `items[2].price: expected an integer from 0 to 255, found 300`.
template <class T>
Codec<T> json() {
  return detail::typed_codec<T>(detail::json_codec(detail::kTypeInfo<T>));
}

}  // namespace slipstream
