#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/codec.h"
#include "slipstream/connector.h"
#include "slipstream/log.h"
#include "slipstream/record.h"
#include "slipstream/sink.h"
#include "slipstream/source.h"
#include "slipstream/time.h"

/// Kafka topics as sources and sinks, a broker inside this process for tests and demos, and small helpers to
/// look after topics.
namespace slipstream::kafka {

/// Properties of the client library (librdkafka) by their own names, e.g. {{"compression.type", "lz4"}}. All
/// are passed through, except
///  - names it doesn't know: refused with the nearest ones;
///  - names that would run code (plugin.library.paths, sasl.kerberos.kinit.cmd, …) or take over what this
///    library does itself (offsets, group membership, brokers): refused with the reason;
///  - values that switch off TLS checks or send passwords in the clear: refused unless the name is written
///    with the prefix "insecure_", which logs a warning at every start.
/// Values of secrets (passwords, tokens, keys) never appear in messages.
using Settings = std::map<std::string, std::string>;

/// Where a source begins.
class Start {
 public:
  /// The oldest record the broker still has.
  static Start beginning() { return Start(At::beginning); }
  /// Only what comes after the start.
  static Start end() { return Start(At::end); }
  /// This offset in every partition.
  static Start offset(std::int64_t offset) {
    Start start(At::offset);
    start.everywhere = offset;
    return start;
  }
  /// These offsets per partition; partitions not named begin at their beginning.
  static Start offsets(std::map<int, std::int64_t> by_partition) {
    Start start(At::offset);
    start.by_partition = std::move(by_partition);
    return start;
  }
  /// In every partition the first record whose timestamp is not before `time` (to the millisecond), or the
  /// end where there is none. An EmbeddedBroker cannot do this and says so.
  static Start since(EventTime time) {
    Start start(At::time);
    start.time = time;
    return start;
  }

  enum class At { beginning, end, offset, time };
  At at;
  std::optional<std::int64_t> everywhere;
  std::map<int, std::int64_t> by_partition;
  EventTime time = kMinTime;

