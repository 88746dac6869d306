#pragma once
#include <concepts>
#include <functional>
#include <iterator>
#include <type_traits>
#include <utility>

#include "slipstream/record.h"

/// How user functions may look: f(record) or f(record, const RecordInfo&).
namespace slipstream::detail {

template <class...>
inline constexpr bool kNever = false;

template <class F, class T>
concept TakesRecord = std::invocable<F, const T&> || std::invocable<F, const T&, const RecordInfo&>;

template <class F, class T>
constexpr auto result_of() {
  if constexpr (std::invocable<F, const T&>) {
    return std::type_identity<std::invoke_result_t<F, const T&>>{};
  } else {
    return std::type_identity<std::invoke_result_t<F, const T&, const RecordInfo&>>{};
  }
}
template <class F, class T>
using ResultOf = typename decltype(result_of<F, T>())::type;

template <class F, class B>
decltype(auto) call(F& f, const B& batch, std::size_t i) {
  using T = typename std::remove_cvref_t<decltype(batch.values)>::value_type;
  const T& value = batch.values[i];
  if constexpr (std::invocable<F&, const T&>) {
    return std::invoke(f, value);
  } else {
    return std::invoke(f, value, batch.info(i));
  }
}

template <class R>
concept OptionalLike = requires(R& r) {
  { r.has_value() } -> std::convertible_to<bool>;
  *r;
};
template <class R>
concept RangeLike = requires(R& r) {
  std::begin(r);
  std::end(r);
};
/// A range whose elements are there already: walking it runs no user code. A view that makes its elements,
/// such as std::views::transform, may know its size too, but gives them out by value.
template <class R>
concept StoredRange = RangeLike<R> && requires(R& r) {
  std::size(r);
  requires std::is_lvalue_reference_v<decltype(*std::begin(r))>;
};

template <class R>
struct RangeElement {};
template <OptionalLike R>
struct RangeElement<R> {
  using type = std::remove_cvref_t<decltype(*std::declval<R&>())>;
};
template <RangeLike R>
  requires(!OptionalLike<R>)
struct RangeElement<R> {
  using type = std::remove_cvref_t<decltype(*std::begin(std::declval<R&>()))>;
};

}  // namespace slipstream::detail
