#pragma once
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "slipstream/fields.h"

/// What kind of type a field has, as the codecs see it. Every concept here is about unqualified types.
namespace slipstream::detail {

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
concept Optional = kIsOptional<T>;

template <class T>
inline constexpr bool kIsVariant = false;
template <class... A>
inline constexpr bool kIsVariant<std::variant<A...>> = true;
template <class T>
concept Variant = kIsVariant<T>;

template <class T>
inline constexpr bool kIsDuration = false;
template <class Rep, class Period>
inline constexpr bool kIsDuration<std::chrono::duration<Rep, Period>> = true;
template <class T>
concept ChronoDuration = kIsDuration<T>;

/// Any time point; every clock's rep is stored as it is.
template <class T>
inline constexpr bool kIsTimePoint = false;
template <class Clock, class D>
inline constexpr bool kIsTimePoint<std::chrono::time_point<Clock, D>> = true;
template <class T>
concept ChronoTimePoint = kIsTimePoint<T>;

/// std::pair, std::tuple and std::array.
template <class T>
concept TupleLike = requires { std::tuple_size<T>::value; };
template <class T>
inline constexpr bool kIsArray = false;
template <class T, std::size_t N>
inline constexpr bool kIsArray<std::array<T, N>> = true;

/// std::vector, deque, list, set, map and the unordered ones: whatever grows by insert(end, element).
template <class T>
concept Container = !std::same_as<T, std::string> && requires(T t, typename T::value_type element) {
  t.insert(t.end(), std::move(element));
  { t.size() } -> std::convertible_to<std::size_t>;
  t.begin();
  t.clear();
};
template <class T>
concept MapContainer = Container<T> && requires {
  typename T::key_type;
  typename T::mapped_type;
};
template <class T>
concept KeyedContainer = Container<T> && requires { typename T::key_type; };

/// What a container's elements are while they are read: a map's pairs without the const.
template <class T>
struct ElementOf {
  using type = typename T::value_type;
};
template <MapContainer T>
struct ElementOf<T> {
  using type = std::pair<typename T::key_type, typename T::mapped_type>;
};
template <class T>
using Element = typename ElementOf<T>::type;

template <class T>
concept Arithmetic = std::is_arithmetic_v<T>;
template <class T>
concept Enum = std::is_enum_v<T>;

}  // namespace slipstream::detail
