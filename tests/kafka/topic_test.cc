#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kafka_testing.h"
#include "runtime/waiting.h"
#include "slipstream/checkpoint.h"
#include "slipstream/proxy.h"
#include "slipstream/slipstream.h"
#include "slipstream/topic.h"

/// Topics as sources and sinks of handlers, on the embedded broker.
namespace slipstream::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Weather {
  std::string city;
  double degrees = 0;
  friend bool operator==(const Weather&, const Weather&) = default;
};
SLIPSTREAM_FIELDS(Weather, city, degrees)

using Text = Message<std::string, std::string>;

/// What a topic that is read to its end needs.
template <class K = std::string>
TopicOptions<K> read() {
  return {.brokers = shared_broker().bootstrap(), .settings = kFast, .until_end = true};
}
TopicOptions<std::string> write() { return {.brokers = shared_broker().bootstrap()}; }

std::vector<SourceDriver::Seen> on_the_wire(const std::string& topic) {
  return read_topic(shared_broker().bootstrap(), topic, 0);
}
void produce(const std::string& topic, const std::vector<kafka::ProducerRecord>& records) {
  auto producer = kafka::Producer::connect({.brokers = shared_broker().bootstrap()});
  ASSERT_EQ(producer.status(), absl::OkStatus());
  for (const auto& record : records) ASSERT_EQ(producer->produce(topic, record), absl::OkStatus());
  ASSERT_EQ(producer->flush(), absl::OkStatus());
}

// ---------------------------------------------------------------- reading

TEST(Topic, HandsOutMessagesWithAllThatIsKnownOfThem) {
  const std::string topic = new_topic(1);
  const Headers headers = {{"trace", "abc"}};
  const EventTime time{std::chrono::milliseconds(1'600'000'000'123)};
  produce(
      topic,
      {{.key = "ams", .value = R"({"city":"ams","degrees":11.5})", .timestamp = time, .headers = &headers}});
  App app;
  std::vector<Message<std::string, Weather>> got;
  app.on(app.topic<std::string, Weather>(topic, json<Weather>(), read()))
      .handle([&](const Message<std::string, Weather>& m) { got.push_back(m); });
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  const Message<std::string, Weather> expected{.key = "ams",
                                               .value = {"ams", 11.5},
                                               .headers = headers,
                                               .topic = topic,
                                               .partition = 0,
                                               .offset = 0,
                                               .timestamp = time};
  EXPECT_THAT(got, ElementsAre(expected));
}

