#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <type_traits>
#include <variant>

#include "slipstream/detail/type_kinds.h"

/// How much memory a value takes, for budgets: near enough, not exact (allocators round up).
namespace slipstream::detail {

template <class T>
constexpr bool has_fixed_footprint() {
  if constexpr (HasFields<T>) {
    return with_fields<T>(
        []<class... F>(const F&...) { return (has_fixed_footprint<typename F::member_type>() && ...); });
  } else if constexpr (Optional<T>) {
    return has_fixed_footprint<typename T::value_type>();
  } else if constexpr (TupleLike<T>) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return (has_fixed_footprint<std::tuple_element_t<I, T>>() && ...);
    }(std::make_index_sequence<std::tuple_size_v<T>>());
  } else if constexpr (Variant<T>) {
    return []<class... A>(std::type_identity<std::variant<A...>>) {
      return (has_fixed_footprint<A>() && ...);
    }(std::type_identity<T>{});
  } else {
    return !std::same_as<T, std::string> && !Container<T>;
  }
}

/// True when footprint(value) is sizeof(T) for every value. Also for types we can't see into: describe them
/// with SLIPSTREAM_FIELDS if they own much memory.
template <class T>
inline constexpr bool kFixedFootprint = has_fixed_footprint<T>();

template <class T>
std::size_t heap_footprint(const T& value);

/// What a node of std::map, set or an unordered container takes beside its element.
inline constexpr std::size_t kNodeOverhead = 4 * sizeof(void*);

template <Container T>
std::size_t container_footprint(const T& value) {
  using Element = typename T::value_type;
  std::size_t bytes;
  if constexpr (std::same_as<Element, bool>) {
    bytes = value.size() / 8;
  } else if constexpr (requires { value.capacity(); }) {
    bytes = value.capacity() * sizeof(Element);
  } else {
    bytes = value.size() * (sizeof(Element) + (KeyedContainer<T> ? kNodeOverhead : 0));
  }
  if constexpr (!kFixedFootprint<Element>) {
    for (const Element& element : value) bytes += heap_footprint(element);
  }
  return bytes;
}

/// The bytes that `value` owns outside of itself.
template <class T>
std::size_t heap_footprint(const T& value) {
  if constexpr (kFixedFootprint<T>) {
    return 0;
  } else if constexpr (std::same_as<T, std::string>) {
    // A short string lives inside its object.
    const char* const object = reinterpret_cast<const char*>(&value);
    const std::less<const char*> before;
    const bool is_inside = !before(value.data(), object) && before(value.data(), object + sizeof(value));
    return is_inside ? 0 : value.capacity() + 1;
  } else if constexpr (HasFields<T>) {
    return with_fields<T>([&](const auto&... field) { return (heap_footprint(value.*field.member) + ...); });
  } else if constexpr (Optional<T>) {
    return value ? heap_footprint(*value) : 0;
  } else if constexpr (TupleLike<T>) {
    return std::apply([](const auto&... element) { return (heap_footprint(element) + ...); }, value);
  } else if constexpr (Variant<T>) {
    return std::visit([](const auto& held) { return heap_footprint(held); }, value);
  } else {
    return container_footprint(value);
  }
}

/// sizeof(T) and the heap memory of its strings, containers, optionals and described fields. O(1) for strings
/// and for containers of fixed-size elements, else O(elements).
template <class T>
std::size_t footprint(const T& value) {
  return sizeof(T) + heap_footprint(value);
}

}  // namespace slipstream::detail
