#pragma once
#include <algorithm>
#include <chrono>
#include <compare>
#include <concepts>
#include <cstdint>
#include <limits>
#include <ratio>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "slipstream/detail/type_kinds.h"
#include "slipstream/fields.h"
#include "slipstream/time.h"

/// Keys of caches as bytes that compare (as unsigned char, lexicographically) like the keys. They say what
/// they are, so keys of different types live side by side in one order:
///
///   nothing < bytes < text < composites < integers < floating < false < true < times
///
///   nothing      an empty std::optional, std::monostate
///   bytes        Bytes, byte by byte; "a" before "aa"
///   text         std::string, likewise
///   composites   std::pair, tuple, array and structs with SLIPSTREAM_FIELDS: by the first element that
///                differs
///   integers     by value, whatever their type (-1 as int and as std::int64_t are the same key); also enums,
///                as their value, and std::chrono durations, as their count
///   floating     float and double, by value: negative ones first, -0.0 is 0.0, all NaNs are one, the last
///   times        EventTime and coarser std::chrono::sys_time, by value
///
/// The integer 1, the float 1.0 and true are three keys. A std::variant is the key it holds; its alternatives
/// must be of different kinds.
///
/// The bytes are those of FoundationDB's tuple layer (with type code 0x40 for times: eight bytes of
/// microseconds), so other languages can read them. A pair, tuple, array or struct is its elements one after
/// the other, which makes the bytes of its first elements a prefix of its own; only inside of another one, or
/// of an optional or variant, is it a nested tuple.
namespace slipstream {

/// Bytes that are no text.
struct Bytes {
  std::string data;
  friend auto operator<=>(const Bytes&, const Bytes&) = default;
};

namespace detail {

/// FoundationDB's type codes.
enum KeyCode : unsigned char {
  kNullCode = 0x00,
  kBytesCode = 0x01,
  kTextCode = 0x02,
  kNestedCode = 0x05,
  kZeroCode = 0x14,  ///< of integers: this, plus or minus the number of bytes that follow
  kDoubleCode = 0x21,
  kFalseCode = 0x26,
  kTrueCode = 0x27,
  kTimeCode = 0x40,
};

enum class KeyKind { none, null, bytes, text, nested, integer, floating, boolean, time };
/// Of a type code; none: there is no such code.
KeyKind kind_of_code(unsigned char code);

// The elements' bytes. Reading takes an element off the front of `in`; false when it isn't one of this kind
// or not written as we write it, and then `in` and the result are unspecified.
/// Escapes 0x00 as 0x00 0xff, without the 0x00 that ends it.
void append_escaped(std::string_view text, std::string& out);
void append_key_text(KeyCode code, std::string_view text, std::string& out);
void append_key_integer(bool is_negative, std::uint64_t magnitude, std::string& out);
void append_key_double(double value, std::string& out);
void append_key_time(std::int64_t microseconds, std::string& out);
bool read_key_text(KeyCode code, std::string_view& in, std::string& out);
bool read_key_integer(std::string_view& in, bool& is_negative, std::uint64_t& magnitude);
bool read_key_double(std::string_view& in, double& out);
bool read_key_time(std::string_view& in, std::int64_t& microseconds);

template <class T>
concept KeyTime =
    ChronoTimePoint<T> && std::same_as<typename T::clock, std::chrono::system_clock> &&
    std::is_integral_v<typename T::rep> && std::ratio_greater_equal_v<typename T::period, Duration::period> &&
    std::ratio_divide<typename T::period, Duration::period>::den == 1;
template <class T>
concept KeyComposite = HasFields<T> || TupleLike<T>;

/// What a composite's elements are, as a std::tuple.
template <class T>
struct KeyElements {
  using type = decltype([]<std::size_t... I>(std::index_sequence<I...>) {
    return std::type_identity<std::tuple<std::tuple_element_t<I, T>...>>{};
  }(std::make_index_sequence<std::tuple_size_v<T>>()))::type;
};
template <HasFields T>
struct KeyElements<T> {
  using type = typename decltype(with_fields<T>([]<class... F>(const F&...) {
    return std::type_identity<std::tuple<typename F::member_type...>>{};
  }))::type;
};

template <class T>
constexpr KeyKind key_kind() {
  if constexpr (std::same_as<T, std::monostate>) {
    return KeyKind::null;
  } else if constexpr (std::same_as<T, Bytes>) {
    return KeyKind::bytes;
  } else if constexpr (std::same_as<T, std::string>) {
    return KeyKind::text;
  } else if constexpr (std::same_as<T, bool>) {
    return KeyKind::boolean;
  } else if constexpr (std::is_integral_v<T> || Enum<T>) {
    return KeyKind::integer;
  } else if constexpr (std::same_as<T, float> || std::same_as<T, double>) {
    return KeyKind::floating;
  } else if constexpr (ChronoDuration<T>) {
    return std::is_integral_v<typename T::rep> ? KeyKind::integer : KeyKind::floating;
  } else if constexpr (KeyTime<T>) {
    return KeyKind::time;
  } else if constexpr (KeyComposite<T>) {
    return KeyKind::nested;
  } else {
    return KeyKind::none;
  }
}

template <class T>
constexpr bool is_key_element();
template <class... A>
constexpr bool are_key_alternatives(std::type_identity<std::variant<A...>>) {
  constexpr KeyKind kinds[] = {key_kind<A>()...};
  for (std::size_t i = 0; i < sizeof...(A); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (kinds[i] == kinds[j]) return false;
    }
  }
  return ((key_kind<A>() != KeyKind::none && is_key_element<A>()) && ...);
}
template <class T>
constexpr bool is_key_element() {
  if constexpr (Variant<T>) {
    return are_key_alternatives(std::type_identity<T>{});
  } else if constexpr (Optional<T>) {
    using Inside = typename T::value_type;
    return !Optional<Inside> && !Variant<Inside> && !std::same_as<Inside, std::monostate> &&
           is_key_element<Inside>();
  } else if constexpr (KeyComposite<T>) {
    return []<class... E>(std::type_identity<std::tuple<E...>>) {
      return (is_key_element<E>() && ...);
    }(std::type_identity<typename KeyElements<T>::type>{});
  } else {
    return key_kind<T>() != KeyKind::none;
  }
}

}  // namespace detail

