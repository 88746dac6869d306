#include "tests/integration/kafka_testing.h"
#include "tests/integration/own_broker.h"

namespace slipstream::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

using KafkaAdminOnARealBroker = RealBroker;

TEST_F(KafkaAdminOnARealBroker, CreatesDescribesAndDeletesTopics) {
  const std::string name = topic_name();
  ASSERT_EQ(admin().create_topics({{.name = name,
                                    .partitions = 3,
                                    .configs = {{"cleanup.policy", "compact"}, {"retention.ms", "1000"}}}}),
            absl::OkStatus());
  const auto topics = admin().describe_topics({name});
  ASSERT_EQ(topics.status(), absl::OkStatus());
  ASSERT_EQ(topics->size(), 1u);
  const kafka::TopicDescription& topic = topics->front();
  EXPECT_EQ(topic.name, name);
  ASSERT_EQ(topic.partitions.size(), 3u);
  for (const auto& partition : topic.partitions) {
    EXPECT_EQ(partition.leader, 1);
    EXPECT_THAT(partition.replicas, ElementsAre(1));
    EXPECT_THAT(partition.in_sync, ElementsAre(1));
  }
  EXPECT_EQ(topic.configs.at("cleanup.policy").value, "compact");
  EXPECT_FALSE(topic.configs.at("cleanup.policy").is_default);
  EXPECT_EQ(topic.configs.at("retention.ms").value, "1000");
  EXPECT_FALSE(topic.configs.at("retention.ms").is_default);
  EXPECT_EQ(topic.configs.at("retention.bytes").value, "-1");
  EXPECT_TRUE(topic.configs.at("retention.bytes").is_default);

  EXPECT_EQ(admin().delete_topics({name}), absl::OkStatus());
  EXPECT_THAT(*admin().list_topics(), Not(Contains(name)));
}

TEST_F(KafkaAdminOnARealBroker, SaysWhyATopicIsNotCreated) {
  const std::string there = create_topic(1);
  const std::string new_name = topic_name();
  const struct {
    kafka::NewTopic topic;
    absl::StatusCode code;
    std::string why;
  } cases[] = {
      {{.name = there},
       absl::StatusCode::kAlreadyExists,
       "it exists already on " + broker() + "; use it as it is, or delete it first"},
      {{.name = "no spaces"},
       absl::StatusCode::kInvalidArgument,
       "Topic name is invalid: 'no spaces' contains one or more characters other than ASCII alphanumerics, "
       "'.', '_' and '-'"},
      {{.name = ""},
       absl::StatusCode::kInvalidArgument,
       "Topic name is invalid: the empty string is not allowed"},
      {{.name = new_name, .replication = 5},
       absl::StatusCode::kInvalidArgument,
       "Unable to replicate the partition 5 time(s): The target replication factor of 5 cannot be reached "
       "because only 1 broker(s) are registered."},
      {{.name = new_name, .configs = {{"cleanup.polcy", "compact"}}},
       absl::StatusCode::kInvalidArgument,
       "Unknown topic config name: cleanup.polcy"},
      {{.name = new_name, .configs = {{"retention.ms", "soon"}}},
       absl::StatusCode::kInvalidArgument,
       "Invalid value soon for configuration retention.ms: Not a number of type LONG"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(admin().create_topics({c.topic}),
              absl::Status(c.code, "creating kafka topic '" + c.topic.name + "': " + c.why));
  }
  EXPECT_THAT(*admin().list_topics(), Not(Contains(new_name)));
}

TEST_F(KafkaAdminOnARealBroker, NamesTheNearestTopicsOfOneThatIsNotThere) {
  const std::string there = create_topic(1);
  const std::string mistyped = there.substr(1);
  const absl::Status expected =
      absl::NotFoundError("kafka topic '" + mistyped + "' does not exist on " + broker() + "; nearest: '" +
                          there + "'; list_topics() names them all");
  EXPECT_EQ(admin().delete_topics({mistyped}), expected);
  EXPECT_EQ(admin().describe_topics({there, mistyped}).status(), expected);
  EXPECT_THAT(*admin().list_topics(), Contains(there));
}

TEST(KafkaAdminOnARealBrokerOfItsOwn, GivesUpAfterTheRequestTimeout) {
  OwnBroker broker;
  ASSERT_NE(broker.address(), "");
  auto admin = kafka::Admin::connect({.brokers = broker.address(), .request_timeout = 1s});
  ASSERT_EQ(admin.status(), absl::OkStatus());
  broker.die();
  const std::string end = " kafka topics: no answer from " + broker.address() +
                          " within 1 s; it may have happened nevertheless, list_topics() names them all";
  EXPECT_EQ(admin->create_topics({{.name = "x"}}), absl::UnavailableError("creating" + end));
  EXPECT_EQ(admin->delete_topics({"x"}), absl::UnavailableError("deleting" + end));
  EXPECT_TRUE(absl::IsUnavailable(admin->describe_topics({"x"}).status()));
}

}  // namespace
}  // namespace slipstream::test
