#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "slipstream/connector.h"

/// What every RawSink promises, checked from outside.
namespace slipstream::conformance {

/// Stands in for the runtime.
class SinkHost {
 public:
  SinkEnv env(std::size_t memory_budget = std::size_t{1} << 20) {
    SinkEnv env;
    env.wake = [this] {
      std::lock_guard lock(mutex_);
      ++wakes_;
      changed_.notify_all();
    };
    env.fail = [this](absl::Status status) {
      std::lock_guard lock(mutex_);
      failures_.push_back(std::move(status));
      changed_.notify_all();
    };
    env.log = [this](LogLevel, std::string_view, std::string_view message) {
      std::lock_guard lock(mutex_);
      logged_.emplace_back(message);
    };
    env.memory_budget = memory_budget;
    return env;
  }
  std::uint64_t wakes() const {
    std::lock_guard lock(mutex_);
    return wakes_;
  }
  /// Waits for a wake beyond the first `seen`. False: none came for 20 s.
  bool wait_for_wake(std::uint64_t seen) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [&] { return wakes_ > seen || !failures_.empty(); });
  }
  std::vector<absl::Status> failures() const {
    std::lock_guard lock(mutex_);
    return failures_;
  }
  std::vector<std::string> logged() const {
    std::lock_guard lock(mutex_);
    return logged_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t wakes_ = 0;
  std::vector<absl::Status> failures_;
  std::vector<std::string> logged_;
};

/// Writes all of `records`, in spans of at most `span` of them, waiting for room where there is none.
inline absl::Status write_all(RawSink& sink, SinkHost& host, std::span<const OutRecord> records,
                              std::size_t span = 1000) {
  while (!records.empty()) {
    const std::uint64_t seen = host.wakes();
    const auto part = records.first(std::min(span, records.size()));
    absl::StatusOr<std::size_t> taken = sink.write(part);
    if (!taken.ok()) return taken.status();
    if (*taken > part.size()) return absl::InternalError("the sink took more than it was given");
    records = records.subspan(*taken);
    if (*taken < part.size() && !host.wait_for_wake(seen))
      return absl::DeadlineExceededError("no room in 20 s");
  }
  return absl::OkStatus();
}

/// Flushes and waits until `count` records are delivered.
inline absl::Status deliver(RawSink& sink, SinkHost& host, std::uint64_t count) {
  if (absl::Status s = sink.flush(); !s.ok()) return s;
  for (std::uint64_t last = 0;;) {
    const std::uint64_t seen = host.wakes();
    absl::StatusOr<std::uint64_t> delivered = sink.delivered();
    if (!delivered.ok()) return delivered.status();
    if (*delivered == count) return absl::OkStatus();
    if (*delivered < last || *delivered > count)
      return absl::InternalError("delivered() is not a growing prefix");
    last = *delivered;
    if (!host.wait_for_wake(seen)) return absl::DeadlineExceededError("nothing was delivered in 20 s");
  }
}

struct SinkCase {
  std::function<std::shared_ptr<RawSink>()> make;  ///< each time a sink with a new target
  std::function<std::vector<std::string>()>
      written;  ///< what the newest target holds, after finish and close
  std::vector<std::string> values = {"one", "two", "", "three and more", "5"};
  std::uint32_t seed = 1;
};

namespace detail {

inline void check_run(const SinkCase& c, std::size_t span, std::size_t memory_budget, std::size_t rounds) {
  SCOPED_TRACE("span " + std::to_string(span) + ", budget " + std::to_string(memory_budget) + ", " +
               std::to_string(rounds) + " rounds");
  SinkHost host;
  const auto sink = c.make();
  EXPECT_FALSE(sink->name().empty());
  ASSERT_EQ(sink->open(host.env(memory_budget)), absl::OkStatus());
  std::vector<OutRecord> records;
  for (const std::string& v : c.values) records.emplace_back().value = v;
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < rounds; ++i) {
    ASSERT_EQ(write_all(*sink, host, records, span), absl::OkStatus());
    expected.insert(expected.end(), c.values.begin(), c.values.end());
    if (i % 3 != 0) continue;
    ASSERT_EQ(deliver(*sink, host, expected.size()), absl::OkStatus());
  }
  auto none = sink->write({});
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(*none, 0u);
  ASSERT_EQ(deliver(*sink, host, expected.size()), absl::OkStatus());
  EXPECT_EQ(sink->finish(), absl::OkStatus());
  EXPECT_EQ(sink->close(), absl::OkStatus());
  EXPECT_EQ(c.written(), expected);
  EXPECT_TRUE(host.failures().empty());
}

inline void check_abandoned(const SinkCase& c) {
  SCOPED_TRACE("close without finish");
  SinkHost host;
  const auto sink = c.make();
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  OutRecord record;
  record.value = c.values[0];
  EXPECT_EQ(write_all(*sink, host, {&record, 1}), absl::OkStatus());
  EXPECT_EQ(sink->close(), absl::OkStatus());
  const auto never_opened = c.make();
}

}  // namespace detail

inline void check_sink(const SinkCase& c) {
  constexpr std::size_t kBudget = std::size_t{1} << 20;
  detail::check_run(c, 1000, kBudget, 0);
  detail::check_run(c, 1, kBudget, 1);
  detail::check_run(c, 2, kBudget, 50);
  detail::check_run(c, 1000, 1, 50);  // however small the budget, one record fits
  std::mt19937 random(c.seed);
  for (int i = 0; i < 5; ++i)
    detail::check_run(c, 1 + random() % 10, 1 + random() % 100'000, 1 + random() % 100);
  detail::check_abandoned(c);
}

}  // namespace slipstream::conformance
