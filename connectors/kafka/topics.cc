#include "connectors/kafka/topics.h"

#include <algorithm>
#include <span>
#include <thread>

#include "connectors/kafka/errors.h"
#include "slipstream/detail/nearest.h"

namespace slipstream::kafka {
namespace {

constexpr Milliseconds kAskAgain{100};

/// Between two questions about something that needs time on the broker's side.
void back_off() { std::this_thread::sleep_for(kAskAgain); }

std::string about(const std::string& topic) { return "kafka topic '" + topic + "'"; }

absl::StatusOr<Metadata> all_topics(Client& client, const Deadline& deadline) {
  const rd_kafka_metadata_t* answer = nullptr;
  const rd_kafka_resp_err_t failed = rd_kafka_metadata(client.get(), 1, nullptr, &answer, deadline.left());
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return error(failed, "kafka topics on " + client.brokers());
  return Metadata(answer);
}

absl::StatusOr<Metadata> one_topic(Client& client, const std::string& topic, const Deadline& deadline) {
  const TopicHandle handle(rd_kafka_topic_new(client.get(), topic.c_str(), nullptr));
  if (handle == nullptr) return error(rd_kafka_last_error(), about(topic));
  const rd_kafka_metadata_t* answer = nullptr;
  const rd_kafka_resp_err_t failed =
      rd_kafka_metadata(client.get(), 0, handle.get(), &answer, deadline.left());
  Metadata metadata(answer);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return error(failed, about(topic));
  if (metadata->topic_cnt != 1)
    return absl::InternalError(about(topic) + ": the broker said nothing about it");
  return metadata;
}

absl::StatusOr<int> partition_count(Client& client, const rd_kafka_metadata_topic_t& topic) {
  if (topic.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || (!topic.err && topic.partition_cnt == 0)) {
    return absl::UnavailableError(about(topic.topic) + " on " + client.brokers() + " has no leader yet");
  }
  if (topic.err) return error(topic.err, about(topic.topic) + " on " + client.brokers());
  return topic.partition_cnt;
}

/// Asks without creating: older protocols create what they are asked about, so this looks at all topics
/// first.
absl::StatusOr<int> find_topic(Client& client, const std::string& topic, const Deadline& deadline) {
  const auto topics = all_topics(client, deadline);
  if (!topics.ok()) return topics.status();
  for (int i = 0; i < (*topics)->topic_cnt; ++i) {
    if ((*topics)->topics[i].topic == topic) return partition_count(client, (*topics)->topics[i]);
  }
  // Topics that we may not see are not in the list: a real broker says why when it is asked.
  if (!is_embedded(client, deadline)) return partition_count(client, topic, deadline);
  return absl::NotFoundError(about(topic));
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 5;
  if (names.empty()) return "no topics";
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i) {
    text += (i > 0 ? ", '" : "'") + names[i] + "'";
  }
  return names.size() <= kMost ? text : text + " and " + std::to_string(names.size() - kMost) + " more";
}

}  // namespace

bool is_embedded(Client& client, const Deadline& deadline) {
  char* id = rd_kafka_clusterid(client.get(), deadline.left());
  const bool embedded = id != nullptr && std::string_view(id).starts_with("mockCluster");
  if (id != nullptr) rd_kafka_mem_free(client.get(), id);
  return embedded;
}

absl::StatusOr<int> partition_count(Client& client, const std::string& topic, const Deadline& deadline) {
  const auto answer = one_topic(client, topic, deadline);
  if (!answer.ok()) return answer.status();
  return partition_count(client, (*answer)->topics[0]);
}

absl::StatusOr<std::vector<PartitionBrokers>> partition_brokers(Client& client, const std::string& topic,
                                                                const Deadline& deadline) {
  const auto answer = one_topic(client, topic, deadline);
  if (!answer.ok()) return answer.status();
  const rd_kafka_metadata_topic_t& found = (*answer)->topics[0];
  if (const auto count = partition_count(client, found); !count.ok()) return count.status();
  std::vector<PartitionBrokers> partitions(static_cast<std::size_t>(found.partition_cnt));
  for (const rd_kafka_metadata_partition_t& p : std::span(found.partitions, partitions.size())) {
    if (p.id < 0 || p.id >= found.partition_cnt)
      return absl::InternalError(about(topic) + ": the broker speaks of partition " + std::to_string(p.id) +
                                 " of " + std::to_string(found.partition_cnt));
    partitions[static_cast<std::size_t>(p.id)] = {.leader = p.leader,
                                                  .replicas = {p.replicas, p.replicas + p.replica_cnt},
                                                  .in_sync = {p.isrs, p.isrs + p.isr_cnt}};
  }
  return partitions;
}

