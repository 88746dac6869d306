#pragma once
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "slipstream/codec.h"
#include "slipstream/connector.h"
#include "slipstream/detail/typed_sink.h"

namespace slipstream {

/// Something Stream::sink writes to: a small value that may be copied. Made by kafka::sink(),
/// file::lines_sink() and the like; any callable is a sink too, without this. A sink belongs to one App.
template <class T>
class Sink {
 public:
  using value_type = T;
  explicit Sink(std::shared_ptr<detail::TypedSink<T>> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<detail::TypedSink<T>>& impl() const { return impl_; }

 private:
  std::shared_ptr<detail::TypedSink<T>> impl_;
};

/// A sink of bytes, fed with encoded records. `key` overwrites its second argument with the record's key;
/// without it records have none. A record's event time becomes its timestamp, its headers go along.
template <class T>
Sink<T> encoded(std::shared_ptr<RawSink> raw, Codec<T> codec,
                std::function<void(const std::type_identity_t<T>&, std::string& key)> key = {}) {
  using Encode = detail::ValueEncode<T>;
  return Sink<T>(std::make_shared<detail::EncodedSink<T, Encode>>(
      std::move(raw), Encode{codec.make_encoder(), std::move(key)}));
}

}  // namespace slipstream
