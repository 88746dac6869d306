#include "connectors/kafka/outbox.h"
#include "kafka_testing.h"

namespace slipstream::test {
namespace {

using kafka::SinkOptions;
using testing::HasSubstr;

SinkOptions to_shared() { return {.brokers = shared_broker().bootstrap()}; }

OutRecord out(std::optional<std::string_view> key, std::optional<std::string_view> value) {
  return {key, value, std::nullopt, nullptr};
}

TEST(KafkaPrefix, CountsOnlyWithoutGaps) {
  kafka::Prefix prefix;
  prefix.done(2);
  prefix.done(1);
  EXPECT_EQ(prefix.length(), 0u);
  prefix.done(0);
  EXPECT_EQ(prefix.length(), 3u);
  prefix.done(4);
  EXPECT_EQ(prefix.length(), 3u);
  prefix.done(3);
  EXPECT_EQ(prefix.length(), 5u);
}

TEST(KafkaSink, WritesKeysHeadersTimestampsAndTombstones) {
  const std::string topic = new_topic(1);
  SinkDriver driver(kafka::raw_sink(topic, to_shared()));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  const Headers headers = {{"h", "1"}, {"h", "2"}};
  const OutRecord records[] = {
      {"a", "one", EventTime(1234567ms), &headers}, out("b", std::nullopt), out(std::nullopt, "")};
  ASSERT_EQ(driver.write(records), absl::OkStatus());
  ASSERT_EQ(driver.deliver(), absl::OkStatus());
  const auto seen = read_topic(shared_broker().bootstrap(), topic, 0);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].key, "a");
  EXPECT_EQ(seen[0].value, "one");
  EXPECT_EQ(seen[0].headers, headers);
  EXPECT_EQ(seen[0].timestamp, EventTime(1234567ms));
  EXPECT_EQ(seen[1].key, "b");
  EXPECT_FALSE(seen[1].has_value);
  EXPECT_FALSE(seen[2].has_key);
  EXPECT_TRUE(seen[2].has_value);
}

TEST(KafkaSink, EqualKeysGoWhereJavasProducerPutsThem) {
  const std::string topic = new_topic(16);
  SinkDriver driver(kafka::raw_sink(topic, to_shared()));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  const OutRecord records[] = {out("21", "x"), out("foobar", "y"), out("21", "z")};
  ASSERT_EQ(driver.write(records), absl::OkStatus());
  ASSERT_EQ(driver.deliver(), absl::OkStatus());
  // From org.apache.kafka.common.utils.UtilsTest: murmur2("21") = -973932308, murmur2("foobar") = -790332482.
  EXPECT_EQ(values_of(read_topic(shared_broker().bootstrap(), topic, (-973932308 & 0x7fffffff) % 16)),
            (std::vector<std::string>{"x", "z"}));
  EXPECT_EQ(values_of(read_topic(shared_broker().bootstrap(), topic, (-790332482 & 0x7fffffff) % 16)),
            std::vector<std::string>{"y"});
}

TEST(KafkaSink, MayChooseThePartition) {
  const std::string topic = new_topic(3);
  SinkOptions options = to_shared();
  options.partition = [](const OutRecord& record, int count) {
    EXPECT_EQ(count, 3);
    return record.value->size() > 9 ? 7 : static_cast<int>(record.value->size());
  };
  SinkDriver driver(kafka::raw_sink(topic, options));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.write_values({"", "1", "22"}), absl::OkStatus());
  const absl::Status status = driver.write_values({"0123456789"});
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(),
            "kafka topic '" + topic + "': `partition` chose 7; the topic has 3 partitions, from 0");
  ASSERT_EQ(driver.deliver(), absl::OkStatus());
  EXPECT_EQ(values_of(read_topic(shared_broker().bootstrap(), topic, 2)), std::vector<std::string>{"22"});
}

TEST(KafkaSink, IsFullAtItsBudgetAndWakesWhenThereIsRoom) {
  const std::string topic = new_topic(1);
  SinkOptions options = to_shared();
  options.settings = {{"linger.ms", "200"}};
  SinkDriver driver(kafka::raw_sink(topic, options), 100'000);
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.write_values(std::vector<std::string>(300, std::string(1000, 'x'))), absl::OkStatus());
  EXPECT_GE(driver.fulls(), 3);
  ASSERT_EQ(driver.deliver(), absl::OkStatus());
  EXPECT_EQ(read_topic(shared_broker().bootstrap(), topic, 0).size(), 300u);
}

TEST(KafkaSink, ARecordBeyondTheBudgetGoesAlone) {
  const std::string topic = new_topic(1);
  SinkDriver driver(kafka::raw_sink(topic, to_shared()), 1000);
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.write_values({std::string(5000, 'x'), std::string(6000, 'y')}), absl::OkStatus());
  ASSERT_EQ(driver.deliver(), absl::OkStatus());
  EXPECT_EQ(read_topic(shared_broker().bootstrap(), topic, 0).size(), 2u);
}

TEST(KafkaSink, ATooLargeRecordIsSaid) {
  const std::string topic = new_topic(1);
  SinkDriver driver(kafka::raw_sink(topic, to_shared()));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  const std::string large(1'500'000, 'x');
  const OutRecord records[] = {out("big\n", large)};
  const absl::Status status = driver.write(records);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(),
            "kafka topic '" + topic +
                "': the record with key 'big\\x0a' has 1500004 bytes, more than message.max.bytes = "
                "1000000; raise it here and max.message.bytes of the topic on the broker");
}

