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

class KafkaGroup : public testing::Test {
 protected:
  /// The member leaves well, and its offset is what the next one finds.
  void expect_committed(Milliseconds patience) {
    EXPECT_EQ(group_->close(patience), absl::OkStatus());
    EXPECT_EQ(failure_.so_far(), absl::OkStatus());
    Failure none;
    EXPECT_THAT(start(broker_, none)->committed().value(), ElementsAre(std::nullopt, 4));
  }

  EmbeddedBroker broker_ = test::start_broker({{"topic", 2}});
  Failure failure_;
  const std::unique_ptr<Group> group_ = start(broker_, failure_);
};

TEST_F(KafkaGroup, TheEmbeddedBrokerCantTellWhoIsInIt) {
  EXPECT_EQ(group_->await_alone(),
            absl::UnimplementedError("kafka group 'g': asking who is in it: the embedded broker at " +
                                     broker_.bootstrap() + " can't tell"));
}

TEST_F(KafkaGroup, CommitsTheNewestOffsets) {
  for (std::int64_t offset = 1; offset < 5; ++offset) {
    const PartitionOffset done[] = {{.partition = 1, .next_offset = offset}};
    group_->commit(done);
  }
  expect_committed(Milliseconds(14'000));
}

TEST_F(KafkaGroup, AMemberCommitsWhenItHasJoined) {
  ASSERT_EQ(group_->join(), absl::OkStatus());
  group_->commit(kDone);
  expect_committed(Milliseconds(14'000));
}

TEST_F(KafkaGroup, AnotherMemberThatTakesPartitionsEndsTheRun) {
  ASSERT_EQ(group_->join(), absl::OkStatus());
  const test::ForeignMember stranger(broker_.bootstrap(), "g", "topic");
  EXPECT_EQ(
      failure_.wait(),
      absl::FailedPreconditionError(
          "another member of kafka group 'g' was given partitions of topic 'topic'; the broker doesn't say "
          "which; both would process every record: stop that one, or give it another group, and start this "
          "one again"));
  group_->commit(kDone);
  EXPECT_EQ(group_->close(Milliseconds(0)), absl::OkStatus()) << "it has said why it ends";
}

TEST_F(KafkaGroup, ACommitOutlastsAnOutage) {
  ASSERT_EQ(group_->committed().status(), absl::OkStatus());
  ASSERT_EQ(broker_.set_reachable(false), absl::OkStatus());
  group_->commit(kDone);
  ASSERT_EQ(broker_.set_reachable(true), absl::OkStatus());
  expect_committed(Milliseconds(60'000));
}

TEST_F(KafkaGroup, WhatCouldNotBeCommittedIsSaidAtTheEnd) {
  ASSERT_EQ(group_->committed().status(), absl::OkStatus());
  ASSERT_EQ(broker_.set_reachable(false), absl::OkStatus());
  group_->commit(kDone);
  const absl::Status status = group_->close(Milliseconds(500));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(
      std::string(status.message()),
      testing::StartsWith("kafka group 'g': the last offsets of topic 'topic' could not be committed within "
                          "0.5 s: "));
  EXPECT_THAT(std::string(status.message()), testing::EndsWith("; the next start goes on at those before"));
  EXPECT_EQ(group_->close(Milliseconds(500)), absl::OkStatus());
}

}  // namespace
}  // namespace slipstream::kafka
