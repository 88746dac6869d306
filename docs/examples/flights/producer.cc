#include "docs/examples/flights/producer.h"

#include <algorithm>
#include <utility>

#include "slipstream/json.h"

namespace flights {
namespace {

namespace kafka = slipstream::kafka;
using slipstream::Duration;
using slipstream::EventTime;

/// Both feeds are played in slices of their own time, so that they stay in step.
constexpr Duration kSlice = std::chrono::hours(6);

/// One feed on its way into its topic.
template <class T>
class Player {
 public:
  Player(const Feed<T>& feed, std::string topic, std::atomic<std::int64_t>& sent)
      : feed_(feed), topic_(std::move(topic)), sent_(sent), encode_(slipstream::json<T>().make_encoder()) {}

  bool is_done() const { return next_ == feed_.arrivals.size(); }

  /// Sends what has arrived before `end`.
  absl::Status send_until(kafka::Producer& producer, EventTime end) {
    for (; !is_done() && feed_.arrivals[next_].at < end; ++next_) {
      const Arrival& arrival = feed_.arrivals[next_];
      const T& record = feed_.records[arrival.index];
      value_.clear();
      if (absl::Status status = encode_(record, value_); !status.ok()) return status;
      const absl::Status status = producer.produce(topic_, {.partition = arrival.partition,
                                                            .key = key_of(record),
                                                            .value = value_,
                                                            .timestamp = time_of(record)});
      if (!status.ok()) return status;
      ++sent_;
    }
    return absl::OkStatus();
  }

 private:
  const Feed<T>& feed_;
  const std::string topic_;
  std::atomic<std::int64_t>& sent_;
  const typename slipstream::Codec<T>::Encode encode_;
  std::string value_;
  std::size_t next_ = 0;
};

kafka::ClientOptions compressed(kafka::ClientOptions client) {
  client.settings.try_emplace("compression.type", "lz4");
  client.settings.try_emplace("linger.ms", "20");  // larger batches: compression pays
  return client;
}

}  // namespace

Producer::Producer(const Topics& topics, const Feed<Flight>& flights, const Feed<Weather>& weather,
                   std::optional<Pace> pace, std::function<void()> on_failure)
    : client_(compressed(topics.client())),
      flights_topic_(topics.flights()),
      weather_topic_(topics.weather()),
      flights_(flights),
      weather_(weather),
      pace_(pace),
      on_failure_(std::move(on_failure)),
      thread_([this] { run(); }) {}

Producer::~Producer() {
  stop();
  thread_.join();
}

void Producer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

absl::Status Producer::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return result_.has_value(); });
  return *result_;
}

void Producer::run() {
  auto producer = kafka::Producer::connect(client_);
  absl::Status status = producer.ok() ? play(*producer) : producer.status();
  if (status.ok()) status = producer->flush();
  if (!status.ok() && !absl::IsCancelled(status)) on_failure_();
  {
    const std::lock_guard lock(mutex_);
    result_ = std::move(status);
  }
  changed_.notify_all();
}

absl::Status Producer::play(kafka::Producer& producer) {
  Player<Flight> flights(flights_, flights_topic_, flights_sent_);
  Player<Weather> weather(weather_, weather_topic_, weather_sent_);
  const EventTime first = std::min(flights_.arrivals.front().at, weather_.arrivals.front().at);
  const EventTime last = std::max(flights_.arrivals.back().at, weather_.arrivals.back().at);
  for (EventTime now = first; !flights.is_done() || !weather.is_done(); now += kSlice) {
    if (!await_slice(now - first, last - first)) return absl::CancelledError("the producer was stopped");
    if (absl::Status status = flights.send_until(producer, now + kSlice); !status.ok()) return status;
    if (is_holding_) continue;
    if (absl::Status status = weather.send_until(producer, now + kSlice); !status.ok()) return status;
  }
  return absl::OkStatus();
}

/// Waits until the part of the year before a slice may have been played. False when it is to stop.
bool Producer::await_slice(Duration played, Duration all) {
  std::unique_lock lock(mutex_);
  if (!pace_) return !stopping_;
  const std::chrono::duration<double> due =
      pace_->year * (static_cast<double>(played.count()) / static_cast<double>(all.count()));
  changed_.wait_until(lock, start_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due),
                      [this] { return stopping_; });
  const auto hold_from = (pace_->year - pace_->hold) / 2;
  is_holding_ = due >= hold_from && due < hold_from + pace_->hold;
  return !stopping_;
}

}  // namespace flights
