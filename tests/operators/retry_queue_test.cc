#include "slipstream/detail/retry_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace slipstream::detail {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using testing::ElementsAre;

/// A waiting record that is known by its number.
WaitingRecord record(int number, int attempts = 0, EventTime time = EventTime(0s)) {
  auto one = std::make_unique<Batch<int>>();
  one->append_columns(time, RecordId{0, 0, number, 0});
  one->values.push_back(number);
  return {std::move(one), attempts};
}
int number_of(const WaitingRecord& waiting) {
  return static_cast<const Batch<int>&>(*waiting.record).values[0];
}

/// "unit:number/attempts" of what is taken, or "nothing".
std::string take(RetryQueue& queue, nanoseconds now) {
  auto taken = queue.take_due(now);
  if (!taken) return "nothing";
  return std::to_string(taken->first) + ":" + std::to_string(number_of(taken->second)) + "/" +
         std::to_string(taken->second.attempts);
}

TEST(RetryQueue, HasNothingAtFirst) {
  RetryQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_FALSE(queue.contains(1));
  EXPECT_EQ(take(queue, nanoseconds::max()), "nothing");
  EXPECT_EQ(queue.next_due(), nanoseconds::max());
  EXPECT_EQ(queue.oldest(), kMaxTime);
}

TEST(RetryQueue, WaitsTwiceAsLongEachTimeUpToAMinute) {
  const std::pair<int, nanoseconds> cases[] = {{1, 3s},  {2, 6s},  {3, 12s},    {4, 24s},
                                               {5, 48s}, {6, 60s}, {1'000, 60s}};
  for (const auto& [attempts, delay] : cases) {
    RetryQueue queue;
    EXPECT_EQ(queue.put_failed(1, record(7, attempts), ErrorPolicy::retry(9, 3s), 100s), 100s + delay)
        << attempts;
    EXPECT_EQ(queue.next_due(), 100s + delay);
  }
  RetryQueue queue;
  EXPECT_EQ(queue.put_failed(1, record(7, 1), ErrorPolicy::retry(9, 2min), 0s), 60s);
  EXPECT_EQ(queue.put_failed(2, record(7, 5), ErrorPolicy::retry(9, 0s), 5s), 5s)
      << "at once, as often as it fails";
}

TEST(RetryQueue, GivesBackARecordWhenItIsDueAndNotBefore) {
  RetryQueue queue;
  queue.put_failed(1, record(7, 1), ErrorPolicy::retry(3, 1s), 10s);
  EXPECT_EQ(take(queue, 11s - nanoseconds(1)), "nothing");
  EXPECT_EQ(take(queue, 11s), "1:7/1");
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(take(queue, 1h), "nothing");
}

TEST(RetryQueue, KeepsAUnitWaitingUntilItsRecordIsDealtWith) {
  RetryQueue queue;
  queue.put_failed(1, record(7, 1), ErrorPolicy::retry(3, 1s), 0s);
  ASSERT_EQ(take(queue, 1s), "1:7/1");
  // While it is being tried, others of its unit must not pass.
  EXPECT_TRUE(queue.contains(1));
  EXPECT_FALSE(queue.empty());
  queue.release(1);
  EXPECT_FALSE(queue.contains(1));
  EXPECT_TRUE(queue.empty());
  queue.release(1);  // twice is once
}

TEST(RetryQueue, KeepsTheOrderOfAUnit) {
  RetryQueue queue;
  const ErrorPolicy policy = ErrorPolicy::retry(3, 1s);
  queue.put_failed(1, record(1, 1), policy, 0s);
  queue.put_behind(1, record(2));
  queue.put_behind(1, record(3));
  EXPECT_EQ(queue.size(), 3u);
  ASSERT_EQ(take(queue, 1s), "1:1/1");
  // It fails again: back to the front, and nothing of the unit is due before it is.
  EXPECT_EQ(queue.put_failed(1, record(1, 2), policy, 1s), 3s);
  queue.release(1);
  EXPECT_TRUE(queue.contains(1));
  EXPECT_EQ(take(queue, 3s - nanoseconds(1)), "nothing");
  EXPECT_EQ(take(queue, 3s), "1:1/2");
  queue.release(1);
  // Those behind waited only for the first.
  EXPECT_EQ(take(queue, 3s), "1:2/0");
  queue.release(1);
  EXPECT_EQ(take(queue, 3s), "1:3/0");
  queue.release(1);
  EXPECT_TRUE(queue.empty());
}

TEST(RetryQueue, LetsUnitsWaitApart) {
  RetryQueue queue;
  queue.put_failed(1, record(1, 1), ErrorPolicy::retry(3, 10s), 0s);
  queue.put_failed(2, record(2, 1), ErrorPolicy::retry(3, 1s), 0s);
  EXPECT_EQ(queue.next_due(), 1s);
  EXPECT_EQ(take(queue, 5s), "2:2/1");
  queue.release(2);
  EXPECT_EQ(queue.next_due(), 10s);
  EXPECT_TRUE(queue.contains(1));
  EXPECT_FALSE(queue.contains(2));
  EXPECT_EQ(take(queue, 10s), "1:1/1");
}

TEST(RetryQueue, HasRecordsOfASnapshotDueAtOnce) {
  RetryQueue queue;
  queue.put_behind(1, record(1, 2));
  queue.put_behind(1, record(2));
  EXPECT_EQ(queue.next_due(), 0s);
  EXPECT_EQ(take(queue, 0s), "1:1/2") << "and tried as often before as it was";
}

TEST(RetryQueue, KnowsTheOldestOfAllThatWait) {
  RetryQueue queue;
  queue.put_failed(1, record(1, 1, EventTime(30s)), ErrorPolicy::retry(3, 1s), 0s);
  EXPECT_EQ(queue.oldest(), EventTime(30s));
  queue.put_behind(1, record(2, 0, EventTime(20s)));
  EXPECT_EQ(queue.oldest(), EventTime(20s)) << "those behind count too";
  queue.put_behind(2, record(3, 0, EventTime(25s)));
  EXPECT_EQ(queue.oldest(), EventTime(20s));
}

TEST(RetryQueue, ShowsAllThatWaitUnitByUnitInOrder) {
  RetryQueue queue;
  queue.put_failed(2, record(1, 1), ErrorPolicy::retry(3, 1s), 0s);
  queue.put_failed(1, record(2, 1), ErrorPolicy::retry(3, 1s), 0s);
  queue.put_behind(2, record(3));
  std::vector<std::string> seen;
  queue.for_each([&](std::uint64_t unit, const WaitingRecord& waiting) {
    seen.push_back(std::to_string(unit) + ":" + std::to_string(number_of(waiting)));
  });
  EXPECT_THAT(seen, ElementsAre("1:2", "2:1", "2:3"));
}

}  // namespace
}  // namespace slipstream::detail
