#pragma once
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "slipstream/codec.h"
#include "slipstream/connector.h"
#include "slipstream/detail/invoke.h"
#include "slipstream/detail/typed_source.h"

namespace slipstream {

/// Something App::source reads from: a small value that may be copied. Made by from(), generate(),
/// kafka::source(), file::lines() and the like. A source belongs to one App.
template <class T>
class Source {
 public:
  using value_type = T;
  explicit Source(std::shared_ptr<detail::TypedSource<T>> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<detail::TypedSource<T>>& impl() const { return impl_; }

 private:
  std::shared_ptr<detail::TypedSource<T>> impl_;
};

/// A source of bytes, decoded. Records that can't be decoded follow the source's error policy.
template <class T>
Source<T> decoded(std::shared_ptr<RawSource> raw, Codec<T> codec) {
  using Decode = detail::ValueDecode<T>;
  return Source<T>(std::make_shared<detail::DecodedSource<T, Decode>>(
      std::move(raw), [make = std::move(codec.make_decoder)] { return Decode{make()}; }));
}

/// The elements of a vector, in order; offsets are indices. Ends after the last.
template <class T>
Source<T> from(std::vector<T> records) {
  std::vector<std::vector<T>> one;
  one.push_back(std::move(records));
  return Source<T>(std::make_shared<detail::StoredSource<T>>(std::move(one)));
}
/// The same with a partition for each vector: order holds inside a partition, and several lanes read.
template <class T>
Source<T> from_partitions(std::vector<std::vector<T>> partitions) {
  return Source<T>(std::make_shared<detail::StoredSource<T>>(std::move(partitions)));
}
/// Any other range, held by value and walked once; a Generator is one. Ends after the last element.
template <detail::RangeLike R>
  requires(!std::is_lvalue_reference_v<R>)
auto from(R&& range) {
  using T = typename detail::RangeElement<R>::type;
  return Source<T>(std::make_shared<detail::WalkedSource<T, std::remove_cvref_t<R>>>(std::move(range)));
}
/// What a callable returns as std::optional<T>, until it returns an empty one. Called from one thread at a
/// time, whenever the runtime has room; it should not block.
template <class F>
  requires detail::OptionalLike<std::invoke_result_t<F&>>
auto generate(F f) {
  using T = typename std::invoke_result_t<F&>::value_type;
  return Source<T>(std::make_shared<detail::GeneratedSource<T, F>>(std::move(f)));
}

}  // namespace slipstream
