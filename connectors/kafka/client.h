#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/kafka/handles.h"
#include "connectors/kafka/settings.h"
#include "connectors/kafka/trouble.h"
#include "slipstream/detail/mutex.h"

namespace slipstream::kafka {

using Milliseconds = std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// "10 s", "3.5 s".
std::string seconds(Milliseconds time);

/// One librdkafka client with the thread that polls it. The thread serves librdkafka's callbacks, runs what
/// is posted to it, and watches over the connection: it says when no broker answers, says when one does
/// again, and fails when none did for the outage timeout.
class Client {
 public:
  struct Options {
    std::string what;  ///< for messages: "kafka topic orders"
    std::string brokers;
    LogHook log;                             ///< may be null
    std::function<void(absl::Status)> fail;  ///< may be null; called at most once, from the poll thread
    Milliseconds connect_timeout{30'000};
    Milliseconds outage_timeout{600'000};
    std::function<void(const rd_kafka_message_t&)> on_delivery;  ///< producers; from the poll thread
    /// Members of groups; from the poll thread, or from close(). What a member is assigned is not read here.
    /// Must not call the client.
    std::function<void(bool assigned, const rd_kafka_topic_partition_list_t& partitions)> on_rebalance;
    /// The answer to an asynchronous commit; otherwise as on_rebalance.
    std::function<void(rd_kafka_resp_err_t, const rd_kafka_topic_partition_list_t*)> on_commit;
    std::function<void()> after_poll;  ///< from the poll thread after each poll
    /// From the poll thread, while a broker answers; returns when to come again.
    std::function<Milliseconds()> check;
    Milliseconds first_check{0};
  };

  /// Starts the client and its thread; connects in the background.
  static absl::StatusOr<std::unique_ptr<Client>> start(Role role, ClientConf conf, Options options);
  ~Client();

  rd_kafka_t* get() const { return rk_; }
  const std::string& brokers() const { return options_.brokers; }

  /// Waits until a broker answers, at most the connect timeout. Says after 2 s at the latest what is in the
  /// way.
  absl::Status connect();
  /// Runs `task` on the poll thread soon.
  void post(std::function<void()> task);
  /// Makes the poll thread check at once.
  void check_soon();
  /// The last broker that refused us, or that we refused.
  std::optional<Trouble> refusal() const;
  void log(LogLevel level, const std::string& message) const;
  /// Reports an error that ends the run; only the first is passed on.
  void fail(absl::Status status);
  bool has_failed() const { return failed_; }
  /// No broker answers at the moment.
  bool is_cut_off() const { return cut_off_; }
  /// Ends the poll thread: nothing posted runs after this. Idempotent.
  void stop_polling();
  /// Stops the thread and the client; a member leaves its group. Every librdkafka object made from it must be
  /// gone. Idempotent.
  void close();

 private:
  Client(Role role, Secrets secrets, Access access, Options options);
  absl::Status create(ClientConf conf);
  absl::Status cannot_start(const std::string& why) const;

  /// What librdkafka's callbacks are given. Outlives the Client when librdkafka does.
  struct Link {
    explicit Link(Client* c) : client(c) {}
    Client* const client;
    detail::Mutex mutex;
    bool left_behind SLIPSTREAM_GUARDED_BY(mutex) =
        false;  ///< client is gone; asked by callbacks of other threads
  };

  static void on_error(rd_kafka_t* rk, int error, const char* reason, void* link);
  static int on_certificate(rd_kafka_t* rk, const char* broker, std::int32_t id, int* x509_error, int depth,
                            const char* certificate, std::size_t size, char* why, std::size_t why_size,
                            void* link);
  static void on_log(const rd_kafka_t* rk, int level, const char* facility, const char* message);
  static void on_delivery(rd_kafka_t* rk, const rd_kafka_message_t* message, void* link);
  static void on_rebalance(rd_kafka_t* rk, rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t* list,
                           void* link);
  static void on_commit(rd_kafka_t* rk, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* list,
                        void* link);

  void note_error(rd_kafka_resp_err_t error, std::string reason);
  void note_trouble(Trouble trouble);
  void wake();
  void poll_loop();
  void run_tasks();
  void run_check();
  void watch_connection();
  /// Whether some broker answers.
  bool ping(Milliseconds timeout);
  Trouble cause() const;
  void tell_refusal();
  absl::Status unreachable(const Trouble& trouble, Milliseconds tried) const;

  const Role role_;
  const Secrets secrets_;
  const Access access_;
  const Options options_;
  const std::shared_ptr<Link> link_ = std::make_shared<Link>(this);
  rd_kafka_t* rk_ = nullptr;
  Queue main_queue_;

  std::atomic<bool> stopping_{false};
  std::atomic<bool> connected_{false};
  std::atomic<bool> suspected_{false};  // an error came: ping
  std::atomic<bool> check_soon_{false};
  std::atomic<bool> failed_{false};
  std::atomic<bool> cut_off_{false};

  mutable detail::Mutex mutex_;
  Trouble cause_ SLIPSTREAM_GUARDED_BY(mutex_);                   // the newest
  std::optional<Trouble> refusal_ SLIPSTREAM_GUARDED_BY(mutex_);  // the newest that is a refusal
  std::vector<std::function<void()>> tasks_ SLIPSTREAM_GUARDED_BY(mutex_);

  // Of the poll thread alone.
  std::optional<Clock::time_point> down_since_;
  Clock::time_point next_ping_{};
  Clock::time_point next_check_{};
  std::string told_refusal_;

  std::thread thread_;
};

}  // namespace slipstream::kafka
