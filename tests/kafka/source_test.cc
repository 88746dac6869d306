#include "kafka_testing.h"
#include "slipstream/slipstream.h"

namespace slipstream::test {
namespace {

using kafka::SourceOptions;
using kafka::Start;
using testing::HasSubstr;
using testing::StartsWith;

SourceOptions bounded() {
  return {.brokers = shared_broker().bootstrap(), .until_end = true, .settings = kFast};
}
SourceOptions bounded(Start start) {
  SourceOptions options = bounded();
  options.start = std::move(start);
  return options;
}

/// What opening says when it must not work.
absl::Status open_error(const std::string& topic, SourceOptions options) {
  SourceDriver driver(kafka::raw_source(topic, std::move(options)));
  absl::Status status = driver.open();
  EXPECT_FALSE(status.ok());
  return status;
}

TEST(KafkaSource, DeliversKeysHeadersTimestampsAndTombstones) {
  const std::string topic = new_topic(1);
  auto producer = kafka::Producer::connect({.brokers = shared_broker().bootstrap()});
  ASSERT_EQ(producer.status(), absl::OkStatus());
  const Headers headers = {{"trace", "abc"}, {"empty", ""}, {"trace", std::string("\0\1", 2)}};
  const EventTime time{std::chrono::milliseconds(1'600'000'000'123)};
  ASSERT_EQ(producer->produce(topic, {.key = "a", .value = "one", .timestamp = time, .headers = &headers}),
            absl::OkStatus());
  ASSERT_EQ(producer->produce(topic, {.key = "b"}), absl::OkStatus());
  ASSERT_EQ(producer->produce(topic, {.value = "no key"}), absl::OkStatus());
  ASSERT_EQ(producer->produce(topic, {.key = "", .value = ""}), absl::OkStatus());
  ASSERT_EQ(producer->flush(), absl::OkStatus());

  const auto seen = read_topic(shared_broker().bootstrap(), topic, 0);
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[0].key, "a");
  EXPECT_EQ(seen[0].value, "one");
  EXPECT_EQ(seen[0].timestamp, time);
  EXPECT_EQ(seen[0].headers, headers);
  EXPECT_EQ(seen[1].key, "b");
  EXPECT_FALSE(seen[1].has_value);
  EXPECT_TRUE(seen[1].headers.empty());
  EXPECT_FALSE(seen[2].has_key);
  EXPECT_EQ(seen[2].value, "no key");
  EXPECT_TRUE(seen[3].has_key);
  EXPECT_TRUE(seen[3].has_value);
  EXPECT_EQ(seen[3].key, "");
}

TEST(KafkaSource, AHeldPartitionLosesNothing) {
  const std::string topic = new_topic(3);
  for (int p = 0; p < 3; ++p) produce_values(shared_broker().bootstrap(), topic, p, numbered("v", 0, 3000));
  SourceDriver driver(kafka::raw_source(topic, bounded()));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  for (int cycle = 0; cycle < 100; ++cycle) {
    const int held = cycle % 3;
    driver.source().hold(held, true);
    for (int p = 0; p < 3; ++p) {
      if (p != held) {
        ASSERT_EQ(driver.read(p, {.max_records = 10, .max_bytes = 1 << 20}).status(), absl::OkStatus());
      }
    }
    driver.source().hold(held, false);
  }
  for (int p = 0; p < 3; ++p) {
    ASSERT_EQ(driver.read_until(p, ReadState::finished), absl::OkStatus());
    EXPECT_EQ(driver.values(p), numbered("v", 0, 3000));
  }
}

TEST(KafkaSource, AsksForMoreWhenItsQueueIsHalfEmpty) {
  const std::string topic = new_topic(1);
  produce_values(shared_broker().bootstrap(), topic, 0, numbered("v", 0, 20'000));
  SourceOptions options = bounded();
  options.settings.insert({{"queued.min.messages", "2000"}, {"debug", "protocol"}});
  SourceDriver driver(kafka::raw_source(topic, std::move(options)));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.read_until(0, ReadState::finished), absl::OkStatus());
  EXPECT_EQ(driver.values(0), numbered("v", 0, 20'000));
  // The first two were for where it begins and ends.
  EXPECT_TRUE(driver.wait_log("Sent ListOffsetsRequest", 3));
}

TEST(KafkaSource, StartsWhereItIsTold) {
  const std::string topic = new_topic(2);
  for (int p = 0; p < 2; ++p) produce_values(shared_broker().bootstrap(), topic, p, numbered("v", 0, 10));
  struct Case {
    Start start;
    std::vector<std::string> first, second;
  };
  const std::vector<std::string> all = numbered("v", 0, 10);
  for (const Case& c : {Case{Start::beginning(), all, all},
                        Case{Start::offset(7), numbered("v", 7, 10), numbered("v", 7, 10)},
                        Case{Start::offset(10), {}, {}}, Case{Start::offsets({{1, 9}}), all, {"v9"}}}) {
    SourceDriver driver(kafka::raw_source(topic, bounded(c.start)));
    ASSERT_EQ(driver.open(), absl::OkStatus());
    for (int p = 0; p < 2; ++p) ASSERT_EQ(driver.read_until(p, ReadState::finished), absl::OkStatus());
    EXPECT_EQ(driver.values(0), c.first);
    EXPECT_EQ(driver.values(1), c.second);
  }
}

TEST(KafkaSource, StartingAtTheEndSeesOnlyWhatComes) {
  const std::string topic = new_topic(1);
  produce_values(shared_broker().bootstrap(), topic, 0, numbered("old", 0, 10));
  SourceDriver driver(kafka::raw_source(
      topic, {.brokers = shared_broker().bootstrap(), .start = Start::end(), .settings = kFast}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.read_until(0, ReadState::caught_up), absl::OkStatus());
  produce_values(shared_broker().bootstrap(), topic, 0, {"new"});
  ASSERT_EQ(driver.read_count(0, 1), absl::OkStatus());
  EXPECT_EQ(driver.values(0), std::vector<std::string>{"new"});
}

// ---------------------------------------------------------------- seeking

/// Asks until the source knows where it goes on.
absl::StatusOr<std::int64_t> sought(SourceDriver& driver, int partition, std::int64_t offset) {
  while (true) {
    const int before = driver.wakes();
    const auto at = driver.source().seek(partition, offset);
    if (!at.ok()) return at.status();
    if (*at) return **at;
    if (!driver.wait_wake(before)) return absl::DeadlineExceededError("no wake");
  }
}
/// The values of the next `count` records.
std::vector<std::string> next_values(SourceDriver& driver, int partition, std::size_t count) {
  const std::size_t before = driver.seen(partition).size();
  EXPECT_EQ(driver.read_count(partition, before + count), absl::OkStatus());
  std::vector<std::string> all = driver.values(partition);
  return {all.begin() + static_cast<std::ptrdiff_t>(before),
          all.begin() + static_cast<std::ptrdiff_t>(before + count)};
}

TEST(KafkaSource, GoesOnWhereItIsSoughtWithNothingOfBefore) {
  const std::string topic = new_topic(2);
  for (int p = 0; p < 2; ++p) produce_values(shared_broker().bootstrap(), topic, p, numbered("v", 0, 3000));
  SourceDriver driver(kafka::raw_source(topic, {.brokers = shared_broker().bootstrap(), .settings = kFast}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  EXPECT_EQ(next_values(driver, 0, 1), numbered("v", 0, 1));  // much more than this is fetched by now
  EXPECT_EQ(sought(driver, 0, 2990), absl::StatusOr<std::int64_t>(2990));
  EXPECT_EQ(next_values(driver, 0, 10), numbered("v", 2990, 3000));
  ASSERT_EQ(driver.read_until(0, ReadState::caught_up), absl::OkStatus());
  EXPECT_EQ(sought(driver, 0, 5), absl::StatusOr<std::int64_t>(5));
  EXPECT_EQ(next_values(driver, 0, 3), numbered("v", 5, 8));
  EXPECT_EQ(sought(driver, 0, kBeginning), absl::StatusOr<std::int64_t>(0));
  EXPECT_EQ(next_values(driver, 0, 2), numbered("v", 0, 2));
  EXPECT_EQ(sought(driver, 0, kEnd), absl::StatusOr<std::int64_t>(3000));
  ASSERT_EQ(driver.read_until(0, ReadState::caught_up), absl::OkStatus());
  produce_values(shared_broker().bootstrap(), topic, 0, {"new"});
  EXPECT_EQ(next_values(driver, 0, 1), std::vector<std::string>{"new"});
  EXPECT_EQ(next_values(driver, 1, 3000), numbered("v", 0, 3000)) << "the other partition goes on as it was";
}

TEST(KafkaSource, ManySeeksLeaveNothingOfTheOnesBefore) {
  const std::string topic = new_topic(1);
  produce_values(shared_broker().bootstrap(), topic, 0, numbered("v", 0, 3000));
  SourceDriver driver(kafka::raw_source(topic, {.brokers = shared_broker().bootstrap(), .settings = kFast}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  for (int i = 0; i < 30; ++i) {
    const int to = i * 997 % 2900;
    ASSERT_EQ(driver.source().seek(0, 1).status(), absl::OkStatus()) << "one that is overtaken by the next";
    ASSERT_EQ(sought(driver, 0, to), absl::StatusOr<std::int64_t>(to));
    EXPECT_EQ(next_values(driver, 0, 20), numbered("v", to, to + 20));
  }
}

TEST(KafkaSource, ReadsAFinishedPartitionAgain) {
  const std::string topic = new_topic(1);
  produce_values(shared_broker().bootstrap(), topic, 0, numbered("v", 0, 10));
  SourceDriver driver(kafka::raw_source(topic, bounded()));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(driver.read_until(0, ReadState::finished), absl::OkStatus());
    ASSERT_EQ(sought(driver, 0, 8), absl::StatusOr<std::int64_t>(8));
  }
  ASSERT_EQ(driver.read_until(0, ReadState::finished), absl::OkStatus());
  std::vector<std::string> expected = numbered("v", 0, 10);
  for (int i = 0; i < 5; ++i) expected.insert(expected.end(), {"v8", "v9"});
  EXPECT_EQ(driver.values(0), expected);
}

TEST(KafkaSource, SaysWhatIsThereWhenItIsSoughtElsewhere) {
  const std::string topic = new_topic(2);
  produce_values(shared_broker().bootstrap(), topic, 1, numbered("v", 0, 10));
  SourceDriver driver(kafka::raw_source(topic, {.brokers = shared_broker().bootstrap(), .settings = kFast}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  EXPECT_EQ(sought(driver, 1, 11).status(),
            absl::OutOfRangeError(
                "kafka topic '" + topic +
                "' partition 1: the sought offset 11 is outside of what the broker has, 0 to 10"));
}

TEST(KafkaSource, IsSoughtOnceTheBrokerAnswersAgain) {
  kafka::EmbeddedBroker broker = start_broker({{"sought", 1}});
  produce_values(broker.bootstrap(), "sought", 0, numbered("v", 0, 10));
  SourceDriver driver(kafka::raw_source("sought", {.brokers = broker.bootstrap(), .settings = kFast}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.read_count(0, 10), absl::OkStatus());
  ASSERT_EQ(broker.set_reachable(false), absl::OkStatus());
  ASSERT_TRUE(driver.wait_log("lost"));
  ASSERT_EQ(driver.source().seek(0, 7).status(), absl::OkStatus());
  ASSERT_EQ(broker.set_reachable(true), absl::OkStatus());
  EXPECT_EQ(sought(driver, 0, 7), absl::StatusOr<std::int64_t>(7));
  EXPECT_EQ(next_values(driver, 0, 3), numbered("v", 7, 10));
}

TEST(KafkaSource, AStartOutsideOfTheLogIsRefused) {
  const std::string topic = new_topic(2);
  produce_values(shared_broker().bootstrap(), topic, 1, numbered("v", 0, 10));
  const absl::Status beyond = open_error(topic, bounded(Start::offsets({{1, 11}})));
  EXPECT_TRUE(absl::IsOutOfRange(beyond));
  EXPECT_EQ(beyond.message(),
            "kafka topic '" + topic +
                "' partition 1: the start offset 11 is outside of what the broker has, 0 to 10");
  const absl::Status nowhere = open_error(topic, bounded(Start::offsets({{2, 0}})));
  EXPECT_TRUE(absl::IsInvalidArgument(nowhere));
  EXPECT_EQ(nowhere.message(),
            "kafka topic '" + topic + "' has no partition 2 to start at offset 0; it has 2");
}

TEST(KafkaSource, StartingByTimeIsRefusedByTheEmbeddedBroker) {
  const std::string topic = new_topic(1);
  produce_values(shared_broker().bootstrap(), topic, 0, {"v"});
  EXPECT_EQ(open_error(topic, bounded(Start::since(EventTime(1s)))),
            absl::UnimplementedError(
                "kafka topic '" + topic + "': the embedded broker at " + shared_broker().bootstrap() +
                " can't find offsets by time; start at the beginning, the end or an offset"));
}

TEST(KafkaSource, AMissingTopicNamesTheNearest) {
  kafka::EmbeddedBroker broker = start_broker({{"orders", 1}, {"order-items", 1}, {"weather", 1}});
  SourceOptions options{.brokers = broker.bootstrap()};
  const absl::Status status = open_error("ordrs", options);
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status.message(), "kafka topic 'ordrs' does not exist on " + broker.bootstrap() +
                                  "; nearest: 'orders'; create it, or set wait_for_topic");
  EXPECT_EQ(open_error("zzzzzzzz", options).message(), "kafka topic 'zzzzzzzz' does not exist on " +
                                                           broker.bootstrap() +
                                                           "; it has 'order-items', 'orders', 'weather'; "
                                                           "create it, or set wait_for_topic");
  EXPECT_THAT(std::string(open_error("no spaces allowed", options).message()),
              HasSubstr("'no spaces allowed'"));

  auto admin = kafka::Admin::connect({.brokers = broker.bootstrap()});
  ASSERT_EQ(admin.status(), absl::OkStatus());
  EXPECT_THAT(*admin->list_topics(), testing::ElementsAre("order-items", "orders", "weather"))
      << "asking created a topic";
}

TEST(KafkaSource, EndsAtGivenOffsetsThatAreNotThereYet) {
  const std::string topic = new_topic(3);
  SourceOptions options = bounded();
  options.until_offsets = {{0, 2}, {1, 0}};
  SourceDriver driver(kafka::raw_source(topic, options));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  EXPECT_EQ(driver.read_until(1, ReadState::finished), absl::OkStatus());
  EXPECT_EQ(driver.read_until(2, ReadState::finished), absl::OkStatus()) << "empty when it was opened";
  produce_values(options.brokers, topic, 0, {"a", "b", "c"});
  EXPECT_EQ(driver.read_until(0, ReadState::finished), absl::OkStatus());
  EXPECT_THAT(values_of(driver.seen(0)), testing::ElementsAre("a", "b"));
}

TEST(KafkaSource, AnEndInAPartitionThatIsNotThereIsRefused) {
  const std::string topic = new_topic(2);
  SourceOptions options = bounded();
  options.until_offsets = {{2, 7}};
  EXPECT_EQ(open_error(topic, options).message(),
            "kafka topic '" + topic + "' has no partition 2 to end at offset 7; it has 2");
}

TEST(KafkaSource, ABrokerWithoutTopicsSaysSo) {
  kafka::EmbeddedBroker broker = start_broker({});
  EXPECT_EQ(open_error("orders", {.brokers = broker.bootstrap()}).message(),
            "kafka topic 'orders' does not exist on " + broker.bootstrap() +
                "; it has no topics; create it, or set wait_for_topic");
}

TEST(KafkaSource, OfManyTopicsItNamesTheFirst) {
  std::vector<kafka::EmbeddedBroker::Topic> topics;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g"}) topics.push_back({name, 1});
  auto broker = kafka::EmbeddedBroker::start(topics);
  ASSERT_EQ(broker.status(), absl::OkStatus());
  EXPECT_EQ(open_error("orders", {.brokers = broker->bootstrap()}).message(),
            "kafka topic 'orders' does not exist on " + broker->bootstrap() +
                "; it has 'a', 'b', 'c', 'd', 'e' and 2 more; create it, or set wait_for_topic");
}

TEST(KafkaSource, KnowsWhereItStarts) {
  const std::string topic = new_topic(2);
  produce_values(shared_broker().bootstrap(), topic, 0, numbered("v", 0, 10));
  const auto starts = [&](Start start) {
    SourceDriver driver(kafka::raw_source(topic, bounded(std::move(start))));
    EXPECT_EQ(driver.open(), absl::OkStatus());
    return std::vector{driver.source().start_offset(0), driver.source().start_offset(1)};
  };
  EXPECT_EQ(starts(Start::beginning()), (std::vector<std::int64_t>{0, 0}));
  EXPECT_EQ(starts(Start::end()), (std::vector<std::int64_t>{10, 0}));
  EXPECT_EQ(starts(Start::offsets({{0, 7}})), (std::vector<std::int64_t>{7, 0}));
}

TEST(KafkaSource, ARunThatStartsAtTheEndHasNoLag) {
  const std::string topic = new_topic(1);
  produce_values(shared_broker().bootstrap(), topic, 0, numbered("v", 0, 10));
  App app;
  app
      .source(kafka::source(
          topic, text(), {.brokers = shared_broker().bootstrap(), .start = Start::end(), .settings = kFast}))
      .sink([](const std::string&) {});
  auto run = app.start();
  ASSERT_EQ(run.status(), absl::OkStatus());
  // The client hears of the end with its first fetch.
  PartitionMetrics partition;
  while (partition.state != "caught up" || !partition.lag) partition = (*run)->metrics().partitions.at(0);
  EXPECT_EQ(partition.lag, 0);
  EXPECT_EQ(partition.next_offset, 10);
}

TEST(KafkaSource, AnOutageMakesNobodyWaitLongForTheLastCommit) {
  kafka::EmbeddedBroker broker = start_broker({{"orders", 1}});
  produce_values(broker.bootstrap(), "orders", 0, {"v"});
  SourceDriver driver(kafka::raw_source(
      "orders",
      {.brokers = broker.bootstrap(), .group = "g", .start = Start::beginning(), .settings = kFast}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.read_count(0, 1), absl::OkStatus());
  ASSERT_EQ(broker.set_reachable(false), absl::OkStatus());
  ASSERT_TRUE(driver.wait_log("lost " + broker.bootstrap()));
  const PartitionOffset done[] = {{.partition = 0, .next_offset = 1}};
  ASSERT_EQ(driver.source().commit(done), absl::OkStatus());
  EXPECT_THAT(std::string(driver.source().close().message()),
              HasSubstr("the last offsets of topic 'orders' could not be committed within 2 s: "));
}

TEST(KafkaSource, WaitsForATopicWhenTold) {
  kafka::EmbeddedBroker broker = start_broker({});
  SourceDriver driver(kafka::raw_source(
      "later", {.brokers = broker.bootstrap(), .until_end = true, .wait_for_topic = 60s, .settings = kFast}));
  std::thread opening([&] { EXPECT_EQ(driver.open(), absl::OkStatus()); });
  EXPECT_TRUE(driver.wait_log("info kafka: kafka topic 'later' does not exist on " + broker.bootstrap() +
                              " yet; waiting"));
  EXPECT_EQ(broker.create_topic({"later", 3}), absl::OkStatus());
  opening.join();
  EXPECT_EQ(driver.source().partition_count(), 3);
}

TEST(KafkaSource, AnUnreachableBrokerIsSaidWithin2sAndGivenUpInTheEnd) {
  SourceDriver driver(kafka::raw_source("orders", {.brokers = kNobody, .connect_timeout = 3s}));
  const auto start = std::chrono::steady_clock::now();
  absl::Status status;
  std::thread opening([&] { status = driver.open(); });
  EXPECT_TRUE(driver.wait_log("warning kafka: kafka topic orders: no broker answers at 127.0.0.1:1: "));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
  opening.join();
  EXPECT_GE(std::chrono::steady_clock::now() - start, 3s);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(status.message(),
            "kafka topic orders: no broker answers at 127.0.0.1:1: 127.0.0.1:1/bootstrap: Connect to "
            "ipv4#127.0.0.1:1 "
            "failed: Connection refused; gave up after 3 s; is it running, and is the address right?");
}

TEST(KafkaSource, AnUnreachableBrokerIsNotPrintedWhereNobodyListens) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  App app;
  app.source(kafka::source("orders", text(), {.brokers = kNobody, .connect_timeout = 300ms}))
      .sink([](const std::string&) {});
  EXPECT_TRUE(absl::IsUnavailable(app.run()));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(KafkaSource, ANameThatResolvesToNothingIsSaid) {
  SourceOptions options{.brokers = "no-such-host.invalid:9092", .connect_timeout = 1s};
  const absl::Status status = open_error("orders", options);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("Failed to resolve 'no-such-host.invalid:9092'"));
}

TEST(KafkaSource, ABadSettingIsRefusedAtOnce) {
  SourceOptions options{.brokers = kNobody, .settings = {{"fetch.wait.max", "1"}}};
  EXPECT_THAT(std::string(open_error("orders", options).message()),
              StartsWith("kafka setting 'fetch.wait.max'"));
}

TEST(KafkaSource, ABrokerThatGoesAndComesBackLosesNothing) {
  kafka::EmbeddedBroker broker = start_broker({{"topic", 1}});
  produce_values(broker.bootstrap(), "topic", 0, numbered("v", 0, 100));
  SourceDriver driver(kafka::raw_source("topic", {.brokers = broker.bootstrap(), .settings = kFast}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.read_until(0, ReadState::caught_up), absl::OkStatus());
  ASSERT_EQ(broker.set_reachable(false), absl::OkStatus());
  EXPECT_TRUE(driver.wait_log("warning kafka: kafka topic topic: lost " + broker.bootstrap() + ": "));
  ASSERT_EQ(broker.set_reachable(true), absl::OkStatus());
  EXPECT_TRUE(
      driver.wait_log("info kafka: kafka topic topic: " + broker.bootstrap() + " answers again after "));
  produce_values(broker.bootstrap(), "topic", 0, numbered("v", 100, 200));
  ASSERT_EQ(driver.read_count(0, 200), absl::OkStatus());
  EXPECT_EQ(driver.values(0), numbered("v", 0, 200));
  EXPECT_TRUE(driver.failures().empty());
}

TEST(KafkaSource, ABrokerThatStaysAwayEndsTheRun) {
  kafka::EmbeddedBroker broker = start_broker({{"topic", 1}});
  SourceDriver driver(
      kafka::raw_source("topic", {.brokers = broker.bootstrap(), .outage_timeout = 1s, .settings = kFast}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(broker.set_reachable(false), absl::OkStatus());
  ASSERT_TRUE(driver.wait_failure());
  const auto failures = driver.failures();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_TRUE(absl::IsUnavailable(failures[0]));
  EXPECT_THAT(std::string(failures[0].message()),
              StartsWith("kafka topic topic: no broker answers at " + broker.bootstrap() + ": "));
  EXPECT_THAT(std::string(failures[0].message()), HasSubstr("; gave up after 1 s; "));
}

TEST(KafkaSource, CommitsAndResumesForItsGroup) {
  const std::string topic = new_topic(2);
  for (int p = 0; p < 2; ++p) produce_values(shared_broker().bootstrap(), topic, p, numbered("v", 0, 10));
  SourceOptions options = bounded();
  options.group = "group-of-" + topic;
  {
    SourceDriver driver(kafka::raw_source(topic, options));
    ASSERT_EQ(driver.open(), absl::OkStatus());
    const PartitionOffset done[] = {{.partition = 0, .next_offset = 4}};
    ASSERT_EQ(driver.source().commit(done), absl::OkStatus());
  }
  SourceDriver driver(kafka::raw_source(topic, options));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  for (int p = 0; p < 2; ++p) ASSERT_EQ(driver.read_until(p, ReadState::finished), absl::OkStatus());
  EXPECT_EQ(driver.values(0), numbered("v", 4, 10));
  EXPECT_EQ(driver.values(1), numbered("v", 0, 10));
}

TEST(KafkaSource, ACommittedOffsetOutsideOfTheLogIsRefused) {
  const std::string topic = new_topic(1);
  SourceOptions options = bounded();
  options.group = "group-of-" + topic;
  {
    SourceDriver driver(kafka::raw_source(topic, options));
    ASSERT_EQ(driver.open(), absl::OkStatus());
    const PartitionOffset done[] = {{.partition = 0, .next_offset = 99}};
    ASSERT_EQ(driver.source().commit(done), absl::OkStatus());
  }
  EXPECT_EQ(open_error(topic, options).message(),
            "kafka topic '" + topic + "' partition 0: the committed (group '" + options.group +
                "') offset 99 is outside of what the broker has, 0 to 0");
}

TEST(KafkaSource, WithoutAGroupNothingIsCommitted) {
  const std::string topic = new_topic(1);
  produce_values(shared_broker().bootstrap(), topic, 0, numbered("v", 0, 3));
  for (int run = 0; run < 2; ++run) {
    SourceDriver driver(kafka::raw_source(topic, bounded()));
    ASSERT_EQ(driver.open(), absl::OkStatus());
    ASSERT_EQ(driver.read_until(0, ReadState::finished), absl::OkStatus());
    EXPECT_EQ(driver.values(0), numbered("v", 0, 3));
    const PartitionOffset done[] = {{.partition = 0, .next_offset = 3}};
    EXPECT_EQ(driver.source().commit(done), absl::OkStatus());
  }
}

TEST(KafkaSource, AnOffsetTheBrokerLostIsAnErrorNotAGap) {
  const std::string topic = new_topic(1);
  const std::string& brokers = shared_broker().bootstrap();
  const std::string big(100'000, 'x');
  produce_values(brokers, topic, 0, std::vector<std::string>(40, big));
  // A source that can hold only a few of them, and a broker that drops the oldest beyond 5 MiB.
  SourceDriver driver(kafka::raw_source(topic, {.brokers = brokers, .settings = kFast}), 256 << 10);
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.read_count(0, 1), absl::OkStatus());
  produce_values(brokers, topic, 0, std::vector<std::string>(100, big));
  const absl::Status status = driver.read_until(0, ReadState::caught_up);
  EXPECT_TRUE(absl::IsOutOfRange(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::ContainsRegex("kafka topic '" + topic +
                                     "' partition 0: offset [0-9]+ is no longer on the broker"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("say with 'start' where to go on"));
}

TEST(KafkaSource, NamesRecordsByTopicPartitionAndOffset) {
  EXPECT_EQ(kafka::raw_source("orders")->position(3, 17), "topic orders partition 3 offset 17");
  EXPECT_EQ(kafka::raw_source("orders")->name(), "kafka topic orders");
}

}  // namespace
}  // namespace slipstream::test
