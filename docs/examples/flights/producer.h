#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "docs/examples/flights/feed.h"
#include "docs/examples/flights/topics.h"

namespace flights {

struct Pace {
  std::chrono::milliseconds year;  ///< how long the whole year takes
  std::chrono::milliseconds hold;  ///< how long no weather is sent, in the middle of it
};

/// Plays both feeds into their topics, as JSON, from a thread of its own that starts at once.
class Producer {
 public:
  /// The feeds must outlive it. Without a pace, as fast as the broker takes them. `on_failure` is called from
  /// the thread.
  Producer(const Topics& topics, const Feed<Flight>& flights, const Feed<Weather>& weather,
           std::optional<Pace> pace, std::function<void()> on_failure);
  /// Stops.
  ~Producer();

  std::int64_t flights_sent() const { return flights_sent_; }
  std::int64_t weather_sent() const { return weather_sent_; }
  bool is_holding_weather() const { return is_holding_; }

  void stop();
  /// Waits for the end: everything delivered, Cancelled after stop(), or what went wrong.
  absl::Status wait();

 private:
  void run();
  absl::Status play(slipstream::kafka::Producer& producer);
  bool await_slice(slipstream::Duration played, slipstream::Duration all);

  const slipstream::kafka::ClientOptions client_;
  const std::string flights_topic_;
  const std::string weather_topic_;
  const Feed<Flight>& flights_;
  const Feed<Weather>& weather_;
  const std::optional<Pace> pace_;
  const std::function<void()> on_failure_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();

  std::atomic<std::int64_t> flights_sent_{0};
  std::atomic<std::int64_t> weather_sent_{0};
  std::atomic<bool> is_holding_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;               // guarded by mutex_
  std::optional<absl::Status> result_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace flights