absl::StatusOr<std::vector<std::string>> list_topics(Client& client, const Deadline& deadline) {
  const auto topics = all_topics(client, deadline);
  if (!topics.ok()) return topics.status();
  std::vector<std::string> names;
  for (int i = 0; i < (*topics)->topic_cnt; ++i) {
    const std::string_view name = (*topics)->topics[i].topic;
    if (!name.starts_with("__")) names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status no_such_topic(Client& client, const std::string& topic, const Deadline& deadline,
                           const std::string& way_out) {
  std::string text = about(topic) + " does not exist on " + client.brokers();
  const auto names = list_topics(client, deadline);
  if (names.ok()) {
    const auto nearest = detail::nearest_names(topic, *names, 3);
    text += nearest.empty() ? "; it has " + listed(*names) : "; nearest: " + listed(nearest);
  }
  return absl::NotFoundError(text + "; " + way_out);
}

absl::StatusOr<int> await_topic(Client& client, const std::string& topic, const Awaited& how) {
  const Deadline until_there(how.wait);
  const Deadline until_led(how.wait + how.patience);
  bool said = false;
  while (true) {
    const Deadline deadline(how.patience);
    absl::StatusOr<int> count =
        how.create ? partition_count(client, topic, deadline) : find_topic(client, topic, deadline);
    if (absl::IsNotFound(count.status())) {
      if (until_there.passed()) return no_such_topic(client, topic, deadline, how.way_out);
      if (!said)
        client.log(LogLevel::info, about(topic) + " does not exist on " + client.brokers() + " yet; waiting");
      said = true;
    } else if (!absl::IsUnavailable(count.status()) || until_led.passed()) {
      return count;
    }
    back_off();
  }
}

absl::Status await_gone(Client& client, const std::string& topic, const Deadline& deadline) {
  while (true) {
    const auto names = list_topics(client, deadline);
    if (!names.ok()) return names.status();
    if (!std::binary_search(names->begin(), names->end(), topic)) return absl::OkStatus();
    if (deadline.passed())
      return absl::UnavailableError(about(topic) + " was deleted, but is still listed on " +
                                    client.brokers());
    back_off();
  }
}

absl::StatusOr<std::vector<std::int64_t>> list_offsets(Client& client, const std::string& topic,
                                                       int partitions, std::int64_t ask,
                                                       const Deadline& deadline) {
  while (true) {
    const PartitionList list(rd_kafka_topic_partition_list_new(partitions));
    for (int p = 0; p < partitions; ++p) {
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), p)->offset = ask;
    }
    rd_kafka_resp_err_t failed = rd_kafka_offsets_for_times(client.get(), list.get(), deadline.left());
    int where = -1;
    std::vector<std::int64_t> offsets(static_cast<std::size_t>(partitions));
    for (int p = 0; p < partitions && !failed; ++p) {
      offsets[static_cast<std::size_t>(p)] = list->elems[p].offset;
      failed = list->elems[p].err;
      where = p;
    }
    if (!failed) return offsets;
    // Another broker than the one that told us of the topic: the leader.
    const bool no_answer = is_unreachable(failed) || is_authentication(failed);
    if (const auto refusal = no_answer ? client.refusal() : std::nullopt) {
      return absl::UnauthenticatedError(about(topic) + ": asking for its offsets: " + sentence(*refusal));
    }
    if (!is_passing(failed) || deadline.passed()) {
      return error(failed, about(topic) + (where < 0 ? "" : " partition " + std::to_string(where)) +
                               ": asking for its offsets");
    }
    back_off();
  }
}

absl::StatusOr<std::vector<Watermarks>> watermarks(Client& client, const std::string& topic, int partitions,
                                                   const Deadline& deadline) {
  const auto low = list_offsets(client, topic, partitions, RD_KAFKA_OFFSET_BEGINNING, deadline);
  if (!low.ok()) return low.status();
  const auto high = list_offsets(client, topic, partitions, RD_KAFKA_OFFSET_END, deadline);
  if (!high.ok()) return high.status();
  std::vector<Watermarks> marks(low->size());
  for (std::size_t p = 0; p < marks.size(); ++p) marks[p] = {(*low)[p], (*high)[p]};
  return marks;
}

}  // namespace slipstream::kafka
