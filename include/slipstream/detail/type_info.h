#pragma once
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "slipstream/codec.h"
#include "slipstream/detail/type_kinds.h"
#include "slipstream/fields.h"

/// A described type as a table, so that one compiled walker serves every user type: JSON and CSV are written
/// against TypeInfo and never see T.
namespace slipstream::detail {

enum class Kind : std::uint8_t {
  boolean,
  signed_integer,
  unsigned_integer,
  floating,
  string,
  enumeration,
  time,       ///< std::chrono::sys_time with an integral rep
  structure,  ///< a struct with SLIPSTREAM_FIELDS
  optional,
  list,  ///< a sequence that grows by emplace_back
  map,   ///< from text, numbers, bools or enums to anything
};

struct TypeInfo;

struct FieldInfo {
  std::string_view name;
  std::size_t offset;
  const TypeInfo* type;
};
struct EnumeratorInfo {
  std::string_view name;
  std::uint64_t bits;  ///< the value, its low bytes as in memory
};

/// Receives a container's elements; false ends the visit. `key` is null but for maps.
struct ElementVisitor {
  virtual bool visit(const void* key, const void* element) = 0;

 protected:
  ~ElementVisitor() = default;
};

/// The functions that look into optionals, lists and maps.
struct ElementAccess {
  const TypeInfo* element;
  const TypeInfo* key;  ///< of a map
  void (*clear)(void* container);
  /// A new element to fill: the optional's value, the list's new last, the map's at `key`; null when the map
  /// has that key.
  void* (*add)(void* container, const void* key);
  /// False when the visitor ended it.
  bool (*each)(const void* container, ElementVisitor& visitor);
};

struct TypeInfo {
  Kind kind;
  std::uint8_t size = 0;  ///< bytes of a number, enum or time
  bool is_signed = false;
  bool is_duration = false;     ///< of a number
  std::int64_t period_num = 1;  ///< of a time or duration: seconds per tick
  std::int64_t period_den = 1;
  const FieldInfo* fields = nullptr;
  const EnumeratorInfo* enumerators = nullptr;
  std::size_t count = 0;  ///< of fields or enumerators
  const ElementAccess* elements = nullptr;
  std::string_view name = {};  ///< of a struct or enum, as the compiler writes it: shop::Order
};

template <class T>
constexpr TypeInfo make_type_info();
template <class T>
inline constexpr TypeInfo kTypeInfo = make_type_info<T>();

/// T as the compiler writes it.
template <class T>
constexpr std::string_view written_name() {
  // GCC: … [with T = shop::Order; std::string_view = …]; Clang: … [T = shop::Order]
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("T = ") + 4);
  return text.substr(0, text.find(';') == text.npos ? text.size() - 1 : text.find(';'));
}

template <class Entry, std::size_t N>
struct Table {
  Entry entries[N];
};
template <class T>
inline constexpr auto kFieldTable = with_fields<T>([]<class... F>(const F&... field) {
  return Table<FieldInfo, sizeof...(F)>{{{field.name, field.offset, &kTypeInfo<typename F::member_type>}...}};
});
template <class T>
inline constexpr auto kEnumeratorTable = with_enumerators<T>([](const auto&... enumerator) {
  using Unsigned = std::make_unsigned_t<std::underlying_type_t<T>>;
  return Table<EnumeratorInfo, sizeof...(enumerator)>{
      {{enumerator.name, static_cast<Unsigned>(enumerator.value)}...}};
});

template <class T>
void clear_container(void* container) {
  if constexpr (Optional<T>) {
    static_cast<T*>(container)->reset();
  } else {
    static_cast<T*>(container)->clear();
  }
}

template <class T>
void* add_element(void* container, const void* key) {
  T& t = *static_cast<T*>(container);
  if constexpr (Optional<T>) {
    return &t.emplace();
  } else if constexpr (MapContainer<T>) {
    const auto [at, is_new] = t.try_emplace(*static_cast<const typename T::key_type*>(key));
    return is_new ? &at->second : nullptr;
  } else {
    return &t.emplace_back();
  }
}

