#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

/// Describes a struct once, for JSON, CSV, the binary state format and its schema check:
///
///   namespace shop {
///   struct Order { std::string shop; std::int64_t id; double amount; slipstream::EventTime at; };
///   SLIPSTREAM_FIELDS(Order, shop, id, amount, at)
///   enum class Color { red, green, blue };
///   SLIPSTREAM_ENUM(Color, red, green, blue)
///   }
///
/// Both are used at namespace scope, in the namespace of the type, after it. The members must be accessible;
/// their order here is the order of CSV columns and of stored bytes. Up to 32 fields, up to 64 enumerators.
/// Members that aren't listed are left alone by every format. A class template is described with
///
///   SLIPSTREAM_TEMPLATE_FIELDS((class Key, class Value), (Windowed<Key, Value>), key, start, value)
namespace slipstream {

/// One described member of Struct.
template <class Struct, class Member>
struct Field {
  using struct_type = Struct;
  using member_type = Member;
  std::string_view name;
  Member Struct::*member;
  std::size_t offset;  ///< of the member inside the struct, in bytes
};

template <class Enum>
struct Enumerator {
  using enum_type = Enum;
  std::string_view name;
  Enum value;
};

namespace detail {
template <class T>
struct Tag {};
struct Ignore {
  template <class... Args>
  constexpr void operator()(const Args&...) const {}
};
}  // namespace detail

/// True when SLIPSTREAM_FIELDS describes T (not one of its bases).
template <class T>
concept HasFields = requires { slipstream_fields(detail::Tag<T>{}, detail::Ignore{}); };

/// True when SLIPSTREAM_ENUM describes T.
template <class T>
concept HasEnumerators =
    std::is_enum_v<T> && requires { slipstream_enumerators(detail::Tag<T>{}, detail::Ignore{}); };

/// Calls visit(Field<T, M0>, Field<T, M1>, …) once with all fields in order and returns what it returns.
template <HasFields T, class Visit>
constexpr decltype(auto) with_fields(Visit&& visit) {
  return slipstream_fields(detail::Tag<T>{}, visit);
}

/// Calls visit(Enumerator<T>…) once with all enumerators in order and returns what it returns.
template <HasEnumerators T, class Visit>
constexpr decltype(auto) with_enumerators(Visit&& visit) {
  return slipstream_enumerators(detail::Tag<T>{}, visit);
}

/// The enumerator's name; empty for a value that SLIPSTREAM_ENUM doesn't list.
template <HasEnumerators T>
constexpr std::string_view enum_name(T value) {
  return with_enumerators<T>([value](auto... enumerator) {
    std::string_view name;
    (void)((enumerator.value == value && (name = enumerator.name, true)) || ...);
    return name;
  });
}

/// The enumerator of that name, if there is one.
template <HasEnumerators T>
constexpr std::optional<T> enum_value(std::string_view name) {
  return with_enumerators<T>([name](auto... enumerator) {
    std::optional<T> value;
    (void)((enumerator.name == name && (value = enumerator.value, true)) || ...);
    return value;
  });
}

}  // namespace slipstream

// SLIPSTREAM_EACH_(one, a, b, c) is one(a) , one(b) , one(c): each rescan of the text expands one more item.
#define SLIPSTREAM_PARENS_ ()
#define SLIPSTREAM_RESCAN_(...) SLIPSTREAM_RESCAN4_(SLIPSTREAM_RESCAN4_(SLIPSTREAM_RESCAN4_(__VA_ARGS__)))
#define SLIPSTREAM_RESCAN4_(...) SLIPSTREAM_RESCAN3_(SLIPSTREAM_RESCAN3_(SLIPSTREAM_RESCAN3_(__VA_ARGS__)))
#define SLIPSTREAM_RESCAN3_(...) SLIPSTREAM_RESCAN2_(SLIPSTREAM_RESCAN2_(SLIPSTREAM_RESCAN2_(__VA_ARGS__)))
#define SLIPSTREAM_RESCAN2_(...) SLIPSTREAM_RESCAN1_(SLIPSTREAM_RESCAN1_(SLIPSTREAM_RESCAN1_(__VA_ARGS__)))
#define SLIPSTREAM_RESCAN1_(...) __VA_ARGS__
#define SLIPSTREAM_EACH_(one, ...) __VA_OPT__(SLIPSTREAM_RESCAN_(SLIPSTREAM_STEP_(one, __VA_ARGS__)))
#define SLIPSTREAM_STEP_(one, item, ...) \
  one(item) __VA_OPT__(, SLIPSTREAM_AGAIN_ SLIPSTREAM_PARENS_(one, __VA_ARGS__))
#define SLIPSTREAM_AGAIN_() SLIPSTREAM_STEP_
#define SLIPSTREAM_STRIP_(...) __VA_ARGS__

// offsetof is "conditionally supported" for types that aren't standard layout; GCC and Clang support it for
// every type without virtual bases, and warn.
#define SLIPSTREAM_FIELD_(field)                                         \
  ::slipstream::Field<SlipstreamSelf, decltype(SlipstreamSelf::field)> { \
    #field, &SlipstreamSelf::field, offsetof(SlipstreamSelf, field)      \
  }
#define SLIPSTREAM_ENUMERATOR_(enumerator) \
  ::slipstream::Enumerator<SlipstreamSelf> { #enumerator, SlipstreamSelf::enumerator }

#define SLIPSTREAM_FIELDS(Type, ...)                                                                     \
  template <class SlipstreamVisit>                                                                       \
  constexpr decltype(auto) slipstream_fields(::slipstream::detail::Tag<Type>, SlipstreamVisit&& visit) { \
    SLIPSTREAM_FIELDS_BODY_(Type, __VA_ARGS__)                                                           \
  }
#define SLIPSTREAM_TEMPLATE_FIELDS(Parameters, Type, ...)                                       \
  template <SLIPSTREAM_STRIP_ Parameters, class SlipstreamVisit>                                \
  constexpr decltype(auto) slipstream_fields(::slipstream::detail::Tag<SLIPSTREAM_STRIP_ Type>, \
                                             SlipstreamVisit&& visit) {                         \
    SLIPSTREAM_FIELDS_BODY_(SLIPSTREAM_STRIP_ Type, __VA_ARGS__)                                \
  }
#define SLIPSTREAM_FIELDS_BODY_(Type, ...)                                                              \
  using SlipstreamSelf = Type;                                                                          \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Winvalid-offsetof\"") return visit( \
      SLIPSTREAM_EACH_(SLIPSTREAM_FIELD_, __VA_ARGS__));                                                \
  _Pragma("GCC diagnostic pop")

#define SLIPSTREAM_ENUM(Type, ...)                                                 \
  template <class SlipstreamVisit>                                                 \
  constexpr decltype(auto) slipstream_enumerators(::slipstream::detail::Tag<Type>, \
                                                  SlipstreamVisit&& visit) {       \
    using SlipstreamSelf = Type;                                                   \
    return visit(SLIPSTREAM_EACH_(SLIPSTREAM_ENUMERATOR_, __VA_ARGS__));           \
  }
