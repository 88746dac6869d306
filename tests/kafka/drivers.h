#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/connector.h"

namespace slipstream::test {

/// Plays the runtime for one source: reads, waits for wakes, remembers what came.
class SourceDriver final : public RawCollector {
 public:
  struct Seen {
    std::string key;
    std::string value;
    bool has_key = false;
    bool has_value = false;
    std::int64_t offset = 0;
    std::optional<EventTime> timestamp;
    Headers headers;
  };

  explicit SourceDriver(std::shared_ptr<RawSource> source, std::size_t memory_budget = 8u << 20)
      : source_(std::move(source)) {
    env_.wake = [this] {
      const std::lock_guard lock(mutex_);
      ++wakes_;
      changed_.notify_all();
    };
    env_.fail = [this](absl::Status status) {
      const std::lock_guard lock(mutex_);
      failures_.push_back(std::move(status));
      changed_.notify_all();
    };
    env_.log = [this](LogLevel level, std::string_view component, std::string_view message) {
      const std::lock_guard lock(mutex_);
      log_.push_back(std::string(to_string(level)) + " " + std::string(component) + ": " +
                     std::string(message));
      changed_.notify_all();
    };
    env_.memory_budget = memory_budget;
    env_.now = [] { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); };
    env_.wake_at = [](EventTime) {};
  }
  ~SourceDriver() override { (void)source_->close(); }

  absl::Status open() { return source_->open(env_); }
  RawSource& source() { return *source_; }

  void add(std::span<const RawRecord> records) override {
    for (const RawRecord& record : records) {
      Seen seen;
      seen.has_key = record.key.has_value();
      seen.has_value = record.value.has_value();
      seen.key = record.key.value_or("");
      seen.value = record.value.value_or("");
      seen.offset = record.offset;
      seen.timestamp = record.timestamp;
      if (record.headers) seen.headers = *record.headers;
      const std::lock_guard lock(mutex_);
      seen_[reading_].push_back(std::move(seen));
    }
  }

  absl::StatusOr<ReadState> read(int partition,
                                 ReadLimits limits = {.max_records = 100, .max_bytes = 1 << 20}) {
    reading_ = partition;
    return source_->read(partition, limits, *this);
  }

  /// Reads one partition until it says `state` or fails, waiting for wakes in between.
  absl::Status read_until(int partition, ReadState state,
                          ReadLimits limits = {.max_records = 100, .max_bytes = 1 << 20}) {
    while (true) {
      const int before = wakes();
      const auto now = read(partition, limits);
      if (!now.ok()) return now.status();
      if (*now == state) return absl::OkStatus();
      if (*now == ReadState::finished) return absl::InternalError("finished");
      if (*now == ReadState::more) continue;
      if (!wait([&] { return wakes_ > before || !failures_.empty(); }))
        return absl::DeadlineExceededError("no wake");
      const std::lock_guard lock(mutex_);
      if (!failures_.empty()) return failures_.front();
    }
  }

  /// Reads one partition until `count` of its records were seen.
  absl::Status read_count(int partition, std::size_t count) {
    while (seen(partition).size() < count) {
      const int before = wakes();
      const auto now = read(partition);
      if (!now.ok()) return now.status();
      if (*now == ReadState::more || seen(partition).size() >= count) continue;
      if (*now == ReadState::finished) return absl::InternalError("finished");
      if (!wait([&] { return wakes_ > before || !failures_.empty(); }))
        return absl::DeadlineExceededError("no wake");
      const std::lock_guard lock(mutex_);
      if (!failures_.empty()) return failures_.front();
    }
    return absl::OkStatus();
  }

  /// `condition` is evaluated under the driver's lock, after each wake, failure and log line.
  template <class Condition>
  bool wait(Condition condition, std::chrono::seconds timeout = std::chrono::seconds(60)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, condition);
  }
  bool wait_wake(int before) {
    return wait([&] { return wakes_ > before; });
  }
  /// Until so many lines have the part.
  bool wait_log(const std::string& part, std::ptrdiff_t lines = 1) {
    return wait([&] { return count_log(part) >= lines; });
  }
  bool wait_failure() {
    return wait([&] { return !failures_.empty(); });
  }

  int wakes() const {
    const std::lock_guard lock(mutex_);
    return wakes_;
  }
  std::vector<Seen> seen(int partition) const {
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(partition);
    return found == seen_.end() ? std::vector<Seen>() : found->second;
  }
  std::vector<std::string> values(int partition) const {
    std::vector<std::string> values;
    for (const Seen& seen : seen(partition)) values.push_back(seen.value);
    return values;
  }
  std::vector<absl::Status> failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
  }
  std::vector<std::string> log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }

 private:
  std::ptrdiff_t count_log(const std::string& part) const {
    return std::count_if(log_.begin(), log_.end(),
                         [&](const std::string& line) { return line.find(part) != line.npos; });
  }

  std::shared_ptr<RawSource> source_;
  SourceEnv env_;
  static inline thread_local int reading_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int wakes_ = 0;
  std::map<int, std::vector<Seen>> seen_;
  std::vector<absl::Status> failures_;
  std::vector<std::string> log_;
};

