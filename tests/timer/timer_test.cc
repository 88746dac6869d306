#include "slipstream/timer.h"

#include <gtest/gtest.h>

#include <chrono>

#include "conformance/source_conformance.h"
#include "slipstream/slipstream.h"
#include "slipstream/testing.h"

namespace slipstream {
namespace {

using conformance::Collector;
using conformance::OwnedRecord;
using conformance::SourceHost;
using namespace std::chrono_literals;

// SourceHost's clock starts at 1 h = 3,600,000,000 us.

TEST(Timer, KeepsTheSourceContract) {
  conformance::check_source({.make = [] { return raw_timer(10s, {.count = 3}); },
                             .expected = {{{.value = "3610000000", .offset = 1},
                                           {.value = "3620000000", .offset = 2},
                                           {.value = "3630000000", .offset = 3}}}});
}

TEST(Timer, MergesTicksThatWereMissed) {
  SourceHost host;
  const auto timer = raw_timer(10s);
  ASSERT_EQ(timer->open(host.env()), absl::OkStatus());
  Collector out;
  const auto read = [&] {
    auto state = timer->read(0, {10, 1000}, out);
    ASSERT_TRUE(state.ok());
    EXPECT_EQ(*state, ReadState::caught_up);
  };
  read();
  EXPECT_TRUE(out.records.empty()) << "the first tick comes one interval after the start";
  host.advance(35s);
  read();
  read();
  host.advance(4s);
  read();
  host.advance(1s);
  read();
  EXPECT_EQ(out.records, (std::vector<OwnedRecord>{{.value = "3630000000", .offset = 3},
                                                   {.value = "3640000000", .offset = 4}}));
}

TEST(Timer, ALateLastTickIsStillTheLast) {
  SourceHost host;
  const auto timer = raw_timer(10s, {.count = 3});
  ASSERT_EQ(timer->open(host.env()), absl::OkStatus());
  host.advance(1000s);
  Collector out;
  auto state = timer->read(0, {10, 1000}, out);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(*state, ReadState::finished);
  EXPECT_EQ(out.records, (std::vector<OwnedRecord>{{.value = "3630000000", .offset = 3}}));
}

TEST(Timer, AsksToBeWokenAtItsNextTick) {
  SourceHost host;
  SourceEnv env = host.env();
  std::vector<EventTime> asked;
  env.wake_at = [&](EventTime time) { asked.push_back(time); };
  const auto timer = raw_timer(10s);
  ASSERT_EQ(timer->open(env), absl::OkStatus());
  Collector out;
  ASSERT_TRUE(timer->read(0, {1, 1}, out).ok());
  host.advance(12s);
  ASSERT_TRUE(timer->read(0, {1, 1}, out).ok());
  EXPECT_EQ(asked, (std::vector<EventTime>{EventTime(3610s), EventTime(3620s)}));
}

TEST(Timer, WaitsForEverWithTheLongestInterval) {
  SourceHost host;
  SourceEnv env = host.env();
  EventTime asked{};
  env.wake_at = [&](EventTime time) { asked = time; };
  const auto timer = raw_timer(Duration::max());
  ASSERT_EQ(timer->open(env), absl::OkStatus());
  Collector out;
  ASSERT_TRUE(timer->read(0, {1, 1}, out).ok());
  EXPECT_EQ(asked, kMaxTime);
}

TEST(Timer, WithoutTicksIsFinishedAtOnce) {
  conformance::check_source({.make = [] { return raw_timer(1s, {.count = 0}); }, .expected = {{}}});
}

TEST(Timer, RefusesWhatMakesNoSense) {
  SourceHost host;
  EXPECT_EQ(raw_timer(0s)->open(host.env()).message(), "timer: the interval must be positive, got 0 us");
  EXPECT_EQ(raw_timer(-5us)->open(host.env()).message(), "timer: the interval must be positive, got -5 us");
  EXPECT_EQ(raw_timer(1s, {.count = -1})->open(host.env()).message(),
            "timer: the count can't be negative, got -1");
}

TEST(Timer, TicksInVirtualTime) {
  App app;
  const auto ticks = app.source(timer(10s, {.count = 3}));
  TestDriver driver(app);
  const auto seen = driver.watch(ticks);
  ASSERT_EQ(driver.advance_time(25s), absl::OkStatus());
  ASSERT_EQ(seen->values.size(), 2u);
  EXPECT_EQ(seen->values[1] - seen->values[0], Duration(10s));
  EXPECT_EQ(seen->infos[1].id.offset, 2);
  ASSERT_EQ(driver.run_to_end(), absl::OkStatus());
  EXPECT_EQ(seen->values.size(), 3u);
}

TEST(Timer, NamesItsTicks) { EXPECT_EQ(raw_timer(1s)->position(0, 7), "timer tick 7"); }

}  // namespace
}  // namespace slipstream
