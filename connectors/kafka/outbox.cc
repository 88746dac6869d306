#include "connectors/kafka/outbox.h"

#include <algorithm>
#include <cstdlib>

#include "connectors/kafka/errors.h"
#include "connectors/kafka/topics.h"

namespace slipstream::kafka {
namespace {

/// What librdkafka needs for a waiting record besides its bytes.
constexpr std::size_t kRecordOverhead = 320;

static_assert(sizeof(void*) == 8, "an opaque pointer carries a record's number and size");

/// A delivery report gives back one pointer: the low 32 bits of the record's number, and its size.
void* pack(std::uint64_t number, std::uint32_t size) {
  return reinterpret_cast<void*>((number << 32) | size);  // NOLINT
}
std::uint32_t size_of(const void* packed) {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(packed));
}
std::uint64_t number_of(const void* packed, std::uint64_t prefix) {
  const auto low = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(packed) >> 32);
  return prefix + static_cast<std::uint32_t>(low - static_cast<std::uint32_t>(prefix));
}

std::size_t size_of(const OutRecord& record) {
  std::size_t size = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  if (record.headers == nullptr) return size;
  for (const Header& header : *record.headers) size += header.name.size() + header.value.size();
  return size;
}

/// librdkafka takes a null pointer for "none": an empty key or value needs another one.
const void* pointer_to(const std::optional<std::string_view>& bytes) {
  if (!bytes) return nullptr;
  return bytes->data() == nullptr ? "" : bytes->data();
}

std::int64_t millis_of(const std::optional<EventTime>& time) {
  if (!time) return 0;  // librdkafka: now
  return std::chrono::floor<Milliseconds>(*time).time_since_epoch().count();
}

HeaderList headers_of(const OutRecord& record) {
  if (record.headers == nullptr || record.headers->empty()) return nullptr;
  HeaderList list(rd_kafka_headers_new(record.headers->size()));
  for (const Header& header : *record.headers) {
    rd_kafka_header_add(list.get(), header.name.data(), static_cast<ssize_t>(header.name.size()),
                        header.value.data(), static_cast<ssize_t>(header.value.size()));
  }
  return list;
}

std::string key_text(const void* key, std::size_t size) {
  return key == nullptr ? "no key" : "key " + shortened(key, size);
}

}  // namespace

void Prefix::done(std::uint64_t number) {
  const auto index = static_cast<std::size_t>(number - length_);
  if (index >= beyond_.size()) beyond_.resize(index + 1);
  beyond_[index] = true;
  for (; !beyond_.empty() && beyond_.front(); ++length_) beyond_.pop_front();
}

absl::StatusOr<std::unique_ptr<Outbox>> Outbox::open(Options options) {
  std::unique_ptr<Outbox> box(new Outbox(std::move(options)));
  const Options& o = box->options_;
  const std::size_t kbytes = std::clamp<std::size_t>(o.memory_budget / 1024, 4 * 1024, 2'000'000);
  const Settings defaults = {
      {"enable.idempotence", "true"},
      {"acks", "all"},
      {"partitioner", "murmur2_random"},
      {"queue.buffering.max.messages", "0"},
      {"queue.buffering.max.kbytes", std::to_string(kbytes)},
      {"linger.ms", "5"},
      {"socket.keepalive.enable", "true"},
      {"reconnect.backoff.max.ms", "2000"},
      {"topic.metadata.refresh.interval.ms", "10000"},
      {"client.id", "slipstream"},
  };
  const Settings owned = {{"allow.auto.create.topics", o.create_topic ? "true" : "false"}};
  auto conf = client_conf(Role::producer, o.brokers, o.settings, defaults, owned);
  if (!conf.ok()) return conf.status();
  box->max_message_bytes_ = setting(conf->conf.get(), "message.max.bytes");
  Client::Options client;
  client.what = o.what;
  client.brokers = o.brokers;
  client.log = o.log;
  client.fail = [box = box.get()](absl::Status status) { box->set_failed(std::move(status)); };
  client.connect_timeout = o.connect_timeout;
  client.outage_timeout = o.outage_timeout;
  client.on_delivery = [box = box.get()](const rd_kafka_message_t& message) { box->on_delivery(message); };
  client.after_poll = [box = box.get()] { box->after_poll(); };
  auto started = Client::start(Role::producer, *std::move(conf), std::move(client));
  if (!started.ok()) return started.status();
  box->client_ = *std::move(started);
  if (absl::Status status = box->client_->connect(); !status.ok()) return status;
  return box;
}

Outbox::~Outbox() { close(); }

