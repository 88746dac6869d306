#pragma once
#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "slipstream/codec.h"
#include "slipstream/connector.h"
#include "slipstream/detail/produce_pause.h"
#include "slipstream/detail/source_switch.h"
#include "slipstream/detail/typed_sink.h"
#include "slipstream/fields.h"
#include "slipstream/json.h"
#include "slipstream/record.h"
#include "slipstream/time.h"

/// What topics hand out and take, and how it becomes bytes.
namespace slipstream {

/// A record without a value: its key is to be forgotten.
struct Tombstone {
  friend bool operator==(const Tombstone&, const Tombstone&) = default;
};
/// For topics whose tombstones a handler wants to see, and messages that may be one.
template <class V>
using OrTombstone = std::variant<V, Tombstone>;

/// One record of a topic. K may be a std::optional, V an OrTombstone.
template <class K, class V>
struct Message {
  K key = {};
  V value = {};
  Headers headers = {};
  std::string topic = {};
  int partition = 0;
  std::int64_t offset = 0;
  EventTime timestamp = kMinTime;  ///< kMinTime where it has none

  friend bool operator==(const Message&, const Message&) = default;
};
SLIPSTREAM_TEMPLATE_FIELDS((class K, class V), (Message<K, V>), key, value, topic, partition, offset,
                           timestamp)

namespace detail {

template <class K>
struct KeyInside {
  using type = K;
};
template <class K>
struct KeyInside<std::optional<K>> {
  using type = K;
};
template <class V>
struct ValueInside {
  using type = V;
};
template <class V>
struct ValueInside<OrTombstone<V>> {
  using type = V;
};
template <class K>
using KeyIn = typename KeyInside<K>::type;
template <class V>
using ValueIn = typename ValueInside<V>::type;

template <class T>
inline constexpr bool kIsMessage = false;
template <class K, class V>
inline constexpr bool kIsMessage<slipstream::Message<K, V>> = true;

/// A message on its way into a topic.
template <class K, class V>
struct TopicRecord {
  std::optional<KeyIn<K>> key;
  std::optional<ValueIn<V>> value;  ///< empty: a tombstone
  Headers headers;
  EventTime timestamp = kMinTime;  ///< kMinTime: that of the message it was made from
};
SLIPSTREAM_TEMPLATE_FIELDS((class K, class V), (TopicRecord<K, V>), key, value, timestamp)

template <class K, class V>
struct TopicTypes {
  using ValueCodec = Codec<ValueIn<V>>;
  using Record = TopicRecord<K, V>;

  template <class P>
  static constexpr bool kIsKey = std::convertible_to<const P&, K>;
  template <class P>
  static constexpr bool kIsValue = std::same_as<P, Tombstone> || std::same_as<P, OrTombstone<ValueIn<V>>> ||
                                   std::convertible_to<const P&, ValueIn<V>>;

  /// Whether it can be sent.
  template <class Out>
  static constexpr bool takes() {
    if constexpr (kIsMessage<Out>) {
      return kIsKey<decltype(Out::key)> && kIsValue<decltype(Out::value)>;
    } else if constexpr (TupleLike<Out>) {
      if constexpr (std::tuple_size_v<Out> == 2) {
        return kIsKey<std::tuple_element_t<0, Out>> && kIsValue<std::tuple_element_t<1, Out>>;
      } else if constexpr (std::tuple_size_v<Out> == 3) {
        return takes<std::pair<std::tuple_element_t<0, Out>, std::tuple_element_t<1, Out>>>() &&
               std::convertible_to<const std::tuple_element_t<2, Out>&, Headers>;
      } else {
        return false;
      }
    } else {
      return false;
    }
  }
  template <class Out>
  static Record record(Out&& out) {
    using Plain = std::remove_cvref_t<Out>;
    Record record;
    if constexpr (kIsMessage<Plain>) {
      record.key = as_key(std::forward<Out>(out).key);
      set_value(record, std::forward<Out>(out).value);
      record.headers = std::forward<Out>(out).headers;
      record.timestamp = out.timestamp;
    } else {
      record.key = as_key(std::get<0>(std::forward<Out>(out)));
      set_value(record, std::get<1>(std::forward<Out>(out)));
      if constexpr (std::tuple_size_v<Plain> == 3) record.headers = std::get<2>(std::forward<Out>(out));
    }
    return record;
  }

