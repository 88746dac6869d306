#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "slipstream/connector.h"

/// What every RawSource promises, checked from outside:
///
///   TEST(FileLines, KeepsTheSourceContract) {
///     conformance::check_source({.make = [&] { return file::raw(path, {}); },
///                                .expected = {{{.value = "a", .offset = 1}, {.value = "b", .offset = 2}}}});
///   }
namespace slipstream::conformance {

/// A RawRecord that owns what it shows.
struct OwnedRecord {
  std::optional<std::string> key = {};
  std::optional<std::string> value = {};
  std::int64_t offset = 0;
  friend bool operator==(const OwnedRecord&, const OwnedRecord&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const OwnedRecord& r) {
  return out << "{" << r.offset << " " << r.key.value_or("-") << " " << r.value.value_or("-") << "}";
}

class Collector final : public RawCollector {
 public:
  void add(std::span<const RawRecord> records) override {
    for (const RawRecord& r : records) {
      OwnedRecord& owned = this->records.emplace_back();
      if (r.key) owned.key.emplace(*r.key);
      if (r.value) owned.value.emplace(*r.value);
      owned.offset = r.offset;
    }
  }
  std::vector<OwnedRecord> records;
};

/// Stands in for the runtime. Its clock moves only when somebody waits: to the earliest time asked for.
class SourceHost {
 public:
  SourceEnv env() {
    SourceEnv env;
    env.wake = [this] { wake(); };
    env.fail = [this](absl::Status status) {
      std::lock_guard lock(mutex_);
      failures_.push_back(std::move(status));
      changed_.notify_all();
    };
    env.log = [](LogLevel, std::string_view, std::string_view) {};
    env.memory_budget = std::size_t{1} << 20;
    env.now = [this] {
      std::lock_guard lock(mutex_);
      return now_;
    };
    env.wake_at = [this](EventTime time) {
      std::lock_guard lock(mutex_);
      alarms_.insert(time);
      changed_.notify_all();
    };
    return env;
  }
  void wake() {
    std::lock_guard lock(mutex_);
    ++wakes_;
    changed_.notify_all();
  }
  std::uint64_t wakes() const {
    std::lock_guard lock(mutex_);
    return wakes_;
  }
  /// Waits for a wake beyond the first `seen`, or moves the clock to the next alarm. False: nothing came for
  /// 20 s.
  bool wait_for_wake(std::uint64_t seen) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20),
                      [&] { return wakes_ > seen || !alarms_.empty() || !failures_.empty(); });
    if (wakes_ > seen) return true;
    if (alarms_.empty()) return false;
    now_ = std::max(now_, *alarms_.begin());
    alarms_.erase(alarms_.begin());
    return true;
  }
  void advance(Duration by) {
    std::lock_guard lock(mutex_);
    now_ += by;
  }
  std::vector<absl::Status> failures() const {
    std::lock_guard lock(mutex_);
    return failures_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t wakes_ = 0;
  EventTime now_{std::chrono::hours(1)};
  std::multiset<EventTime> alarms_;
  std::vector<absl::Status> failures_;
};

/// Reads one partition until it is finished, an error comes or `until` says enough.
inline absl::Status drain(
    RawSource& source, SourceHost& host, int partition, const ReadLimits& limits, Collector& out,
    const std::function<bool()>& until = [] { return false; }) {
  for (;;) {
    const std::uint64_t seen = host.wakes();
    const std::size_t before = out.records.size();
    absl::StatusOr<ReadState> state = source.read(partition, limits, out);
    if (!state.ok()) return state.status();
    const std::size_t got = out.records.size() - before;
    EXPECT_LE(got, limits.max_records);
    std::size_t bytes_before_last = 0;
    for (std::size_t i = before; i + 1 < out.records.size(); ++i) {
      bytes_before_last += out.records[i].value.value_or("").size();
    }
    EXPECT_LE(bytes_before_last, limits.max_bytes);
    if (*state == ReadState::finished || until()) return absl::OkStatus();
    if (*state != ReadState::more && got == 0 && !host.wait_for_wake(seen)) {
      return absl::DeadlineExceededError("no wake in 20 s");
    }
  }
}

/// A bounded source with a known content.
struct SourceCase {
  std::function<std::shared_ptr<RawSource>()> make;  ///< each time a new source over the same input
  std::vector<std::vector<OwnedRecord>> expected;    ///< by partition
  std::uint32_t seed = 1;
};

