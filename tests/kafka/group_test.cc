#include "connectors/kafka/group.h"

#include "foreign_member.h"
#include "kafka_testing.h"

// What the embedded broker can show. It doesn't say who is in a group, and keeps the first member waiting for
// 3 s; the rest is in tests/integration.
namespace slipstream::kafka {
namespace {

using test::numbered;
using test::produce_values;
using testing::ElementsAre;

/// Short, but no shorter than the broker keeps the first member waiting.
const Settings kShortSession = {{"session.timeout.ms", "4000"}, {"heartbeat.interval.ms", "500"}};

class Failure {
 public:
  std::function<void(absl::Status)> hook() {
    return [this](absl::Status status) {
      const std::lock_guard lock(mutex_);
      status_ = std::move(status);
      changed_.notify_all();
    };
  }
  absl::Status wait() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(60), [&] { return !status_.ok(); });
    return status_;
  }
  absl::Status so_far() {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  absl::Status status_;
};

std::unique_ptr<Group> start(const EmbeddedBroker& broker, Failure& failure) {
  auto group = Group::start({.name = "g",
                             .topic = "topic",
                             .partitions = 2,
                             .brokers = broker.bootstrap(),
                             .settings = kShortSession,
                             .is_embedded = true,
                             .log = {},
                             .fail = failure.hook()});
  EXPECT_EQ(group.status(), absl::OkStatus());
  return *std::move(group);
}

constexpr PartitionOffset kDone[] = {{.partition = 1, .next_offset = 4}};

std::vector<std::optional<std::int64_t>> committed(const EmbeddedBroker& broker) {
  Failure failure;
  return start(broker, failure)->committed().value();
}

TEST(KafkaGroup, TheEmbeddedBrokerCantTellWhoIsInIt) {
  const EmbeddedBroker broker = test::start_broker({{"topic", 2}});
  Failure failure;
  EXPECT_EQ(start(broker, failure)->await_alone(),
            absl::UnimplementedError("kafka group 'g': asking who is in it: the embedded broker at " +
                                     broker.bootstrap() + " can't tell"));
}

TEST(KafkaGroup, CommitsTheNewestOffsets) {
  const EmbeddedBroker broker = test::start_broker({{"topic", 2}});
  Failure failure;
  const auto group = start(broker, failure);
  for (std::int64_t offset = 1; offset < 5; ++offset) {
    const PartitionOffset done[] = {{.partition = 1, .next_offset = offset}};
    group->commit(done);
  }
  EXPECT_EQ(group->close(Milliseconds(10'000)), absl::OkStatus());
  EXPECT_THAT(committed(broker), ElementsAre(std::nullopt, 4));
  EXPECT_EQ(failure.so_far(), absl::OkStatus());
}

TEST(KafkaGroup, AMemberCommitsWhenItHasJoined) {
  const EmbeddedBroker broker = test::start_broker({{"topic", 2}});
  Failure failure;
  const auto group = start(broker, failure);
  ASSERT_EQ(group->join(), absl::OkStatus());
  group->commit(kDone);
  EXPECT_EQ(group->close(Milliseconds(10'000)), absl::OkStatus());
  EXPECT_THAT(committed(broker), ElementsAre(std::nullopt, 4));
  EXPECT_EQ(failure.so_far(), absl::OkStatus());
}

TEST(KafkaGroup, AnotherMemberThatTakesPartitionsEndsTheRun) {
  const EmbeddedBroker broker = test::start_broker({{"topic", 2}});
  Failure failure;
  const auto group = start(broker, failure);
  ASSERT_EQ(group->join(), absl::OkStatus());
  const test::ForeignMember stranger(broker.bootstrap(), "g", "topic");
  EXPECT_EQ(
      failure.wait(),
      absl::FailedPreconditionError(
          "another member of kafka group 'g' was given partitions of topic 'topic'; the broker doesn't say "
          "which; both would process every record: stop that one, or give it another group, and start this "
          "one again"));
  group->commit(kDone);
  EXPECT_EQ(group->close(Milliseconds(0)), absl::OkStatus()) << "it has said why it ends";
}

TEST(KafkaGroup, ACommitOutlastsAnOutage) {
  EmbeddedBroker broker = test::start_broker({{"topic", 2}});
  Failure failure;
  const auto group = start(broker, failure);
  ASSERT_EQ(group->committed().status(), absl::OkStatus());
  ASSERT_EQ(broker.set_reachable(false), absl::OkStatus());
  group->commit(kDone);
  ASSERT_EQ(broker.set_reachable(true), absl::OkStatus());
  EXPECT_EQ(group->close(Milliseconds(60'000)), absl::OkStatus());
  EXPECT_THAT(committed(broker), ElementsAre(std::nullopt, 4));
  EXPECT_EQ(failure.so_far(), absl::OkStatus());
}

TEST(KafkaGroup, WhatCouldNotBeCommittedIsSaidAtTheEnd) {
  EmbeddedBroker broker = test::start_broker({{"topic", 2}});
  Failure failure;
  const auto group = start(broker, failure);
  ASSERT_EQ(group->committed().status(), absl::OkStatus());
  ASSERT_EQ(broker.set_reachable(false), absl::OkStatus());
  group->commit(kDone);
  const absl::Status status = group->close(Milliseconds(500));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(
      std::string(status.message()),
      testing::StartsWith("kafka group 'g': the last offsets of topic 'topic' could not be committed within "
                          "5 s: "));
  EXPECT_THAT(std::string(status.message()), testing::EndsWith("; the next start goes on at those before"));
  EXPECT_EQ(group->close(Milliseconds(500)), absl::OkStatus());
}

}  // namespace
}  // namespace slipstream::kafka
