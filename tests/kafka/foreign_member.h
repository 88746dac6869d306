#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "connectors/kafka/handles.h"

namespace slipstream::test {

/// A consumer that isn't ours: joins a group, reads what it is given, leaves at its end.
class ForeignMember {
 public:
  ForeignMember(const std::string& brokers, const std::string& group, const std::string& topic) {
    kafka::Conf conf(rd_kafka_conf_new());
    for (const auto& [name, value] :
         {std::pair{"bootstrap.servers", brokers.c_str()}, std::pair{"group.id", group.c_str()},
          std::pair{"client.id", "stranger"}, std::pair{"session.timeout.ms", "6000"}}) {
      EXPECT_EQ(rd_kafka_conf_set(conf.get(), name, value, nullptr, 0), RD_KAFKA_CONF_OK);
    }
    client_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), nullptr, 0);
    conf.release();  // NOLINT: the client owns it now
    const kafka::PartitionList topics(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
    EXPECT_EQ(rd_kafka_subscribe(client_, topics.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
    thread_ = std::thread([this] { poll(); });
  }
  ForeignMember(const ForeignMember&) = delete;
  ~ForeignMember() {
    stopping_ = true;
    thread_.join();
    rd_kafka_destroy(client_);
  }

 private:
  void poll() {
    while (!stopping_) {
      if (rd_kafka_message_t* message = rd_kafka_consumer_poll(client_, 100))
        rd_kafka_message_destroy(message);
    }
  }

  rd_kafka_t* client_ = nullptr;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace slipstream::test