absl::StatusOr<int> Outbox::open_topic(const std::string& topic, const std::string& way_out) {
  const Milliseconds patience(30'000);
  const bool create = options_.create_topic;
  auto count = await_topic(*client_, topic,
                           {.wait = create ? patience : Milliseconds(0),
                            .patience = patience,
                            .create = create,
                            .way_out = way_out});
  if (!count.ok()) return count;
  const auto opened = handle(topic);
  if (!opened.ok()) return opened.status();
  return count;
}

absl::StatusOr<rd_kafka_topic_t*> Outbox::handle(const std::string& topic) {
  TopicHandle& handle = topics_[topic];
  if (handle == nullptr) handle.reset(rd_kafka_topic_new(client_->get(), topic.c_str(), nullptr));
  if (handle == nullptr) return error(rd_kafka_last_error(), "kafka topic '" + topic + "'");
  return handle.get();
}

absl::StatusOr<bool> Outbox::produce(const std::string& topic, int partition, const OutRecord& record) {
  if (failed_) return delivered().status();
  const auto opened = handle(topic);
  if (!opened.ok()) return opened.status();
  const std::size_t size = size_of(record);
  const std::size_t weight = size + kRecordOverhead;
  const std::size_t before = bytes_;
  if (before > 0 && before + weight > options_.memory_budget) return false;

  HeaderList headers = headers_of(record);
  const std::size_t key_size = record.key ? record.key->size() : 0;
  const std::size_t value_size = record.value ? record.value->size() : 0;
  bytes_ += weight;
  const rd_kafka_resp_err_t failed = rd_kafka_producev(
      client_->get(), RD_KAFKA_V_RKT(*opened),
      RD_KAFKA_V_PARTITION(static_cast<std::int32_t>(partition < 0 ? RD_KAFKA_PARTITION_UA : partition)),
      RD_KAFKA_V_KEY(pointer_to(record.key), key_size),
      RD_KAFKA_V_VALUE(const_cast<void*>(pointer_to(record.value)), value_size),
      RD_KAFKA_V_TIMESTAMP(millis_of(record.timestamp)), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_OPAQUE(pack(taken_, static_cast<std::uint32_t>(weight))), RD_KAFKA_V_HEADERS(headers.get()),
      RD_KAFKA_V_END);
  if (!failed) {
    headers.release();  // NOLINT: the client owns them now
    ++taken_;
    return true;
  }
  bytes_ -= weight;
  if (failed == RD_KAFKA_RESP_ERR__QUEUE_FULL && before > 0) return false;
  const bool large =
      failed == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || failed == RD_KAFKA_RESP_ERR__QUEUE_FULL;
  if (large) return too_large(topic, record, size);
  return error(failed,
               "kafka topic '" + topic + "': the record with " +
                   key_text(record.key ? record.key->data() : nullptr, record.key ? record.key->size() : 0) +
                   (partition < 0 ? "" : " for partition " + std::to_string(partition)) + " was not taken");
}

absl::Status Outbox::too_large(const std::string& topic, const OutRecord& record, std::size_t size) const {
  return absl::InvalidArgumentError(  // and so nothing that passes: it isn't offered again
      "kafka topic '" + topic + "': the record with " +
      key_text(record.key ? record.key->data() : nullptr, record.key ? record.key->size() : 0) + " has " +
      std::to_string(size) + " bytes, more than message.max.bytes = " + max_message_bytes_ +
      "; raise it here and max.message.bytes of the topic on the broker");
}

absl::Status Outbox::undelivered(const rd_kafka_message_t& message) const {
  const absl::Status failed =
      error(message.err, std::string("kafka topic '") + rd_kafka_topic_name(message.rkt) +
                             "': delivery of the record with " + key_text(message.key, message.key_len) +
                             " failed");
  // The leader may be one that refuses us, or that we refuse.
  const auto refusal = absl::IsUnavailable(failed) ? client_->refusal() : std::nullopt;
  if (!refusal) return failed;
  return absl::UnauthenticatedError(std::string(failed.message()) + ": " + sentence(*refusal));
}

void Outbox::on_delivery(const rd_kafka_message_t& message) {
  bytes_ -= size_of(message._private);
  news_ = true;
  if (message.err) {
    if (closing_) return;
    return set_failed(undelivered(message));
  }
  prefix_.done(number_of(message._private, prefix_.length()));
  delivered_ = prefix_.length();
}

void Outbox::after_poll() {
  if (delivered_ < flush_to_ && !failed_) rd_kafka_flush(client_->get(), 20);
  if (!std::exchange(news_, false)) return;
  { const detail::MutexLock lock(mutex_); }  // a waiter is either before its look or in its wait
  changed_.notify_all();
  if (options_.wake) options_.wake();
}

void Outbox::set_failed(absl::Status status) {
  {
    const detail::MutexLock lock(mutex_);
    if (failed_) return;
    failure_ = status;
    failed_ = true;
  }
  changed_.notify_all();
  if (options_.fail) options_.fail(std::move(status));
}

absl::StatusOr<std::uint64_t> Outbox::delivered() const {
  if (!failed_) return delivered_.load();
  const detail::MutexLock lock(mutex_);
  return failure_;
}

void Outbox::flush() {
  flush_to_ = taken_;
  client_->post([] {});
}

bool Outbox::wait_delivered(Milliseconds timeout) {
  flush();
  const Clock::time_point deadline = Clock::now() + timeout;
  detail::MutexLock lock(mutex_);
  while (!failed_ && delivered_ < taken_) {
    if (!lock.wait_until(changed_, deadline)) return failed_ || delivered_ >= taken_;
  }
  return true;
}

void Outbox::wait_room(Milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  detail::MutexLock lock(mutex_);
  const std::uint64_t before = delivered_;
  while (!failed_ && delivered_ <= before && lock.wait_until(changed_, deadline)) {
  }
}

void Outbox::close() {
  if (client_ == nullptr) return;
  closing_ = true;
  rd_kafka_purge(client_->get(),
                 RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  client_->stop_polling();
  topics_.clear();
  client_.reset();
}

}  // namespace slipstream::kafka