TEST(KafkaSink, WhatStandsBeforeARecordThatIsTooLargeIsTakenFirst) {
  const std::string topic = new_topic(1);
  SinkDriver driver(kafka::raw_sink(topic, to_shared()));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  const std::string large(1'500'000, 'x');
  const OutRecord records[] = {out("a", "1"), out("b", large), out("c", "3")};
  const int before = driver.wakes();
  EXPECT_EQ(*driver.sink().write(records), 1u);
  EXPECT_TRUE(driver.wait_wake(before));
  EXPECT_THAT(std::string(driver.sink().write(std::span(records).subspan(1)).status().message()),
              HasSubstr("the record with key 'b' has 1500001 bytes"));
}

TEST(KafkaSink, FlushSendsWithoutWaitingForMore) {
  const std::string topic = new_topic(1);
  SinkOptions options = to_shared();
  options.settings = {{"linger.ms", "200000"}};
  SinkDriver driver(kafka::raw_sink(topic, options));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.write_values(numbered_lines(10)), absl::OkStatus());
  ASSERT_EQ(driver.deliver(), absl::OkStatus());
  EXPECT_EQ(values_of(read_topic(shared_broker().bootstrap(), topic, 0)), numbered_lines(10));
}

TEST(KafkaSink, AMissingTopicNamesTheNearestOrIsCreated) {
  kafka::EmbeddedBroker broker = start_broker({{"revenue", 2}});
  SinkDriver refused(kafka::raw_sink("revenu", {.brokers = broker.bootstrap()}));
  const absl::Status status = refused.open();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status.message(), "kafka topic 'revenu' does not exist on " + broker.bootstrap() +
                                  "; nearest: 'revenue'; create it, or set create_topic");
  SinkDriver driver(kafka::raw_sink("revenu", {.brokers = broker.bootstrap(), .create_topic = true}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.write_values({"v"}), absl::OkStatus());
  EXPECT_EQ(driver.deliver(), absl::OkStatus());
}

TEST(KafkaSink, AFailedDeliveryNamesTopicKeyAndCause) {
  kafka::EmbeddedBroker broker = start_broker({{"topic", 1}});
  SinkOptions options{
      .brokers = broker.bootstrap(), .close_timeout = 0ms, .settings = {{"message.timeout.ms", "500"}}};
  SinkDriver driver(kafka::raw_sink("topic", options));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(broker.set_reachable(false), absl::OkStatus());
  ASSERT_EQ(driver.write_values({"v"}), absl::OkStatus());
  ASSERT_TRUE(driver.wait_failure());
  const auto delivered = driver.sink().delivered();
  EXPECT_TRUE(absl::IsUnavailable(delivered.status()));
  EXPECT_EQ(delivered.status().message(),
            "kafka topic 'topic': delivery of the record with key 'k' failed: Message timed out");
  EXPECT_EQ(driver.failures()[0], delivered.status());
  EXPECT_EQ(driver.sink().write({}).status(), absl::OkStatus());
  EXPECT_EQ(driver.write_values({"w"}), delivered.status());
}

TEST(KafkaSink, ClosingSaysWhatWasNotDelivered) {
  kafka::EmbeddedBroker broker = start_broker({{"topic", 1}});
  SinkDriver driver(kafka::raw_sink("topic", {.brokers = broker.bootstrap(), .close_timeout = 200ms}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.write_values({"a"}), absl::OkStatus());
  ASSERT_EQ(driver.deliver(), absl::OkStatus());
  ASSERT_EQ(broker.set_reachable(false), absl::OkStatus());
  ASSERT_EQ(driver.write_values({"b", "c"}), absl::OkStatus());
  const absl::Status status = driver.sink().close();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  EXPECT_EQ(status.message(), "kafka topic 'topic': 2 of 3 records were not delivered within 200 ms");
  EXPECT_EQ(driver.sink().close(), absl::OkStatus());
}

TEST(KafkaSink, ABrokerThatComesBackGetsEverythingOnce) {
  kafka::EmbeddedBroker broker = start_broker({{"topic", 1}});
  SinkDriver driver(kafka::raw_sink("topic", {.brokers = broker.bootstrap()}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.write_values(numbered("v", 0, 100)), absl::OkStatus());
  ASSERT_EQ(broker.set_reachable(false), absl::OkStatus());
  ASSERT_EQ(driver.write_values(numbered("v", 100, 200)), absl::OkStatus());
  EXPECT_TRUE(driver.wait_log("lost " + broker.bootstrap()));
  ASSERT_EQ(broker.set_reachable(true), absl::OkStatus());
  ASSERT_EQ(driver.deliver(), absl::OkStatus());
  EXPECT_EQ(values_of(read_topic(broker.bootstrap(), "topic", 0)), numbered("v", 0, 200));
}

TEST(KafkaSink, AnUnreachableBrokerIsGivenUp) {
  SinkDriver driver(kafka::raw_sink("topic", {.brokers = kNobody, .connect_timeout = 500ms}));
  const absl::Status status = driver.open();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("no broker answers at 127.0.0.1:1"));
}

}  // namespace
}  // namespace slipstream::test