TEST(Topic, MayBeTheDependentOrADependencyOfACheckpoint) {
  const std::string activities = new_topic(1), weather = new_topic(1);
  const auto at = [](int seconds) { return EventTime{std::chrono::seconds(1'600'000'000 + seconds)}; };
  produce(activities, {{.key = "a", .value = "swimming", .timestamp = at(5)}});
  produce(weather, {{.key = "w", .value = "sun", .timestamp = at(9)}});
  App app;
  auto checkpoint =
      app.checkpoint("activities", app.topic<std::string, std::string>(activities, text(), read()),
                     {dependency("weather", app.topic<std::string, std::string>(weather, text(), read()),
                                 {.downtime_threshold = std::chrono::hours(1), .marker = &Text::timestamp})},
                     {.marker = &Text::timestamp});
  std::vector<std::string> got;
  app.on(checkpoint).handle([&](const Text& m) { got.push_back(m.value); });
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  EXPECT_THAT(got, ElementsAre("swimming"));
  EXPECT_EQ(checkpoint.marker(), at(5));
  EXPECT_EQ(checkpoint.state(), (Offsets{{0, 0}}));
  // Whichever was first: until the dependency is heard of, its marker is the activities'.
  EXPECT_EQ(checkpoint.dependency("weather")->marker, at(9));
}

TEST(Topic, HasTheMarkersOfACheckpointInItsValuesToo) {
  struct Reading {
    EventTime at;
  };
  using Of = Message<std::string, Reading>;
  const EventTime sent{std::chrono::seconds(1)}, read{std::chrono::seconds(2)};
  const Of message{.key = "k", .value = {read}, .timestamp = sent};
  const RecordInfo record{};
  EXPECT_EQ(MarkerOf<Of>(&Reading::at)(message, record), read);
  EXPECT_EQ(MarkerOf<Of>(&Of::timestamp)(message, record), sent);
}

TEST(Topic, ReadsKeysThroughACodec) {
  const std::string topic = new_topic(1);
  produce(topic, {{.key = "7", .value = "seven"}, {.key = "-1", .value = "minus one"}});
  App app;
  std::vector<int> keys;
  app.on(app.topic<int, std::string>(topic, text(), read<int>()))
      .handle([&](const Message<int, std::string>& m) { keys.push_back(m.key); });
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  EXPECT_THAT(keys, ElementsAre(7, -1));
}

TEST(Topic, HandsOutTombstonesAndMissingKeysWhereItIsToldTo) {
  const std::string topic = new_topic(1);
  produce(topic, {{.key = "a", .value = "1"}, {.key = "a"}, {.value = "2"}});
  App app;
  std::vector<std::string> got;
  using Key = std::optional<std::string>;
  app.on(app.topic<Key, OrTombstone<std::string>>(topic, text(), read<Key>()))
      .handle([&](const Message<Key, OrTombstone<std::string>>& m) {
        got.push_back(m.key.value_or("none") + ":" +
                      (std::holds_alternative<Tombstone>(m.value) ? "gone" : std::get<0>(m.value)));
      });
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  EXPECT_THAT(got, ElementsAre("a:1", "a:gone", "none:2"));
}

absl::Status read_error(const std::string& topic) {
  App app;
  app.on(app.topic<std::string, std::string>(topic, text(), read())).handle([](const Text&) {});
  return run_to_end(app).status;
}

TEST(Topic, SaysWhichRecordHasNoKeyNoValueOrTheWrongOne) {
  std::string topic = new_topic(1);
  produce(topic, {{.key = "a", .value = "1"}, {.key = "a"}});
  EXPECT_EQ(read_error(topic).message(),
            "kafka topic " + topic + ": topic " + topic +
                " partition 0 offset 1: the value is null (a tombstone); a topic of OrTombstone values takes "
                "such records");
  topic = new_topic(1);
  produce(topic, {{.value = "1"}});
  EXPECT_EQ(read_error(topic).message(), "kafka topic " + topic + ": topic " + topic +
                                             " partition 0 offset 0: it has no key; a topic of std::optional "
                                             "keys takes such records");
  topic = new_topic(1);
  produce(topic, {{.key = "k\xff", .value = "1"}});
  EXPECT_THAT(std::string(read_error(topic).message()), HasSubstr("partition 0 offset 0: key: "));
  topic = new_topic(1);
  produce(topic, {{.key = "k", .value = "\xff"}});
  EXPECT_THAT(std::string(read_error(topic).message()), HasSubstr("partition 0 offset 0: value: "));
}

TEST(Topic, FollowsThePolicyOfItsStream) {
  const std::string topic = new_topic(1);
  produce(topic, {{.key = "a", .value = "1"}, {.key = "a"}, {.key = "b", .value = "2"}});
  App app;
  std::vector<std::string> got;
  auto texts = app.topic<std::string, std::string>(topic, text(), read());
  texts.stream().on_error(ErrorPolicy::skip());
  app.on(texts).handle([&](const Text& m) { got.push_back(m.value); });
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  EXPECT_THAT(got, ElementsAre("1", "2"));
}

// ---------------------------------------------------------------- writing

TEST(Topic, TakesPairsHeadersAndTombstones) {
  const std::string topic = new_topic(1);
  App app;
  auto out = app.topic<std::string, Weather>(topic, json<Weather>(), write());
  const auto one = from<int>({1});
  app.on(one).handle([](int) { return std::pair("a", Weather{"ams", 1}); }).to(out);
  app.on(one)
      .handle([](int) {
        return std::tuple(std::string("b"), Weather{"ber", 2}, Headers{{"h", "1"}});
      })
      .to(out);
  app.on(one).handle([](int) { return std::pair("c", Tombstone{}); }).to(out);
  app.on(one).handle([](int) { return std::pair("d", OrTombstone<Weather>(Weather{"dub", 4})); }).to(out);
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  std::vector<std::string> got;
  for (const auto& seen : on_the_wire(topic)) {
    got.push_back(seen.key + "=" + (seen.has_value ? seen.value : "gone") +
                  (seen.headers.empty() ? "" : " " + seen.headers[0].name + seen.headers[0].value));
  }
  EXPECT_THAT(got, testing::UnorderedElementsAre(R"(a={"city":"ams","degrees":1})",
                                                 R"(b={"city":"ber","degrees":2} h1)", "c=gone",
                                                 R"(d={"city":"dub","degrees":4})"));
}

TEST(Topic, TakesOptionalsRangesAndGenerators) {
  const std::string topic = new_topic(1);
  App app;
  auto out = app.topic<std::string, std::string>(topic, text(), write());
  using Pair = std::pair<std::string, std::string>;
  app.on(from<int>({0, 1, 2}))
      .handle([](int n) { return n == 1 ? std::nullopt : std::optional(Pair("o", std::to_string(n))); })
      .to(out);
  app.on(from<int>({3})).handle([](int n) { return std::vector<Pair>(2, {"v", std::to_string(n)}); }).to(out);
  app.on(from<int>({4}))
      .handle([](int n) -> Generator<Pair> {
        co_yield {"g", std::to_string(n)};
        co_yield {"g", std::to_string(n + 1)};
      })
      .to(out);
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  EXPECT_THAT(values_of(on_the_wire(topic)), testing::UnorderedElementsAre("0", "2", "3", "3", "4", "5"));
}

TEST(Topic, PassesMessagesOnWithHeadersAndTimestamps) {
  const std::string from_topic = new_topic(1), to_topic = new_topic(1);
  const Headers headers = {{"trace", "abc"}};
  const EventTime time{std::chrono::milliseconds(1'600'000'000'123)};
  produce(from_topic, {{.key = "a", .value = "1", .timestamp = time, .headers = &headers},
                       {.key = "b", .timestamp = time}});
  App app;
  using Value = OrTombstone<std::string>;
  auto in = app.topic<std::string, Value>(from_topic, text(), read());
  auto out = app.topic<std::string, std::string>(to_topic, text(), write());
  app.on(in).handle([](const Message<std::string, Value>& m) { return m; }).to(out);
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  const auto seen = on_the_wire(to_topic);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].key + seen[0].value, "a1");
  EXPECT_EQ(seen[0].headers, headers);
  EXPECT_EQ(seen[0].timestamp, time);
  EXPECT_EQ(seen[1].key, "b");
  EXPECT_FALSE(seen[1].has_value);
}

TEST(Topic, IsASourceAndASinkAtOnce) {
  const std::string topic = new_topic(1);
  produce(topic, {{.key = "n", .value = "3"}});
  App app;
  TopicOptions<std::string> options = read();
  options.until_end = false;
  options.until_offsets = {{0, 4}};
  auto numbers = app.topic<std::string, int>(topic, json<int>(), options);
  std::vector<int> got;
  app.on(numbers)
      .handle([&](const Message<std::string, int>& m) {
        got.push_back(m.value);
        return m.value > 0 ? std::optional(std::pair(m.key, m.value - 1)) : std::nullopt;
      })
      .to(numbers);
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  EXPECT_THAT(got, ElementsAre(3, 2, 1, 0));
}

TEST(Topic, IsNotOpenedForWhatNobodyDoesWithIt) {
  App app;
  auto unused = app.topic<std::string, std::string>("nowhere", text(), {.brokers = kNobody});
  unused.pause();
  const std::string topic = new_topic(1);
  auto out = app.topic<std::string, std::string>(topic, text(), write());
  int called = 0;
  app.on(from<int>({1})).handle([&](int) { return ++called, std::pair("k", "v"); }).to(out);
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  EXPECT_EQ(called, 1);
}

TEST(Topic, ThatIsDryIsNotOpenedAndWarnsForEachMessage) {
  App app;
  std::vector<std::string> log;
  app.log_to([&](LogLevel level, std::string_view component, std::string_view message) {
    log.push_back(std::string(to_string(level)) + " " + std::string(component) + ": " + std::string(message));
  });
  auto out = app.topic<std::string, std::string>("nowhere", text(), {.brokers = kNobody, .dry = true});
  app.on(from<std::string>({"a", "b"})).handle([](const std::string& m) { return std::pair(m, m); }).to(out);
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  const std::string warning = "warning kafka: skipped sending a message to topic nowhere (dry)";
  EXPECT_THAT(log, ElementsAre(warning, warning));
}

TEST(Topic, NamesWhatCannotBeSent) {
  App app;
  const std::string topic = new_topic(1);
  auto out = app.topic<std::string, double>(topic, json<double>(), write());
  app.on(from<int>({1})).handle([](int) { return std::pair("k", std::nan("")); }).to(out);
  const absl::Status status = run_to_end(app).status;
  EXPECT_THAT(std::string(status.message()), testing::StartsWith("kafka topic " + topic + ": "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("value: "));
}

TEST(Topic, PausesAllSourcesWhileNoBrokerAnswersWhereItMayTryAgain) {
  kafka::EmbeddedBroker broker = start_broker({{"out", 1}});
  App app;
  std::mutex mutex;
  std::string log;
  app.log_to([&](LogLevel, std::string_view, std::string_view message) {
    const std::lock_guard lock(mutex);
    log += std::string(message) + "\n";
  });
  const auto logged = [&](const std::string& text) {
    return eventually([&] {
      const std::lock_guard lock(mutex);
      return log.find(text) != std::string::npos;
    });
  };
  const auto in = app.proxy<std::string>("in");
  auto other = app.source("other", from<int>({1}));
  other.pause("until the end");
  app.on(other).handle([](int) {});
  TopicOptions<std::string> options{
      .brokers = broker.bootstrap(), .produce_retries = 1000, .produce_retry_backoff = 1ms};
  app.on(in)
      .handle([](const std::string& m) { return std::pair(m, m); })
      .to(app.topic<std::string, std::string>("out", text(), options));
  auto run = app.start();
  ASSERT_EQ(run.status(), absl::OkStatus());
  const auto gates = [&] {
    for (const PartitionMetrics& p : (*run)->metrics().partitions) {
      if (p.source == "other") return p.gates;
    }
    return std::vector<std::string>{"no such source"};
  };
  in.publish("before");
  ASSERT_EQ(broker.set_reachable(false), absl::OkStatus());
  ASSERT_TRUE(logged("kafka topic out: lost " + broker.bootstrap()));
  in.publish("meanwhile");
  EXPECT_TRUE(eventually([&] { return gates() == std::vector<std::string>{"until the end", "produce"}; }));
  EXPECT_TRUE(
      logged("offering messages to topic out again (1/1000) after 1ms: kafka topic 'out': no broker "
             "answers at " +
             broker.bootstrap()));
  ASSERT_EQ(broker.set_reachable(true), absl::OkStatus());
  EXPECT_TRUE(eventually([&] { return gates() == std::vector<std::string>{"until the end"}; }));
  other.resume("until the end");
  in.close();
  EXPECT_EQ(end_of(**run), absl::OkStatus());
  EXPECT_THAT(values_of(read_topic(broker.bootstrap(), "out", 0)), ElementsAre("before", "meanwhile"));
}

TEST(Topic, DoesNotOfferAgainWhatIsTooLarge) {
  const std::string topic = new_topic(1);
  App app;
  TopicOptions<std::string> options = write();
  options.produce_retries = 3;
  options.produce_retry_backoff = std::chrono::hours(1);  // a test that waited for it would hang
  app.on(from<int>({1}))
      .handle([](int) { return std::pair("k", std::string(1'500'000, 'x')); })
      .to(app.topic<std::string, std::string>(topic, text(), options));
  EXPECT_THAT(std::string(run_to_end(app).status.message()), HasSubstr("more than message.max.bytes"));
}

// ---------------------------------------------------------------- pausing and seeking

TEST(Topic, IsSoughtFromAHandler) {
  const std::string topic = new_topic(2);
  for (int p = 0; p < 2; ++p) produce_values(shared_broker().bootstrap(), topic, p, numbered("v", 0, 10));
  App app;
  auto texts = app.topic<std::string, std::string>(topic, text(), read());
  std::vector<std::string> first, second;
  bool sought = false;
  app.on(texts).handle([&](const Text& m) {
    (m.partition == 0 ? first : second).push_back(m.value);
    if (m.partition == 0 && m.offset == 9 && !std::exchange(sought, true)) {
      EXPECT_EQ(texts.seek({{0, 7}}), absl::OkStatus());
    }
  });
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  std::vector<std::string> expected = numbered("v", 0, 10);
  for (const char* v : {"v7", "v8", "v9"}) expected.push_back(v);
  EXPECT_EQ(first, expected);
  EXPECT_EQ(second, numbered("v", 0, 10));
}

TEST(Topic, CommitsWhereItWasSought) {
  const std::string topic = new_topic(1), group = "group of " + topic;
  produce_values(shared_broker().bootstrap(), topic, 0, numbered("v", 0, 10));
  const auto run = [&](std::vector<std::string>& got, bool seeks) {
    App app;
    TopicOptions<std::string> options = read();
    options.group = group;
    auto texts = app.topic<std::string, std::string>(topic, text(), options);
    app.on(texts).handle([&, seeks](const Text& m) mutable {
      got.push_back(m.value);
      if (m.offset == 9 && std::exchange(seeks, false)) {
        EXPECT_EQ(texts.seek(4), absl::OkStatus());
      } else if (m.offset == 5 && got.size() > 10) {
        texts.stop();
      }
    });
    EXPECT_EQ(run_to_end(app).status, absl::OkStatus());
  };
  std::vector<std::string> first, second;
  run(first, true);
  run(second, false);
  first.insert(first.end(), second.begin(), second.end());
  std::vector<std::string> expected = numbered("v", 0, 10);
  // What was read when it was stopped was handled, too.
  const std::vector<std::string> again = numbered("v", 4, 10);
  expected.insert(expected.end(), again.begin(), again.end());
  EXPECT_EQ(first, expected);
}

TEST(Topic, EndsTheRunWhenItIsSoughtWhereNothingIs) {
  const std::string topic = new_topic(1);
  produce_values(shared_broker().bootstrap(), topic, 0, numbered("v", 0, 3));
  App app;
  auto texts = app.topic<std::string, std::string>(topic, text(), read());
  app.on(texts).handle([&](const Text&) { (void)texts.seek(4); });
  EXPECT_EQ(
      run_to_end(app).status,
      absl::OutOfRangeError("kafka topic " + topic + ": kafka topic '" + topic +
                            "' partition 0: the sought offset 4 is outside of what the broker has, 0 to 3"));
}

TEST(Topic, WaitsForItsRunWhenItIsSoughtFromOutside) {
  const std::string topic = new_topic(1);
  produce_values(shared_broker().bootstrap(), topic, 0, numbered("v", 0, 3));
  App app;
  auto options = read();
  options.until_end = false;
  auto texts = app.topic<std::string, std::string>(topic, text(), options);
  std::atomic<int> handled{0};
  std::vector<std::string> got;
  app.on(texts).handle([&](const Text& m) {
    got.push_back(m.value);
    ++handled;
  });
  EXPECT_EQ(texts.seek(0, 0ms),
            absl::DeadlineExceededError("topic '" + topic +
                                        "' can't be sought: it wasn't opened within 0; "
                                        "does the App run, and does a handler listen to it?"));
  texts.pause();
  absl::Status status = absl::UnknownError("not asked yet");
  std::thread seeker([&] { status = texts.seek(2, 60s); });
  auto run = app.start();
  ASSERT_EQ(run.status(), absl::OkStatus());
  seeker.join();
  EXPECT_EQ(status, absl::OkStatus());
  texts.resume();
  ASSERT_TRUE(eventually([&] { return handled == 1; }));
  texts.stop();
  EXPECT_EQ(end_of(**run), absl::OkStatus());
  EXPECT_THAT(got, ElementsAre("v2"));
}

TEST(Topic, PausesOnePartition) {
  const std::string topic = new_topic(2);
  for (int p = 0; p < 2; ++p) produce_values(shared_broker().bootstrap(), topic, p, numbered("v", 0, 100));
  App app;
  auto texts = app.topic<std::string, std::string>(topic, text(), read());
  std::vector<std::string> first, second;
  std::atomic<bool> other_is_through{false};
  texts.pause("until the other is through", 0);
  app.on(texts).handle([&](const Text& m) {
    (m.partition == 0 ? first : second).push_back(m.value);
    EXPECT_TRUE(m.partition != 0 || other_is_through);
    if (m.partition == 1 && m.offset == 99) {
      other_is_through = true;
      texts.resume("until the other is through", 0);
    }
  });
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  EXPECT_EQ(first, numbered("v", 0, 100));
  EXPECT_EQ(second, numbered("v", 0, 100));
}

}  // namespace
}  // namespace slipstream::test
