#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/kafka/client.h"
#include "slipstream/detail/mutex.h"

namespace slipstream::kafka {

/// A source's side of its consumer group: what is committed there, and that nobody else works for it.
///
/// The source reads its partitions without the group's say. The group gets a member all the same, with a
/// client of its own that reads nothing: that member is seen by others, sees others, and may commit.
class Group {
 public:
  struct Options {
    std::string name;
    std::string topic;
    int partitions = 0;
    std::string brokers;
    Settings settings;
    /// An embedded broker can't say who is in a group.
    bool is_embedded = false;
    LogHook log;
    std::function<void(absl::Status)> fail;  ///< ends the run; from the poll thread
  };
  static absl::StatusOr<std::unique_ptr<Group>> start(Options options);
  ~Group();

  /// Ok when the group has no member outside of this process. Waits for those there are, as long as the
  /// broker keeps one that has died; then FailedPrecondition names them. Unimplemented: the broker can't
  /// tell.
  absl::Status await_alone();
  /// By partition; empty where nothing is committed.
  absl::StatusOr<std::vector<std::optional<std::int64_t>>> committed();
  /// Becomes a member in the background. From then on a member that takes partitions away fails the run.
  absl::Status join();
  /// Commits in the background; what can't be committed now is committed later, with what has been added.
  void commit(std::span<const PartitionOffset> offsets);
  /// What a broker may need to let a member in again.
  Milliseconds session_timeout() const { return session_timeout_; }
  /// Waits until everything is committed, at most `patience`; then leaves the group. Idempotent.
  absl::Status close(Milliseconds patience);

 private:
  struct Member {
    std::string id;
    std::string client;
    std::string host;
    bool has_topic = false;  ///< it was assigned partitions of our topic
  };

  explicit Group(Options options) : options_(std::move(options)) {}
  absl::StatusOr<std::vector<Member>> members();
  absl::StatusOr<std::vector<Member>> outsiders();
  static std::string names(const std::vector<Member>& members);
  std::string about() const { return "kafka group '" + options_.name + "'"; }

  void on_rebalance(bool assigned, const rd_kafka_topic_partition_list_t& partitions);
  void on_commit(rd_kafka_resp_err_t error, const rd_kafka_topic_partition_list_t* partitions);
  void serve();
  void look_around();
  void send();
  bool is_later(rd_kafka_resp_err_t error) SLIPSTREAM_EXCLUDES(mutex_);
  void give_up(absl::Status status);
  absl::Status wait_committed(Milliseconds patience);

  const Options options_;
  std::string client_id_;  ///< says which process this is
  Milliseconds session_timeout_{0};
  std::unique_ptr<Client> client_;

  detail::Mutex mutex_;  ///< never held while a call of the client waits: its callbacks take it
  std::condition_variable changed_;
  /// To be committed, those under way included.
  std::map<int, std::int64_t> pending_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::map<int, std::int64_t> sent_ SLIPSTREAM_GUARDED_BY(mutex_);  ///< under way
  bool is_sent_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  bool joins_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  bool joined_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  bool look_ SLIPSTREAM_GUARDED_BY(mutex_) = false;  ///< somebody else may have taken partitions
  bool given_up_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  std::string why_later_ SLIPSTREAM_GUARDED_BY(mutex_);
  Clock::time_point next_try_ SLIPSTREAM_GUARDED_BY(mutex_){};
};

}  // namespace slipstream::kafka
