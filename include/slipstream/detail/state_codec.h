#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "slipstream/detail/type_kinds.h"
#include "slipstream/fields.h"

/// The binary format of keyed state.
///
///   number, enum, chrono type   its bytes, little-endian; an enum as its underlying type, bool as 0 or 1
///   string, container           count as a varint (7 bits a byte, low bits first), then the elements
///   optional                    0, or 1 and the value
///   pair, tuple, array          the elements
///   struct with fields          the fields in the order of SLIPSTREAM_FIELDS
///   other trivially copyable    its bytes, padding included
///
/// The bytes don't say what they are: keep schema_of<T>() beside them and compare it before loading.
namespace slipstream::detail {

void store_varint(std::uint64_t value, std::string& out);
/// False when `in` is too short or the varint is longer than a uint64.
bool load_varint(std::string_view& in, std::uint64_t& value);

static_assert(std::endian::native == std::endian::little, "state is stored as little-endian bytes");

/// `Outer`: the structs that T is a part of.
template <class T, class... Outer>
constexpr bool is_storable();

/// Types that are stored by copying their bytes without a look inside. Views are refused: their bytes are
/// addresses. A struct that holds a pointer can't be told apart, so don't.
template <class T>
concept StoredAsBytes = std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T> &&
                        !std::is_pointer_v<T> && !std::is_member_pointer_v<T> && !std::is_null_pointer_v<T> &&
                        !std::is_empty_v<T> && !requires(const T& t) { t.data(); };

template <class T>
concept Fixed = (Arithmetic<T> && !std::same_as<T, bool>) || Enum<T>;

/// std::vector of numbers or enums: copied in one piece.
template <class T>
concept FixedVector = Container<T> && Fixed<typename T::value_type> && requires(T t) {
  t.data();
  t.resize(1);
};

template <class T, class... Outer>
constexpr bool are_fields_storable() {
  return with_fields<T>(
      []<class... F>(const F&...) { return (is_storable<typename F::member_type, T, Outer...>() && ...); });
}
template <class T, class... Outer>
constexpr bool are_elements_storable() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return sizeof...(I) > 0 && (is_storable<std::tuple_element_t<I, T>, Outer...>() && ...);
  }(std::make_index_sequence<std::tuple_size_v<T>>());
}

template <class T, class... Outer>
constexpr bool is_storable() {
  if constexpr (!std::is_same_v<T, std::remove_cvref_t<T>> || std::is_volatile_v<T>) {
    return false;
  } else if constexpr ((std::is_same_v<T, Outer> || ...)) {
    return false;
  } else if constexpr (Arithmetic<T> || Enum<T> || std::same_as<T, std::string>) {
    return true;
  } else if constexpr (ChronoDuration<T>) {
    return Arithmetic<typename T::rep>;
  } else if constexpr (ChronoTimePoint<T>) {
    return Arithmetic<typename T::duration::rep>;
  } else if constexpr (HasFields<T>) {
    return std::is_default_constructible_v<T> && are_fields_storable<T, Outer...>();
  } else if constexpr (Optional<T>) {
    return is_storable<typename T::value_type, Outer...>() &&
           std::is_default_constructible_v<typename T::value_type>;
  } else if constexpr (TupleLike<T>) {
    return std::is_default_constructible_v<T> && are_elements_storable<T, Outer...>();
  } else if constexpr (Container<T>) {
    return is_storable<Element<T>, Outer...>() && std::is_default_constructible_v<Element<T>>;
  } else {
    return StoredAsBytes<T>;
  }
}

/// Types whose values may live in keyed state. Recursive types (a struct with a vector of itself) aren't.
template <class T>
concept Storable = is_storable<T>();

template <class T>
void store_bytes(const T& value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}
template <class T>
bool load_bytes(std::string_view& in, T& value) {
  if (in.size() < sizeof(T)) return false;
  std::memcpy(&value, in.data(), sizeof(T));
  in.remove_prefix(sizeof(T));
  return true;
}

/// Appends `value` to `out`.
template <class T>
void store(const T& value, std::string& out) {
  static_assert(
      Storable<T>,
      "this type can't be kept in state: describe it with SLIPSTREAM_FIELDS, or use numbers, strings, "
      "optionals, chrono types and containers of them");
  if constexpr (Fixed<T>) {
    store_bytes(value, out);
  } else if constexpr (std::same_as<T, bool>) {
    out.push_back(value ? 1 : 0);
  } else if constexpr (std::same_as<T, std::string>) {
    store_varint(value.size(), out);
    out.append(value);
  } else if constexpr (ChronoDuration<T>) {
    store_bytes(value.count(), out);
  } else if constexpr (ChronoTimePoint<T>) {
    store_bytes(value.time_since_epoch().count(), out);
  } else if constexpr (HasFields<T>) {
    with_fields<T>([&](const auto&... field) { (store(value.*field.member, out), ...); });
  } else if constexpr (Optional<T>) {
    out.push_back(value ? 1 : 0);
    if (value) store(*value, out);
  } else if constexpr (TupleLike<T>) {
    std::apply([&](const auto&... element) { (store(element, out), ...); }, value);
  } else if constexpr (FixedVector<T>) {
    store_varint(value.size(), out);
    out.append(reinterpret_cast<const char*>(value.data()), value.size() * sizeof(typename T::value_type));
  } else if constexpr (Container<T>) {
    store_varint(value.size(), out);
    for (const auto& element : value) {
      if constexpr (MapContainer<T>) {
        store(element.first, out);
        store(element.second, out);
      } else {
        store<typename T::value_type>(element, out);
      }
    }
  } else {
    store_bytes(value, out);
  }
}