/// Types that caches take as keys.
template <class K>
concept OrderedKey = detail::is_key_element<K>() && !detail::Optional<K>;

namespace detail {

/// `nested`: inside of a composite that is inside of something else.
template <class T>
void append_key_element(const T& value, std::string& out, bool nested = false) {
  if constexpr (std::same_as<T, std::monostate>) {
    out.append(std::string_view("\0\xff", nested ? 2 : 1));
  } else if constexpr (std::same_as<T, Bytes>) {
    append_key_text(kBytesCode, value.data, out);
  } else if constexpr (std::same_as<T, std::string>) {
    append_key_text(kTextCode, value, out);
  } else if constexpr (std::same_as<T, bool>) {
    out.push_back(static_cast<char>(value ? kTrueCode : kFalseCode));
  } else if constexpr (std::is_integral_v<T>) {
    const bool is_negative = std::cmp_less(value, 0);
    const auto bits = static_cast<std::uint64_t>(value);
    append_key_integer(is_negative, is_negative ? 0 - bits : bits, out);
  } else if constexpr (Enum<T>) {
    append_key_element(static_cast<std::underlying_type_t<T>>(value), out);
  } else if constexpr (Arithmetic<T>) {
    append_key_double(value, out);
  } else if constexpr (ChronoDuration<T>) {
    append_key_element(value.count(), out);
  } else if constexpr (KeyTime<T>) {
    using Limit = typename T::duration;
    const auto within = std::clamp(value.time_since_epoch(), std::chrono::ceil<Limit>(Duration::min()),
                                   std::chrono::floor<Limit>(Duration::max()));
    append_key_time(Duration(within).count(), out);
  } else if constexpr (Optional<T>) {
    if (value) return append_key_element(*value, out, nested);
    append_key_element(std::monostate(), out, nested);
  } else if constexpr (Variant<T>) {
    std::visit([&](const auto& held) { append_key_element(held, out, nested); }, value);
  } else {
    out.push_back(kNestedCode);
    if constexpr (HasFields<T>) {
      with_fields<T>(
          [&](const auto&... field) { (append_key_element(value.*field.member, out, true), ...); });
    } else {
      std::apply([&](const auto&... element) { (append_key_element(element, out, true), ...); }, value);
    }
    out.push_back('\0');
  }
}

/// Appends the key's bytes.
template <OrderedKey K>
void append_ordered_key(const K& key, std::string& out) {
  if constexpr (HasFields<K>) {
    with_fields<K>([&](const auto&... field) { (append_key_element(key.*field.member, out), ...); });
  } else if constexpr (TupleLike<K>) {
    std::apply([&](const auto&... element) { (append_key_element(element, out), ...); }, key);
  } else {
    append_key_element(key, out);
  }
}
template <OrderedKey K>
std::string ordered_key(const K& key) {
  std::string bytes;
  append_ordered_key(key, bytes);
  return bytes;
}

template <class T>
bool read_key_integral(std::string_view& in, T& out) {
  bool is_negative = false;
  std::uint64_t magnitude = 0;
  if (!read_key_integer(in, is_negative, magnitude)) return false;
  if (!is_negative) {
    out = static_cast<T>(magnitude);
    return magnitude <= static_cast<std::uint64_t>(std::numeric_limits<T>::max());
  }
  if constexpr (std::is_signed_v<T>) {
    out = static_cast<T>(0 - magnitude);
    return magnitude <= static_cast<std::uint64_t>(std::numeric_limits<T>::max()) + 1;
  }
  return false;
}

template <class T>
bool read_key_element(std::string_view& in, T& out, bool nested = false);

/// The alternative of this kind.
template <class T>
bool read_key_alternative(std::string_view& in, T& out, bool nested) {
  const KeyKind kind = in.empty() ? KeyKind::none : kind_of_code(static_cast<unsigned char>(in.front()));
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return ((key_kind<std::variant_alternative_t<I, T>>() == kind &&
             read_key_element(in, out.template emplace<I>(), nested)) ||
            ...);
  }(std::make_index_sequence<std::variant_size_v<T>>());
}

