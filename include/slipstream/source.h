#pragma once
#include <memory>
#include <utility>

#include "slipstream/codec.h"
#include "slipstream/connector.h"

namespace slipstream {

namespace detail {
template <class T>
class TypedSource;
}

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
Source<T> decoded(std::shared_ptr<RawSource> raw, Codec<T> codec);

}  // namespace slipstream
