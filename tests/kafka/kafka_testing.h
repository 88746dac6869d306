#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "drivers.h"
#include "slipstream/kafka.h"

namespace slipstream::test {

using namespace std::chrono_literals;

/// The embedded broker answers an idle reader only after this.
inline const kafka::Settings kFast = {{"fetch.wait.max.ms", "10"}};

inline kafka::EmbeddedBroker start_broker(std::vector<kafka::EmbeddedBroker::Topic> topics) {
  auto broker = kafka::EmbeddedBroker::start(std::move(topics));
  EXPECT_EQ(broker.status(), absl::OkStatus());
  return *std::move(broker);
}

/// One broker for many tests: stopping one takes a second.
inline kafka::EmbeddedBroker& shared_broker() {
  static kafka::EmbeddedBroker broker = start_broker({});
  return broker;
}

/// A topic of its own for each test that asks.
inline std::string new_topic(int partitions, const std::string& prefix = "topic") {
  static std::atomic<int> count{0};
  std::string name = prefix + "-" + std::to_string(++count);
  EXPECT_EQ(shared_broker().create_topic({name, partitions}), absl::OkStatus());
  return name;
}

inline void produce_values(const std::string& brokers, const std::string& topic, int partition,
                           const std::vector<std::string>& values) {
  auto producer = kafka::Producer::connect({.brokers = brokers});
  ASSERT_EQ(producer.status(), absl::OkStatus());
  for (const std::string& value : values) {
    ASSERT_EQ(producer->produce(topic, {.partition = partition, .key = "k", .value = value}),
              absl::OkStatus());
  }
  ASSERT_EQ(producer->flush(), absl::OkStatus());
}

inline std::vector<SourceDriver::Seen> read_topic(const std::string& brokers, const std::string& topic,
                                                  int partition) {
  SourceDriver driver(kafka::raw_source(topic, {.brokers = brokers, .until_end = true, .settings = kFast}));
  EXPECT_EQ(driver.open(), absl::OkStatus());
  EXPECT_EQ(driver.read_until(partition, ReadState::finished), absl::OkStatus());
  return driver.seen(partition);
}

inline std::vector<std::string> values_of(const std::vector<SourceDriver::Seen>& seen) {
  std::vector<std::string> values;
  for (const auto& one : seen) values.push_back(one.value);
  return values;
}

/// An address nobody listens on.
inline constexpr const char* kNobody = "127.0.0.1:1";

}  // namespace slipstream::test
