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

struct ReaderOptions {
  std::vector<std::int64_t> from = {};  ///< by partition; empty: the first one there
  bool follows = false;                 ///< from the ends on instead, and on and on
  kafka::Settings settings = {};        ///< these win
};

/// Reads partitions from their offsets to the ends they had in the beginning.
class Reader {
 public:
  /// The views are valid during the call.
  using Call = std::function<void(int partition, std::string_view key, std::string_view value)>;
  Reader(const std::string& brokers, std::string topic, int partitions, ReaderOptions options = {});
  ~Reader();
  Reader(const Reader&) = delete;
  /// Calls for every record; returns at the ends of all partitions, or when it was told to stop. `idle` is
  /// called between two looks.
  void read(const Call& call, const std::function<void()>& idle = {});
  /// From a call or `idle`: read() returns when all is called for that is here. It may be called again.
  void stop() { stopped_ = true; }
  /// All partitions.
  void pause();
  void resume();

 private:
  static void on_message(rd_kafka_message_t* message, void* opaque);
  void for_all(rd_kafka_resp_err_t (*call)(rd_kafka_t*, rd_kafka_topic_partition_list_t*));
  rd_kafka_t* client_;
  rd_kafka_topic_t* topic_;
  rd_kafka_queue_t* queue_;
  std::vector<std::int64_t> ends_;  ///< by partition
  int reading_ = 0;                 ///< partitions that aren't at their ends
  bool stopped_ = false;
  const Call* call_ = nullptr;
};

/// Writes and checks every delivery.
class Writer {
 public:
  /// `settings` win over the connector's.
  Writer(const std::string& brokers, const std::string& topic, kafka::Settings settings = {});
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
