#include "kafka_testing.h"

namespace slipstream::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(EmbeddedBroker, HasTheTopicsItWasGiven) {
  kafka::EmbeddedBroker broker = start_broker({{"orders", 4}, {"weather"}});
  EXPECT_THAT(broker.bootstrap(), testing::StartsWith("127.0.0.1:"));
  auto admin = kafka::Admin::connect({.brokers = broker.bootstrap()});
  ASSERT_EQ(admin.status(), absl::OkStatus());
  EXPECT_THAT(*admin->list_topics(), ElementsAre("orders", "weather"));
  EXPECT_EQ(*admin->partition_count("orders"), 4);
  EXPECT_EQ(*admin->partition_count("weather"), 1);
}

TEST(EmbeddedBroker, RefusesTopicsThatMakeNoSense) {
  kafka::EmbeddedBroker broker = start_broker({{"orders", 4}});
  EXPECT_EQ(broker.create_topic({"orders", 1}),
            absl::AlreadyExistsError("embedded broker: topic 'orders': Topic already exists"));
  EXPECT_EQ(broker.create_topic({"x", 0}),
            absl::InvalidArgumentError("embedded broker: topic 'x' needs 1 to 10000 partitions, not 0"));
  EXPECT_EQ(broker.create_topic({"x", 10'001}),
            absl::InvalidArgumentError("embedded broker: topic 'x' needs 1 to 10000 partitions, not 10001"));
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string(".."), std::string(250, 'x')}) {
    EXPECT_EQ(broker.create_topic({name, 1}),
              absl::InvalidArgumentError("embedded broker: topic '" + name +
                                         "': a topic's name has 1 to 249 letters, digits, '.', '_' or '-'"));
  }
  EXPECT_EQ(kafka::EmbeddedBroker::start({{"x", -1}}).status(),
            absl::InvalidArgumentError("embedded broker: topic 'x' needs 1 to 10000 partitions, not -1"));
}

TEST(EmbeddedBroker, SeveralStandSideBySide) {
  kafka::EmbeddedBroker one = start_broker({{"a", 1}});
  kafka::EmbeddedBroker two = start_broker({{"a", 2}});
  EXPECT_NE(one.bootstrap(), two.bootstrap());
  produce_values(one.bootstrap(), "a", 0, {"x"});
  auto admin = kafka::Admin::connect({.brokers = two.bootstrap()});
  EXPECT_EQ((*admin->watermarks("a"))[0].high, 0);
}

TEST(KafkaAdmin, TellsWhatTopicsHold) {
  const std::string topic = new_topic(3);
  produce_values(shared_broker().bootstrap(), topic, 1, numbered("v", 0, 5));
  auto admin = kafka::Admin::connect({.brokers = shared_broker().bootstrap()});
  ASSERT_EQ(admin.status(), absl::OkStatus());
  const auto marks = admin->watermarks(topic);
  ASSERT_EQ(marks.status(), absl::OkStatus());
  ASSERT_EQ(marks->size(), 3u);
  EXPECT_EQ((*marks)[0].high, 0);
  EXPECT_EQ((*marks)[1].low, 0);
  EXPECT_EQ((*marks)[1].high, 5);
}

