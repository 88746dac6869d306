#pragma once
#include <unistd.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/kafka/handles.h"
#include "tests/integration/real_broker.h"
#include "tests/kafka/kafka_testing.h"
#include "tests/runtime/waiting.h"

namespace slipstream::test {

/// Tests against the real broker, each with topics of its own.
class RealBroker : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(broker_, "") << "no real broker: leave this test out with ./dev test --no-broker";
    auto admin = kafka::Admin::connect({.brokers = broker_});
    ASSERT_EQ(admin.status(), absl::OkStatus());
    admin_ = std::make_unique<kafka::Admin>(*std::move(admin));
  }
  void TearDown() override { EXPECT_EQ(admin_->delete_topics(topics_), absl::OkStatus()); }

  const std::string& broker() const { return broker_; }
  kafka::Admin& admin() { return *admin_; }

  std::string topic_name() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    return std::string(test->name()) + "-" + std::to_string(::getpid()) + "-" + std::to_string(++count_);
  }
  std::string create_topic(int partitions) {
    const std::string name = topic_name();
    EXPECT_EQ(admin_->create_topics({{.name = name, .partitions = partitions}}), absl::OkStatus());
    topics_.push_back(name);
    return name;
  }
  void delete_topic(const std::string& topic) {
    EXPECT_EQ(admin_->delete_topics({topic}), absl::OkStatus());
    std::erase(topics_, topic);
  }

 private:
  const std::string broker_ = real_broker();
  std::unique_ptr<kafka::Admin> admin_;
  std::vector<std::string> topics_;
  int count_ = 0;
};

/// What no connector of ours needs.
class RawClient {
 public:
  explicit RawClient(const std::string& brokers) {
    kafka::Conf conf(rd_kafka_conf_new());
    EXPECT_EQ(rd_kafka_conf_set(conf.get(), "bootstrap.servers", brokers.c_str(), nullptr, 0),
              RD_KAFKA_CONF_OK);
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), nullptr, 0);
    conf.release();  // NOLINT: the client owns it now
  }
  RawClient(const RawClient&) = delete;
  ~RawClient() { rd_kafka_destroy(client_); }

  void grow(const std::string& topic, int partitions) {
    char why[256] = {};
    rd_kafka_NewPartitions_t* more =
        rd_kafka_NewPartitions_new(topic.c_str(), static_cast<std::size_t>(partitions), why, sizeof why);
    const kafka::Queue answers(rd_kafka_queue_new(client_));
    rd_kafka_CreatePartitions(client_, &more, 1, nullptr, answers.get());
    const kafka::Event answer(rd_kafka_queue_poll(answers.get(), 60'000));
    ASSERT_NE(answer, nullptr);
    EXPECT_EQ(rd_kafka_event_error(answer.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_NewPartitions_destroy(more);
  }

  /// How many members the group has whose client id contains `client`.
  int members(const std::string& group, const std::string& client = "") {
    const rd_kafka_group_list* list = nullptr;
    if (rd_kafka_list_groups(client_, group.c_str(), &list, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR) return -1;
    int count = 0;
    for (int g = 0; g < list->group_cnt; ++g) {
      for (int m = 0; m < list->groups[g].member_cnt; ++m) {
        count += std::string(list->groups[g].members[m].client_id).find(client) != std::string::npos;
      }
    }
    rd_kafka_group_list_destroy(list);
    return count;
  }

 private:
  rd_kafka_t* client_ = nullptr;
};

/// Remembers what an App says.
class Log {
 public:
  LogHook hook() {
    return [this](LogLevel level, std::string_view component, std::string_view message) {
      const std::lock_guard lock(mutex_);
      lines_.push_back(std::string(to_string(level)) + " " + std::string(component) + ": " +
                       std::string(message));
      changed_.notify_all();
    };
  }
  bool wait_for(const std::string& part) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] {
      return std::any_of(lines_.begin(), lines_.end(),
                         [&](const std::string& line) { return line.find(part) != line.npos; });
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

}  // namespace slipstream::test