 private:
  static K as_key(K key) { return key; }
  template <class P>
  static void set_value(Record& record, P&& value) {
    if constexpr (std::same_as<std::remove_cvref_t<P>, OrTombstone<ValueIn<V>>>) {
      if (std::holds_alternative<ValueIn<V>>(value)) record.value = std::get<0>(std::forward<P>(value));
    } else if constexpr (!std::same_as<std::remove_cvref_t<P>, Tombstone>) {
      record.value.emplace(std::forward<P>(value));
    }
  }
};

template <class K>
Codec<K> default_key_codec() {
  if constexpr (std::same_as<K, std::string>) {
    return text();
  } else {
    return json<K>();
  }
}

/// Says which part of a record an error is about.
inline absl::Status within(std::string_view part, const absl::Status& s) {
  if (s.ok()) return s;
  return absl::Status(s.code(), std::string(part) + ": " + std::string(s.message()));
}

template <class K, class V>
struct MessageDecode {
  std::string topic;
  typename Codec<KeyIn<K>>::Decode key;
  typename Codec<ValueIn<V>>::Decode value;

  absl::Status operator()(int partition, const RawRecord& from, slipstream::Message<K, V>& to) const {
    if (absl::Status s = decode_key(from, to.key); !s.ok()) return s;
    if (absl::Status s = decode_value(from, to.value); !s.ok()) return s;
    if (from.headers) to.headers = *from.headers;
    to.topic = topic;
    to.partition = partition;
    to.offset = from.offset;
    to.timestamp = from.timestamp.value_or(kMinTime);
    return absl::OkStatus();
  }

 private:
  absl::Status decode_key(const RawRecord& from, K& to) const {
    if constexpr (Optional<K>) {
      return from.key ? within("key", key(*from.key, to.emplace())) : absl::OkStatus();
    } else {
      if (from.key) return within("key", key(*from.key, to));
      return absl::InvalidArgumentError("it has no key; a topic of std::optional keys takes such records");
    }
  }
  absl::Status decode_value(const RawRecord& from, V& to) const {
    if constexpr (std::same_as<V, OrTombstone<ValueIn<V>>>) {
      if (from.value) return within("value", value(*from.value, to.template emplace<0>()));
      to = Tombstone{};
      return absl::OkStatus();
    } else {
      if (from.value) return within("value", value(*from.value, to));
      return absl::InvalidArgumentError(
          "the value is null (a tombstone); a topic of OrTombstone values takes such records");
    }
  }
};

template <class K, class V>
struct TopicEncode {
  typename Codec<KeyIn<K>>::Encode key;
  typename Codec<ValueIn<V>>::Encode value;

  absl::Status operator()(const TopicRecord<K, V>& record, std::string& bytes, WireRecord& wire) const {
    const std::size_t begin = bytes.size();
    if ((wire.has_key = record.key.has_value())) {
      if (absl::Status s = key(*record.key, bytes); !s.ok()) return within("key", s);
    }
    wire.key_size = bytes.size() - begin;
    wire.headers = &record.headers;
    if (record.timestamp != kMinTime) wire.timestamp = record.timestamp;
    wire.has_value = record.value.has_value();
    return record.value ? within("value", value(*record.value, bytes)) : absl::OkStatus();
  }
};

/// Waits until the run has opened the topic that by_hand belongs to.
absl::Status await_topic_run(const SourceSwitch& by_hand, const std::string& topic,
                             std::chrono::milliseconds timeout);
/// Sends nothing: warns for each record.
std::shared_ptr<RawSink> dry_sink(std::string topic);
/// While what `sink` refused waits to be offered again, all sources are paused.
std::shared_ptr<RawSink> pausing_sink(std::string topic, std::shared_ptr<RawSink> sink,
                                      std::shared_ptr<ProducePause> pause);

}  // namespace detail
}  // namespace slipstream