 private:
  explicit Start(At where) : at(where) {}
};

struct SourceOptions {
  /// HOST:PORT[,HOST:PORT…]; empty: the App's kafka.brokers, or 127.0.0.1:9092.
  std::string brokers = {};
  /// Where finished offsets are committed and, at the next start, resumed. This source reads all partitions
  /// and must be the group's only member, but for sources of this process with other topics: opening waits
  /// for members that died (session.timeout.ms, 10 s unless set) and then is FailedPrecondition with the
  /// names of those that are there; a member that takes partitions later ends the run. An EmbeddedBroker
  /// doesn't notice other members. Empty: nothing is committed, and every start begins at `start`.
  std::string group = {};
  Start start = Start::beginning();  ///< for partitions without a committed offset
  /// Ends at the offsets that were the end when the source was opened.
  bool until_end = false;
  /// Ends these partitions before these offsets, which need not be there yet; the others as until_end says.
  /// For topics that are still being written when their end is known. A partition that ends at 0 has finished
  /// at once, so it holds back no watermark.
  std::map<int, std::int64_t> until_offsets = {};
  /// How long to wait for a topic that doesn't exist yet; 0: it is an error that names the nearest ones.
  std::chrono::milliseconds wait_for_topic{0};
  /// How long to try to reach a broker at the start; said after at most 2 s. Empty: kafka.connect_timeout.
  std::optional<std::chrono::milliseconds> connect_timeout = {};
  /// How long to go on without any broker while running; said at once.
  std::chrono::milliseconds outage_timeout = std::chrono::minutes(10);
  Settings settings = {};  ///< those of the App's kafka.settings win
};

/// Reads all partitions of a topic, with keys, headers, timestamps and tombstones.
///
/// A partition that isn't read keeps what was fetched, up to its part of the source's memory budget, and then
/// stops fetching. Nothing is skipped silently: an offset the broker no longer has, a deleted topic and a
/// damaged record end the run with an error that names them. A topic that gets more partitions is reported;
/// they are read from the next start on. It can be sought (SourceStream::seek); an offset the broker doesn't
/// have ends the run, as at the start.
std::shared_ptr<RawSource> raw_source(std::string topic, SourceOptions options = {});

template <class T>
Source<T> source(std::string topic, Codec<T> codec, SourceOptions options = {}) {
  return decoded<T>(raw_source(std::move(topic), std::move(options)), std::move(codec));
}

struct SinkOptions {
  std::string brokers = {};  ///< as for a source
  /// Let the broker create a missing topic with its default number of partitions.
  bool create_topic = false;
  /// Chooses the partition of a record among `count`; by default records with equal keys go to the same one,
  /// as Java's producer does it (murmur2), and records without a key to a random one.
  std::function<int(const OutRecord& record, int count)> partition = {};
  std::optional<std::chrono::milliseconds> connect_timeout = {};  ///< as for a source
  std::chrono::milliseconds outage_timeout = std::chrono::minutes(10);
  /// While no broker answers, nothing more is taken: write() is Unavailable, and the retries of
  /// slipstream::SinkOptions::errors offer it again. False: records are taken until the memory budget is
  /// full.
  bool refuse_in_outage = false;
  /// How long close() waits for what is still to be delivered.
  std::chrono::milliseconds close_timeout = std::chrono::seconds(10);
  Settings settings = {};  ///< those of the App's kafka.settings win
};

/// Writes to a topic. Every delivery is checked; the client retries by itself without reordering or
/// duplicating (enable.idempotence, acks=all) and gives up after "message.timeout.ms" (5 minutes): then the
/// run ends with an error that names topic, key and cause. What is taken but not yet delivered stays within
/// the sink's memory budget; beyond it the sink is full, which slows the sources down.
std::shared_ptr<RawSink> raw_sink(std::string topic, SinkOptions options = {});

/// `key` overwrites its second argument with the record's key; without it records have none.
template <class T>
Sink<T> sink(std::string topic, Codec<T> codec, SinkOptions options = {},
             std::function<void(const std::type_identity_t<T>&, std::string& key)> key = {}) {
  return encoded<T>(raw_sink(std::move(topic), std::move(options)), std::move(codec), std::move(key));
}

/// A Kafka broker inside this process, on a port of its own of the loopback interface, for demos and tests;
/// other processes may use it too. Everything is in memory and gone with the object. Movable; threads: any.
///
/// It is no Kafka: each partition keeps only its newest 5 MiB (compress, and check that low watermarks stay
/// 0), topics somebody asks to create by writing get 4 partitions, offsets by time, transactions, creating or
/// deleting topics through Admin, TLS, authentication and telling who is in a group don't work, and an idle
/// reader waits up to "fetch.wait.max.ms" for a new record.
class EmbeddedBroker {
 public:
  struct Topic {
    std::string name = {};
    int partitions = 1;
  };
  static absl::StatusOr<EmbeddedBroker> start(std::vector<Topic> topics);
  EmbeddedBroker(EmbeddedBroker&&) noexcept;
  EmbeddedBroker& operator=(EmbeddedBroker&&) noexcept;
  ~EmbeddedBroker();

  /// "127.0.0.1:PORT", for `brokers`.
  const std::string& bootstrap() const;
  /// AlreadyExists when there is one of that name.
  absl::Status create_topic(const Topic& topic);
  /// false drops all connections and refuses new ones, as if the broker had died; true brings it back with
  /// all its records.
  absl::Status set_reachable(bool reachable);