inline bool read_key_null(std::string_view& in, bool nested) {
  if (!in.starts_with(std::string_view("\0\xff", nested ? 2 : 1))) return false;
  in.remove_prefix(nested ? 2 : 1);
  return true;
}

template <class T>
bool read_key_composite(std::string_view& in, T& out, bool nested) {
  if constexpr (HasFields<T>) {
    return with_fields<T>(
        [&](const auto&... field) { return (read_key_element(in, out.*field.member, nested) && ...); });
  } else {
    return std::apply([&](auto&... element) { return (read_key_element(in, element, nested) && ...); }, out);
  }
}

/// Takes an element off the front of `in`. False when it is none of a T, or not written as we write it; then
/// `in` and `out` are unspecified. Never reads beyond `in`.
template <class T>
bool read_key_element(std::string_view& in, T& out, bool nested) {
  if constexpr (std::same_as<T, std::monostate>) {
    return read_key_null(in, nested);
  } else if constexpr (std::same_as<T, Bytes>) {
    return read_key_text(kBytesCode, in, out.data);
  } else if constexpr (std::same_as<T, std::string>) {
    return read_key_text(kTextCode, in, out);
  } else if constexpr (std::same_as<T, bool>) {
    if (in.empty()) return false;
    const auto code = static_cast<unsigned char>(in.front());
    out = code == kTrueCode;
    in.remove_prefix(1);
    return code == kTrueCode || code == kFalseCode;
  } else if constexpr (std::is_integral_v<T>) {
    return read_key_integral(in, out);
  } else if constexpr (Enum<T>) {
    std::underlying_type_t<T> value{};
    if (!read_key_element(in, value)) return false;
    out = static_cast<T>(value);
    return true;
  } else if constexpr (Arithmetic<T>) {
    double value = 0;
    if (!read_key_double(in, value)) return false;
    if (std::same_as<T, float> && value == value && static_cast<double>(static_cast<float>(value)) != value) {
      return false;
    }
    out = static_cast<T>(value);
    return true;
  } else if constexpr (ChronoDuration<T>) {
    typename T::rep count{};
    if (!read_key_element(in, count)) return false;
    out = T(count);
    return true;
  } else if constexpr (KeyTime<T>) {
    std::int64_t microseconds = 0;
    if (!read_key_time(in, microseconds)) return false;
    const Duration exact(microseconds);
    const auto since_epoch = std::chrono::duration_cast<typename T::duration>(exact);
    out = T(since_epoch);
    return Duration(since_epoch) == exact;
  } else if constexpr (Optional<T>) {
    out.reset();
    if (!in.empty() && in.front() == kNullCode) return read_key_null(in, nested);
    return read_key_element(in, out.emplace(), nested);
  } else if constexpr (Variant<T>) {
    return read_key_alternative(in, out, nested);
  } else {
    if (in.empty() || in.front() != kNestedCode) return false;
    in.remove_prefix(1);
    if (!read_key_composite(in, out, true) || in.empty() || in.front() != 0) return false;
    in.remove_prefix(1);
    return true;
  }
}

