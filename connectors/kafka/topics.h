#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "connectors/kafka/client.h"

/// Questions about topics, asked of a connected client.
namespace slipstream::kafka {

struct Deadline {
  explicit Deadline(Milliseconds time) : at(Clock::now() + time) {}
  /// At least 1 ms, so that a request is made at all.
  int left() const {
    const auto left = std::chrono::duration_cast<Milliseconds>(at - Clock::now());
    return left.count() < 1 ? 1 : static_cast<int>(left.count());
  }
  bool passed() const { return Clock::now() >= at; }
  Clock::time_point at;
};

/// Whether it is an EmbeddedBroker that answers.
bool is_embedded(Client& client, const Deadline& deadline);

/// How many partitions a topic has that is known to exist. NotFound when it does not, Unavailable when it has
/// no leader yet. Creates a missing topic where client and broker allow that; an embedded broker always does.
absl::StatusOr<int> partition_count(Client& client, const std::string& topic, const Deadline& deadline);

/// Where its partitions are, by number. Otherwise as partition_count().
absl::StatusOr<std::vector<PartitionBrokers>> partition_brokers(Client& client, const std::string& topic,
                                                                const Deadline& deadline);

/// All names, the broker's own ("__…") left out, in alphabetical order.
absl::StatusOr<std::vector<std::string>> list_topics(Client& client, const Deadline& deadline);

/// NotFound: "kafka topic 'ordrs' does not exist on HOST:PORT; nearest: 'orders'; WAY_OUT".
absl::Status no_such_topic(Client& client, const std::string& topic, const Deadline& deadline,
                           const std::string& way_out);

struct Awaited {
  Milliseconds wait{0};           ///< for a topic that isn't there
  Milliseconds patience{30'000};  ///< for an answer, and for the leader of a topic that is there
  bool create = false;            ///< let the broker create it
  std::string way_out;            ///< the end of the message about a missing topic
};
/// The partition count of a topic that has a leader; NotFound as no_such_topic() says it.
absl::StatusOr<int> await_topic(Client& client, const std::string& topic, const Awaited& how);

/// Returns when the broker no longer lists a topic that was deleted: it answers before.
absl::Status await_gone(Client& client, const std::string& topic, const Deadline& deadline);

/// Offsets by partition. What to ask per partition: RD_KAFKA_OFFSET_BEGINNING, RD_KAFKA_OFFSET_END or
/// milliseconds since 1970, whose answer is RD_KAFKA_OFFSET_END where no record is that young.
absl::StatusOr<std::vector<std::int64_t>> list_offsets(Client& client, const std::string& topic,
                                                       int partitions, std::int64_t ask,
                                                       const Deadline& deadline);

absl::StatusOr<std::vector<Watermarks>> watermarks(Client& client, const std::string& topic, int partitions,
                                                   const Deadline& deadline);

}  // namespace slipstream::kafka
