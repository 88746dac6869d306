#pragma once
#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "connectors/kafka/configured.h"
#include "kafka/kafka_testing.h"
#include "replay.h"
#include "runtime/waiting.h"
#include "slipstream/topic.h"

/// Topics, on the embedded broker. Nothing here depends on a seed, so each program runs once. Apps that run
/// in real time have no log: what the client says there depends on time.
namespace slipstream::test {

using AnyKey = std::optional<std::string>;
using AnyValue = OrTombstone<std::string>;
using AnyMessage = Message<AnyKey, AnyValue>;

inline TopicOptions<AnyKey> topic_options() {
  return {.brokers = shared_broker().bootstrap(), .settings = kFast, .until_end = true};
}

/// As the recordings have it: without the topic's own name.
inline std::string without_name(std::string message, const std::string& topic) {
  for (std::size_t at; (at = message.find(topic)) != std::string::npos;)
    message.replace(at, topic.size(), "TOPIC");
  return message;
}
inline std::string raises(const absl::Status& s, const std::string& topic) {
  const std::string message = without_name(std::string(s.message()), topic);
  return object({{"raises", object({{"message", json_of(message)}})}});
}
inline std::string json_of(const AnyMessage& m) {
  std::string headers;
  for (const Header& h : m.headers) {
    headers +=
        (headers.empty() ? "[" : ",[") + json_of(h.name) + "," + object({{"$bytes", json_of(h.value)}}) + "]";
  }
  const auto* value = std::get_if<std::string>(&m.value);
  return object({{"partition", std::to_string(m.partition)},
                 {"offset", std::to_string(m.offset)},
                 {"key", m.key ? json_of(*m.key) : "null"},
                 {"value", value ? json_of(*value) : "null"},
                 {"headers", "[" + headers + "]"}});
}

/// What a topic has, by partition.
struct TopicRead {
  std::vector<AnyMessage> messages;
  absl::Status status;