template <class T>
bool load(std::string_view& in, T& out);

template <Container T>
bool load_elements(std::string_view& in, T& out) {
  std::uint64_t count = 0;
  // Every element takes a byte or more, so a larger count is a lie. Room is made as elements arrive, because
  // the count alone could still ask for far more memory than the bytes can fill.
  if (!load_varint(in, count) || count > in.size()) return false;
  out.clear();
  for (std::uint64_t i = 0; i < count; ++i) {
    Element<T> element{};
    if (!load(in, element)) return false;
    out.insert(out.end(), std::move(element));
  }
  return out.size() == count;
}

template <FixedVector T>
bool load_fixed_elements(std::string_view& in, T& out) {
  constexpr std::size_t size = sizeof(typename T::value_type);
  std::uint64_t count = 0;
  if (!load_varint(in, count) || count > in.size() / size) return false;
  out.resize(count);
  if (count > 0) std::memcpy(out.data(), in.data(), count * size);
  in.remove_prefix(count * size);
  return true;
}

/// Takes one value off the front of `in`. False when the bytes are too short or can't be a T; then `in` and
/// `out` are unspecified. Never reads beyond `in`, whatever the bytes say.
template <class T>
bool load(std::string_view& in, T& out) {
  static_assert(Storable<T>, "this type can't be kept in state");
  if constexpr (Fixed<T>) {
    return load_bytes(in, out);
  } else if constexpr (std::same_as<T, bool>) {
    if (in.empty() || static_cast<unsigned char>(in.front()) > 1) return false;
    out = in.front() == 1;
    in.remove_prefix(1);
    return true;
  } else if constexpr (std::same_as<T, std::string>) {
    std::uint64_t size = 0;
    if (!load_varint(in, size) || size > in.size()) return false;
    out.assign(in.substr(0, size));
    in.remove_prefix(size);
    return true;
  } else if constexpr (ChronoDuration<T>) {
    typename T::rep count{};
    if (!load_bytes(in, count)) return false;
    out = T(count);
    return true;
  } else if constexpr (ChronoTimePoint<T>) {
    typename T::duration since_epoch{};
    if (!load(in, since_epoch)) return false;
    out = T(since_epoch);
    return true;
  } else if constexpr (HasFields<T>) {
    return with_fields<T>([&](const auto&... field) { return (load(in, out.*field.member) && ...); });
  } else if constexpr (Optional<T>) {
    bool present = false;
    if (!load(in, present)) return false;
    out.reset();
    return !present || load(in, out.emplace());
  } else if constexpr (TupleLike<T>) {
    return std::apply([&](auto&... element) { return (load(in, element) && ...); }, out);
  } else if constexpr (FixedVector<T>) {
    return load_fixed_elements(in, out);
  } else if constexpr (Container<T>) {
    return load_elements(in, out);
  } else {
    return load_bytes(in, out);
  }
}

/// "i64", "u8", "f32", …
template <class T>
std::string number_schema() {
  const char kind = std::is_floating_point_v<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u';
  return kind + std::to_string(sizeof(T) * 8);
}
template <class Period>
std::string period_schema() {
  return std::to_string(Period::num) + "/" + std::to_string(Period::den);
}

/// The stored layout of T as a short text, such as
/// `{shop:string,id:i64,tags:[string],at:time<i64,1/1000000>}`: equal texts read each other's bytes. `?` is
/// an optional, `[]` a container, `()` a pair or tuple, `bytes<n>` a type stored as its n bytes.
template <class T>
std::string schema_of() {
  static_assert(Storable<T>, "this type can't be kept in state");
  if constexpr (std::same_as<T, bool>) {
    return "bool";
  } else if constexpr (Arithmetic<T>) {
    return number_schema<T>();
  } else if constexpr (Enum<T>) {
    return "enum<" + number_schema<std::underlying_type_t<T>>() + ">";
  } else if constexpr (std::same_as<T, std::string>) {
    return "string";
  } else if constexpr (ChronoDuration<T>) {
    return "duration<" + number_schema<typename T::rep>() + "," + period_schema<typename T::period>() + ">";
  } else if constexpr (ChronoTimePoint<T>) {
    return "time<" + number_schema<typename T::rep>() + "," + period_schema<typename T::period>() + ">";
  } else if constexpr (HasFields<T>) {
    return with_fields<T>([]<class... F>(const F&... field) {
      std::string text = "{";
      ((text.append(text.size() == 1 ? "" : ",").append(field.name).append(":") +=
        schema_of<typename F::member_type>()),
       ...);
      return text + "}";
    });
  } else if constexpr (Optional<T>) {
    return "?" + schema_of<typename T::value_type>();
  } else if constexpr (kIsArray<T>) {
    return schema_of<typename T::value_type>() + "[" + std::to_string(std::tuple_size_v<T>) + "]";
  } else if constexpr (TupleLike<T>) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      std::string text = "(";
      ((text.append(I == 0 ? "" : ",") += schema_of<std::tuple_element_t<I, T>>()), ...);
      return text + ")";
    }(std::make_index_sequence<std::tuple_size_v<T>>());
  } else if constexpr (Container<T>) {
    return "[" + schema_of<Element<T>>() + "]";
  } else {
    return "bytes<" + std::to_string(sizeof(T)) + ">";
  }
}

}  // namespace slipstream::detail
