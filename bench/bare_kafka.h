#pragma once
#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "slipstream/kafka.h"

/// The bare client as a careful program uses it: the limit of everything that reads or writes topics. Same
/// library, calls and settings as the connector's. Throws where something fails.
namespace slipstream::bench::bare {

/// Reads partitions from their offsets to the ends they had in the beginning.
class Reader {
 public:
  /// The views are valid during the call.
  using Call = std::function<void(int partition, std::string_view key, std::string_view value)>;
  /// `from`: by partition, or the first one there where it is empty.
  Reader(const std::string& brokers, std::string topic, int partitions, std::vector<std::int64_t> from = {});
  ~Reader();
  Reader(const Reader&) = delete;
  /// Calls for every record; returns at the ends of all partitions. `idle` is called between two looks.
  void read(const Call& call, const std::function<void()>& idle = {});

 private:
  static void on_message(rd_kafka_message_t* message, void* opaque);
  rd_kafka_t* client_;
  rd_kafka_topic_t* topic_;
  rd_kafka_queue_t* queue_;
  std::vector<std::int64_t> ends_;  ///< by partition
  int reading_ = 0;                 ///< partitions that aren't at their ends
  const Call* call_ = nullptr;
};

/// Writes and checks every delivery.
class Writer {
 public:
  Writer(const std::string& brokers, const std::string& topic);
  ~Writer();
  Writer(const Writer&) = delete;
  void write(std::string_view key, std::string_view value);
  void poll();
  /// Returns when everything is delivered.
  void flush();

 private:
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque);
  rd_kafka_t* client_;
  rd_kafka_topic_t* topic_;
  std::int64_t under_way_ = 0;
  std::string failure_;
};

}  // namespace slipstream::bench::bare