template <class T>
bool visit_elements(const void* container, ElementVisitor& visitor) {
  const T& t = *static_cast<const T*>(container);
  if constexpr (Optional<T>) {
    return !t || visitor.visit(nullptr, &*t);
  } else {
    for (const auto& element : t) {
      if constexpr (MapContainer<T>) {
        if (!visitor.visit(&element.first, &element.second)) return false;
      } else {
        if (!visitor.visit(nullptr, &element)) return false;
      }
    }
    return true;
  }
}

template <class T>
constexpr const TypeInfo* key_info() {
  if constexpr (MapContainer<T>) return &kTypeInfo<typename T::key_type>;
  return nullptr;
}
template <class T, class Element>
inline constexpr ElementAccess kElementAccess = {&kTypeInfo<Element>, key_info<T>(), clear_container<T>,
                                                 add_element<T>, visit_elements<T>};
/// What can be written as text between two quotes, without further ones.
template <class T>
concept MapKey = std::same_as<T, std::string> || Arithmetic<T> || Enum<T>;

template <class T>
concept Character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                    std::same_as<T, char16_t> || std::same_as<T, char32_t>;
template <class T>
concept Sequence = Container<T> && requires(T t) { t.emplace_back(); };
template <class T>
inline constexpr bool kUndescribed = false;

template <class T>
constexpr TypeInfo number_info() {
  const Kind kind = std::is_floating_point_v<T> ? Kind::floating
                    : std::is_signed_v<T>       ? Kind::signed_integer
                                                : Kind::unsigned_integer;
  return {.kind = kind, .size = sizeof(T), .is_signed = std::is_signed_v<T>};
}

template <class T>
constexpr TypeInfo duration_info() {
  TypeInfo info = number_info<typename T::rep>();
  info.is_duration = true;
  info.period_num = T::period::num;
  info.period_den = T::period::den;
  return info;
}

