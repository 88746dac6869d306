#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/kafka/client.h"
#include "slipstream/detail/mutex.h"

namespace slipstream::kafka {

/// Counts how many of the first numbers are done when they are done in any order.
class Prefix {
 public:
  void done(std::uint64_t number);
  std::uint64_t length() const { return length_; }

 private:
  std::uint64_t length_ = 0;
  std::deque<bool> beyond_;  // beyond_[i]: is length_ + i done?
};

/// A producer with a bounded number of bytes under way that knows what was delivered. What sinks and
/// kafka::Producer share. produce(), flush() and close() come from one thread.
class Outbox {
 public:
  struct Options {
    std::string what;
    std::string brokers;
    Settings settings;
    std::size_t memory_budget = 64u << 20;
    Milliseconds connect_timeout{30'000};
    Milliseconds outage_timeout{600'000};
    LogHook log;
    std::function<void()> wake;              ///< something was delivered; from the poll thread; may be null
    std::function<void(absl::Status)> fail;  ///< may be null
    bool create_topic = false;
  };
  /// Connects.
  static absl::StatusOr<std::unique_ptr<Outbox>> open(Options options);
  ~Outbox();

  /// The topic's partition count; it can be written to after this. NotFound names the nearest topics.
  absl::StatusOr<int> open_topic(const std::string& topic, const std::string& way_out);

  /// Takes a record and returns true, or returns false when there is no room for now. partition < 0: by key.
  absl::StatusOr<bool> produce(const std::string& topic, int partition, const OutRecord& record);
  /// How many of the records taken first are delivered, or the first failed delivery.
  absl::StatusOr<std::uint64_t> delivered() const;
  std::uint64_t taken() const { return taken_; }
  /// No broker answers at the moment.
  bool is_cut_off() const { return client_->is_cut_off(); }
  /// Sends what is there without waiting for more.
  void flush();
  /// Waits for delivery of everything taken, or a failure. False when the time is over.
  bool wait_delivered(Milliseconds timeout);
  /// Waits until something more is delivered or the time is over.
  void wait_room(Milliseconds timeout);
  /// Gives up what isn't delivered. Idempotent.
  void close();

 private:
  explicit Outbox(Options options) : options_(std::move(options)) {}
  absl::StatusOr<rd_kafka_topic_t*> handle(const std::string& topic);
  absl::Status too_large(const std::string& topic, const OutRecord& record, std::size_t size) const;
  absl::Status undelivered(const rd_kafka_message_t& message) const;
  void on_delivery(const rd_kafka_message_t& message);
  void after_poll();
  void set_failed(absl::Status status);

  const Options options_;
  std::unique_ptr<Client> client_;
  std::map<std::string, TopicHandle> topics_;
  std::string max_message_bytes_;
  std::uint64_t taken_ = 0;

  // Written by the poll thread.
  Prefix prefix_;
  bool news_ = false;
  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> closing_{false};

  std::atomic<std::size_t> bytes_{0};  // taken and not yet delivered
  std::atomic<std::uint64_t> flush_to_{0};

  mutable detail::Mutex mutex_;  ///< with changed_ also for those who wait for deliveries
  std::condition_variable changed_;
  absl::Status failure_ SLIPSTREAM_GUARDED_BY(mutex_);
};

}  // namespace slipstream::kafka
