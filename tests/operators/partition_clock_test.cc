#include "slipstream/detail/partition_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace slipstream::detail {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

EventTime at(Duration d) { return EventTime(d); }

/// What one call of observe() said.
struct Seen {
  std::size_t out_of_order = 0;
  std::vector<EventTime> stamps;
};
Seen look(PartitionClock& clock, std::vector<EventTime> times, Duration bound = 0s) {
  Seen seen;
  seen.out_of_order = observe(clock, times, bound, seen.stamps);
  return seen;
}

TEST(PartitionClock, KnowsNothingAtFirst) {
  PartitionClock clock;
  const Seen seen = look(clock, {});
  EXPECT_EQ(seen.out_of_order, 0u);
  EXPECT_THAT(seen.stamps, IsEmpty());
  EXPECT_EQ(clock.largest, kMinTime);
  EXPECT_EQ(clock.watermark, kMinTime);
}

TEST(PartitionClock, KeepsTheWatermarkTheBoundBehindTheNewest) {
  PartitionClock clock;
  EXPECT_THAT(look(clock, {at(10s), at(12s), at(20s)}, 5s).stamps, IsEmpty());
  EXPECT_EQ(clock.largest, at(20s));
  EXPECT_EQ(clock.watermark, at(15s));
}

TEST(PartitionClock, GoesOnWhereItStood) {
  PartitionClock clock;
  look(clock, {at(20s)}, 5s);
  const Seen seen = look(clock, {at(14s), at(21s)}, 5s);
  EXPECT_THAT(seen.stamps, ElementsAre(at(15s), kMinTime));
  EXPECT_EQ(seen.out_of_order, 1u);
  EXPECT_EQ(clock.largest, at(21s));
  EXPECT_EQ(clock.watermark, at(16s));
}

// W says that everything older than W was seen, so a record at W itself is on time.
TEST(PartitionClock, IsLateForWhatIsOlderThanTheWatermarkOnly) {
  PartitionClock clock;
  look(clock, {at(20s)}, 5s);
  EXPECT_THAT(look(clock, {at(15s)}, 5s).stamps, IsEmpty());
  EXPECT_THAT(look(clock, {at(15s) - Duration(1)}, 5s).stamps, ElementsAre(at(15s)));
}

TEST(PartitionClock, StampsLateRecordsWithTheWatermarkTheyCameBehind) {
  PartitionClock clock;
  const Seen seen = look(clock, {at(10s), at(9s), at(20s), at(19s), at(20s), at(9s)});
  EXPECT_THAT(seen.stamps, ElementsAre(kMinTime, at(10s), kMinTime, at(20s), kMinTime, at(20s)));
}

TEST(PartitionClock, CountsRecordsOlderThanTheNewestBeforeThem) {
  PartitionClock clock;
  // Late or not: the bound has no say in this. One as new as the newest is in order.
  EXPECT_EQ(look(clock, {at(10s), at(10s), at(9s), at(11s), at(10s), at(1s)}, 5s).out_of_order, 3u);
  EXPECT_EQ(clock.largest, at(11s));
}

TEST(PartitionClock, NeverGoesBack) {
  PartitionClock clock;
  clock.watermark = at(30s);  // the source said so
  const Seen seen = look(clock, {at(20s), at(31s), at(29s)}, 5s);
  EXPECT_EQ(clock.watermark, at(30s));
  EXPECT_EQ(clock.largest, at(31s));
  EXPECT_THAT(seen.stamps, ElementsAre(at(30s), kMinTime, at(30s)));
  EXPECT_EQ(seen.out_of_order, 1u) << "the first is late, but nothing newer was seen before it";
  look(clock, {at(36s)}, 5s);
  EXPECT_EQ(clock.watermark, at(31s));
}

TEST(PartitionClock, StaysAtTheFirstTimeWhenTheBoundReachesBeyondIt) {
  PartitionClock clock;
  look(clock, {kMinTime + 5s}, 6s);
  EXPECT_EQ(clock.watermark, kMinTime);
  look(clock, {kMinTime + 6s}, 6s);
  EXPECT_EQ(clock.watermark, kMinTime);
  look(clock, {kMinTime + 7s}, 6s);
  EXPECT_EQ(clock.watermark, kMinTime + 1s);
  look(clock, {at(100h)}, Duration::max());
  EXPECT_EQ(clock.watermark, at(100h) - Duration::max());
}

TEST(PartitionClock, TakesTheLastTimeThereIs) {
  PartitionClock clock;
  EXPECT_THAT(look(clock, {kMaxTime, kMaxTime}).stamps, IsEmpty());
  EXPECT_EQ(clock.watermark, kMaxTime);
  EXPECT_THAT(look(clock, {kMaxTime - Duration(1)}).stamps, ElementsAre(kMaxTime));
}

}  // namespace
}  // namespace slipstream::detail
