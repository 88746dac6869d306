#pragma once
#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "slipstream/detail/topic_records.h"
#include "slipstream/handler.h"
#include "slipstream/kafka.h"

/// Kafka topics for handlers: sources and sinks of messages with key, value and headers.
///
///     auto weather = app.topic<std::string, Weather>("weather", json<Weather>(), {.group = "g"});
///     auto latest = app.topic<std::string, Weather>("latest", json<Weather>());
///     app.on(weather)
///         .handle([](const Message<std::string, Weather>& m) { return std::pair(m.key, m.value); })
///         .to(latest);
namespace slipstream {

namespace detail {
template <class K, class V>
struct TopicImpl;
}

template <class K>
struct TopicOptions {
  // Reading and writing
  std::string brokers = {};  ///< as kafka::SourceOptions has it, and so what isn't explained here
  kafka::Settings settings = {};
  /// How keys are read and written; without it text() for std::string, json<K>() for anything else.
  std::optional<Codec<detail::KeyIn<K>>> key = {};
  std::optional<std::chrono::milliseconds> connect_timeout = {};
  std::chrono::milliseconds outage_timeout = std::chrono::minutes(10);
  // Reading
  std::string group = {};
  kafka::Start start = kafka::Start::beginning();
  bool until_end = false;
  std::map<int, std::int64_t> until_offsets = {};
  std::chrono::milliseconds wait_for_topic{0};
  // Writing
  bool create_topic = false;
  std::function<int(const OutRecord& record, int count)> partition = {};
  std::chrono::milliseconds close_timeout = std::chrono::seconds(10);
  /// Nothing is sent and no broker is asked; a warning is logged for each message instead.
  bool dry = false;
  /// How often messages are offered again that weren't taken for a reason that may pass, such as that no
  /// broker answers; after the backoff, which doubles each time up to a minute. Meanwhile all sources of the
  /// App are paused, with the reason "produce". What the client took it delivers, or the run ends: see
  /// kafka::raw_sink. Without retries the client takes messages in an outage, too, while there is room.
  int produce_retries = 0;
  Duration produce_retry_backoff = std::chrono::seconds(1);
};

/// A Kafka topic, made by App::topic(): a source for on() and a sink for to(), for either alone or for both.
/// It is opened by the run, only to read if something listens and only to write if something is written. A
/// small value that may be copied; a topic belongs to one App.
///
/// As a source it hands out Message<K, V>. A record without a key, without a value (a tombstone) or that
/// can't be decoded follows the policy of stream().on_error(), unless K is an optional, or V an
/// OrTombstone.
///
/// As a sink it takes what handlers return: (key, value), (key, value, headers), (key, Tombstone{}) as pairs
/// or tuples, or a Message of any topic, which is passed on with its headers and timestamp.
template <class K, class V>
class Topic {
 public:
  using Types = detail::TopicTypes<K, V>;
  explicit Topic(std::shared_ptr<detail::TopicImpl<K, V>> impl) : impl_(std::move(impl)) {}

  const std::string& name() const { return impl_->name; }
  /// The messages as a stream, for event_time(), filter() and the like. The topic is read from then on.
  SourceStream<Message<K, V>> stream() const { return impl_->read(); }

  /// As those of SourceStream.
  void pause(std::string_view reason = "paused") const { impl_->by_hand->pause(reason); }
  void resume(std::string_view reason = "paused") const { impl_->by_hand->resume(reason); }
  template <std::same_as<int> Partition>
  void pause(Partition) const {
    static_assert(detail::kNever<Partition>, "pause() of a partition: give a reason and the partition");
  }
  template <std::same_as<int> Partition>
  void resume(Partition) const {
    static_assert(detail::kNever<Partition>, "resume() of a partition: give a reason and the partition");
  }
  void pause(std::string_view reason, int partition) const { impl_->by_hand->pause(reason, partition); }
  void resume(std::string_view reason, int partition) const { impl_->by_hand->resume(reason, partition); }
  void stop() const { impl_->by_hand->stop(); }
  /// As SourceStream::seek, but waits until the run has opened the topic: DeadlineExceeded when it hasn't
  /// after `timeout`.
  absl::Status seek(std::int64_t offset, std::chrono::milliseconds timeout = kSeekTimeout) const {
    if (absl::Status s = detail::await_topic_run(*impl_->by_hand, name(), timeout); !s.ok()) return s;
    return impl_->by_hand->seek(offset);
  }
  absl::Status seek(const std::map<int, std::int64_t>& offsets,
                    std::chrono::milliseconds timeout = kSeekTimeout) const {
    if (absl::Status s = detail::await_topic_run(*impl_->by_hand, name(), timeout); !s.ok()) return s;
    return impl_->by_hand->seek(offsets);
  }
  /// So that seek({}) means none.
  absl::Status seek(std::initializer_list<std::pair<const int, std::int64_t>> offsets,
                    std::chrono::milliseconds timeout = kSeekTimeout) const {
    return seek(std::map<int, std::int64_t>(offsets), timeout);
  }

