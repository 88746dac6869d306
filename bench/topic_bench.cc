#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/side_by_side.h"
#include "slipstream/slipstream.h"
#include "slipstream/topic.h"

/// A topic as a source and as a sink of a handler, beside the bare client with the same calls and settings,
/// on a broker inside this process (which takes its share of both sides' time).
namespace slipstream::bench {
namespace {

constexpr int kPartitions = 8;
constexpr std::int64_t kMessages = 200'000;  // what the embedded broker keeps
constexpr const char* kSource = "in";

std::string key_of(std::int64_t i) { return "key-" + std::to_string(i % 1000); }
std::string value_of(std::int64_t i) {
  std::string value = "message " + std::to_string(i) + " ";
  value.resize(100, '.');
  return value;
}

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}
void check(const absl::Status& status) {
  if (!status.ok()) die(std::string(status.message()));
}

using Conf = std::unique_ptr<rd_kafka_conf_t, void (*)(rd_kafka_conf_t*)>;
Conf conf_with(const kafka::Settings& settings) {
  Conf conf(rd_kafka_conf_new(), rd_kafka_conf_destroy);
  char error[256];
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), error, sizeof error) != RD_KAFKA_CONF_OK)
      die(error);
  }
  return conf;
}
using Client = std::unique_ptr<rd_kafka_t, void (*)(rd_kafka_t*)>;
Client client_of(rd_kafka_type_t type, Conf conf) {
  char error[256];
  rd_kafka_t* made = rd_kafka_new(type, conf.get(), error, sizeof error);
  if (made == nullptr) die(error);
  (void)conf.release();
  return {made, rd_kafka_destroy};
}

using Call = std::function<void(const std::string& key, const std::string& value)>;

/// What the bare reader does with a message.
struct Reading {
  const Call& call;
  int ended = 0;
};
void on_message(rd_kafka_message_t* message, void* opaque) {
  auto& reading = *static_cast<Reading*>(opaque);
  if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    ++reading.ended;
  } else if (message->err) {
    die(rd_kafka_err2str(message->err));
  } else {
    reading.call(std::string(static_cast<const char*>(message->key), message->key_len),
                 std::string(static_cast<const char*>(message->payload), message->len));
  }
}

/// Reads all partitions to their ends.
std::int64_t read_bare(const std::string& brokers) {
  std::int64_t bytes = 0;
  const Call call = [&](const std::string& key, const std::string& value) {
    bytes += static_cast<std::int64_t>(key.size() + value.size());
  };
  const Client client = client_of(RD_KAFKA_CONSUMER, conf_with({{"bootstrap.servers", brokers},
                                                                {"enable.partition.eof", "true"},
                                                                {"enable.auto.commit", "false"},
                                                                {"queued.min.messages", "1000000"},
                                                                {"queued.max.messages.kbytes", "65536"},
                                                                {"fetch.wait.max.ms", "100"},
                                                                {"check.crcs", "true"}}));
  const std::unique_ptr<rd_kafka_topic_t, void (*)(rd_kafka_topic_t*)> topic(
      rd_kafka_topic_new(client.get(), kSource, nullptr), rd_kafka_topic_destroy);
  rd_kafka_queue_t* const queue = rd_kafka_queue_new(client.get());
  for (int p = 0; p < kPartitions; ++p)
    rd_kafka_consume_start_queue(topic.get(), p, RD_KAFKA_OFFSET_BEGINNING, queue);
  Reading reading{call};
  while (reading.ended < kPartitions) {
    // Waits, so that the broker in this process gets its core.
    rd_kafka_consume_callback_queue(queue, 100, on_message, &reading);
    rd_kafka_poll(client.get(), 0);
  }
  for (int p = 0; p < kPartitions; ++p) rd_kafka_consume_stop(topic.get(), p);
  rd_kafka_queue_destroy(queue);
  return bytes;
}

std::int64_t read_topic(const std::string& brokers) {
  std::int64_t bytes = 0;
  App app;
  const auto topic =
      app.topic<std::string, std::string>(kSource, text(), {.brokers = brokers, .until_end = true});
  app.on(topic).handle([&](const Message<std::string, std::string>& m) {
    bytes += static_cast<std::int64_t>(m.key.size() + m.value.size());
  });
  check(app.run());
  return bytes;
}

std::int64_t delivered_count = 0;  // by the bare writer's callback
void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  if (message->err) die(rd_kafka_err2str(message->err));
  ++delivered_count;
}

std::int64_t write_bare(const std::string& brokers, const std::vector<std::int64_t>& numbers) {
  delivered_count = 0;
  Conf conf = conf_with({{"bootstrap.servers", brokers},
                         {"enable.idempotence", "true"},
                         {"acks", "all"},
                         {"partitioner", "murmur2_random"},
                         {"queue.buffering.max.messages", "0"},
                         {"linger.ms", "5"},
                         {"compression.type", "lz4"}});
  rd_kafka_conf_set_dr_msg_cb(conf.get(), on_delivery);
  const Client client = client_of(RD_KAFKA_PRODUCER, std::move(conf));
  for (const std::int64_t i : numbers) {
    const std::string key = key_of(i);
    const std::string value = value_of(i);
    for (;;) {
      const rd_kafka_resp_err_t failed =
          rd_kafka_producev(client.get(), RD_KAFKA_V_TOPIC("out"), RD_KAFKA_V_KEY(key.data(), key.size()),
                            RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
      if (!failed) break;
      if (failed != RD_KAFKA_RESP_ERR__QUEUE_FULL) die(rd_kafka_err2str(failed));
      rd_kafka_poll(client.get(), 10);
    }
    rd_kafka_poll(client.get(), 0);
  }
  while (delivered_count < static_cast<std::int64_t>(numbers.size())) rd_kafka_poll(client.get(), 100);
  return delivered_count;
}

std::int64_t write_topic(const std::string& brokers, const std::vector<std::int64_t>& numbers) {
  App app;
  std::int64_t written = 0;
  const auto topic = app.topic<std::string, std::string>(
      "out", text(), {.brokers = brokers, .settings = {{"compression.type", "lz4"}}});
  app.on(from(numbers))
      .handle([&](std::int64_t i) {
        ++written;
        return std::pair(key_of(i), value_of(i));
      })
      .to(topic);
  check(app.run());
  return written;
}

void run() {
  auto broker = kafka::EmbeddedBroker::start({{kSource, kPartitions}, {"out", kPartitions}});
  if (!broker.ok()) die(std::string(broker.status().message()));
  const std::string brokers = broker->bootstrap();
  std::vector<std::int64_t> numbers;
  std::int64_t bytes = 0;
  auto producer = kafka::Producer::connect({.brokers = brokers, .settings = {{"compression.type", "lz4"}}});
  if (!producer.ok()) die(std::string(producer.status().message()));
  for (std::int64_t i = 0; i < kMessages; ++i) {
    numbers.push_back(i);
    const std::string key = key_of(i);
    const std::string value = value_of(i);
    bytes += static_cast<std::int64_t>(key.size() + value.size());
    check(producer->produce(kSource, {.key = key, .value = value}));
  }
  check(producer->flush());
  compare({.name = "topic in",
           .items = kMessages,
           .ours = [&] { return read_topic(brokers); },
           .limit = [&] { return read_bare(brokers); },
           .expected = bytes});
  compare({.name = "topic out",
           .items = kMessages,
           .ours = [&] { return write_topic(brokers, numbers); },
           .limit = [&] { return write_bare(brokers, numbers); },
           .expected = kMessages});
}

}  // namespace
}  // namespace slipstream::bench

int main() { slipstream::bench::run(); }
