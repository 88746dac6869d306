#include <mutex>

#include "tests/integration/kafka_testing.h"
#include "tests/kafka/foreign_member.h"
#include "tests/runtime/child.h"

namespace slipstream::test {
namespace {

using kafka::SourceOptions;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

using KafkaGroupOnARealBroker = RealBroker;

/// With a session so short that a test can wait for its end.
SourceOptions member_of(const std::string& broker, const std::string& group) {
  return {.brokers = broker,
          .group = group,
          .settings = {{"session.timeout.ms", "1500"}, {"heartbeat.interval.ms", "300"}}};
}
/// As in another process: members of one process let each other in.
SourceOptions stranger(SourceOptions options) {
  options.settings["client.id"] = "stranger";
  return options;
}
void wait_member(const std::string& broker, const std::string& group, const std::string& client) {
  RawClient raw(broker);
  ASSERT_TRUE(eventually([&] { return raw.members(group, client) > 0; }));
}
absl::Status commit(SourceDriver& driver, std::int64_t next_offset) {
  const PartitionOffset done[] = {{.partition = 0, .next_offset = next_offset}};
  return driver.source().commit(done);
}

TEST_F(KafkaGroupOnARealBroker, ASecondInstanceIsRefusedAndTheFirstGoesOn) {
  const std::string topic = create_topic(2);
  const SourceOptions options = member_of(broker(), "group-of-" + topic);
  produce_values(broker(), topic, 0, numbered("v", 0, 3));
  SourceDriver first(kafka::raw_source(topic, options));
  ASSERT_EQ(first.open(), absl::OkStatus());
  wait_member(broker(), options.group, "slipstream-");

  SourceDriver second(kafka::raw_source(topic, stranger(options)));
  const absl::Status refused = second.open();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(
      std::string(refused.message()),
      MatchesRegex(
          "kafka group 'group-of-" + topic +
          "' has another member: 'slipstream-.*-[0-9]+' at 127.0.0.1; both would process every "
          "record: stop that one, or choose another group \\(waited 3.5 s; a member that died stays for "
          "its session.timeout.ms\\)"));
  EXPECT_TRUE(second.wait_log("; waiting up to 3.5 s for it to leave"));

  ASSERT_EQ(first.read_count(0, 3), absl::OkStatus());
  EXPECT_EQ(commit(first, 2), absl::OkStatus());
  EXPECT_EQ(first.source().close(), absl::OkStatus());
  EXPECT_THAT(first.failures(), IsEmpty());

  SourceDriver next(kafka::raw_source(topic, stranger(options)));
  ASSERT_EQ(next.open(), absl::OkStatus());
  ASSERT_EQ(next.read_count(0, 1), absl::OkStatus());
  EXPECT_THAT(next.values(0), ElementsAre("v2"));
  EXPECT_THAT(next.log(), Not(testing::Contains(HasSubstr("another member")))) << "the first has left";
}

TEST_F(KafkaGroupOnARealBroker, AMemberThatDiedIsWaitedFor) {
  if (Child::is_one()) {
    const std::string topic = Child::argument();
    SourceDriver driver(kafka::raw_source(topic, member_of(broker(), "group-of-" + topic)));
    if (!driver.open().ok()) std::_Exit(1);
    wait_member(broker(), "group-of-" + topic, "slipstream-");
    std::puts("joined");
    std::fflush(stdout);
    driver.wait([] { return false; });
    std::_Exit(0);
  }
  const std::string topic = create_topic(1);
  produce_values(broker(), topic, 0, {"v"});
  {
    Child child(topic);
    ASSERT_TRUE(child.prints("joined")) << child.output();
  }  // killed
  SourceDriver driver(kafka::raw_source(topic, member_of(broker(), "group-of-" + topic)));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  EXPECT_THAT(driver.log(), testing::Contains(HasSubstr("; waiting up to 3.5 s for it to leave")));
  EXPECT_EQ(driver.read_count(0, 1), absl::OkStatus());
}

TEST_F(KafkaGroupOnARealBroker, AForeignConsumerThatJoinsEndsTheRun) {
  const std::string topic = create_topic(2);
  const SourceOptions options = member_of(broker(), "group-of-" + topic);
  SourceDriver driver(kafka::raw_source(topic, options));
  ASSERT_EQ(driver.open(), absl::OkStatus());
  wait_member(broker(), options.group, "slipstream-");
  const ForeignMember foreign(broker(), options.group, topic);
  ASSERT_TRUE(driver.wait_failure());
  EXPECT_THAT(
      driver.failures(),
      ElementsAre(absl::FailedPreconditionError(
          "another member of kafka group '" + options.group + "' was given partitions of topic '" + topic +
          "': 'stranger' at 127.0.0.1; both would process every record: stop that one, or give it another "
          "group, and start this one again")));
}

TEST_F(KafkaGroupOnARealBroker, SourcesOfOneProgramShareAGroupButNotATopic) {
  const std::string orders = create_topic(2);
  const std::string weather = create_topic(1);
  const SourceOptions options = member_of(broker(), "group-of-" + orders);
  produce_values(broker(), orders, 0, numbered("o", 0, 3));
  produce_values(broker(), weather, 0, numbered("w", 0, 3));
  {
    SourceDriver first(kafka::raw_source(orders, options));
    SourceDriver second(kafka::raw_source(weather, options));
    ASSERT_EQ(first.open(), absl::OkStatus());
    ASSERT_EQ(second.open(), absl::OkStatus());
    ASSERT_EQ(first.read_count(0, 3), absl::OkStatus());
    ASSERT_EQ(second.read_count(0, 3), absl::OkStatus());
    EXPECT_EQ(commit(first, 1), absl::OkStatus());
    EXPECT_EQ(commit(second, 2), absl::OkStatus());
    EXPECT_EQ(first.source().close(), absl::OkStatus());
    EXPECT_EQ(second.source().close(), absl::OkStatus());
    EXPECT_THAT(first.failures(), IsEmpty());
    EXPECT_THAT(second.failures(), IsEmpty());
  }
  SourceDriver first(kafka::raw_source(orders, options));
  SourceDriver second(kafka::raw_source(weather, options));
  ASSERT_EQ(first.open(), absl::OkStatus());
  ASSERT_EQ(second.open(), absl::OkStatus());
  ASSERT_EQ(first.read_count(0, 2), absl::OkStatus());
  ASSERT_EQ(second.read_count(0, 1), absl::OkStatus());
  EXPECT_THAT(first.values(0), ElementsAre("o1", "o2"));
  EXPECT_THAT(second.values(0), ElementsAre("w2"));

  SourceDriver again(kafka::raw_source(orders, options));
  ASSERT_EQ(again.open(), absl::OkStatus());
  ASSERT_TRUE(again.wait_failure());
  EXPECT_THAT(std::string(again.failures()[0].message()),
              HasSubstr("was given partitions of topic '" + orders + "': 'slipstream-"));
}

/// Reads from `topic` into `out`, one record at a time in flight as far as the commits are concerned.
void describe_copy(App& app, const std::string& broker, const std::string& topic, const std::string& out,
                   bool until_end) {
  SourceOptions options = member_of(broker, "group-of-" + topic);
  options.until_end = until_end;
  app.set("runtime.commit_interval", "20ms");
  app.source("in", kafka::source(topic, text(), options))
      .sink(kafka::sink(out, text(), {.brokers = broker}), {.name = "out"});
}

TEST_F(KafkaGroupOnARealBroker, AStoppedRunGoesOnWhereItStopped) {
  const std::string topic = create_topic(1);
  const std::string out = create_topic(1);
  produce_values(broker(), topic, 0, numbered("v", 0, 500));
  {
    App app;
    describe_copy(app, broker(), topic, out, /*until_end=*/false);
    auto run = app.start();
    ASSERT_EQ(run.status(), absl::OkStatus());
    ASSERT_TRUE(eventually([&] { return (*run)->metrics().node("in")->in >= 500 || (*run)->is_done(); }));
    (*run)->stop();
    ASSERT_EQ(end_of(**run), absl::OkStatus());
  }
  produce_values(broker(), topic, 0, numbered("v", 500, 1000));
  App app;
  describe_copy(app, broker(), topic, out, /*until_end=*/true);
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  EXPECT_EQ(values_of(read_topic(broker(), out, 0)), numbered("v", 0, 1000));
}

TEST_F(KafkaGroupOnARealBroker, AKilledRunLosesNothing) {
  if (Child::is_one()) {
    const std::string topics = Child::argument();
    const auto comma = topics.find(',');
    App app;
    describe_copy(app, broker(), topics.substr(0, comma), topics.substr(comma + 1), /*until_end=*/false);
    std::_Exit(app.run().ok() ? 0 : 1);
  }
  const std::string topic = create_topic(1);
  const std::string out = create_topic(1);
  produce_values(broker(), topic, 0, numbered("v", 0, 1000));
  {
    Child child(topic + "," + out);
    ASSERT_TRUE(eventually([&] { return (*admin().watermarks(out))[0].high >= 100; }));
    produce_values(broker(), topic, 0, numbered("v", 1000, 2000));
  }  // killed
  App app;
  describe_copy(app, broker(), topic, out, /*until_end=*/true);
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());
  std::map<std::string, int> copies;
  for (const std::string& value : values_of(read_topic(broker(), out, 0))) copies[value] += 1;
  EXPECT_EQ(copies.size(), 2000u);
}

}  // namespace
}  // namespace slipstream::test
