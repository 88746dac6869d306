#include "bench/bare_kafka.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace slipstream::bench::bare {
namespace {

/// The former win.
rd_kafka_conf_t* conf_with(kafka::Settings settings, kafka::Settings defaults) {
  settings.merge(defaults);
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  char error[256];
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error, sizeof error) != RD_KAFKA_CONF_OK)
      throw std::runtime_error(error);
  }
  return conf;
}
rd_kafka_t* client_of(rd_kafka_type_t type, rd_kafka_conf_t* conf) {
  char error[256];
  rd_kafka_t* const made = rd_kafka_new(type, conf, error, sizeof error);
  if (made == nullptr) throw std::runtime_error(error);
  return made;
}

using Partitions =
    std::unique_ptr<rd_kafka_topic_partition_list_t, decltype(&rd_kafka_topic_partition_list_destroy)>;
Partitions all_of(const char* topic, std::size_t count) {
  const int n = static_cast<int>(count);
  Partitions list(rd_kafka_topic_partition_list_new(n), rd_kafka_topic_partition_list_destroy);
  for (int p = 0; p < n; ++p) rd_kafka_topic_partition_list_add(list.get(), topic, p);
  return list;
}

/// The first ones or, by `which`, the ends. Asked for one by one, those of a thousand take minutes.
std::vector<std::int64_t> offsets(rd_kafka_t* client, const std::string& topic, int partitions,
                                  std::int64_t which) {
  const Partitions list = all_of(topic.c_str(), static_cast<std::size_t>(partitions));
  for (int p = 0; p < partitions; ++p) list->elems[p].offset = which;
  auto error = rd_kafka_offsets_for_times(client, list.get(), 10'000);
  std::vector<std::int64_t> found;
  for (int p = 0; p < partitions && !error; ++p) {
    found.push_back(list->elems[p].offset);
    error = list->elems[p].err;
  }
  if (error) throw std::runtime_error(rd_kafka_err2str(error));
  return found;
}

}  // namespace

Reader::Reader(const std::string& brokers, std::string topic, int partitions, ReaderOptions options)
    : client_(client_of(RD_KAFKA_CONSUMER,
                        conf_with(std::move(options.settings), {{"bootstrap.servers", brokers},
                                                                {"enable.auto.commit", "false"},
                                                                {"queued.min.messages", "1000000"},
                                                                {"queued.max.messages.kbytes", "65536"},
                                                                {"fetch.wait.max.ms", "100"},
                                                                {"check.crcs", "true"}}))),
      topic_(rd_kafka_topic_new(client_, topic.c_str(), nullptr)),
      queue_(rd_kafka_queue_new(client_)),
      // Known beforehand, or the client looks for the beginning half a second later, and for the end once
      // more.
      ends_(offsets(client_, topic, partitions, RD_KAFKA_OFFSET_END)) {
  if (options.from.empty()) options.from = offsets(client_, topic, partitions, RD_KAFKA_OFFSET_BEGINNING);
  if (options.follows) {
    options.from = ends_;
    std::fill(ends_.begin(), ends_.end(), INT64_MAX);
  }
  for (std::size_t p = 0; p < ends_.size(); ++p) {
    if (options.from[p] >= ends_[p]) continue;
    ++reading_;
    rd_kafka_consume_start_queue(topic_, static_cast<int>(p), options.from[p], queue_);
  }
}

Reader::~Reader() {
  for (std::size_t p = 0; p < ends_.size(); ++p) rd_kafka_consume_stop(topic_, static_cast<int>(p));
  rd_kafka_queue_destroy(queue_);
  rd_kafka_topic_destroy(topic_);
  rd_kafka_destroy(client_);
}

void Reader::on_message(rd_kafka_message_t* message, void* opaque) {
  auto& reader = *static_cast<Reader*>(opaque);
  if (message->err) throw std::runtime_error(rd_kafka_err2str(message->err));
  const std::int64_t end = reader.ends_[static_cast<std::size_t>(message->partition)];
  if (message->offset >= end) return;
  (*reader.call_)(message->partition, {static_cast<const char*>(message->key), message->key_len},
                  {static_cast<const char*>(message->payload), message->len});
  if (message->offset + 1 == end) --reader.reading_;
}

void Reader::read(const Call& call, const std::function<void()>& idle) {
  call_ = &call;
  stopped_ = false;
  while (reading_ > 0 && !stopped_) {
    // Waits, so that a broker in this process gets its core.
    rd_kafka_consume_callback_queue(queue_, 100, on_message, this);
    rd_kafka_poll(client_, 0);
    if (idle) idle();
  }
}

void Reader::pause() { for_all(rd_kafka_pause_partitions); }
void Reader::resume() { for_all(rd_kafka_resume_partitions); }

void Reader::for_all(rd_kafka_resp_err_t (*call)(rd_kafka_t*, rd_kafka_topic_partition_list_t*)) {
  const Partitions list = all_of(rd_kafka_topic_name(topic_), ends_.size());
  if (const auto error = call(client_, list.get())) throw std::runtime_error(rd_kafka_err2str(error));
}

Writer::Writer(const std::string& brokers, const std::string& topic, kafka::Settings settings) {
  rd_kafka_conf_t* const conf = conf_with(std::move(settings), {{"bootstrap.servers", brokers},
                                                                {"enable.idempotence", "true"},
                                                                {"acks", "all"},
                                                                {"partitioner", "murmur2_random"},
                                                                {"queue.buffering.max.messages", "0"},
                                                                {"linger.ms", "5"},
                                                                {"compression.type", "lz4"}});
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_conf_set_opaque(conf, this);
  client_ = client_of(RD_KAFKA_PRODUCER, conf);
  topic_ = rd_kafka_topic_new(client_, topic.c_str(), nullptr);
}

Writer::~Writer() {
  rd_kafka_topic_destroy(topic_);
  rd_kafka_destroy(client_);
}

void Writer::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& writer = *static_cast<Writer*>(opaque);
  --writer.under_way_;
  if (message->err) writer.failure_ = rd_kafka_err2str(message->err);
}

void Writer::write(std::string_view key, std::string_view value) {
  for (;;) {
    const rd_kafka_resp_err_t failed = rd_kafka_producev(
        client_, RD_KAFKA_V_RKT(topic_), RD_KAFKA_V_KEY(key.empty() ? nullptr : key.data(), key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (!failed) break;
    if (failed != RD_KAFKA_RESP_ERR__QUEUE_FULL) throw std::runtime_error(rd_kafka_err2str(failed));
    rd_kafka_poll(client_, 10);
  }
  ++under_way_;
}

void Writer::poll() {
  rd_kafka_poll(client_, 0);
  if (!failure_.empty()) throw std::runtime_error(failure_);
}

void Writer::flush() {
  while (under_way_ > 0) {
    rd_kafka_poll(client_, 100);
    poll();
  }
}

}  // namespace slipstream::bench::bare