  std::vector<std::string> values(int partition = 0) const {
    std::vector<std::string> all;
    for (const AnyMessage& m : messages) {
      if (m.partition == partition) all.push_back(std::get<std::string>(m.value));
    }
    return all;
  }
};
/// `meanwhile` is called once the topic is open.
inline TopicRead read_topic(
    const std::string& topic, TopicOptions<AnyKey> options, const std::function<void()>& meanwhile = [] {}) {
  TopicRead read;
  App app;
  app.on(app.topic<AnyKey, AnyValue>(topic, text(), std::move(options))).handle([&](const AnyMessage& m) {
    read.messages.push_back(m);
  });
  auto run = app.start();
  if (!run.ok()) return {{}, run.status()};
  meanwhile();
  read.status = end_of(**run);
  return read;
}
inline absl::Status write_topic(const std::string& topic, std::vector<AnyMessage> messages,
                                std::function<int(const OutRecord&, int)> partition = {}) {
  TopicOptions<AnyKey> options = topic_options();
  options.partition = std::move(partition);
  App app;
  app.on(from(std::move(messages)))
      .handle([](const AnyMessage& m) { return m; })
      .to(app.topic<AnyKey, AnyValue>(topic, text(), options));
  return run_to_end(app).status;
}

inline std::string topic_produce_consume(const Case&) {
  const std::string topic = new_topic(1), odd = new_topic(1);
  const EventTime time{std::chrono::milliseconds(1'700'000'000'000)};
  const absl::Status written =
      write_topic(topic, {{.key = "trophy", .value = "🏆"},
                          {.key = "fish", .value = "🐟"},
                          {.key = "bytes", .value = "raw"},
                          {.value = "no key"},
                          {.key = "tombstone", .value = Tombstone{}},
                          {.key = "h", .value = "with headers", .headers = {{"a", "1"}, {"b", "é"}}},
                          {.key = "ts", .value = "with timestamp", .timestamp = time}});
  EXPECT_EQ(written, absl::OkStatus());
  const absl::Status bad_partition =
      write_topic(topic, {{.key = "k", .value = "v"}}, [](const OutRecord&, int) { return 99; });
  produce_values(shared_broker().bootstrap(), odd, 0, {"\xff"});
  const TopicRead read = read_topic(topic, topic_options());
  std::string consumed;
  for (const AnyMessage& m : read.messages) consumed += (consumed.empty() ? "" : ",") + json_of(m);
  const auto timestamp = std::chrono::duration_cast<std::chrono::milliseconds>(
      read.messages.back().timestamp.time_since_epoch());
  return object({{"bad_partition", raises(bad_partition, topic)},
                 {"consumed", "[" + consumed + "]"},
                 {"timestamp_of_seventh", std::to_string(timestamp.count())},
                 {"not_utf8", raises(read_topic(odd, topic_options()).status, odd)}});
}

inline std::string topic_offsets(const Case&) {
  const std::string topic = new_topic(2);
  const auto name = [](int p, const std::string& n) { return "p" + std::to_string(p) + "-" + n; };
  const auto produce = [&](const std::vector<std::string>& names) {
    for (int p = 0; p < 2; ++p) {
      std::vector<std::string> values;
      for (const std::string& n : names) values.push_back(name(p, n));
      produce_values(shared_broker().bootstrap(), topic, p, values);
    }
  };
  produce({"0", "1", "2", "3", "4"});
  const auto read = [&](kafka::Start start) {
    TopicOptions<AnyKey> options = topic_options();
    options.start = std::move(start);
    const TopicRead r = read_topic(topic, options);
    if (!r.status.ok()) return raises(r.status, topic);
    return object({{"partition_0", json_of(r.values(0))}, {"partition_1", json_of(r.values(1))}});
  };
  using kafka::Start;
  std::vector<std::pair<std::string, std::string>> observed = {
      {"READ_FROM_START", std::to_string(kBeginning)},
      {"READ_FROM_END", std::to_string(kEnd)},
      {"none_earliest", read(Start::beginning())},
      {"start", read(Start::beginning())},
      {"number_3", read(Start::offset(3))},
      {"map_0:1_1:4", read(Start::offsets({{0, 1}, {1, 4}}))},
      {"map_only_partition_1", read(Start::offsets({{1, 3}}))},
      {"past_the_end_earliest", read(Start::offset(100))},
      {"minus_3", read(Start::offset(-3))},
      {"map_minus_1", read(Start::offsets({{0, -1}}))},
      {"map_unknown_partition", read(Start::offsets({{7, 0}}))}};
  TopicOptions<AnyKey> from_end = topic_options();
  from_end.start = Start::end();
  from_end.until_end = false;
  from_end.until_offsets = {{0, 6}, {1, 6}};
  const TopicRead end = read_topic(topic, from_end, [&] { produce({"new"}); });
  observed.emplace_back(
      "end", object({{"partition_0", json_of(end.values(0))}, {"partition_1", json_of(end.values(1))}}));
  return object(observed);
}

inline std::string topic_dry(const Case& c) {
  const std::string topic = new_topic(1);
  Replay r(c);
  auto out = r.app.topic<std::string, std::string>(topic, text(), {.brokers = kNobody, .dry = true});
  r.app.on(from(c.texts())).handle([](const std::string& m) { return std::pair(m, m); }).to(out);
  const std::string end = r.run();
  c.log->replace(topic, "TOPIC");
  const TopicRead read = read_topic(topic, topic_options());
  // A producer would have looked for the broker that isn't there.
  return object({{"end", end},
                 {"producer_made", "false"},
                 {"messages_in_topic", std::to_string(read.messages.size())}});
}

struct Fish {
  std::string msg;
  int n = 0;
};
SLIPSTREAM_FIELDS(Fish, msg, n)
struct Swim {
  EventTime timestamp;
  std::string value;
};
SLIPSTREAM_FIELDS(Swim, timestamp, value)
struct Ok {
  int ok = 0;
};
SLIPSTREAM_FIELDS(Ok, ok)

inline std::string topic_json_codec(const Case&) {
  const std::string topic = new_topic(1);
  const auto send = [&]<class V>(const std::string& key, V value) {
    App app;
    TopicOptions<std::string> options{.brokers = shared_broker().bootstrap()};
    app.on(from(std::vector<V>{std::move(value)}))
        .handle([key](const V& v) { return std::pair(key, v); })
        .to(app.topic<std::string, V>(topic, json<V>(), options));
    EXPECT_EQ(run_to_end(app).status, absl::OkStatus());
  };
  send("fish", Fish{"🐟", 1});
  send("text", std::string("plain text"));
  send("when",
       Swim{EventTime(std::chrono::sys_days(std::chrono::year(2023) / 1 / 1) + 10h + 30min), "swimming"});
  std::string on_the_wire;
  for (const AnyMessage& m : read_topic(topic, topic_options()).messages)
    on_the_wire += (on_the_wire.empty() ? "" : ",") + json_of(m);
  const auto consume = [](const kafka::ProducerRecord& last) {
    const std::string odd = new_topic(1);
    auto producer = kafka::Producer::connect({.brokers = shared_broker().bootstrap()});
    EXPECT_EQ(producer->produce(odd, {.key = "k", .value = R"({"ok": 1})"}), absl::OkStatus());
    EXPECT_EQ(producer->produce(odd, last), absl::OkStatus());
    EXPECT_EQ(producer->flush(), absl::OkStatus());
    App app;
    TopicOptions<std::string> options{
        .brokers = shared_broker().bootstrap(), .settings = kFast, .until_end = true};
    app.on(app.topic<std::string, Ok>(odd, json<Ok>(), options)).handle([](const Message<std::string, Ok>&) {
    });
    const absl::Status status = run_to_end(app).status;
    // Whether the message before it gets through before the run ends is a matter of time.
    return raises(status, odd);
  };
  return object({{"on_the_wire", "[" + on_the_wire + "]"},
                 {"consume_not_json", consume({.key = "k", .value = "{not json"})},
                 {"consume_empty", consume({.key = "k", .value = ""})},
                 {"consume_tombstone", consume({.key = "k"})}});
}

inline std::string topic_errors(const Case&) {
  TopicOptions<AnyKey> options{.brokers = kNobody, .connect_timeout = 1ms};
  const auto at_nobody = [](const absl::Status& s) {
    const std::string message(s.message());  // what follows the address is librdkafka's, and depends on time
    return raises(absl::Status(s.code(), message.substr(0, message.find(kNobody)) + kNobody), "nowhere");
  };
  App consumer, producer;
  consumer.on(consumer.topic<AnyKey, AnyValue>("nowhere", text(), options)).handle([](const AnyMessage&) {});
  producer.on(from<int>({1}))
      .handle([](int) { return std::pair("k", "v"); })
      .to(producer.topic<AnyKey, AnyValue>("nowhere", text(), options));
  return object({{"produce", at_nobody(producer.run())}, {"consume", at_nobody(consumer.run())}});
}

inline std::string topic_group_commit(const Case&) {
  const std::string topic = new_topic(1);
  produce_values(shared_broker().bootstrap(), topic, 0, numbered("", 0, 6));
  TopicOptions<AnyKey> options = topic_options();
  options.group = "group of " + topic;
  TopicOptions<AnyKey> three = options;
  three.until_offsets = {{0, 3}};
  const TopicRead first = read_topic(topic, three);
  const TopicRead second = read_topic(topic, options);

  App app;
  std::vector<std::string> third;
  options.until_end = false;
  auto again = app.topic<AnyKey, AnyValue>(topic, text(), options);
  app.on(again).handle([&](const AnyMessage& m) {
    third.push_back(std::get<std::string>(m.value));
    if (third.size() == 6) again.stop();
  });
  auto run = app.start();
  EXPECT_EQ(run.status(), absl::OkStatus());
  EXPECT_EQ(again.seek(kBeginning), absl::OkStatus());
  EXPECT_EQ(end_of(**run), absl::OkStatus());
  return object({{"first", json_of(first.values())},
                 {"second", json_of(second.values())},
                 {"third_from_start", json_of(third)}});
}

inline std::string conf_merging(const Case&) {
  RuntimeConfig config;
  const auto of = [](const kafka::SourceOptions& o) {
    std::vector<std::pair<std::string, std::string>> found = {{"bootstrap_servers", json_of(o.brokers)}};
    if (!o.group.empty()) found.emplace_back("group_id", json_of(o.group));
    for (const char* name : {"security.protocol", "sasl.mechanism"}) {
      const auto it = o.settings.find(name);
      if (it != o.settings.end())
        found.emplace_back(std::string(name).replace(std::string(name).find('.'), 1, "_"),
                           json_of(it->second));
    }
    return object(found);
  };
  config.kafka.brokers = "localhost:29092";
  const std::string topic1 = of(kafka::configured(kafka::SourceOptions{}, &config));
  config.kafka.settings = {{"security.protocol", "SASL_PLAINTEXT"}, {"sasl.mechanism", "PLAIN"}};
  const std::string topic2 =
      of(kafka::configured(kafka::SourceOptions{.brokers = "localhost:29091", .group = "demo"}, &config));
  return object({{"topic1", topic1}, {"topic2", topic2}});
}

/// What handlers give to topics is checked by the compiler: see tests/compile_fail.
inline std::string sink_type_error(const Case&) { return "{}"; }

inline Programs topic_programs() {
  struct Seen {
    std::string observed;
    Lines log;
  };
  static std::map<std::string, Seen> seen;
  const auto once = [](const std::string& name, Program program) {
    return std::pair(name, Program([name, program](const Case& c) {
                       if (!seen.contains(name)) seen[name] = {program(c), *c.log};
                       *c.log = seen[name].log;
                       return seen[name].observed;
                     }));
  };
  return {once("topic_produce_consume", topic_produce_consume),
          once("topic_offsets", topic_offsets),
          once("topic_dry", topic_dry),
          once("topic_json_codec", topic_json_codec),
          once("topic_errors", topic_errors),
          once("topic_group_commit", topic_group_commit),
          once("conf_merging", conf_merging),
          once("sink_type_error", sink_type_error)};
}

}  // namespace slipstream::test