  // For handler.h
  Sink<detail::TopicRecord<K, V>> sink() const { return impl_->write(); }
  SinkOptions sink_options() const {
    return {.errors =
                ErrorPolicy::retry(impl_->options.produce_retries, impl_->options.produce_retry_backoff)};
  }

 private:
  static constexpr std::chrono::milliseconds kSeekTimeout = std::chrono::seconds(30);
  std::shared_ptr<detail::TopicImpl<K, V>> impl_;
};

namespace detail {

template <class K, class V>
using TopicMessage = slipstream::Message<K, V>;  // detail has a Message of its own

/// What all handles of a topic share.
template <class K, class V>
struct TopicImpl {
  std::string name;
  Codec<ValueIn<V>> codec;
  TopicOptions<K> options;
  /// Adds the source to the App, which keeps its stream.
  std::function<std::shared_ptr<SourceStream<TopicMessage<K, V>>>(const Source<TopicMessage<K, V>>&)>
      add_source;
  std::shared_ptr<ProducePause> pause;
  std::shared_ptr<SourceSwitch> by_hand = std::make_shared<SourceSwitch>();
  std::weak_ptr<SourceStream<TopicMessage<K, V>>> stream = {};  // owns the graph, whose handlers own topics
  std::optional<Sink<TopicRecord<K, V>>> sink = {};

  SourceStream<TopicMessage<K, V>> read() {
    if (const auto made = stream.lock()) return *made;
    using Decode = MessageDecode<K, V>;
    auto raw = kafka::raw_source(name, {.brokers = options.brokers,
                                        .group = options.group,
                                        .start = options.start,
                                        .until_end = options.until_end,
                                        .until_offsets = options.until_offsets,
                                        .wait_for_topic = options.wait_for_topic,
                                        .connect_timeout = options.connect_timeout,
                                        .outage_timeout = options.outage_timeout,
                                        .settings = options.settings});
    const auto made =
        add_source(Source<TopicMessage<K, V>>(std::make_shared<DecodedSource<TopicMessage<K, V>, Decode>>(
            std::move(raw), [topic = name, key = key_codec().make_decoder, value = codec.make_decoder] {
              return Decode{topic, key(), value()};
            })));
    made->outputs().front().from->source_switch = by_hand;
    stream = made;
    return *made;
  }
  Sink<TopicRecord<K, V>> write() {
    if (sink) return *sink;
    using Encode = TopicEncode<K, V>;
    auto raw = options.dry
                   ? dry_sink(name)
                   : pausing_sink(name,
                                  kafka::raw_sink(name, {.brokers = options.brokers,
                                                         .create_topic = options.create_topic,
                                                         .partition = options.partition,
                                                         .connect_timeout = options.connect_timeout,
                                                         .outage_timeout = options.outage_timeout,
                                                         .refuse_in_outage = options.produce_retries > 0,
                                                         .close_timeout = options.close_timeout,
                                                         .settings = options.settings}),
                                  pause);
    sink.emplace(std::make_shared<EncodedSink<TopicRecord<K, V>, Encode>>(
        std::move(raw), Encode{key_codec().make_encoder(), codec.make_encoder()}));
    return *sink;
  }
  Codec<KeyIn<K>> key_codec() const { return options.key ? *options.key : default_key_codec<KeyIn<K>>(); }
};

}  // namespace detail

template <class K, class V>
Topic<K, V> App::topic(std::string name, typename detail::TopicTypes<K, V>::ValueCodec codec,
                       TopicOptions<K> options, Here here) {
  auto impl = std::make_shared<detail::TopicImpl<K, V>>();
  impl->name = std::move(name);
  impl->codec = std::move(codec);
  impl->options = std::move(options);
  impl->pause = handlers_->produce_pause;
  impl->add_source = [this, here](const Source<Message<K, V>>& from) {
    auto stream = std::make_shared<SourceStream<Message<K, V>>>(source(from, here));
    handlers_->sources.emplace_back(from.impl().get(), stream);
    return stream;
  };
  return Topic<K, V>(std::move(impl));
}

}  // namespace slipstream