namespace detail {

using Partitions = std::vector<Collector>;

inline void expect_content(const SourceCase& c, const Partitions& got) {
  ASSERT_EQ(got.size(), c.expected.size());
  for (std::size_t p = 0; p < got.size(); ++p) {
    EXPECT_EQ(got[p].records, c.expected[p]) << "partition " << p;
    for (std::size_t i = 1; i < got[p].records.size(); ++i) {
      EXPECT_LT(got[p].records[i - 1].offset, got[p].records[i].offset) << "offsets rise";
    }
  }
}

inline void check_limits(const SourceCase& c, const ReadLimits& limits) {
  SCOPED_TRACE("max_records " + std::to_string(limits.max_records) + ", max_bytes " +
               std::to_string(limits.max_bytes));
  SourceHost host;
  const auto source = c.make();
  EXPECT_FALSE(source->name().empty());
  ASSERT_TRUE(source->open(host.env()).ok());
  ASSERT_EQ(source->partition_count(), static_cast<int>(c.expected.size()));
  Partitions got(c.expected.size());
  for (std::size_t p = 0; p < got.size(); ++p) {
    const int partition = static_cast<int>(p);
    EXPECT_EQ(drain(*source, host, partition, limits, got[p]), absl::OkStatus());
    const std::size_t before = got[p].records.size();
    auto again = source->read(partition, limits, got[p]);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(*again, ReadState::finished) << "finished is for ever";
    EXPECT_EQ(got[p].records.size(), before);
    EXPECT_NE(source->position(partition, 4711).find("4711"), std::string::npos);
  }
  EXPECT_TRUE(source->close().ok());
  expect_content(c, got);
}

/// Partitions in any order, any limits, held and released in between.
inline void check_interleaving(const SourceCase& c, std::uint32_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  SourceHost host;
  const auto source = c.make();
  ASSERT_TRUE(source->open(host.env()).ok());
  Partitions got(c.expected.size());
  std::vector<int> open;
  for (std::size_t p = 0; p < got.size(); ++p) open.push_back(static_cast<int>(p));
  while (!open.empty()) {
    const std::size_t pick = random() % open.size();
    const int p = open[pick];
    if (random() % 8 == 0) source->hold(p, true);
    if (random() % 4 == 0) source->hold(p, false);
    const std::uint64_t seen = host.wakes();
    Collector& out = got[static_cast<std::size_t>(p)];
    const std::size_t before = out.records.size();
    auto state = source->read(p, {1 + random() % 7, 1 + random() % 200}, out);
    ASSERT_TRUE(state.ok()) << state.status();
    if (*state == ReadState::finished) {
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
    } else if (*state != ReadState::more && out.records.size() == before) {
      for (const int other : open) source->hold(other, false);
      ASSERT_TRUE(host.wait_for_wake(seen));
    }
  }
  EXPECT_TRUE(source->close().ok());
  expect_content(c, got);
}

inline void check_threads(const SourceCase& c) {
  SCOPED_TRACE("a thread for each partition");
  SourceHost host;
  const auto source = c.make();
  ASSERT_TRUE(source->open(host.env()).ok());
  Partitions got(c.expected.size());
  std::vector<std::thread> threads;
  for (std::size_t p = 0; p < got.size(); ++p) {
    threads.emplace_back([&, p] {
      EXPECT_EQ(drain(*source, host, static_cast<int>(p), {3, 100}, got[p]), absl::OkStatus());
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_TRUE(source->close().ok());
  expect_content(c, got);
}

inline void check_early_close(const SourceCase& c) {
  SCOPED_TRACE("close before the end");
  SourceHost host;
  const auto unread = c.make();
  ASSERT_TRUE(unread->open(host.env()).ok());
  EXPECT_TRUE(unread->close().ok());
  const auto begun = c.make();
  ASSERT_TRUE(begun->open(host.env()).ok());
  Collector out;
  EXPECT_TRUE(begun->read(0, {1, 1}, out).ok());
  EXPECT_TRUE(begun->close().ok());
  const auto never_opened = c.make();
  EXPECT_TRUE(host.failures().empty());
}

}  // namespace detail

inline void check_source(const SourceCase& c) {
  constexpr std::size_t kAll = std::size_t{1} << 30;
  for (const ReadLimits limits : {ReadLimits{1, 1}, {1, kAll}, {kAll, 1}, {3, 64}, {kAll, kAll}}) {
    detail::check_limits(c, limits);
  }
  for (std::uint32_t i = 0; i < 5; ++i) detail::check_interleaving(c, c.seed + i);
  detail::check_threads(c);
  detail::check_early_close(c);
}

/// A source of one partition that gets more while it is open.
struct GrowingCase {
  std::function<std::shared_ptr<RawSource>(bool bounded)>
      make;  ///< `bounded` ends at what is there when it opens
  std::function<void(const std::vector<std::string>&)> append;
};

namespace detail {

inline std::vector<std::string> values_of(const Collector& got) {
  std::vector<std::string> values;
  for (const OwnedRecord& r : got.records) values.push_back(r.value.value_or("-"));
  return values;
}

/// Reads until the source says it has read everything.
inline absl::Status catch_up(RawSource& source, SourceHost& host, Collector& out) {
  for (;;) {
    const std::uint64_t seen = host.wakes();
    const auto state = source.read(0, {100, std::size_t{1} << 20}, out);
    if (!state.ok()) return state.status();
    if (*state == ReadState::caught_up) return absl::OkStatus();
    if (*state == ReadState::finished) return absl::InternalError("finished");
    if (*state == ReadState::waiting && !host.wait_for_wake(seen))
      return absl::DeadlineExceededError("no wake in 20 s");
  }
}

}  // namespace detail

/// Caught up means that everything is read; a wake tells of more; a bounded source leaves what comes later.
inline void check_growing_source(const GrowingCase& c) {
  SourceHost host;
  const auto source = c.make(false);
  ASSERT_EQ(source->open(host.env()), absl::OkStatus());
  Collector got;
  std::vector<std::string> expected;
  for (int round = 0; round < 5; ++round) {
    ASSERT_EQ(detail::catch_up(*source, host, got), absl::OkStatus());
    EXPECT_EQ(detail::values_of(got), expected);
    const std::uint64_t seen = host.wakes();
    const std::vector<std::string> more = {"round " + std::to_string(round), "and another"};
    c.append(more);
    ASSERT_TRUE(host.wait_for_wake(seen)) << "round " << round;
    expected.insert(expected.end(), more.begin(), more.end());
  }

  SourceHost bounded_host;
  const auto bounded = c.make(true);
  ASSERT_EQ(bounded->open(bounded_host.env()), absl::OkStatus());
  c.append({"too late"});
  Collector until_end;
  EXPECT_EQ(drain(*bounded, bounded_host, 0, {100, std::size_t{1} << 20}, until_end), absl::OkStatus());
  EXPECT_EQ(detail::values_of(until_end), expected);
  EXPECT_EQ(bounded->close(), absl::OkStatus());
  EXPECT_EQ(source->close(), absl::OkStatus());
}

}  // namespace slipstream::conformance