 private:
  struct Impl;
  explicit EmbeddedBroker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct ClientOptions {
  std::string brokers = "127.0.0.1:9092";
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(30);
  std::chrono::milliseconds request_timeout = std::chrono::seconds(30);
  Settings settings = {};
  LogHook log = {};  ///< null: silent
};

struct Watermarks {
  std::int64_t low = 0;   ///< offset of the oldest record
  std::int64_t high = 0;  ///< offset the next record will get
};

struct NewTopic {
  std::string name = {};                            ///< letters, digits, '.', '_' and '-'
  int partitions = 1;                               ///< 1 to 100,000
  int replication = 1;                              ///< at least 1; how many brokers keep each partition
  std::map<std::string, std::string> configs = {};  ///< the broker's, e.g. {"cleanup.policy", "compact"}
};

/// Which brokers have a partition, by their ids.
struct PartitionBrokers {
  int leader = -1;                 ///< -1: it has none now
  std::vector<int> replicas = {};  ///< all that keep it
  std::vector<int> in_sync = {};   ///< those that have all of it
};

struct TopicConfig {
  std::string value = {};
  bool is_default = true;  ///< the broker's, not set for this topic
};

struct TopicDescription {
  std::string name = {};
  std::vector<PartitionBrokers> partitions = {};    ///< by number
  std::map<std::string, TopicConfig> configs = {};  ///< by name; none on an EmbeddedBroker
};

/// Looks after topics. Calls block up to the request timeout; one thread at a time.
///
/// Errors name the topic: NotFound with the nearest names, AlreadyExists, InvalidArgument for what the broker
/// or this class doesn't accept, PermissionDenied, and Unavailable when no answer came in time, after which
/// it isn't known whether something was created or deleted. An EmbeddedBroker creates and deletes only
/// through its own create_topic: Unimplemented.
class Admin {
 public:
  /// Unavailable when no broker answers in time, Unauthenticated when it refuses us.
  static absl::StatusOr<Admin> connect(ClientOptions options = {});
  Admin(Admin&&) noexcept;
  Admin& operator=(Admin&&) noexcept;
  ~Admin();

  /// Names in alphabetical order, without the broker's own (those that begin with "__").
  absl::StatusOr<std::vector<std::string>> list_topics();
  /// How many partitions.
  absl::StatusOr<int> partition_count(const std::string& topic);
  /// Per partition, what it holds.
  absl::StatusOr<std::vector<Watermarks>> watermarks(const std::string& topic);
  /// In the order asked for. Needs the right to see their configs, too.
  absl::StatusOr<std::vector<TopicDescription>> describe_topics(const std::vector<std::string>& topics);
  /// Returns when all of them can be written to. An error is about the first one refused; others may exist
  /// then.
  absl::Status create_topics(const std::vector<NewTopic>& topics);
  /// Returns when none of them is listed any more. An error is about the first one refused; others may be
  /// gone then.
  absl::Status delete_topics(const std::vector<std::string>& topics);

 private:
  struct Impl;
  explicit Admin(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// One record for Producer::produce; the views need to be valid only during the call.
struct ProducerRecord {
  std::optional<int> partition = {};  ///< by key when empty
  std::optional<std::string_view> key = {};
  std::optional<std::string_view> value = {};  ///< empty: a tombstone
  std::optional<EventTime> timestamp = {};     ///< now when empty
  const Headers* headers = nullptr;
};

/// Writes to topics by hand, for tools and tests; same guarantees as a sink. One thread at a time.
class Producer {
 public:
  static absl::StatusOr<Producer> connect(ClientOptions options = {});
  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) noexcept;
  /// Drops what isn't delivered: flush() first.
  ~Producer();

  /// Takes one record; waits while 64 MiB are under way. An earlier record's failed delivery is an error,
  /// too.
  absl::Status produce(const std::string& topic, const ProducerRecord& record);
  /// Waits until everything taken is delivered. DeadlineExceeded says how many are not after `timeout`.
  absl::Status flush(std::chrono::milliseconds timeout = std::chrono::seconds(60));

 private:
  struct Impl;
  explicit Producer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipstream::kafka
