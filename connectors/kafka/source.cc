#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <utility>

#include "connectors/kafka/client.h"
#include "connectors/kafka/configured.h"
#include "connectors/kafka/errors.h"
#include "connectors/kafka/group.h"
#include "connectors/kafka/topics.h"
#include "slipstream/detail/mutex.h"

namespace slipstream::kafka {
namespace {

constexpr Milliseconds kRequest{30'000};
constexpr Milliseconds kAgain{500};
constexpr int kSeekMillis = 5'000;
constexpr Milliseconds kCommitWithin{10'000};
constexpr Milliseconds kCommitCutOffWithin{2'000};
constexpr std::int64_t kNoTarget = std::numeric_limits<std::int64_t>::max();
/// What librdkafka needs for a waiting record besides its bytes.
constexpr std::size_t kRecordOverhead = 320;
constexpr std::size_t kDefaultBudget = 64u << 20;
/// Records: a queue that never held so many isn't worth a request.
constexpr std::size_t kManyQueued = 1'000;
constexpr Milliseconds kNudge{1'000};

/// What one partition knows. Guarded by the contract of read(): one thread at a time; except for the atomics.
struct Partition {
  int number = 0;
  std::function<void()> wake;
  Queue queue;
  detail::Mutex stopping;
  bool fetching SLIPSTREAM_GUARDED_BY(stopping) = false;          // librdkafka knows the queue
  std::uint64_t fetches_for SLIPSTREAM_GUARDED_BY(stopping) = 0;  // the number of the seek that led there

  /// Asked for by the lane, carried out by the poll thread, which has to ask the broker first.
  struct Seek {
    std::int64_t asked = 0;
    std::uint64_t number = 0;
    std::optional<absl::StatusOr<std::int64_t>> result = {};
  };
  detail::Mutex seeking;
  std::optional<Seek> seek SLIPSTREAM_GUARDED_BY(seeking);
  std::uint64_t seeks = 0;   // how many there were; their numbers
  std::uint64_t sought = 0;  // the number of the last that arrived

  std::int64_t position = 0;  // the next offset to hand over
  std::int64_t target = kNoTarget;
  bool at_end = false;  // everything up to position is read, and that was the end
  bool finished = false;
  std::size_t most_queued = 0;       // records, since it was last seen half empty
  std::atomic<bool> waiting{false};  // read() found nothing: wake when something comes
};

/// From librdkafka's threads, with the queue locked: only look and wake.
void on_queue_filled(rd_kafka_t*, void* opaque) {
  auto* partition = static_cast<Partition*>(opaque);
  if (partition->waiting.exchange(false)) partition->wake();
}

EventTime from_millis(std::int64_t millis) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 1000;
  return EventTime(Duration(std::clamp(millis, -kMost, kMost) * 1000));
}

HeadersPtr headers_of(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* list = nullptr;
  if (rd_kafka_message_headers(&message, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) return nullptr;
  auto headers = std::make_shared<Headers>();
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(list, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    headers->push_back({name, std::string(static_cast<const char*>(value), value == nullptr ? 0 : size)});
  }
  return headers;
}

std::optional<std::string_view> bytes_of(const void* data, std::size_t size) {
  if (data == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char*>(data), size);
}

RawRecord record_of(const rd_kafka_message_t& message) {
  RawRecord record;
  record.key = bytes_of(message.key, message.key_len);
  record.value = bytes_of(message.payload, message.len);
  record.offset = message.offset;
  rd_kafka_timestamp_type_t type;
  const std::int64_t millis = rd_kafka_message_timestamp(&message, &type);
  if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) record.timestamp = from_millis(millis);
  record.headers = headers_of(message);
  return record;
}

std::size_t queued_in(const Partition& partition) { return rd_kafka_queue_length(partition.queue.get()); }

class KafkaSource final : public RawSource {
 public:
  KafkaSource(std::string topic, SourceOptions options)
      : topic_(std::move(topic)), options_(std::move(options)) {}
  ~KafkaSource() override { (void)shut_down(); }

  std::string name() const override { return "kafka topic " + topic_; }
  std::string position(int partition, std::int64_t offset) const override {
    return "topic " + topic_ + " partition " + std::to_string(partition) + " offset " +
           std::to_string(offset);
  }
  std::optional<std::int64_t> end_offset(int partition) const override;
  std::int64_t start_offset(int partition) const override {
    return partitions_[static_cast<std::size_t>(partition)]->position;
  }
  absl::Status open(const SourceEnv& env) override;
  int partition_count() const override { return count_; }
  absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, RawCollector& out) override;
  bool can_seek() const override { return true; }
  absl::StatusOr<std::optional<std::int64_t>> seek(int partition, std::int64_t offset) override;
  bool commits() const override { return !options_.group.empty(); }
  absl::Status commit(std::span<const PartitionOffset> offsets) override;
  absl::Status close() override;

 private:
  /// One read(): what librdkafka's callback needs.
  struct Pass {
    KafkaSource& source;
    Partition& partition;
    const ReadLimits& limits;
    RawCollector& out;
    std::size_t records = 0;
    std::size_t bytes = 0;
    bool full = false;
    absl::Status status = absl::OkStatus();
  };
  static void on_message(rd_kafka_message_t* message, void* pass);
  void take(const rd_kafka_message_t& message, Pass& pass);
  absl::Status take_error(const rd_kafka_message_t& message, Partition& partition);
  void watch_queue(Partition& partition, std::size_t records, std::size_t queued);
  void nudge_fetcher(int partition);
  absl::Status lost_offset(const Partition& partition) const;

  absl::StatusOr<std::unique_ptr<Client>> start_client(const SourceEnv& env, int partitions,
                                                       std::function<Milliseconds()> check);
  absl::StatusOr<int> look_up(const SourceEnv& env);
  absl::Status open_at_offsets(const SourceEnv& env, int count);
  absl::StatusOr<std::vector<std::int64_t>> start_offsets(const std::vector<Watermarks>& marks);
  absl::StatusOr<std::vector<std::int64_t>> offsets_since(EventTime time,
                                                          const std::vector<Watermarks>& marks);
  absl::Status open_group(const SourceEnv& env, std::vector<std::int64_t>& offsets,
                          const std::vector<Watermarks>& marks);
  absl::Status check_partitions(const std::map<int, std::int64_t>& offsets, const std::string& what,
                                std::size_t count) const;
  absl::Status check_range(int partition, std::int64_t offset, const Watermarks& marks,
                           const std::string& whose) const;
  absl::Status start_fetching(const SourceEnv& env, const std::vector<std::int64_t>& offsets,
                              const std::vector<Watermarks>& marks);
  Milliseconds check();
  Milliseconds check_topic();
  bool carry_out_seeks();
  std::optional<absl::StatusOr<std::int64_t>> carry_out(Partition& partition, const Partition::Seek& seek,
                                                        const Watermarks& marks);
  rd_kafka_resp_err_t fetch_from(Partition& partition, std::int64_t offset, std::uint64_t seek);
  void stop_fetching(Partition& partition, std::optional<std::uint64_t> only_for = {});
  Milliseconds commit_patience() const;
  absl::Status shut_down();
  std::string about(int partition) const {
    return "kafka topic '" + topic_ + "' partition " + std::to_string(partition);
  }

  const std::string topic_;
  SourceOptions options_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Group> group_;  // null without a group
  bool joins_ = false;
  TopicHandle handle_;
  std::vector<std::unique_ptr<Partition>> partitions_;
  std::atomic<bool> may_seek_{false};  // partitions_ is complete: the poll thread may look at it
  std::atomic<bool> nudging_{false};   // the poll thread does or will
  int count_ = 0;
  Milliseconds check_interval_{10'000};
  // Of the poll thread.
  int known_partitions_ = 0;
  int missing_ = 0;  // checks in a row that did not find the topic
};

/// What the client heard with its last fetch.
std::optional<std::int64_t> KafkaSource::end_offset(int partition) const {
  std::int64_t low = -1;
  std::int64_t high = -1;
  rd_kafka_get_watermark_offsets(client_->get(), topic_.c_str(), partition, &low, &high);
  return high < 0 ? std::nullopt : std::optional(high);
}

absl::StatusOr<std::unique_ptr<Client>> KafkaSource::start_client(const SourceEnv& env, int partitions,
                                                                  std::function<Milliseconds()> check) {
  // Half of a partition's share for bytes, half for what every record costs besides them: so it holds for
  // records of any size. librdkafka's own default of 100,000 records stalls fast readers.
  const std::size_t budget = env.memory_budget == 0 ? kDefaultBudget : env.memory_budget;
  const std::size_t share = budget / static_cast<std::size_t>(partitions);
  const auto number = [](std::size_t wanted, std::size_t least, std::size_t most) {
    return std::to_string(std::clamp(wanted, least, most));
  };
  const Settings defaults = {
      {"queued.max.messages.kbytes", number(share / 2 / 1024, 64, 2'000'000)},
      {"queued.min.messages", number(share / 2 / kRecordOverhead, 100, 1'000'000)},
      {"fetch.message.max.bytes", number(share / 4, 64 << 10, 1 << 20)},
      {"fetch.max.bytes", number(budget / 4, 1 << 20, 50 << 20)},
      {"fetch.wait.max.ms", "100"},
      {"fetch.error.backoff.ms", "100"},
      {"check.crcs", "true"},
      {"socket.keepalive.enable", "true"},
      {"topic.metadata.refresh.interval.ms", "10000"},
      {"reconnect.backoff.max.ms", "2000"},
      {"client.id", "slipstream"},
  };
  const Settings owned = {{"enable.auto.commit", "false"},
                          {"enable.auto.offset.store", "false"},
                          {"enable.partition.eof", "true"},
                          {"auto.offset.reset", "error"}};
  auto conf = client_conf(Role::consumer, options_.brokers, options_.settings, defaults, owned);
  if (!conf.ok()) return conf.status();
  const std::string refresh = setting(conf->conf.get(), "topic.metadata.refresh.interval.ms");
  check_interval_ = Milliseconds(std::max(100, std::atoi(refresh.c_str())));
  Client::Options client;
  client.what = name();
  client.brokers = options_.brokers;
  client.log = env.log;
  client.fail = env.fail;
  client.connect_timeout = *options_.connect_timeout;
  client.outage_timeout = options_.outage_timeout;
  client.check = std::move(check);
  client.first_check = check_interval_;
  return Client::start(Role::consumer, *std::move(conf), std::move(client));
}

/// How many partitions there are, asked with a client of its own: the limits of the real one depend on it.
absl::StatusOr<int> KafkaSource::look_up(const SourceEnv& env) {
  auto client = start_client(env, 1, {});
  if (!client.ok()) return client.status();
  if (absl::Status status = (*client)->connect(); !status.ok()) return status;
  return await_topic(**client, topic_,
                     {.wait = options_.wait_for_topic,
                      .patience = kRequest,
                      .create = false,
                      .way_out = "create it, or set wait_for_topic"});
}

absl::Status KafkaSource::open(const SourceEnv& env) {
  options_ = configured(std::move(options_), env.config);
  const auto count = look_up(env);
  if (!count.ok()) return count.status();
  auto client = start_client(env, *count, [this] { return check(); });
  if (!client.ok()) return client.status();
  count_ = known_partitions_ = *count;
  client_ = *std::move(client);
  absl::Status status = open_at_offsets(env, *count);
  if (!status.ok()) (void)shut_down();
  return status;
}

absl::Status KafkaSource::open_at_offsets(const SourceEnv& env, int count) {
  if (absl::Status status = client_->connect(); !status.ok()) return status;
  const auto marks = watermarks(*client_, topic_, count, Deadline(kRequest));
  if (!marks.ok()) return marks.status();
  if (absl::Status status = check_partitions(options_.until_offsets, "end", marks->size()); !status.ok())
    return status;
  auto offsets = start_offsets(*marks);
  if (!offsets.ok()) return offsets.status();
  if (!options_.group.empty()) {
    if (absl::Status status = open_group(env, *offsets, *marks); !status.ok()) return status;
  }
  if (absl::Status status = start_fetching(env, *offsets, *marks); !status.ok()) return status;
  may_seek_ = true;
  return joins_ ? group_->join() : absl::OkStatus();
}

absl::StatusOr<std::vector<std::int64_t>> KafkaSource::start_offsets(const std::vector<Watermarks>& marks) {
  const Start& start = options_.start;
  if (start.at == Start::At::time) return offsets_since(start.time, marks);
  std::vector<std::int64_t> offsets;
  for (const Watermarks& mark : marks) offsets.push_back(start.at == Start::At::end ? mark.high : mark.low);
  if (start.at != Start::At::offset) return offsets;
  if (absl::Status status = check_partitions(start.by_partition, "start", offsets.size()); !status.ok())
    return status;
  for (std::size_t p = 0; p < offsets.size(); ++p) {
    const auto named = start.by_partition.find(static_cast<int>(p));
    if (start.everywhere) offsets[p] = *start.everywhere;
    if (named != start.by_partition.end()) offsets[p] = named->second;
    if (absl::Status status = check_range(static_cast<int>(p), offsets[p], marks[p], "start"); !status.ok())
      return status;
  }
  return offsets;
}

absl::Status KafkaSource::check_partitions(const std::map<int, std::int64_t>& offsets,
                                           const std::string& what, std::size_t count) const {
  for (const auto& [partition, offset] : offsets) {
    if (partition >= 0 && partition < static_cast<int>(count)) continue;
    return absl::InvalidArgumentError("kafka topic '" + topic_ + "' has no partition " +
                                      std::to_string(partition) + " to " + what + " at offset " +
                                      std::to_string(offset) + "; it has " + std::to_string(count));
  }
  return absl::OkStatus();
}

absl::Status KafkaSource::check_range(int partition, std::int64_t offset, const Watermarks& marks,
                                      const std::string& whose) const {
  if (offset >= marks.low && offset <= marks.high) return absl::OkStatus();
  return absl::OutOfRangeError(about(partition) + ": the " + whose + " offset " + std::to_string(offset) +
                               " is outside of what the broker has, " + std::to_string(marks.low) + " to " +
                               std::to_string(marks.high));
}

absl::StatusOr<std::vector<std::int64_t>> KafkaSource::offsets_since(EventTime time,
                                                                     const std::vector<Watermarks>& marks) {
  const int count = static_cast<int>(marks.size());
  if (is_embedded(*client_, Deadline(kRequest))) {
    return absl::UnimplementedError(
        "kafka topic '" + topic_ + "': the embedded broker at " + options_.brokers +
        " can't find offsets by time; start at the beginning, the end or an offset");
  }
  const auto micros = std::max<std::int64_t>(0, time.time_since_epoch().count());
  auto offsets =
      list_offsets(*client_, topic_, count, micros / 1000 + (micros % 1000 != 0), Deadline(kRequest));
  if (!offsets.ok()) return offsets;
  for (std::size_t p = 0; p < marks.size(); ++p) {
    if ((*offsets)[p] < 0) (*offsets)[p] = marks[p].high;
  }
  return offsets;
}

/// Makes sure that nobody else works for the group, and goes on where it left off.
absl::Status KafkaSource::open_group(const SourceEnv& env, std::vector<std::int64_t>& offsets,
                                     const std::vector<Watermarks>& marks) {
  auto group = Group::start({.name = options_.group,
                             .topic = topic_,
                             .partitions = static_cast<int>(offsets.size()),
                             .brokers = options_.brokers,
                             .settings = options_.settings,
                             .is_embedded = is_embedded(*client_, Deadline(kRequest)),
                             .log = env.log,
                             .fail = env.fail});
  if (!group.ok()) return group.status();
  group_ = *std::move(group);
  const absl::Status alone = group_->await_alone();
  joins_ = alone.ok();
  if (absl::IsUnimplemented(alone)) {
    client_->log(LogLevel::info, std::string(alone.message()) + "; another member would not be noticed");
  } else if (!alone.ok()) {
    return alone;
  }
  const auto committed = group_->committed();
  if (!committed.ok()) return committed.status();
  for (std::size_t p = 0; p < offsets.size(); ++p) {
    if (!(*committed)[p]) continue;
    offsets[p] = *(*committed)[p];
    const std::string whose = "committed (group '" + options_.group + "')";
    if (absl::Status status = check_range(static_cast<int>(p), offsets[p], marks[p], whose); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status KafkaSource::start_fetching(const SourceEnv& env, const std::vector<std::int64_t>& offsets,
                                         const std::vector<Watermarks>& marks) {
  handle_.reset(rd_kafka_topic_new(client_->get(), topic_.c_str(), nullptr));
  if (handle_ == nullptr) return error(rd_kafka_last_error(), "kafka topic '" + topic_ + "'");
  for (std::size_t p = 0; p < offsets.size(); ++p) {
    auto partition = std::make_unique<Partition>();
    partition->number = static_cast<int>(p);
    partition->wake = env.wake;
    partition->position = offsets[p];
    if (options_.until_end) partition->target = marks[p].high;
    if (const auto until = options_.until_offsets.find(partition->number);
        until != options_.until_offsets.end())
      partition->target = until->second;
    partition->finished = partition->position >= partition->target;
    partition->queue.reset(rd_kafka_queue_new(client_->get()));
    partitions_.push_back(std::move(partition));
  }
  for (const auto& partition : partitions_) {
    if (partition->finished) continue;
    const rd_kafka_resp_err_t failed = fetch_from(*partition, partition->position, 0);
    if (failed) return error(failed, about(partition->number) + ": starting to read");
  }
  return absl::OkStatus();
}

void KafkaSource::on_message(rd_kafka_message_t* message, void* opaque) {
  Pass& pass = *static_cast<Pass*>(opaque);
  pass.source.take(*message, pass);
  if (pass.full || pass.partition.finished || !pass.status.ok()) rd_kafka_yield(pass.source.client_->get());
}

void KafkaSource::take(const rd_kafka_message_t& message, Pass& pass) {
  Partition& partition = pass.partition;
  if (message.err) {
    pass.status = take_error(message, partition);
    return;
  }
  if (message.offset >= partition.target) {
    partition.finished = true;
    return;
  }
  partition.at_end = false;
  partition.position = message.offset + 1;
  partition.finished = partition.position >= partition.target;
  const RawRecord record = record_of(message);
  pass.out.add({&record, 1});
  pass.records += 1;
  pass.bytes += message.len + message.key_len;
  pass.full = pass.records >= pass.limits.max_records || pass.bytes >= pass.limits.max_bytes;
}

absl::Status KafkaSource::take_error(const rd_kafka_message_t& message, Partition& partition) {
  const std::string reason = message.payload == nullptr
                                 ? describe(message.err)
                                 : std::string(static_cast<const char*>(message.payload), message.len);
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      // Transaction markers and compacted records leave gaps: the end may be beyond the last record.
      partition.position = std::max(partition.position, message.offset);
      partition.at_end = true;
      partition.finished = partition.position >= partition.target;
      return absl::OkStatus();
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      return lost_offset(partition);
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      // One broker's word, which may be out of date: the poll thread asks again and ends the run if it is
      // true.
      client_->check_soon();
      return absl::OkStatus();
    default:
      break;
  }
  if (is_passing(message.err)) {
    client_->log(LogLevel::warning, about(partition.number) + ": " + reason + "; trying again");
    return absl::OkStatus();
  }
  return {code_of(message.err),
          about(partition.number) + " at offset " + std::to_string(partition.position) + ": " + reason};
}

absl::Status KafkaSource::lost_offset(const Partition& partition) const {
  std::int64_t low = -1;
  std::int64_t high = -1;
  rd_kafka_get_watermark_offsets(client_->get(), topic_.c_str(), partition.number, &low, &high);
  const std::string has =
      low < 0 || high < 0 ? "" : ", which has " + std::to_string(low) + " to " + std::to_string(high);
  return absl::OutOfRangeError(
      about(partition.number) + ": offset " + std::to_string(partition.position) +
      " is no longer on the broker" + has +
      "; its retention took it or the topic was created anew; say with 'start' where to go on");
}

absl::StatusOr<ReadState> KafkaSource::read(int number, const ReadLimits& limits, RawCollector& out) {
  Partition& partition = *partitions_[static_cast<std::size_t>(number)];
  if (partition.finished) return ReadState::finished;
  partition.waiting = false;
  Pass pass{*this, partition, limits, out};
  rd_kafka_consume_callback_queue(partition.queue.get(), 0, &KafkaSource::on_message, &pass);
  if (!pass.status.ok()) return pass.status;
  if (partition.finished) {
    client_->post([this, &partition, sought = partition.sought] { stop_fetching(partition, sought); });
    return ReadState::finished;
  }
  watch_queue(partition, pass.records, queued_in(partition));
  if (pass.full) return ReadState::more;
  // What comes between this and the look at the queue is seen by the one or the other.
  partition.waiting = true;
  if (queued_in(partition) > 0) {
    partition.waiting = false;
    return ReadState::more;
  }
  return partition.at_end ? ReadState::caught_up : ReadState::waiting;
}

/// librdkafka stops to fetch a partition when enough of it is queued. That there is room again it notices
/// when something happens to its broker thread, or after a second, in which a fast reader starves.
void KafkaSource::watch_queue(Partition& partition, std::size_t records, std::size_t queued) {
  partition.most_queued = std::max(partition.most_queued, queued + records);
  if (partition.most_queued < kManyQueued || queued > partition.most_queued / 2) return;
  partition.most_queued = queued;
  if (nudging_.exchange(true)) return;
  client_->post([this, number = partition.number] {
    nudge_fetcher(number);
    nudging_ = false;
  });
}

/// From the poll thread: a question to the partition's leader is something that happens. The answer doesn't
/// matter.
void KafkaSource::nudge_fetcher(int partition) {
  if (client_->is_cut_off()) return;
  const PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition)->offset = RD_KAFKA_OFFSET_END;
  rd_kafka_offsets_for_times(client_->get(), list.get(), static_cast<int>(kNudge.count()));
}

// ---------------------------------------------------------------- seeking

absl::StatusOr<std::optional<std::int64_t>> KafkaSource::seek(int number, std::int64_t offset) {
  Partition& partition = *partitions_[static_cast<std::size_t>(number)];
  const detail::MutexLock lock(partition.seeking);
  if (!partition.seek || partition.seek->asked != offset) {
    partition.seek = {offset, ++partition.seeks};
    client_->check_soon();
    return std::nullopt;
  }
  if (!partition.seek->result) return std::nullopt;
  const absl::StatusOr<std::int64_t> at = *std::move(partition.seek->result);
  partition.sought = partition.seek->number;
  partition.seek.reset();
  if (!at.ok()) return at.status();
  partition.position = *at;
  partition.at_end = false;
  partition.finished = *at >= partition.target;
  if (partition.finished)
    client_->post([this, &partition, sought = partition.sought] { stop_fetching(partition, sought); });
  return *at;
}

/// From the poll thread, while a broker answers. False: some of them need another try.
bool KafkaSource::carry_out_seeks() {
  if (!may_seek_) return true;
  std::optional<std::vector<Watermarks>> marks;
  bool all = true;
  for (const auto& p : partitions_) {
    Partition::Seek seek;
    {
      const detail::MutexLock lock(p->seeking);
      if (!p->seek || p->seek->result) continue;
      seek = *p->seek;
    }
    if (!marks) {
      auto asked = watermarks(*client_, topic_, count_, Deadline(Milliseconds(2'000)));
      if (!asked.ok()) return false;
      marks = *std::move(asked);
    }
    auto result = carry_out(*p, seek, (*marks)[static_cast<std::size_t>(p->number)]);
    all = all && result;
    if (!result) continue;
    {
      const detail::MutexLock lock(p->seeking);
      if (p->seek && p->seek->number == seek.number) p->seek->result = std::move(result);
    }
    p->wake();
  }
  return all;
}

/// Where it goes on; empty: it may succeed later.
std::optional<absl::StatusOr<std::int64_t>> KafkaSource::carry_out(Partition& partition,
                                                                   const Partition::Seek& seek,
                                                                   const Watermarks& marks) {
  const std::int64_t at = seek.asked == kBeginning ? marks.low : seek.asked == kEnd ? marks.high : seek.asked;
  if (absl::Status status = check_range(partition.number, at, marks, "sought"); !status.ok()) return status;
  const rd_kafka_resp_err_t failed = fetch_from(partition, at, seek.number);
  if (!failed) return at;
  if (failed == RD_KAFKA_RESP_ERR__TIMED_OUT || failed == RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS)
    return std::nullopt;
  return error(failed, about(partition.number) + ": seeking offset " + std::to_string(at));
}

/// Of what librdkafka has in the partition's queue it hands out nothing of before.
rd_kafka_resp_err_t KafkaSource::fetch_from(Partition& partition, std::int64_t offset, std::uint64_t seek) {
  const detail::MutexLock lock(partition.stopping);
  partition.fetches_for = seek;
  if (partition.fetching) return rd_kafka_seek(handle_.get(), partition.number, offset, kSeekMillis);
  rd_kafka_queue_cb_event_enable(partition.queue.get(), &on_queue_filled, &partition);
  if (rd_kafka_consume_start_queue(handle_.get(), partition.number, offset, partition.queue.get()) != 0)
    return rd_kafka_last_error();
  partition.fetching = true;
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

absl::Status KafkaSource::commit(std::span<const PartitionOffset> offsets) {
  if (group_ != nullptr) group_->commit(offsets);
  return absl::OkStatus();
}

Milliseconds KafkaSource::check() {
  const bool all = carry_out_seeks();
  const Milliseconds next = check_topic();
  return all ? next : std::min(next, kAgain);
}

Milliseconds KafkaSource::check_topic() {
  const auto count = slipstream::kafka::partition_count(*client_, topic_, Deadline(Milliseconds(2'000)));
  if (absl::IsNotFound(count.status())) {
    // A broker that has just started may not know its topics yet.
    if (++missing_ < 3) return kAgain;
    client_->fail(absl::NotFoundError("kafka topic '" + topic_ + "' was deleted on " + options_.brokers +
                                      " while it was read"));
    return check_interval_;
  }
  missing_ = 0;
  if (!count.ok()) return check_interval_;
  if (*count < known_partitions_) {
    client_->fail(absl::AbortedError("kafka topic '" + topic_ + "' had " + std::to_string(known_partitions_) +
                                     " partitions and has " + std::to_string(*count) +
                                     ": it was deleted and created anew while it was read"));
  } else if (*count > known_partitions_) {
    client_->log(LogLevel::warning, "kafka topic '" + topic_ + "' grew from " +
                                        std::to_string(known_partitions_) + " to " + std::to_string(*count) +
                                        " partitions; the new ones are not read: restart to read them");
  }
  known_partitions_ = *count;
  return check_interval_;
}

/// With a number: only if no later seek than that led to where it is fetched from.
void KafkaSource::stop_fetching(Partition& partition, std::optional<std::uint64_t> only_for) {
  const detail::MutexLock lock(partition.stopping);
  if (only_for && partition.fetches_for != *only_for) return;
  if (!std::exchange(partition.fetching, false)) return;
  rd_kafka_queue_cb_event_enable(partition.queue.get(), nullptr, nullptr);
  if (rd_kafka_consume_stop(handle_.get(), partition.number) != 0) {
    client_->log(LogLevel::warning,
                 about(partition.number) + ": stopping: " + describe(rd_kafka_last_error()));
  }
}

/// After an outage nobody needs to wait for the broker once more; during one, whoever stops the program wants
/// it to end.
Milliseconds KafkaSource::commit_patience() const {
  if (client_->has_failed()) return Milliseconds(0);
  return client_->is_cut_off() ? kCommitCutOffWithin : kCommitWithin + group_->session_timeout();
}

absl::Status KafkaSource::shut_down() {
  if (client_ == nullptr) return absl::OkStatus();
  client_->stop_polling();  // nothing is sought any more
  may_seek_ = false;
  for (const auto& partition : partitions_) stop_fetching(*partition);
  absl::Status status;
  if (group_ != nullptr) status = group_->close(commit_patience());
  group_.reset();
  partitions_.clear();
  handle_.reset();
  client_.reset();
  return status;
}

absl::Status KafkaSource::close() { return shut_down(); }

}  // namespace

std::shared_ptr<RawSource> raw_source(std::string topic, SourceOptions options) {
  return std::make_shared<KafkaSource>(std::move(topic), std::move(options));
}

}  // namespace slipstream::kafka