/// False when the bytes are no K.
template <OrderedKey K>
bool read_ordered_key(std::string_view bytes, K& out) {
  if constexpr (KeyComposite<K>) {
    return read_key_composite(bytes, out, false) && bytes.empty();
  } else {
    return read_key_element(bytes, out) && bytes.empty();
  }
}

/// The key as JSON, for people: "user:1", 17, ["EWR",2.5], {"bytes":"ff00"}, {"time":"2013-01-01T10:00:00Z"},
/// {"float":"nan"}; {"unreadable":"…"} in hexadecimal digits when the bytes aren't a key's.
std::string ordered_key_json(std::string_view bytes);
/// The same for messages: what is long is cut.
std::string ordered_key_text(std::string_view bytes);

template <class K, KeyKind kind>
constexpr bool holds_kind() {
  if constexpr (Variant<K>) {
    return []<class... A>(std::type_identity<std::variant<A...>>) {
      return ((key_kind<A>() == kind) || ...);
    }(std::type_identity<K>{});
  } else {
    return key_kind<K>() == kind;
  }
}

/// Whether P is a tuple of the first elements of K.
template <class P, class K>
constexpr bool is_key_head() {
  if constexpr (KeyComposite<K> && TupleLike<P>) {
    using Elements = typename KeyElements<K>::type;
    if constexpr (std::tuple_size_v<P> <= std::tuple_size_v<Elements>) {
      return []<std::size_t... I>(std::index_sequence<I...>) {
        return (std::convertible_to<const std::tuple_element_t<I, P>&, std::tuple_element_t<I, Elements>> &&
                ...);
      }(std::make_index_sequence<std::tuple_size_v<P>>());
    }
  }
  return false;
}

}  // namespace detail

/// What keys begin with: for text a text, for Bytes Bytes, for pairs, tuples, arrays and structs a tuple of
/// their first elements.
template <class K>
class KeyPrefix {
 public:
  /// All keys.
  KeyPrefix() = default;
  template <class Text>
    requires(detail::holds_kind<K, detail::KeyKind::text>() && std::convertible_to<Text, std::string_view>)
  KeyPrefix(const Text& text) {  // NOLINT: {.prefix = "user:"}
    bytes_.push_back(detail::kTextCode);
    detail::append_escaped(text, bytes_);
  }
  template <std::same_as<Bytes> B>
    requires(detail::holds_kind<K, detail::KeyKind::bytes>())
  KeyPrefix(const B& bytes) {  // NOLINT
    bytes_.push_back(detail::kBytesCode);
    detail::append_escaped(bytes.data, bytes_);
  }
  template <class Head>
    requires(detail::is_key_head<Head, K>())
  KeyPrefix(const Head& head) {  // NOLINT: {.prefix = std::tuple("EWR")}
    using Elements = typename detail::KeyElements<K>::type;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (detail::append_key_element<std::tuple_element_t<I, Elements>>(std::get<I>(head), bytes_), ...);
    }(std::make_index_sequence<std::tuple_size_v<Head>>());
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace slipstream