inline std::vector<std::string> numbered(const std::string& prefix, int from, int to) {
  std::vector<std::string> values;
  for (int i = from; i < to; ++i) values.push_back(prefix + std::to_string(i));
  return values;
}

/// Plays the runtime for one sink.
class SinkDriver {
 public:
  explicit SinkDriver(std::shared_ptr<RawSink> sink, std::size_t memory_budget = 8u << 20)
      : sink_(std::move(sink)) {
    env_.wake = [this] {
      const std::lock_guard lock(mutex_);
      ++wakes_;
      changed_.notify_all();
    };
    env_.fail = [this](absl::Status status) {
      const std::lock_guard lock(mutex_);
      failures_.push_back(std::move(status));
      changed_.notify_all();
    };
    env_.log = [this](LogLevel level, std::string_view component, std::string_view message) {
      const std::lock_guard lock(mutex_);
      log_.push_back(std::string(to_string(level)) + " " + std::string(component) + ": " +
                     std::string(message));
      changed_.notify_all();
    };
    env_.memory_budget = memory_budget;
  }
  ~SinkDriver() { (void)sink_->close(); }

  absl::Status open() { return sink_->open(env_); }
  RawSink& sink() { return *sink_; }

  /// Writes all, waiting for room where the sink is full.
  absl::Status write(std::span<const OutRecord> records) {
    while (!records.empty()) {
      const int before = wakes();
      const auto taken = sink_->write(records);
      if (!taken.ok()) return taken.status();
      taken_ += *taken;
      if (*taken < records.size()) ++fulls_;
      records = records.subspan(*taken);
      if (!records.empty() && !wait_wake(before)) return absl::DeadlineExceededError("full and no wake");
    }
    return absl::OkStatus();
  }
  absl::Status write_values(const std::vector<std::string>& values) {
    std::vector<OutRecord> records;
    for (const std::string& value : values) records.push_back({"k", value, std::nullopt, nullptr});
    return write(records);
  }

  /// Flushes and waits until everything taken is delivered.
  absl::Status deliver() {
    if (absl::Status status = sink_->flush(); !status.ok()) return status;
    while (true) {
      const int before = wakes();
      const auto delivered = sink_->delivered();
      if (!delivered.ok()) return delivered.status();
      if (*delivered == taken_) return absl::OkStatus();
      if (*delivered > taken_) return absl::InternalError("more delivered than taken");
      if (!wait_wake(before)) return absl::DeadlineExceededError("no delivery");
    }
  }

  template <class Condition>
  bool wait(Condition condition, std::chrono::seconds timeout = std::chrono::seconds(60)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, condition);
  }
  bool wait_wake(int before) {
    return wait([&] { return wakes_ > before || !failures_.empty(); });
  }
  bool wait_failure() {
    return wait([&] { return !failures_.empty(); });
  }
  bool wait_log(const std::string& part) {
    return wait([&] {
      for (const std::string& line : log_) {
        if (line.find(part) != line.npos) return true;
      }
      return false;
    });
  }
  int wakes() const {
    const std::lock_guard lock(mutex_);
    return wakes_;
  }
  std::vector<absl::Status> failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
  }
  std::vector<std::string> log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  std::uint64_t taken() const { return taken_; }
  /// How often the sink took less than it was offered.
  int fulls() const { return fulls_; }

 private:
  std::shared_ptr<RawSink> sink_;
  SinkEnv env_;
  std::uint64_t taken_ = 0;
  int fulls_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int wakes_ = 0;
  std::vector<absl::Status> failures_;
  std::vector<std::string> log_;
};

inline std::vector<std::string> numbered_lines(int count) {
  std::vector<std::string> values;
  for (int i = 0; i < count; ++i) values.push_back("line " + std::to_string(i));
  return values;
}

}  // namespace slipstream::test
