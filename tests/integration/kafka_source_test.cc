#include "tests/integration/kafka_testing.h"
#include "tests/integration/own_broker.h"

namespace slipstream::test {
namespace {

using kafka::SourceOptions;
using kafka::Start;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using KafkaSourceOnARealBroker = RealBroker;

/// Looks soon at what has become of the topic.
const kafka::Settings kWatchful = {{"topic.metadata.refresh.interval.ms", "100"}};

void produce_at(const std::string& brokers, const std::string& topic, int partition,
                const std::vector<std::int64_t>& millis) {
  auto producer = kafka::Producer::connect({.brokers = brokers});
  ASSERT_EQ(producer.status(), absl::OkStatus());
  for (const std::int64_t time : millis) {
    ASSERT_EQ(producer->produce(topic, {.partition = partition,
                                        .value = std::to_string(time),
                                        .timestamp = EventTime(std::chrono::milliseconds(time))}),
              absl::OkStatus());
  }
  ASSERT_EQ(producer->flush(), absl::OkStatus());
}

TEST_F(KafkaSourceOnARealBroker, StartsAtATimeInEachPartition) {
  const std::string topic = create_topic(4);
  produce_at(broker(), topic, 0, {1'000, 2'000, 3'000});
  produce_at(broker(), topic, 1, {1'999});
  produce_at(broker(), topic, 2, {5'000, 2'000, 1'000});
  const struct {
    EventTime since;
    std::vector<std::string> first, second, third;
  } cases[] = {
      {EventTime(2s), {"2000", "3000"}, {}, {"5000", "2000", "1000"}},
      {EventTime(1'000'001us), {"2000", "3000"}, {"1999"}, {"5000", "2000", "1000"}},
      {EventTime(3'001ms), {}, {}, {"5000", "2000", "1000"}},
      {EventTime(-1s), {"1000", "2000", "3000"}, {"1999"}, {"5000", "2000", "1000"}},
      {EventTime(6s), {}, {}, {}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.since.time_since_epoch().count());
    SourceDriver driver(
        kafka::raw_source(topic, {.brokers = broker(), .start = Start::since(c.since), .until_end = true}));
    ASSERT_EQ(driver.open(), absl::OkStatus());
    for (int p = 0; p < 4; ++p) ASSERT_EQ(driver.read_until(p, ReadState::finished), absl::OkStatus());
    EXPECT_EQ(driver.values(0), c.first);
    EXPECT_EQ(driver.values(1), c.second);
    EXPECT_EQ(driver.values(2), c.third);
    EXPECT_THAT(driver.values(3), IsEmpty());
  }
}

TEST_F(KafkaSourceOnARealBroker, ATopicThatIsDeletedWhileItIsReadEndsTheRun) {
  const std::string topic = create_topic(2);
  produce_values(broker(), topic, 0, {"v"});
  SourceDriver driver(kafka::raw_source(topic, {.brokers = broker(), .settings = kWatchful}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  ASSERT_EQ(driver.read_count(0, 1), absl::OkStatus());
  delete_topic(topic);
  ASSERT_TRUE(driver.wait_failure());
  EXPECT_THAT(driver.failures(),
              ElementsAre(absl::NotFoundError("kafka topic '" + topic + "' was deleted on " + broker() +
                                              " while it was read")));
}

TEST_F(KafkaSourceOnARealBroker, ATopicThatGrowsIsReportedAndReadOn) {
  const std::string topic = create_topic(1);
  SourceDriver driver(kafka::raw_source(topic, {.brokers = broker(), .settings = kWatchful}));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  RawClient(broker()).grow(topic, 3);
  EXPECT_TRUE(
      driver.wait_log("warning kafka: kafka topic '" + topic +
                      "' grew from 1 to 3 partitions; the new ones are not read: restart to read them"));
  produce_values(broker(), topic, 0, {"old partition"});
  produce_values(broker(), topic, 2, {"new partition"});
  ASSERT_EQ(driver.read_count(0, 1), absl::OkStatus());
  EXPECT_THAT(driver.values(0), ElementsAre("old partition"));
  EXPECT_EQ(driver.source().partition_count(), 1);
  EXPECT_THAT(driver.failures(), IsEmpty());

  SourceDriver next(kafka::raw_source(topic, {.brokers = broker(), .until_end = true}));
  ASSERT_EQ(next.open(), absl::OkStatus());
  ASSERT_EQ(next.read_until(2, ReadState::finished), absl::OkStatus());
  EXPECT_THAT(next.values(2), ElementsAre("new partition"));
}

TEST(KafkaProgramOnItsOwnRealBroker, SeesOnlyADelayWhenTheBrokerIsRestarted) {
  OwnBroker broker;
  ASSERT_NE(broker.address(), "");
  const std::string& address = broker.address();
  {
    auto admin = kafka::Admin::connect({.brokers = address});
    ASSERT_EQ(admin.status(), absl::OkStatus());
    ASSERT_EQ(admin->create_topics({{.name = "in"}, {.name = "out"}}), absl::OkStatus());
  }
  produce_values(address, "in", 0, numbered("v", 0, 1000));

  Log log;
  App app;
  app.log_to(log.hook());
  app.set("runtime.commit_interval", "50ms");
  app.source("in", kafka::source("in", text(), {.brokers = address, .group = "g"}))
      .sink(kafka::sink("out", text(), {.brokers = address}), {.name = "out"});
  auto run = app.start();
  ASSERT_EQ(run.status(), absl::OkStatus());
  const auto has_written = [&](std::uint64_t count) {
    return eventually([&] { return (*run)->metrics().node("in")->in >= count || (*run)->is_done(); });
  };
  ASSERT_TRUE(has_written(1000));
  broker.die();
  EXPECT_TRUE(log.wait_for("warning kafka: kafka topic in: lost " + address));
  broker.start_again();
  EXPECT_TRUE(log.wait_for("info kafka: kafka topic in: " + address + " answers again after "));
  produce_values(address, "in", 0, numbered("v", 1000, 2000));
  EXPECT_TRUE(has_written(2000));
  (*run)->stop();
  EXPECT_EQ(end_of(**run), absl::OkStatus());
  EXPECT_EQ(values_of(read_topic(address, "out", 0)), numbered("v", 0, 2000));

  SourceDriver next(kafka::raw_source("in", {.brokers = address, .group = "g", .until_end = true}));
  ASSERT_EQ(next.open(), absl::OkStatus());
  ASSERT_EQ(next.read_until(0, ReadState::finished), absl::OkStatus());
  EXPECT_THAT(next.values(0), IsEmpty()) << "its offsets were not committed";
}

}  // namespace
}  // namespace slipstream::test