template <class T>
constexpr TypeInfo time_info() {
  using Period = typename T::period;
  static_assert(
      std::same_as<typename T::clock, std::chrono::system_clock> && std::is_integral_v<typename T::rep>,
      "of time points, text can hold std::chrono::sys_time with an integral rep");
  static_assert(1'000'000'000 % Period::den == 0, "text holds times to the nanosecond");
  return {.kind = Kind::time,
          .size = sizeof(T),
          .is_signed = std::is_signed_v<typename T::rep>,
          .period_num = Period::num,
          .period_den = Period::den};
}

template <class T>
constexpr TypeInfo make_type_info() {
  if constexpr (std::same_as<T, bool>) {
    return {.kind = Kind::boolean, .size = 1};
  } else if constexpr (Arithmetic<T>) {
    static_assert(!Character<T>,
                  "a character is no number here: use std::int8_t, std::uint8_t or std::string");
    static_assert(!std::same_as<T, long double>, "use double: text formats don't carry long double");
    return number_info<T>();
  } else if constexpr (std::same_as<T, std::string>) {
    return {.kind = Kind::string};
  } else if constexpr (Enum<T>) {
    static_assert(HasEnumerators<T>, "enums are written by name: list the names with SLIPSTREAM_ENUM");
    return {.kind = Kind::enumeration,
            .size = sizeof(T),
            .enumerators = kEnumeratorTable<T>.entries,
            .count = sizeof(kEnumeratorTable<T>) / sizeof(EnumeratorInfo),
            .name = written_name<T>()};
  } else if constexpr (ChronoDuration<T>) {
    return duration_info<T>();
  } else if constexpr (ChronoTimePoint<T>) {
    return time_info<T>();
  } else if constexpr (HasFields<T>) {
    return {.kind = Kind::structure,
            .fields = kFieldTable<T>.entries,
            .count = sizeof(kFieldTable<T>) / sizeof(FieldInfo),
            .name = written_name<T>()};
  } else if constexpr (Optional<T>) {
    static_assert(!Optional<typename T::value_type>,
                  "an optional of an optional has two empties, text has one");
    return {.kind = Kind::optional, .elements = &kElementAccess<T, typename T::value_type>};
  } else if constexpr (MapContainer<T>) {
    static_assert(MapKey<typename T::key_type>,
                  "a map's keys must be std::string, numbers, bools or enums with SLIPSTREAM_ENUM");
    return {.kind = Kind::map, .elements = &kElementAccess<T, typename T::mapped_type>};
  } else if constexpr (Sequence<T>) {
    static_assert(!std::same_as<T, std::vector<bool>>,
                  "std::vector<bool> has no elements to point to: use deque");
    return {.kind = Kind::list, .elements = &kElementAccess<T, typename T::value_type>};
  } else {
    static_assert(
        kUndescribed<T>,
        "text formats don't know this type: describe it with SLIPSTREAM_FIELDS, or use numbers, strings, "
        "optionals, vectors, maps, enums and chrono types");
  }
}

/// Whether kTypeInfo<T> compiles. `Outer`: the structs that T is a part of.
template <class T, class... Outer>
constexpr bool is_describable() {
  if constexpr (std::same_as<T, bool> || std::same_as<T, std::string> || (std::same_as<T, Outer> || ...)) {
    return true;
  } else if constexpr (Arithmetic<T>) {
    return !Character<T> && !std::same_as<T, long double>;
  } else if constexpr (Enum<T>) {
    return HasEnumerators<T>;
  } else if constexpr (ChronoDuration<T>) {
    return Arithmetic<typename T::rep>;
  } else if constexpr (ChronoTimePoint<T>) {
    return std::same_as<typename T::clock, std::chrono::system_clock> &&
           std::is_integral_v<typename T::rep> && 1'000'000'000 % T::period::den == 0;
  } else if constexpr (HasFields<T>) {
    return with_fields<T>([]<class... F>(const F&...) {
      return (is_describable<typename F::member_type, T, Outer...>() && ...);
    });
  } else if constexpr (Optional<T>) {
    return !Optional<typename T::value_type> && is_describable<typename T::value_type, Outer...>();
  } else if constexpr (MapContainer<T>) {
    return MapKey<typename T::key_type> && is_describable<typename T::key_type>() &&
           is_describable<typename T::mapped_type, Outer...>();
  } else if constexpr (Sequence<T>) {
    return !std::same_as<T, std::vector<bool>> && is_describable<typename T::value_type, Outer...>();
  } else {
    return false;
  }
}
template <class T>
concept Describable = is_describable<T>();

/// The value as JSON; empty when it can't be written (text that isn't UTF-8, NaN).
std::string json_text(const TypeInfo& type, const void* value);
/// The same; empty for a type that can't be described.
template <class T>
std::string json_text(const T& value) {
  if constexpr (Describable<T>) return json_text(kTypeInfo<T>, &value);
  return {};
}

/// A codec that doesn't know its type.
struct ErasedCodec {
  using Decode = std::function<absl::Status(std::string_view bytes, void* out)>;
  using Encode = std::function<absl::Status(const void* value, std::string& out)>;
  std::string name;
  std::function<Decode()> make_decoder;
  std::function<Encode()> make_encoder;
};

template <class T>
Codec<T> typed_codec(ErasedCodec erased) {
  using Decode = typename Codec<T>::Decode;
  using Encode = typename Codec<T>::Encode;
  return {
      std::move(erased.name),
      [make = std::move(erased.make_decoder)] {
        return Decode([decode = make()](std::string_view bytes, T& out) { return decode(bytes, &out); });
      },
      [make = std::move(erased.make_encoder)] {
        return Encode([encode = make()](const T& value, std::string& out) { return encode(&value, out); });
      }};
}

}  // namespace slipstream::detail
