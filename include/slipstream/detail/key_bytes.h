#pragma once
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "slipstream/detail/type_kinds.h"

/// Canonical bytes of a key: what the pinned hash sees and what is written to disk. Equal keys have equal
/// bytes, and bytes compare (as unsigned char, lexicographically) like keys:
///
///   integer, bool, enum   big-endian, the sign bit flipped when signed
///   float, double         big-endian IEEE 754, made to sort: negative < zero < positive < NaN; -0.0 is 0.0
///   and
///                         all NaNs are one
///   chrono types          as their count
///   string, string_view   the bytes; inside a composite 0x00 is written 0x00 0xff, and 0x00 0x00 ends it
///   optional              0, or 1 and the value
///   pair, tuple, array, struct with fields (composites)   the elements in order
///
/// No key's bytes are a proper prefix of another's of the same type, but for plain strings.
namespace slipstream::detail {

template <class T>
constexpr bool is_key_type() {
  if constexpr (Arithmetic<T>) {
    return !std::same_as<T, long double>;
  } else if constexpr (Enum<T> || std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    return true;
  } else if constexpr (ChronoDuration<T> || ChronoTimePoint<T>) {
    return is_key_type<typename T::rep>();
  } else if constexpr (HasFields<T>) {
    return with_fields<T>(
        []<class... F>(const F&...) { return (is_key_type<typename F::member_type>() && ...); });
  } else if constexpr (Optional<T>) {
    return is_key_type<typename T::value_type>();
  } else if constexpr (TupleLike<T>) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return (is_key_type<std::tuple_element_t<I, T>>() && ...);
    }(std::make_index_sequence<std::tuple_size_v<T>>());
  } else {
    return false;
  }
}

/// Types that may be keys. Structs need SLIPSTREAM_FIELDS.
template <class T>
concept KeyType = is_key_type<T>();

/// Whether two keys are one: their canonical bytes are equal. As ==, but all NaNs are the same, and structs
/// with fields need no operator of their own.
template <class T>
bool same_key(const T& a, const T& b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a == b || (a != a && b != b);
  } else if constexpr (ChronoDuration<T>) {
    return same_key(a.count(), b.count());
  } else if constexpr (ChronoTimePoint<T>) {
    return same_key(a.time_since_epoch().count(), b.time_since_epoch().count());
  } else if constexpr (HasFields<T>) {
    return with_fields<T>(
        [&](const auto&... field) { return (same_key(a.*field.member, b.*field.member) && ...); });
  } else if constexpr (Optional<T>) {
    return a.has_value() == b.has_value() && (!a || same_key(*a, *b));
  } else if constexpr (TupleLike<T>) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return (same_key(std::get<I>(a), std::get<I>(b)) && ...);
    }(std::make_index_sequence<std::tuple_size_v<T>>());
  } else {
    return a == b;
  }
}

/// The string escaped and terminated, as inside a composite.
void append_terminated(std::string_view text, std::string& out);

template <class Unsigned>
void append_big_endian(Unsigned bits, std::string& out) {
  char bytes[sizeof(Unsigned)];
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    bytes[i] = static_cast<char>(static_cast<std::uint64_t>(bits) >> (8 * (sizeof(Unsigned) - 1 - i)));
  }
  out.append(bytes, sizeof(Unsigned));
}

template <class T>
void append_integer(T value, std::string& out) {
  using Unsigned = std::make_unsigned_t<T>;
  constexpr Unsigned sign = std::is_signed_v<T> ? Unsigned{1} << (8 * sizeof(T) - 1) : 0;
  append_big_endian<Unsigned>(static_cast<Unsigned>(value) ^ sign, out);
}

template <class T>
void append_float(T value, std::string& out) {
  using Unsigned = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr Unsigned sign = Unsigned{1} << (8 * sizeof(T) - 1);
  if (value != value) return append_big_endian<Unsigned>(~Unsigned{0}, out);
  const auto bits = std::bit_cast<Unsigned>(value == 0 ? T{0} : value);
  append_big_endian<Unsigned>(bits & sign ? ~bits : bits | sign, out);
}

/// As append_key_bytes, for a part of a composite: strings are terminated.
template <class T>
void append_key_part(const T& value, std::string& out) {
  if constexpr (std::same_as<T, bool>) {
    out.push_back(value ? 1 : 0);
  } else if constexpr (std::is_integral_v<T>) {
    append_integer(value, out);
  } else if constexpr (Arithmetic<T>) {
    append_float(value, out);
  } else if constexpr (Enum<T>) {
    append_key_part(static_cast<std::underlying_type_t<T>>(value), out);
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    append_terminated(value, out);
  } else if constexpr (ChronoDuration<T>) {
    append_key_part(value.count(), out);
  } else if constexpr (ChronoTimePoint<T>) {
    append_key_part(value.time_since_epoch().count(), out);
  } else if constexpr (HasFields<T>) {
    with_fields<T>([&](const auto&... field) { (append_key_part(value.*field.member, out), ...); });
  } else if constexpr (Optional<T>) {
    out.push_back(value ? 1 : 0);
    if (value) append_key_part(*value, out);
  } else {
    std::apply([&](const auto&... element) { (append_key_part(element, out), ...); }, value);
  }
}

/// Appends the key's canonical bytes.
template <class T>
void append_key_bytes(const T& key, std::string& out) {
  static_assert(
      KeyType<T>,
      "a key is a number, bool, enum, string, chrono type, or an optional, pair, tuple, array or struct "
      "with SLIPSTREAM_FIELDS made of these");
  if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    out.append(key);
  } else {
    append_key_part(key, out);
  }
}

/// The key's canonical bytes: a string key's own, else written to `scratch`. Valid while both stay unchanged.
template <class T>
std::string_view key_bytes(const T& key, std::string& scratch) {
  if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    return key;
  } else {
    scratch.clear();
    append_key_bytes(key, scratch);
    return scratch;
  }
}

}  // namespace slipstream::detail