TEST(KafkaAdmin, LowWatermarksShowWhatTheEmbeddedBrokerDropped) {
  const std::string topic = new_topic(1);
  produce_values(shared_broker().bootstrap(), topic, 0,
                 std::vector<std::string>(100, std::string(100'000, 'x')));
  auto admin = kafka::Admin::connect({.brokers = shared_broker().bootstrap()});
  const auto marks = admin->watermarks(topic);
  ASSERT_EQ(marks.status(), absl::OkStatus());
  EXPECT_GT((*marks)[0].low, 0);
  EXPECT_EQ((*marks)[0].high, 100);
}

TEST(KafkaAdmin, SaysWhatItCannotDo) {
  kafka::EmbeddedBroker broker = start_broker({{"orders", 1}});
  auto admin = kafka::Admin::connect({.brokers = broker.bootstrap()});
  ASSERT_EQ(admin.status(), absl::OkStatus());
  EXPECT_EQ(admin->partition_count("order").status(),
            absl::NotFoundError("kafka topic 'order' does not exist on " + broker.bootstrap() +
                                "; nearest: 'orders'; list_topics() names them all"));
  EXPECT_TRUE(absl::IsNotFound(admin->watermarks("order").status()));
  EXPECT_EQ(admin->create_topics({{.name = "x"}}),
            absl::UnimplementedError("creating kafka topics: the embedded broker at " + broker.bootstrap() +
                                     " can't; give the topics to EmbeddedBroker::start or create_topic"));
  EXPECT_EQ(admin->delete_topics({"orders"}),
            absl::UnimplementedError("deleting kafka topics: the embedded broker at " + broker.bootstrap() +
                                     " can't; give the topics to EmbeddedBroker::start or create_topic"));
  EXPECT_EQ(admin->create_topics({}), absl::OkStatus());
}

TEST(KafkaAdmin, RefusesNumbersThatMakeNoSense) {
  auto admin = kafka::Admin::connect({.brokers = shared_broker().bootstrap()});
  ASSERT_EQ(admin.status(), absl::OkStatus());
  const struct {
    kafka::NewTopic topic;
    std::string message;
  } cases[] = {
      {{.name = "x", .partitions = 0}, "it needs at least 1 partition, not 0"},
      {{.name = "x", .partitions = -1}, "it needs at least 1 partition, not -1"},
      {{.name = "x", .partitions = 100'001},
       "num_partitions out of expected range 1..100000 or -1 for broker default"},
      {{.name = "x", .replication = 0}, "it needs at least 1 replica, not 0"},
      {{.name = "x", .replication = -1}, "it needs at least 1 replica, not -1"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(admin->create_topics({c.topic}),
              absl::InvalidArgumentError("creating kafka topic 'x': " + c.message));
  }
}

TEST(KafkaAdmin, DescribesWhereTopicsAre) {
  kafka::EmbeddedBroker broker = start_broker({{"orders", 2}, {"weather", 1}});
  auto admin = kafka::Admin::connect({.brokers = broker.bootstrap()});
  ASSERT_EQ(admin.status(), absl::OkStatus());
  const auto topics = admin->describe_topics({"weather", "orders"});
  ASSERT_EQ(topics.status(), absl::OkStatus());
  ASSERT_EQ(topics->size(), 2u);
  EXPECT_EQ((*topics)[0].name, "weather");
  EXPECT_EQ((*topics)[0].partitions.size(), 1u);
  EXPECT_EQ((*topics)[1].name, "orders");
  ASSERT_EQ((*topics)[1].partitions.size(), 2u);
  EXPECT_EQ((*topics)[1].partitions[1].leader, 1);
  EXPECT_THAT((*topics)[1].partitions[1].replicas, ElementsAre(1));
  EXPECT_THAT((*topics)[1].partitions[1].in_sync, ElementsAre(1));
  EXPECT_THAT((*topics)[1].configs, testing::IsEmpty());
  EXPECT_THAT(*admin->describe_topics({}), testing::IsEmpty());
  EXPECT_EQ(admin->describe_topics({"weather", "order"}).status(),
            absl::NotFoundError("kafka topic 'order' does not exist on " + broker.bootstrap() +
                                "; nearest: 'orders'; list_topics() names them all"));
  EXPECT_THAT(*admin->list_topics(), ElementsAre("orders", "weather")) << "asking created one";
}

TEST(KafkaAdmin, GivesUpOnAnUnreachableBroker) {
  const auto admin = kafka::Admin::connect({.brokers = kNobody, .connect_timeout = 300ms});
  EXPECT_TRUE(absl::IsUnavailable(admin.status()));
  EXPECT_THAT(std::string(admin.status().message()),
              HasSubstr("kafka admin: no broker answers at 127.0.0.1:1"));
}

TEST(KafkaAdmin, NamesAFileWithCertificatesThatIsNone) {
  const auto admin = kafka::Admin::connect(
      {.brokers = kNobody, .settings = {{"security.protocol", "ssl"}, {"ssl.ca.location", "/no/such.pem"}}});
  EXPECT_TRUE(absl::IsInvalidArgument(admin.status()));
  EXPECT_THAT(
      std::string(admin.status().message()),
      testing::StartsWith("kafka admin: kafka setting 'ssl.ca.location': '/no/such.pem' is no file with "
                          "certificates in PEM: "));
}

TEST(KafkaProducer, SpreadsByKeyAndKeepsOrderPerKey) {
  const std::string topic = new_topic(4);
  auto producer = kafka::Producer::connect({.brokers = shared_broker().bootstrap()});
  ASSERT_EQ(producer.status(), absl::OkStatus());
  for (int i = 0; i < 400; ++i) {
    const std::string key = "key" + std::to_string(i % 20);
    ASSERT_EQ(producer->produce(topic, {.key = key, .value = std::to_string(i)}), absl::OkStatus());
  }
  ASSERT_EQ(producer->flush(), absl::OkStatus());
  std::map<std::string, int> partition_of;
  std::map<std::string, int> last;
  std::size_t total = 0;
  for (int p = 0; p < 4; ++p) {
    const auto records = read_topic(shared_broker().bootstrap(), topic, p);
    EXPECT_FALSE(records.empty());
    total += records.size();
    for (const auto& seen : records) {
      EXPECT_EQ(partition_of.try_emplace(seen.key, p).first->second, p);
      const auto [before, first] = last.try_emplace(seen.key, -1);
      EXPECT_GT(std::stoi(seen.value), before->second);
      before->second = std::stoi(seen.value);
    }
  }
  EXPECT_EQ(total, 400u);
}

TEST(KafkaProducer, RefusesTopicsAndPartitionsThatAreNotThere) {
  kafka::EmbeddedBroker broker = start_broker({{"orders", 2}});
  auto producer = kafka::Producer::connect({.brokers = broker.bootstrap()});
  ASSERT_EQ(producer.status(), absl::OkStatus());
  EXPECT_EQ(producer->produce("order", {.value = "v"}),
            absl::NotFoundError("kafka topic 'order' does not exist on " + broker.bootstrap() +
                                "; nearest: 'orders'; create it first"));
  EXPECT_EQ(producer->produce("orders", {.partition = 2, .value = "v"}),
            absl::InvalidArgumentError("kafka topic 'orders' has no partition 2; it has 2"));
}

TEST(KafkaProducer, FlushSaysWhatIsNotDelivered) {
  kafka::EmbeddedBroker broker = start_broker({{"orders", 1}});
  auto producer = kafka::Producer::connect({.brokers = broker.bootstrap()});
  ASSERT_EQ(producer.status(), absl::OkStatus());
  ASSERT_EQ(producer->produce("orders", {.value = "a"}), absl::OkStatus());
  ASSERT_EQ(producer->flush(), absl::OkStatus());
  ASSERT_EQ(broker.set_reachable(false), absl::OkStatus());
  ASSERT_EQ(producer->produce("orders", {.value = "b"}), absl::OkStatus());
  EXPECT_EQ(producer->flush(100ms),
            absl::DeadlineExceededError("kafka producer: 1 of 2 records were not delivered within 100 ms"));
}

}  // namespace
}  // namespace slipstream::test
